"""How a proportion and a deductible fall on several items, and on what is paid in any case."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.intake import ReportedLine
from schemas.terms import CoinsuranceClause, Coverage, Deductible, DeductibleKind, LimitBasis, Operation, Sharing
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from tests.builders.assessment import a_loss
from tests.builders.events import a_policy_snapshot, usd

DEDUCTIBLE = Operation(op="deductible", share=Sharing.in_order)
LIMIT = Operation(op="limit")


def an_item(item_id: str, limit: str | None = "60000.00", value: str | None = None) -> dict[str, Any]:
    amounts = {"limit": limit, "insured_value": value}
    return {"item_id": item_id} | {name: usd(text) for name, text in amounts.items() if text is not None}


def what_comes_of(asked: dict[str, str], *operations: Operation, **terms: Any) -> Adjudication:
    """Losses by item under these operations, the deductible 1,000 if no other is named."""
    named = {"deductibles": (Deductible(amount=usd("1000.00")),)} | terms
    coverage = Coverage.model_validate(
        {"code": "building", "clause_version": "1", "operations": operations, **named}, strict=False
    )
    lines = [
        ReportedLine(line_id=item, coverage_code="building", asked=usd(text), item_id=item)
        for item, text in asked.items()
    ]
    return adjudicate(a_loss(lines), a_policy_snapshot(coverages=(coverage,)))


def paid(found: Adjudication) -> list[str]:
    assert found.problems == ()
    return [line.payable.to_text() for line in found.lines]


@pytest.mark.parametrize(
    "first, second, due",
    [
        ("600.00", "700.00", ["0.00", "0.00"]),
        ("1000.00", "1000.01", ["0.00", "0.01"]),
        ("600.00", "5000.00", ["0.00", "4000.00"]),
        ("5000.00", "600.00", ["4000.00", "0.00"]),
        ("5000.00", "5000.00", ["4000.00", "5000.00"]),
        ("60999.99", "5000.00", ["59999.99", "5000.00"]),
        ("61000.00", "5000.00", ["60000.00", "4000.00"]),
        ("5000.00", "61000.00", ["4000.00", "60000.00"]),
    ],
)
def test_losses_of_items_with_limits_of_their_own_are_not_added_up_against_a_deductible_taken_once(
    first: str, second: str, due: list[str]
) -> None:
    items = (an_item("a"), an_item("b"))

    found = what_comes_of({"a": first, "b": second}, DEDUCTIBLE, LIMIT, items=items, limit_basis=LimitBasis.item)

    assert paid(found) == due


def test_under_one_limit_what_all_items_are_worth_counts_damaged_or_not() -> None:
    items = (an_item("a", None, "75000.00"), an_item("b", None, "100000.00"), an_item("c", None, "75000.00"))
    clause = CoinsuranceClause(required_rate="0.90")

    found = what_comes_of(
        {"a": "50000.00"},
        Operation(op="proportion"),
        Operation(op="deductible"),
        LIMIT,
        items=items,
        limit=usd("180000.00"),
        limit_basis=LimitBasis.blanket,
        coinsurance=clause,
    )

    assert paid(found) == ["39000.00"]


def test_under_one_limit_an_item_of_unknown_worth_is_a_question() -> None:
    items = (an_item("a", None, "75000.00"), an_item("b", None))
    clause = CoinsuranceClause(required_rate="0.90")

    found = what_comes_of(
        {"a": "50000.00"},
        Operation(op="proportion"),
        LIMIT,
        items=items,
        limit=usd("180000.00"),
        limit_basis=LimitBasis.blanket,
        coinsurance=clause,
    )

    assert found.problems == ("coverage building: insured_value is needed of every item under one limit",)


def test_with_limits_of_their_own_each_item_has_its_own_proportion() -> None:
    items = (an_item("a", "60000.00", "100000.00"), an_item("b", "80000.00", "100000.00"))
    clause = CoinsuranceClause(required_rate="0.80")

    found = what_comes_of(
        {"a": "10000.00", "b": "20000.00"},
        Operation(op="proportion"),
        DEDUCTIBLE,
        LIMIT,
        items=items,
        limit_basis=LimitBasis.item,
        coinsurance=clause,
    )

    assert paid(found) == ["6500.00", "20000.00"]


@pytest.mark.parametrize("least, due", [("35000", "34000.00"), ("60000", "49000.00"), ("100", "24500.00")])
def test_what_is_paid_in_any_case_has_borne_the_deductible_too_and_is_no_more_than_the_loss(
    least: str, due: str
) -> None:
    clause = CoinsuranceClause(required_rate="1", value="240000", carried="120000")

    found = what_comes_of(
        {"a": "50000.00"},
        Operation(op="deductible"),
        Operation(op="proportion", at_least=least, less="result:deductible_applied"),
        LIMIT,
        items=(an_item("a"),),
        limit=usd("120000.00"),
        coinsurance=clause,
    )

    assert paid(found) == [due]


def test_a_coverage_without_a_deductible_has_had_none_applied() -> None:
    clause = CoinsuranceClause(required_rate="1", value="240000", carried="120000")

    found = what_comes_of(
        {"a": "50000.00"},
        Operation(op="deductible"),
        Operation(op="proportion", at_least="35000", less="result:deductible_applied"),
        LIMIT,
        items=(an_item("a"),),
        limit=usd("120000.00"),
        coinsurance=clause,
        deductibles=(),
    )

    assert paid(found) == ["35000.00"]


def test_the_least_of_a_yearly_deductible_is_for_a_later_loss_of_the_year() -> None:
    yearly = Deductible(
        kind=DeductibleKind.annual, amount=usd("500.00"), at_least="1000", aggregate_id="hurricane_deductible"
    )

    found = what_comes_of(
        {"a": "20000.00"},
        Operation(op="deductible"),
        LIMIT,
        items=(an_item("a"),),
        deductibles=(yearly,),
        limit=usd("60000.00"),
    )

    assert paid(found) == ["19500.00"]
