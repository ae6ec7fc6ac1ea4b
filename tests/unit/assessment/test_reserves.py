"""Reserves by rule at registration: a share of what is asked within bounds, exact, in the policy's currency."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessment import ReserveReason, ReserveSet
from schemas.intake import ReportedLine
from schemas.money import Money
from services.assessment.adapters.sorting_files import load_reserves
from services.assessment.domain.reserves import LineReserves, ReserveRule, ReserveVersion, initial_reserves
from tests.builders.assessment import a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot
from tests.builders.triage import BEGINNING


def usd(text: str) -> Money:
    return Money.of_text(text, "USD")


def some_rules(**changes: Any) -> ReserveVersion:
    fields: dict[str, Any] = {"coverage": "any", "share": Fraction(1)}
    line = LineReserves("any", (), ReserveRule(**fields | changes))
    return ReserveVersion("2026-01", BEGINNING, (), line)


def reserved(rules: ReserveVersion, *lines: ReportedLine, limit: str = "250000.00") -> list[tuple[str, str]]:
    policy = a_policy_snapshot(coverages=(a_flood_coverage("building", limit), a_flood_coverage("contents", limit)))
    return [(one.coverage_code, one.amount.to_text()) for one in initial_reserves(a_loss(lines), policy, rules)]


@pytest.mark.parametrize(
    "changes, asked, expected",
    [
        ({}, "1000.00", "1000.00"),
        ({"share": Fraction("0.7")}, "1000.01", "700.01"),
        ({"share": Fraction(1, 2)}, "0.01", "0.01"),
        ({"share": Fraction(1, 3)}, "100.00", "33.33"),
        ({"least": (usd("500.00"),)}, "100.00", "500.00"),
        ({"most": (usd("500.00"),)}, "1000.00", "500.00"),
        ({"least": (Money.of_text("500.00", "EUR"),)}, "100.00", "100.00"),
        ({"share": Fraction(2)}, "200000.00", "250000.00"),
        ({"unasked": (usd("3000.00"),)}, None, "3000.00"),
        ({"unasked": (usd("300000.00"),)}, None, "250000.00"),
        ({"unasked": (Money.of_text("3000.00", "EUR"),)}, None, "0.00"),
    ],
)
def test_a_reserve_is_a_share_within_its_bounds(changes: dict[str, Any], asked: str | None, expected: str) -> None:
    assert reserved(some_rules(**changes), an_asked_line(asked)) == [("building", expected)]


def test_lines_of_one_coverage_are_summed_before_the_share_and_its_rounding() -> None:
    lines = [an_asked_line("0.01", line_id=f"l{number}") for number in range(3)]

    assert reserved(some_rules(share=Fraction(1, 2)), *lines) == [("building", "0.02")]


def test_every_coverage_claimed_has_one_reserve_and_others_have_none() -> None:
    lines = [an_asked_line("10.00", "contents"), an_asked_line("20.00"), an_asked_line("30.00", "boat")]

    assert reserved(some_rules(), *lines) == [("contents", "10.00"), ("building", "20.00")]


def test_an_amount_in_another_currency_counts_as_not_stated() -> None:
    line = an_asked_line("10.00", currency="EUR")

    assert reserved(some_rules(unasked=(usd("77.00"),)), line) == [("building", "77.00")]


def test_the_rule_of_the_coverage_goes_before_the_one_of_its_line_and_of_other_lines() -> None:
    rules = load_reserves().at(BEGINNING)

    assert reserved(rules, an_asked_line(None), an_asked_line(None, "contents")) == [
        ("building", "30000.00"),
        ("contents", "10000.00"),
    ]
    assert rules.of_line("motor").of_coverage("own_damage").coverage == "any"


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.fractions(0, 2, max_denominator=1000))
def test_a_reserve_is_never_above_the_limit_and_never_falls_when_more_is_asked(
    one: int, more: int, share: Fraction
) -> None:
    def amount(asked: int) -> Money:
        lines = [ReportedLine(line_id="l", coverage_code="building", asked=Money(asked, "USD"))]
        [reserve] = initial_reserves(
            a_loss(lines), a_policy_snapshot(coverages=(a_flood_coverage(),)), some_rules(share=share)
        )
        return reserve.amount

    assert amount(one) <= amount(one + more) <= usd("250000.00")


def test_reserves_fit_the_event_that_tells_them() -> None:
    rules = load_reserves()
    version = rules.at(BEGINNING)
    found = initial_reserves(
        a_loss([an_asked_line("10.00")]), a_policy_snapshot(coverages=(a_flood_coverage(),)), version
    )

    told = ReserveSet(reserves=found, reason=ReserveReason.registration, rule=rules.named(version))

    assert told.rule is not None and told.rule.id == "reserve-rules"
