"""What a step says of a line is about that line: its own limit, its own clause, how its deductible came about."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from schemas.decision import Step
from services.assessment.domain.adjudicate import Adjudication
from tests.builders.assessment import in_usd, what_terms_give
from tests.builders.events import usd


def steps_of(found: Adjudication, op: str) -> list[Step]:
    return [step for line in found.lines for step in line.steps if step.op == op]


def params_of(found: Adjudication, op: str) -> list[dict[str, str]]:
    return [step.params or {} for step in steps_of(found, op)]


SUBLIMITS = [
    {"category": "jewelry", "limit": in_usd("1500.00"), "clause_id": "E.1"},
    {"category": "cash", "limit": in_usd("200.00"), "clause_id": "E.2"},
]
SUBLIMIT = {"op": "sublimit", "clause_id": "E"}
UNLIMITED = {"op": "unlimited"}


def test_each_line_is_told_the_sublimit_of_its_own_kind_and_the_clause_that_sets_it() -> None:
    lines: list[dict[str, Any]] = [
        {"asked": in_usd("12000.00")},
        {"asked": in_usd("4000.00"), "category": "jewelry"},
        {"asked": in_usd("350.00"), "category": "cash"},
    ]

    found = what_terms_give(lines, SUBLIMIT, UNLIMITED, sublimits=SUBLIMITS)

    assert params_of(found, "sublimit") == [{}, {"amount": "1500"}, {"amount": "200"}]
    assert [step.clause_id for step in steps_of(found, "sublimit")] == ["E", "E.1", "E.2"]


def test_of_several_sublimits_over_a_line_the_one_that_cuts_it_is_told() -> None:
    wide = {"limit": in_usd("5000.00"), "clause_id": "E.9"}

    found = what_terms_give(
        [{"asked": in_usd("4000.00"), "category": "jewelry"}], SUBLIMIT, UNLIMITED, sublimits=[SUBLIMITS[0], wide]
    )

    assert [(step.params, step.clause_id) for step in steps_of(found, "sublimit")] == [({"amount": "1500"}, "E.1")]


def test_lines_that_share_a_limit_or_a_sublimit_are_told_how_many_share_it() -> None:
    lines: list[dict[str, Any]] = [
        {"asked": in_usd("1000.00"), "category": "cash"},
        {"asked": in_usd("3000.00"), "category": "cash"},
    ]

    found = what_terms_give(lines, SUBLIMIT, {"op": "limit"}, sublimits=SUBLIMITS, limit=in_usd("100.00"))

    assert params_of(found, "sublimit") == [{"amount": "200", "lines": "2"}] * 2
    assert params_of(found, "limit") == [{"amount": "100", "lines": "2"}] * 2


def test_an_item_with_a_limit_of_its_own_is_told_that_limit() -> None:
    items = [{"item_id": "a", "limit": in_usd("100.00")}, {"item_id": "b", "limit": in_usd("900.00")}]
    lines: list[dict[str, Any]] = [
        {"asked": in_usd("500.00"), "item_id": "a"},
        {"asked": in_usd("500.00"), "item_id": "b"},
    ]

    found = what_terms_give(lines, {"op": "limit"}, limit_basis="item", items=items)

    assert params_of(found, "limit") == [{"amount": "100"}, {"amount": "900"}]


def test_what_other_terms_have_borne_of_a_deductible_is_told_with_it() -> None:
    lines: list[dict[str, Any]] = [{"asked": in_usd("12000.00")}, {"asked": in_usd("4000.00"), "category": "jewelry"}]
    deductible = {"op": "deductible", "less": "result:above_sublimits"}

    found = what_terms_give(
        lines, SUBLIMIT, deductible, UNLIMITED, sublimits=SUBLIMITS, deductibles=[{"amount": in_usd("4000.00")}]
    )

    assert params_of(found, "deductible") == [{"amount": "4000", "borne": "2500", "lines": "2"}] * 2


@pytest.mark.parametrize(
    "bounds, told",
    [
        ({}, {"amount": "8000", "rate": "0.02", "base": "400000"}),
        ({"min": in_usd("500.00")}, {"amount": "8000", "rate": "0.02", "base": "400000"}),
        ({"min": in_usd("9000.00")}, {"amount": "9000"}),
        ({"max": in_usd("5000.00")}, {"amount": "5000"}),
    ],
)
def test_a_deductible_in_per_cent_is_told_with_what_it_is_taken_of_unless_a_bound_sets_it(
    bounds: dict[str, Any], told: dict[str, str]
) -> None:
    deductible = {"kind": "pct_of_limit", "rate": "0.02"} | bounds

    found = what_terms_give(
        [{"asked": in_usd("60000.00")}],
        {"op": "deductible"},
        {"op": "limit"},
        deductibles=[deductible],
        limit=in_usd("400000.00"),
    )

    assert params_of(found, "deductible") == [told]


def test_each_item_is_told_the_deductible_it_bears_itself() -> None:
    deductible = {"kind": "pct_of_loss", "rate": "0.1", "per": "item", "clause_id": "D.1"}

    found = what_terms_give(
        [{"asked": in_usd("600.00")}, {"asked": in_usd("90.00")}],
        {"op": "deductible"},
        UNLIMITED,
        deductibles=[deductible],
    )

    assert params_of(found, "deductible") == [
        {"amount": "60", "rate": "0.1", "base": "600"},
        {"amount": "9", "rate": "0.1", "base": "90"},
    ]
    assert {step.clause_id for step in steps_of(found, "deductible")} == {"D.1"}


def test_each_line_is_told_what_it_received_itself_and_what_its_own_age_takes() -> None:
    facts = {"salvage": {"kind": "money"}, "wear": {"kind": "rate"}}
    lines: list[dict[str, Any]] = [
        {"asked": in_usd("1000.00"), "facts": {"salvage": "100.00", "wear": "0.5"}},
        {"asked": in_usd("1000.00"), "facts": {"salvage": "300.00", "wear": "0.1"}},
    ]

    found = what_terms_give(
        lines,
        {"op": "subtract", "of": "fact:salvage"},
        {"op": "depreciate"},
        UNLIMITED,
        facts=facts,
        depreciation={"method": "rate", "of": "fact:wear"},
    )

    assert params_of(found, "subtract") == [{"amount": "100", "name": "salvage"}, {"amount": "300", "name": "salvage"}]
    assert params_of(found, "depreciate") == [{"amount": "450"}, {"amount": "70"}]


def test_each_item_is_told_its_own_proportion() -> None:
    items = [{"item_id": "a", "limit": in_usd("300.00")}, {"item_id": "b", "limit": in_usd("800.00")}]
    lines: list[dict[str, Any]] = [
        {"asked": in_usd("100.00"), "item_id": one, "insured_value": in_usd("1000.00")} for one in ("a", "b")
    ]

    found = what_terms_give(
        lines,
        {"op": "proportion"},
        {"op": "limit"},
        limit_basis="item",
        items=items,
        coinsurance={"required_rate": "0.8", "value": "fact:insured_value", "carried": "term:limit"},
    )

    assert params_of(found, "proportion") == [
        {"ratio": "0.375", "carried": "300", "required": "800"},
        {"ratio": "1", "carried": "800", "required": "800"},
    ]


@pytest.mark.parametrize(
    "hours, told",
    [
        ("11", {"of": "11", "less": "6", "times": "25"}),
        ("1", {"of": "1", "less": "6", "times": "25", "least": "0"}),
        ("90", {"of": "90", "less": "6", "times": "25", "most": "600"}),
    ],
)
def test_a_value_is_told_as_it_was_worked_out_with_the_bound_that_set_it(hours: str, told: dict[str, str]) -> None:
    value = {
        "op": "value",
        "of": "fact:hours",
        "less": "6",
        "times": "term:per_hour",
        "at_least": "0",
        "at_most": "600",
    }

    found = what_terms_give(
        [{"facts": {"hours": hours}}],
        value,
        UNLIMITED,
        facts={"hours": {"kind": "number"}},
        amounts={"per_hour": in_usd("25.00")},
    )

    assert params_of(found, "value") == [told]


def test_a_value_that_is_one_figure_needs_no_working() -> None:
    found = what_terms_give(
        [{"facts": {"repair": "1200.00"}}],
        {"op": "value", "of": "fact:repair"},
        UNLIMITED,
        facts={"repair": {"kind": "money"}},
    )

    assert steps_of(found, "value")[0].params is None
    assert found.lines[0].payable == usd("1200.00")


def test_what_a_yearly_maximum_gives_back_lowers_no_line() -> None:
    found = what_terms_give(
        [{"asked": in_usd("12000.00")}, {"asked": in_usd("900.00")}],
        {"op": "deductible", "share": "in_order"},
        {"op": "member_coinsurance"},
        {"op": "oop_max"},
        UNLIMITED,
        deductibles=[{"amount": in_usd("900.00")}],
        member_coinsurance="0.2",
        oop_max=in_usd("3000.00"),
    )

    steps = steps_of(found, "oop_max")
    assert found.computed.to_text() == "9900.00"
    assert all(Fraction(one.amount_out) > Fraction(one.amount_in) for one in steps)
