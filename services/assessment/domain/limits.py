"""The most a policy can pay for a claim: what bounds an amount set by a person, and what is set aside."""

from __future__ import annotations

from schemas.decision import CoverageResult, Decision
from schemas.money import Money, exact_amount
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.domain.claim import Report


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


def limits_total(report: Report, policy: PolicySnapshot, proposed: Decision | None = None) -> Money | None:
    """The most the claimed coverages can pay together; None if one of them has no limit.

    A coverage that shares a limit with other claims can pay what was computed and what the limit still has.
    """
    shared = {one.coverage_code: one for one in (proposed.coverages if proposed is not None else None) or ()}
    most = [_most_now(one, shared.get(one.code)) for one in claimed(report, policy)]
    known = [amount for amount in most if amount is not None]
    return Money.total(known, policy.currency) if len(known) == len(most) else None


def _most_now(coverage: Coverage, found: CoverageResult | None) -> Money | None:
    most = most_of(coverage)
    left = (found.results or {}).get("aggregate_remaining_after") if found is not None else None
    if found is None or left is None:
        return most
    bound = found.payable + Money.of_fraction(exact_amount(left), found.payable.currency)
    return bound if most is None else min(most, bound)
