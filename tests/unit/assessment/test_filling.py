"""What a policy leaves open its form says: conditions and clauses of named deductibles, the other figures of a rule."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.conditions import Condition, DeclaredFact, FactKind
from schemas.decision import DecisionKind
from schemas.intake import OtherPolicy, ReportedLine
from schemas.policy import PolicySnapshot
from schemas.terms import (
    CoinsuranceClause,
    ContributionMethod,
    Coverage,
    Deductible,
    DeductibleKind,
    DeductiblePer,
    Depreciation,
    DepreciationMethod,
    Extension,
    ExtensionCap,
    InsuredItem,
    Operation,
    Sublimit,
)
from services.assessment.adapters.policy_terms import filled
from services.assessment.domain.adjudicate import adjudicate
from tests.builders.assessment import a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot, usd

STORM = (Condition(fact="peril", equals="storm"),)


def own(**fields: Any) -> Coverage:
    """What a policy says about its building coverage."""
    return Coverage(code="building", clause_version="2020", **fields)


def policy_of(**fields: Any) -> PolicySnapshot:
    return a_policy_snapshot(coverages=(a_flood_coverage(**fields),))


def test_a_named_deductible_keeps_the_condition_and_the_clause_of_the_form() -> None:
    form = a_flood_coverage(deductibles=(Deductible(name="storm", of="term:storm", when=STORM, clause_id="W.1"),))

    found = filled(form, own(deductibles=(Deductible(name="storm", amount=usd("7.00")),)))

    assert found.deductibles == (Deductible(name="storm", amount=usd("7.00"), when=STORM, clause_id="W.1"),)


def test_a_percentage_of_the_policy_takes_the_place_of_the_whole_figure_of_the_form() -> None:
    slot = Deductible(kind=DeductibleKind.pct_of_value, rate_of="term:rate", per=DeductiblePer.item, clause_id="W.1")

    found = filled(a_flood_coverage(deductibles=(slot,)), own(deductibles=(Deductible(amount=usd("7.00")),)))

    assert found.deductibles == (Deductible(amount=usd("7.00"), per=DeductiblePer.item, clause_id="W.1"),)


def test_a_policys_own_way_to_depreciate_takes_the_place_of_the_forms_and_keeps_its_cap() -> None:
    stated = Depreciation(method=DepreciationMethod.stated, of="fact:worn", cap="0.8", clause_id="W.2")
    by_age = Depreciation(method=DepreciationMethod.straight_line, age="fact:age", life="fact:life")

    found = filled(a_flood_coverage(depreciation=stated), own(depreciation=by_age))

    assert found.depreciation == by_age.model_copy(update={"cap": "0.8", "clause_id": "W.2"})


def test_deductibles_stand_in_the_order_of_the_form_and_others_after_them() -> None:
    slots = (Deductible(name="storm", of="term:a"), Deductible(name="other", of="term:b"))
    said = [Deductible(name=name, amount=usd("7.00")) for name in ("other", "extra", "storm")]

    found = filled(a_flood_coverage(deductibles=slots), own(deductibles=tuple(said)))

    assert [one.name for one in found.deductibles] == ["storm", "other", "extra"]


def test_a_policy_that_says_nothing_has_the_deductibles_of_the_form() -> None:
    form = a_flood_coverage(deductibles=(Deductible(name="storm", of="term:storm"),))

    assert filled(form, own()).deductibles == form.deductibles


def test_a_rule_of_several_figures_is_filled_figure_by_figure() -> None:
    form = a_flood_coverage(
        coinsurance=CoinsuranceClause(required_rate="1", value="fact:replacement_cost", clause_id="F.1")
    )

    found = filled(form, own(coinsurance=CoinsuranceClause(required_rate="0.8")))

    assert found.coinsurance == CoinsuranceClause(required_rate="0.8", value="fact:replacement_cost", clause_id="F.1")


def test_an_extension_keeps_the_caps_of_the_form_and_has_the_amount_of_the_policy() -> None:
    caps = (ExtensionCap(of="result:limit_left"),)
    form = a_flood_coverage(extensions=(Extension(name="debris", category="debris", caps=caps, clause_id="A.4"),))
    said = Extension(name="debris", category="debris", additional_limit=usd("5.00"))

    [found] = filled(form, own(extensions=(said,))).extensions or ()

    assert (found.caps, found.additional_limit, found.clause_id) == (caps, usd("5.00"), "A.4")


@pytest.mark.parametrize(
    "jewels, furniture, payable", [("5000.00", "3000.00", "4500"), ("1600.00", "0.00", "1100"), ("400.00", "0.00", "0")]
)
def test_what_a_special_limit_cuts_has_borne_that_much_of_the_deductible(
    jewels: str, furniture: str, payable: str
) -> None:
    policy = policy_of(
        deductible="500.00",
        sublimits=(Sublimit(category="jewelry", limit=usd("1500.00")),),
        operations=(
            Operation(op="sublimit"),
            Operation(op="deductible", less="result:above_sublimits"),
            Operation(op="unlimited"),
        ),
    )
    lines = [
        ReportedLine(line_id=category, coverage_code="building", asked=usd(asked), category=category)
        for category, asked in (("jewelry", jewels), ("furniture", furniture))
    ]

    found = adjudicate(a_loss(lines), policy)

    [result] = found.coverages
    assert result.exact == payable
    assert (result.results or {})["deductible_applied"] == ("500" if payable != "0" else "400")


def test_a_deductible_of_each_item_cannot_be_borne_by_the_loss_as_a_whole() -> None:
    policy = policy_of(
        deductibles=(Deductible(amount=usd("5.00"), per=DeductiblePer.item),),
        operations=(
            Operation(op="sublimit"),
            Operation(op="deductible", less="result:above_sublimits"),
            Operation(op="limit"),
        ),
    )

    found = adjudicate(a_loss([an_asked_line("100.00")]), policy)

    assert found.kind is DecisionKind.refer
    assert "per item" in found.problems[0]


@pytest.mark.parametrize("fabricated, kind", [("25.00", "partial"), ("0.00", "pay")])
def test_what_is_taken_off_for_a_reason_is_a_reduction(fabricated: str, kind: str) -> None:
    policy = policy_of(
        facts={"fabricated": DeclaredFact(kind=FactKind.money)},
        operations=(
            Operation(op="subtract", of="fact:fabricated", reason="NOT_VERIFIED"),
            Operation(op="limit"),
        ),
    )

    found = adjudicate(a_loss([an_asked_line("80.00")], facts={"fabricated": fabricated}), policy)

    assert found.kind == kind


def test_insurers_together_pay_no_more_than_the_value_the_line_states() -> None:
    policy = policy_of(
        limit="600.00",
        other_insurance=ContributionMethod.by_sums_insured,
        operations=(Operation(op="contribute"), Operation(op="limit")),
    )
    line = ReportedLine(line_id="1", coverage_code="building", asked=usd("600.00"), insured_value=usd("500.00"))
    others = (OtherPolicy(policy="B", limit=usd("400.00")),)

    found = adjudicate(a_loss([line], other_policies=others), policy)

    assert found.computed == usd("300.00")


@pytest.mark.parametrize(
    "kind, per, payable",
    [("pct_of_limit", "item", "890"), ("pct_of_limit", "occurrence", "890"), ("pct_of_value", "occurrence", "840")],
)
def test_a_percentage_of_several_items_is_of_what_each_item_has(kind: str, per: str, payable: str) -> None:
    items = tuple(
        InsuredItem(item_id=name, limit=usd(limit), insured_value=usd(value))
        for name, limit, value in (("B1", "600.00", "1000.00"), ("B2", "500.00", "600.00"))
    )
    coverage = Coverage(
        code="building",
        clause_version="2020",
        items=items,
        deductibles=(Deductible(kind=DeductibleKind(kind), rate="0.1", per=DeductiblePer(per)),),
        operations=(Operation(op="deductible"), Operation(op="unlimited")),
    )
    lines = [
        ReportedLine(line_id=name, coverage_code="building", asked=usd("500.00"), item_id=name) for name in ("B1", "B2")
    ]

    [result] = adjudicate(a_loss(lines), a_policy_snapshot(coverages=(coverage,))).coverages

    assert result.exact == payable
