"""Facts that would turn a deduction into a gain, or leave a loss without a worth, are questions, never amounts."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.assessment import ReferralReason
from schemas.conditions import Condition, DeclaredFact, FactKind
from schemas.decision import DecisionKind
from schemas.intake import OtherPolicy, ReportedLine
from schemas.terms import (
    ContributionMethod,
    Coverage,
    Deductible,
    DeductibleKind,
    Depreciation,
    DepreciationMethod,
    Frequency,
    Operation,
    WaitingPeriod,
)
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from tests.builders.assessment import a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot, usd

MONEY, NUMBER, DATE = (DeclaredFact(kind=kind) for kind in (FactKind.money, FactKind.number, FactKind.date))
LIMIT, UNLIMITED = Operation(op="limit"), Operation(op="unlimited")


def what_comes_of(
    *operations: Operation,
    lines: list[ReportedLine] | None = None,
    stated: dict[str, str] | None = None,
    **terms: Any,
) -> Adjudication:
    """A loss of 100 under these operations, of a coverage that has what is named."""
    coverage = Coverage.model_validate(
        {"code": "building", "clause_version": "1", "operations": (*operations, UNLIMITED), **terms}
    )
    claimed = [an_asked_line("100.00")] if lines is None else lines
    return adjudicate(a_loss(claimed, facts=stated), a_policy_snapshot(coverages=(coverage,)))


@pytest.mark.parametrize(
    "operations, facts, terms, named",
    [
        ([Operation(op="subtract", of="fact:paid")], {"paid": "-5"}, {"facts": {"paid": MONEY}}, "paid"),
        ([Operation(op="value", of="100", times="fact:qty")], {"qty": "-2"}, {"facts": {"qty": NUMBER}}, "qty"),
        (
            [Operation(op="depreciate")],
            {"age": "-1"},
            {
                "facts": {"age": NUMBER},
                "depreciation": Depreciation(method=DepreciationMethod.monthly, age="fact:age", of="0.01"),
            },
            "age",
        ),
        (
            [Operation(op="waiting")],
            {"begun": "9999-12-01"},
            {"facts": {"begun": DATE}, "waiting": WaitingPeriod(days=60, since="begun")},
            "begun",
        ),
    ],
)
def test_a_figure_below_nothing_or_beyond_the_calendar_is_a_question_that_names_it(
    operations: list[Operation], facts: dict[str, str], terms: dict[str, Any], named: str
) -> None:
    found = what_comes_of(*operations, stated=facts, **terms)

    assert found.questions == (ReferralReason.fact_unreadable,)
    assert found.computed == usd("0.00")
    [problem] = found.problems
    assert named in problem
    assert next(iter(facts.values())) not in problem


def test_a_last_time_long_after_this_time_is_a_question_not_a_refusal() -> None:
    facts = {"at": "2026-02-09", "last": "2026-03-12"}
    terms: dict[str, Any] = {
        "facts": {"at": DATE, "last": DATE},
        "frequency": Frequency(days=30, previous="last", at="at"),
    }

    found = what_comes_of(Operation(op="frequency"), stated=facts, **terms)
    within = what_comes_of(Operation(op="frequency"), stated=facts | {"last": "2026-03-11"}, **terms)

    assert found.questions == (ReferralReason.fact_unreadable,)
    assert found.problems == ("coverage building: last lies after at",)
    assert within.kind is DecisionKind.deny


@pytest.mark.parametrize(
    "terms, problem",
    [
        (
            {"schedule": [{"at_least": "100", "share": "0.5"}, {"at_least": "100.0", "share": "0.9"}]},
            "schedule row 2: no two steps begin at the same value",
        ),
        (
            {"deductibles": [Deductible(kind=DeductibleKind.rate, rate="0.1", min=usd("5.00"), max=usd("1.00"))]},
            "deductibles row 1: min is no more than max",
        ),
    ],
)
def test_terms_that_contradict_themselves_are_a_question(terms: dict[str, Any], problem: str) -> None:
    found = what_comes_of(Operation(op="deductible"), **terms)

    assert found.questions == (ReferralReason.operation_unknown,)
    assert found.problems == (f"coverage building: {problem}",)


@pytest.mark.parametrize(
    "worth, amount, reasons",
    [("0", "50.00", ("BELOW_DEDUCTIBLE",)), ("50", "50.00", ("BELOW_DEDUCTIBLE",)), ("0", "0.00", None)],
)
def test_a_loss_worth_nothing_is_not_more_than_a_deductible_if_there_is_one(
    worth: str, amount: str, reasons: tuple[str, ...] | None
) -> None:
    steps = (Operation(op="value", of=worth), Operation(op="deductible"))

    found = what_comes_of(*steps, deductibles=[Deductible(amount=usd(amount))])

    assert found.kind is DecisionKind.nil
    assert found.coverages[0].reasons == reasons


def test_a_number_that_is_no_quantity_may_be_below_nothing() -> None:
    cold = Operation(op="share", of="0.5", when=(Condition(fact="degrees", less_than="0"),))

    found = what_comes_of(cold, stated={"degrees": "-12.5"}, facts={"degrees": NUMBER})

    assert found.computed == usd("50.00")


def test_a_loss_that_no_step_says_the_worth_of_is_a_question() -> None:
    total = Operation(op="value", of="term:whole", when=(Condition(fact="kind", equals="total"),))
    terms = {"facts": {"kind": DeclaredFact(kind=FactKind.code)}, "amounts": {"whole": usd("500.00")}}

    known = what_comes_of(total, lines=[an_asked_line(None)], stated={"kind": "total"}, **terms)
    unknown = what_comes_of(total, lines=[an_asked_line(None)], stated={"kind": "totl"}, **terms)

    assert known.computed == usd("500.00")
    assert unknown.questions == (ReferralReason.fact_missing,)
    assert "asked" in unknown.problems[0]


@pytest.mark.parametrize(
    "verified, kind, payable",
    [("100.00", "pay", "100.00"), ("99.99", "partial", "99.99"), ("0.00", "deny", "0.00")],
)
def test_a_claim_of_which_nothing_was_verified_is_refused_not_worked_out_to_nothing(
    verified: str, kind: str, payable: str
) -> None:
    adjust = Operation(op="adjust", of="fact:verified", clause_id="27")

    found = what_comes_of(adjust, stated={"verified": verified}, facts={"verified": MONEY})

    assert (found.kind, found.computed) == (DecisionKind(kind), usd(payable))
    [result] = found.coverages
    refused = [(one.reason, one.clause_id) for one in result.refusals or ()]
    assert refused == ([("NOT_VERIFIED", "27")] if kind == "deny" else [])


@pytest.mark.parametrize(
    "value, others, payable",
    [
        ("800.00", ["200.00"], "37.50"),
        ("800.00", [], "37.50"),
        ("500.00", ["200.00"], "60.00"),
        ("400.00", ["200.00"], "60.00"),
        ("300.00", [], "100.00"),
        ("0.00", ["200.00"], "0.00"),
    ],
)
def test_what_a_thing_is_worth_beyond_all_sums_insured_its_owner_bears(
    value: str, others: list[str], payable: str
) -> None:
    coverage = Coverage(
        code="building",
        clause_version="1",
        limit=usd("300.00"),
        other_insurance=ContributionMethod.by_sums_insured,
        operations=(Operation(op="contribute"), LIMIT),
    )
    line = ReportedLine(line_id="1", coverage_code="building", asked=usd("100.00"), insured_value=usd(value))
    policies = tuple(OtherPolicy(policy=f"P{row}", limit=usd(limit)) for row, limit in enumerate(others))

    found = adjudicate(a_loss([line], other_policies=policies or None), a_policy_snapshot(coverages=(coverage,)))

    assert found.computed == usd(payable)
