"""Which ledgers a coverage shares, and which span of one a loss falls into: the same span, the same name, for all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage, LimitBasis, Period

SHARED_BASES = {LimitBasis.aggregate_annual: Period.policy_year, LimitBasis.lifetime: Period.lifetime}
"""Limits that all claims of a span share."""


def period_of(period: Period, policy: PolicySnapshot, loss_at: datetime, loss_zone: str) -> str:
    """The span's name. Calendar years are those of the loss's place; policy years begin at the policy's own instant.

    The name of a policy year does not depend on where a loss happened: claims from two zones share it.
    """
    if period is Period.lifetime:
        return "lifetime"
    if period is Period.calendar_year:
        return f"calendar {loss_at.astimezone(ZoneInfo(loss_zone)).year}"
    start = (policy.inception or policy.effective_from).astimezone(UTC)
    if period is Period.policy_term:
        return f"term from {start.date().isoformat()}"
    return f"policy year from {_anniversary(start, loss_at).isoformat()}"


def shared_limits(
    coverage: Coverage, policy: PolicySnapshot, loss_at: datetime, loss_zone: str
) -> dict[tuple[str, str], Money]:
    """Every ledger that bounds the coverage as a whole, in the loss's span, with its limit."""
    names = {one.op for one in coverage.operations}
    found: dict[tuple[str, str], Money] = {}
    for one in coverage.aggregates or () if "aggregate" in names else ():
        found[one.aggregate_id, period_of(one.period, policy, loss_at, loss_zone)] = one.limit
    period = SHARED_BASES.get(coverage.limit_basis)
    if period is not None and coverage.limit is not None and "limit" in names:
        found[limit_ledger(coverage), period_of(period, policy, loss_at, loss_zone)] = coverage.limit
    return found


def limit_ledger(coverage: Coverage) -> str:
    """The ledger of a coverage's own limit, where claims share it."""
    return f"{coverage.code}.limit"


def _anniversary(start: datetime, loss_at: datetime) -> date:
    """The last anniversary of the start at or before the loss; 29 February is kept on the 28th in other years."""
    lost = loss_at.astimezone(UTC)
    this_year = _in_year(start, lost.year)
    return (this_year if this_year <= lost else _in_year(start, lost.year - 1)).date()


def _in_year(start: datetime, year: int) -> datetime:
    try:
        return start.replace(year=year)
    except ValueError:
        return start.replace(year=year, day=28)
