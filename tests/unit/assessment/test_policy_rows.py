"""The policy system's rows as our terms: everything carried over exactly, and whatever is not surely right refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Valuation
from services.assessment.adapters.policy_rows import finding_of, money_of
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing
from tests.builders.assessment import NOW, TERMS, a_coverage_row, a_policy_row
from tests.builders.events import LOSS_AT, usd

KEY = PolicyKey("FL-000001", LOSS_AT)


def an_answer(policy: object = None, **changes: Any) -> dict[str, Any]:
    fields = {"policy_number": KEY.policy_number, "as_of": LOSS_AT.isoformat(), "found": True}
    return fields | {"policy": a_policy_row() if policy is None else policy} | changes


def a_refusal(reason: str, **changes: Any) -> dict[str, Any]:
    asked = {"policy_number": KEY.policy_number, "as_of": LOSS_AT.isoformat(), "found": False}
    return asked | {"reason": reason} | changes


def found(answer: object) -> PolicyFinding:
    return finding_of(answer, KEY, TERMS, NOW)


def test_a_row_becomes_a_snapshot_with_exact_amounts_and_the_terms_of_its_line() -> None:
    coverages = [a_coverage_row(insured_value="310000"), a_coverage_row("contents", valuation="RC", limit="50000.5")]

    snapshot = found(an_answer(a_policy_row(coverages=coverages)))

    assert isinstance(snapshot, PolicySnapshot)
    assert (snapshot.policy_number, snapshot.version_id, snapshot.line) == ("FL-000001", "1", "flood")
    assert snapshot.effective_from == datetime(2012, 1, 1, 5, tzinfo=UTC)
    building, contents = snapshot.coverages
    assert (building.limit, building.insured_value) == (usd("250000.00"), usd("310000.00"))
    assert [one.amount for one in building.deductibles] == [usd("1000.00")]
    assert (building.valuation, contents.valuation) == (Valuation.ACV, Valuation.RCV)
    assert contents.limit == usd("50000.50")
    assert [(one.op, one.clause_id) for one in building.operations] == [
        ("value", "SFIP.VII.R"),
        ("deductible", "SFIP.VI"),
        ("limit", "SFIP.III.A"),
        ("sublimit", None),
    ]
    assert [one.op for one in contents.operations] == ["deductible", "limit", "sublimit"]
    assert building.form is not None and building.form.startswith("nfip-dwelling:1995-03:")


def test_a_coverage_the_terms_do_not_know_comes_without_operations() -> None:
    snapshot = found(an_answer(a_policy_row(coverages=[a_coverage_row("garden")])))

    assert isinstance(snapshot, PolicySnapshot)
    assert snapshot.coverages[0].operations == ()


def test_an_open_end_and_the_first_instant_are_in_force_and_the_end_is_not() -> None:
    starts = a_policy_row(effective_from=LOSS_AT.isoformat(), effective_to=None)
    ends = a_policy_row(effective_to=LOSS_AT.isoformat())

    assert isinstance(found(an_answer(starts)), PolicySnapshot)
    assert found(an_answer(ends)) is PolicyMissing.unreadable


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        "policy",
        an_answer(policy_number="FL-000002"),
        an_answer(as_of="2012-10-29T22:30:01+00:00"),
        an_answer(as_of="2012-10-29T22:30:00"),
        an_answer(found="true"),
        an_answer(found=1),
        an_answer(a_policy_row("FL-000002")),
        an_answer(a_policy_row(effective_from="2013-01-01T00:00:00-05:00", effective_to=None)),
        an_answer(a_policy_row(effective_from="2014-01-01T00:00:00-05:00")),
        an_answer(a_policy_row(effective_from=1325394000)),
        an_answer(a_policy_row(effective_from="1325394000")),
        an_answer(a_policy_row(version="1")),
        an_answer(a_policy_row(version=1.0)),
        an_answer(a_policy_row(version=0)),
        an_answer(a_policy_row(currency="EURO")),
        an_answer(a_policy_row(currency="ZZZ")),
        an_answer(a_policy_row(status="fine")),
        an_answer(a_policy_row(jurisdiction="New York")),
        an_answer(a_policy_row(line="")),
        an_answer(a_policy_row(coinsurance="0.8")),
        an_answer(a_policy_row(coverages=[a_coverage_row(sublimit="1.00")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(), a_coverage_row()])),
        an_answer(a_policy_row(coverages=[a_coverage_row(valuation="new for old")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit="1,000.00")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit="1000.005")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit="-1000.00")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit=1000.0)])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit=1000)])),
        an_answer(a_policy_row(coverages=[a_coverage_row(limit="١٠٠٠.00")])),
        an_answer(a_policy_row(coverages=[a_coverage_row(deductible=None)])),
        a_refusal("invalid", field="as_of"),
        a_refusal("closed on Sundays"),
        a_refusal("not_in_force", nearest="none"),
    ],
)
def test_an_answer_that_is_not_surely_this_policy_is_unreadable(answer: object) -> None:
    assert found(answer) is PolicyMissing.unreadable


def test_a_version_that_is_not_in_force_is_not_taken_even_if_it_is_sent() -> None:
    assert found(an_answer(a_policy_row(status="cancelled"))) is PolicyMissing.not_in_force


def outline(starts: str, ends: str | None, status: str = "in_force") -> dict[str, Any]:
    return {"number": "FL-000001", "version": 1, "effective_from": starts, "effective_to": ends, "status": status}


BEFORE = outline("2010-01-01T00:00:00Z", "2011-01-01T00:00:00Z")
AFTER = outline("2013-01-01T00:00:00Z", None)
CANCELLED = outline("2012-01-01T00:00:00Z", "2013-01-01T00:00:00Z", "cancelled")


@pytest.mark.parametrize(
    "answer, missing",
    [
        (a_refusal("unknown"), PolicyMissing.unknown),
        (a_refusal("not_in_force", nearest=[]), PolicyMissing.outside_period),
        (a_refusal("not_in_force", nearest=[BEFORE, AFTER]), PolicyMissing.outside_period),
        (a_refusal("not_in_force", nearest=[BEFORE, CANCELLED]), PolicyMissing.not_in_force),
    ],
)
def test_a_refusal_says_whether_no_version_covers_the_loss_or_the_one_that_does_was_not_in_force(
    answer: dict[str, Any], missing: PolicyMissing
) -> None:
    assert found(answer) is missing


@pytest.mark.parametrize(
    "text, currency, expected",
    [
        ("1000", "USD", Money(100_000, "USD")),
        ("1000.5", "USD", Money(100_050, "USD")),
        ("1000.500", "USD", Money(100_050, "USD")),
        ("0001", "JPY", Money(1, "JPY")),
        ("1.00", "JPY", Money(1, "JPY")),
        ("1.234", "KWD", Money(1234, "KWD")),
    ],
)
def test_amounts_are_taken_exactly_whatever_their_decimals(text: str, currency: str, expected: Money) -> None:
    assert money_of(text, currency) == expected
