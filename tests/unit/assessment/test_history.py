"""Claims that hang together: stages pay the difference, ledgers are carried on, no order of claims overspends."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decision import DecisionKind
from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Aggregate, Operation
from services.assessment.domain.claim import Report
from services.assessment.domain.history import in_every_order, in_series, kind_of, opening, settle
from services.assessment.domain.policies import version_at
from tests.builders.assessment import a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot, usd

AGGREGATED = (Operation(op="deductible"), Operation(op="aggregate"))


def a_shared_policy(limit: str = "1000.00", deductible: str = "0.00") -> PolicySnapshot:
    """All losses of a policy year share one limit."""
    coverage = a_flood_coverage(
        deductible=deductible, operations=AGGREGATED, aggregates=(Aggregate(aggregate_id="year", limit=usd(limit)),)
    )
    return a_policy_snapshot(coverages=(coverage,))


def losses(*asked: str) -> list[Report]:
    return [a_loss([an_asked_line(one)]) for one in asked]


def test_each_stage_pays_what_is_due_beyond_what_was_paid() -> None:
    found = settle(losses("5000.00", "9000.00", "9000.00"), a_policy_snapshot())

    assert found.due == (usd("4000.00"), usd("4000.00"), usd("0.00"))
    assert found.paid == usd("8000.00")
    assert found.last.computed == usd("8000.00")


def test_a_stage_that_comes_to_less_asks_nothing_back() -> None:
    found = settle(losses("9000.00", "5000.00"), a_policy_snapshot())

    assert found.due == (usd("8000.00"), usd("0.00"))
    assert found.paid == usd("8000.00")


def test_a_claim_finds_what_those_before_it_have_used() -> None:
    found = in_series(losses("600.00", "600.00", "600.00"), a_shared_policy())

    assert [one.computed for one in found.claims] == [usd("600.00"), usd("400.00"), usd("0.00")]
    assert [one.kind for one in found.claims] == [DecisionKind.pay, DecisionKind.partial, DecisionKind.nil]
    assert (found.total, found.kind) == (usd("1000.00"), DecisionKind.partial)


def test_earlier_payments_open_the_ledger_of_the_period() -> None:
    policy, [report] = a_shared_policy(), losses("600.00")

    found = in_series([report], policy, opening(policy, report, {"year": usd("700.00")}))

    assert found.total == usd("300.00")


def test_an_aggregate_the_policy_does_not_have_cannot_be_opened() -> None:
    policy, [report] = a_shared_policy(), losses("600.00")

    with pytest.raises(ValueError, match="no aggregate decade"):
        opening(policy, report, {"decade": usd("1.00")})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    asked=st.lists(st.integers(1, 200_000), min_size=1, max_size=4),
    before=st.integers(0, 150_000),
    deductible=st.integers(0, 20_000),
)
def test_no_order_of_claims_that_came_at_once_overspends_the_aggregate(
    asked: list[int], before: int, deductible: int
) -> None:
    policy = a_shared_policy(deductible=Money(deductible, "USD").to_text())
    reports = losses(*(Money(one, "USD").to_text() for one in asked))
    left = max(0, 100_000 - before)

    found = in_every_order(reports, policy, opening(policy, reports[0], {"year": Money(before, "USD")}))

    due = sum(max(0, one - deductible) for one in asked)
    assert found.kept
    assert found.totals == (Money(min(due, left), "USD"),)


def test_an_aggregate_that_is_not_kept_is_noticed() -> None:
    """The same aggregate's limit differs from what the ledger says is left: paid beyond it, the order is not kept."""
    policy, reports = a_shared_policy(), losses("600.00", "600.00")
    forgotten = a_flood_coverage(
        deductible="0.00",
        operations=(Operation(op="unlimited"),),
        aggregates=(Aggregate(aggregate_id="year", limit=usd("1000.00")),),
    )

    assert in_every_order(reports, policy).kept
    assert not in_every_order(reports, a_policy_snapshot(coverages=(forgotten,))).kept


def test_five_claims_are_tried_in_all_their_orders_and_more_in_as_many() -> None:
    few = in_every_order(losses(*["300.00"] * 3), a_shared_policy())
    many = in_every_order(losses(*["300.00"] * 6), a_shared_policy())

    assert (few.tried, many.tried) == (6, 120)
    assert few.kept
    assert many.kept


@pytest.mark.parametrize(
    "kinds, together",
    [
        (["pay", "nil"], "pay"),
        (["pay", "partial", "nil"], "partial"),
        (["nil", "nil"], "nil"),
        (["deny", "deny"], "deny"),
        (["deny", "nil"], "nil"),
        (["pay", "refer"], "refer"),
    ],
)
def test_several_decisions_come_to_the_one_that_has_to_be_looked_at_first(kinds: list[str], together: str) -> None:
    assert kind_of([DecisionKind(one) for one in kinds]) == together


@pytest.mark.parametrize(
    "day, version",
    [
        (datetime(2011, 12, 31, tzinfo=UTC), "1"),
        (datetime(2012, 1, 1, tzinfo=UTC), "1"),
        (datetime(2012, 5, 31, 23, 59, 59, tzinfo=UTC), "1"),
        (datetime(2012, 6, 1, tzinfo=UTC), "2"),
        (datetime(2013, 6, 1, tzinfo=UTC), "2"),
    ],
)
def test_the_version_in_force_at_the_loss_governs(day: datetime, version: str) -> None:
    begins, changes = datetime(2012, 1, 1, tzinfo=UTC), datetime(2012, 6, 1, tzinfo=UTC)
    first = a_policy_snapshot(version_id="1", effective_from=begins, effective_to=changes)
    second = a_policy_snapshot(version_id="2", effective_from=changes, effective_to=datetime(2013, 1, 1, tzinfo=UTC))

    assert version_at([second, first], day).version_id == version
