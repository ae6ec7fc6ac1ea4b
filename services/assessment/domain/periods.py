"""Which span of a shared ledger a loss falls into, as a name: the same span, the same name, for every claim."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from schemas.policy import PolicySnapshot
from schemas.terms import Period


def period_of(period: Period, policy: PolicySnapshot, loss_at: datetime, loss_zone: str) -> str:
    """The span's name. Calendar years are those of the loss's place; policy years begin on the policy's own day."""
    if period is Period.lifetime:
        return "lifetime"
    zone = ZoneInfo(loss_zone)
    day = loss_at.astimezone(zone).date()
    if period is Period.calendar_year:
        return f"calendar {day.year}"
    start = (policy.inception or policy.effective_from).astimezone(zone).date()
    if period is Period.policy_term:
        return f"term from {start.isoformat()}"
    return f"policy year from {_anniversary(start, day).isoformat()}"


def _anniversary(start: date, day: date) -> date:
    """The last anniversary of `start` on or before `day`; 29 February is kept on the 28th in other years."""
    this_year = _in_year(start, day.year)
    return this_year if this_year <= day else _in_year(start, day.year - 1)


def _in_year(start: date, year: int) -> date:
    try:
        return start.replace(year=year)
    except ValueError:
        return start.replace(year=year, day=28)
