"""Policies whose claims share money over a year, and rules under which software pays them at once, for tests.

Losses of one policy lie days apart, so that no two of them look like one loss told twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from schemas.decision import LedgerUse
from schemas.intake import ClaimReported
from schemas.policy import PolicySnapshot
from schemas.terms import Aggregate, Deductible, DeductibleKind, Operation, Period
from services.assessment.domain.decision_table import TableVersion
from services.assessment.domain.rule_book import RuleBook
from tests.builders.assessment import RULES, a_flood_coverage, an_asked_line
from tests.builders.events import a_claim_id, a_claim_reported, a_policy_snapshot, usd
from tests.simulation.outside import Faults, SimPolicyBook

YEAR_BEGINS = datetime(2012, 1, 1, 5, tzinfo=UTC)
FIRST_LOSS = datetime(2012, 2, 1, 16, tzinfo=UTC)
APART = timedelta(days=5)
MANY_CLAIMS = "FLAG-03"


def _without_many_claims(version: TableVersion) -> TableVersion:
    rows = [row for row in version.rows if row.row_id != MANY_CLAIMS]
    return TableVersion(version.version, version.effective_from, version.hit, version.inputs, version.outputs, rows)


def _rules() -> RuleBook:
    flags = RULES.tables.flags
    usual = replace(flags, versions=tuple(_without_many_claims(one) for one in flags.versions))
    return replace(RULES, tables=replace(RULES.tables, flags=usual))


MANY_ARE_USUAL = _rules()
"""The rules that are shipped, but for one flag: here a policy may have many claims without a person looking."""


def an_aggregate_policy(limit: str = "100000.00", number: str = "FL-000001", **changes: Any) -> PolicySnapshot:
    """All losses of a year together are paid up to the limit; nothing is borne."""
    aggregate = Aggregate(aggregate_id="all-losses", limit=usd(limit), period=Period.policy_year)
    operations = (Operation(op="aggregate", clause_id="AGG.1"), Operation(op="limit", clause_id="SFIP.III.A"))
    coverage = a_flood_coverage(deductibles=(), aggregates=(aggregate,), operations=operations, **changes)
    return _a_years_policy(number, coverage)


def a_hurricane_policy(number: str = "FL-000001") -> PolicySnapshot:
    """9,000 are borne once a calendar year; what a later storm bears is the rest of it, or 1,000 if that is more."""
    deductible = Deductible(
        kind=DeductibleKind.annual,
        amount=usd("9000.00"),
        at_least="term:all_other_perils",
        aggregate_id="hurricanes",
        period=Period.calendar_year,
        clause_id="FS.627.701(5)",
    )
    coverage = a_flood_coverage(deductibles=(deductible,), amounts={"all_other_perils": usd("1000.00")})
    return _a_years_policy(number, coverage)


def a_members_policy(number: str = "FL-000001") -> PolicySnapshot:
    """The member bears a half of every loss, at most 3,000 a year; above that all is paid."""
    operations = (
        Operation(op="member_coinsurance", clause_id="HP.5"),
        Operation(op="oop_max", clause_id="HP.6"),
        Operation(op="limit", clause_id="HP.8"),
    )
    coverage = a_flood_coverage(
        deductibles=(),
        member_coinsurance="0.5",
        oop_max=usd("3000.00"),
        oop_aggregate_id="out-of-pocket",
        operations=operations,
    )
    return _a_years_policy(number, coverage)


def _a_years_policy(number: str, *coverages: Any) -> PolicySnapshot:
    return a_policy_snapshot(
        policy_number=number,
        effective_from=YEAR_BEGINS,
        effective_to=YEAR_BEGINS + timedelta(days=366),
        inception=YEAR_BEGINS - timedelta(days=365),
        coverages=coverages,
    )


def a_years_loss(nth: int, asked: str | None, number: str = "FL-000001", **changes: Any) -> ClaimReported:
    """The n-th loss of a policy's year, on its own day; the claim's id is that of `a_claim_id(nth)`."""
    at = FIRST_LOSS + nth * APART
    fields: dict[str, Any] = {"policy_number": number, "loss_at": at, "reported_at": at + timedelta(days=1)}
    fields["lines"] = (an_asked_line(asked),)
    return a_claim_reported(a_claim_id(nth), **fields | changes)


def taken(uses: Iterable[LedgerUse], ledger: str = "all-losses") -> Fraction:
    return sum((one.amount.as_fraction() for one in uses if one.aggregate_id == ledger), Fraction(0))


def a_book(*policies: PolicySnapshot) -> SimPolicyBook:
    """The policy system that knows these policies and never fails."""
    book = SimPolicyBook(random.Random(3), Faults.none())
    book.policies = {policy.policy_number: policy for policy in policies}
    return book
