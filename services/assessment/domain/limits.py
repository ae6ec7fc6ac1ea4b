"""The most a policy can pay for a claim: what bounds an amount set by a person, and what is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from schemas.decision import Decision
from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.domain.around import NOTHING_USED, LedgerKey
from services.assessment.domain.claim import Report
from services.assessment.domain.periods import shared_limits

Used = Mapping[LedgerKey, Fraction]


def claimed(report: Report, policy: PolicySnapshot) -> list[Coverage]:
    """The policy's coverages that are claimed under; all of them where none of what is claimed is on the policy."""
    asked = {line.coverage_code for line in report.lines}
    return [one for one in policy.coverages if one.code in asked] or list(policy.coverages)


def most_of(coverage: Coverage) -> Money | None:
    """The most a coverage can pay for one loss, with what its extensions pay on top; None if it has no limit."""
    if coverage.limit is None:
        return None
    most = coverage.limit
    for one in coverage.extensions or ():
        most = most + coverage.limit if one.expense else most
        most = most if one.additional_limit is None else most + one.additional_limit
    return most


def limits_total(
    report: Report, policy: PolicySnapshot, proposed: Decision | None = None, used: Used = NOTHING_USED
) -> Money | None:
    """The most the claimed coverages can pay together, with what other claims left; None if one has no limit."""
    rooms = [room for _, room in rooms_left(report, policy, proposed, used)]
    known = [room for room in rooms if room is not None]
    before = Money.zero(policy.currency) if proposed is None else proposed.computed
    return Money.total((before, *known), policy.currency) if len(known) == len(rooms) else None


def computed_by_coverage(decision: Decision) -> dict[str, Money]:
    """What was computed for each coverage that pays something, in the order of the lines."""
    found: dict[str, Money] = {}
    for line in decision.lines:
        if line.payable:
            found[line.coverage_code] = found.get(line.coverage_code, Money.zero(line.payable.currency)) + line.payable
    return found


def rooms_left(
    report: Report, policy: PolicySnapshot, decision: Decision | None, used: Used
) -> list[tuple[Coverage, Money | None]]:
    """What each claimed coverage could pay on top, one after the other: together they overspend no shared limit.

    None: it has no limit of any kind.
    """
    zero = Money.zero(policy.currency)
    computed = {} if decision is None else computed_by_coverage(decision)
    spent = dict(used)
    for use in (decision.uses if decision is not None else None) or ():
        if not use.borne:
            key = (use.aggregate_id, use.period)
            spent[key] = spent.get(key, Fraction(0)) + use.amount.as_fraction()
    found: list[tuple[Coverage, Money | None]] = []
    for one in claimed(report, policy):
        most, shared = most_of(one), shared_limits(one, policy, report.loss_at, report.loss_zone)
        left = [limit.as_fraction() - spent.get(key, Fraction(0)) for key, limit in shared.items()]
        rooms = [Money.of_fraction(amount, policy.currency) for amount in left]
        rooms += [] if most is None else [most - computed.get(one.code, zero)]
        room = max(zero, min(rooms)) if rooms else None
        for key in shared:
            spent[key] = spent.get(key, Fraction(0)) + (room or zero).as_fraction()
        found.append((one, room))
    return found
