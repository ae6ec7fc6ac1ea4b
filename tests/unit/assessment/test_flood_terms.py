"""The flood form as shipped: program maximums, increased cost of compliance, replacement cost, separate deductibles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.decision import DecisionKind
from schemas.intake import ReportedLine
from schemas.terms import Coverage, Deductible
from services.assessment.adapters.policy_terms import filled
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from tests.builders.assessment import TERMS, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot, usd


def a_coverage_of_the_form(code: str, limit: str, deductible: str = "0.00", begins: int = 2012) -> Coverage:
    form = TERMS.coverage("nfip-dwelling", code, datetime(begins, 1, 1, 5, tzinfo=UTC))
    assert form is not None
    own = Coverage(
        code=code,
        clause_version="SFIP-DF-2010",
        limit=usd(limit),
        deductibles=(Deductible(amount=usd(deductible)),),
    )
    return filled(form, own)


def decided(coverages: tuple[Coverage, ...], lines: list[ReportedLine], **facts: Any) -> Adjudication:
    return adjudicate(a_loss(lines, facts=facts or None), a_policy_snapshot(coverages=coverages))


@pytest.mark.parametrize(
    "code, occupancy, begins, payable",
    [
        ("building", "single_family", 2012, "250000.00"),
        ("building", "other_residential", 2012, "250000.00"),
        ("building", "other_residential", 2015, "500000.00"),
        ("building", "non_residential", 2012, "500000.00"),
        ("building", "single_family", 1994, "600000.00"),
        ("contents", "single_family", 2012, "100000.00"),
        ("contents", "non_residential", 2012, "500000.00"),
    ],
)
def test_a_loss_is_held_to_the_programs_maximum_for_its_kind_of_building(
    code: str, occupancy: str, begins: int, payable: str
) -> None:
    coverage = a_coverage_of_the_form(code, "600000.00", begins=begins)

    facts = {"occupancy": occupancy} if begins > 1995 else {}
    found = decided((coverage,), [an_asked_line("700000.00", code)], **facts)

    assert found.computed == usd(payable)
    assert found.kind is DecisionKind.pay


def test_each_coverage_bears_its_own_deductible() -> None:
    building = a_coverage_of_the_form("building", "250000.00", "5000.00")
    contents = a_coverage_of_the_form("contents", "100000.00", "1250.00")

    found = decided((building, contents), [an_asked_line("9000.00", "contents"), an_asked_line("20000.00")])

    assert [(line.coverage_code, line.payable) for line in found.lines] == [
        ("contents", usd("7750.00")),
        ("building", usd("15000.00")),
    ]


RESTORED = {"occupancy": "single_family", "principal_residence": True, "insured_to_value": True}


@pytest.mark.parametrize(
    "facts, payable",
    [
        (RESTORED, "19000.00"),
        (RESTORED | {"repair_spent": "31000.00"}, "30000.00"),
        (RESTORED | {"repair_spent": "31000.00", "principal_residence": False}, "19000.00"),
        (RESTORED | {"repair_spent": "31000.00", "insured_to_value": False}, "19000.00"),
        (RESTORED | {"repair_spent": "31000.00", "occupancy": "two_to_four_family"}, "19000.00"),
        ({"repair_spent": "31000.00"}, "19000.00"),
    ],
)
def test_replacement_cost_is_paid_once_it_was_spent_on_an_eligible_home(facts: dict[str, Any], payable: str) -> None:
    coverage = a_coverage_of_the_form("building", "250000.00", "1000.00")

    found = decided((coverage,), [an_asked_line("20000.00")], **facts)

    assert found.computed == usd(payable)


def test_increased_cost_of_compliance_is_paid_in_full_beside_the_building_within_its_maximum() -> None:
    building = a_coverage_of_the_form("building", "240000.00", "1000.00")
    icc = a_coverage_of_the_form("icc", "30000.00")

    beside = decided((building, icc), [an_asked_line("25000.00", "icc"), an_asked_line("60000.00")])
    above = decided((building, icc), [an_asked_line("30000.00", "icc"), an_asked_line("300000.00")])
    alone = decided((building, icc), [an_asked_line("35000.00", "icc")])

    assert [line.payable for line in beside.lines] == [usd("25000.00"), usd("59000.00")]
    assert [line.payable for line in above.lines] == [usd("10000.00"), usd("240000.00")]
    assert [line.payable for line in alone.lines] == [usd("30000.00")]


def test_compliance_cost_for_a_building_that_is_not_substantially_damaged_is_proposed_to_be_refused() -> None:
    found = decided(
        (a_coverage_of_the_form("icc", "30000.00"),), [an_asked_line("5000.00", "icc")], substantially_damaged=False
    )

    assert found.kind is DecisionKind.deny
    [refusal] = found.coverages[0].refusals or ()
    assert (refusal.reason, refusal.clause_id) == ("ICC_NOT_REQUIRED", "SFIP.III.D.2")
