"""Adjudications that hang together: the stages of one claim, and the claims of one policy that share ledgers.

Pure. What is due at a stage is what the terms give now, less what was paid before; nothing is ever asked back here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, permutations

from schemas.decision import DecisionKind
from schemas.money import Money
from schemas.policy import PolicySnapshot
from services.assessment.domain.adjudicate import NOTHING_USED, Adjudication, Used, adjudicate
from services.assessment.domain.claim import Report
from services.assessment.domain.periods import period_of
from services.assessment.domain.position import ZERO

ORDERS_MAX = 120
"""All orders of five claims. Of more claims, this many orders are looked at."""

_GRAVEST_FIRST = (DecisionKind.refer, DecisionKind.partial, DecisionKind.pay, DecisionKind.value)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A claim through its stages: each adjudication, what was newly due at each, and what is paid in the end."""

    stages: tuple[Adjudication, ...]
    due: tuple[Money, ...]
    paid: Money

    @property
    def last(self) -> Adjudication:
        return self.stages[-1]


@dataclass(frozen=True, slots=True)
class Series:
    """Claims of one policy, one after the other; `used` is how their ledgers stand afterwards."""

    claims: tuple[Adjudication, ...]
    used: Used
    total: Money
    kind: DecisionKind


@dataclass(frozen=True, slots=True)
class Orders:
    """Claims that came at once, in every order they may be taken in; `first` in the order given.

    `kept`: in every order, and the same when it is repeated, what was paid stays within what each aggregate had left.
    `totals` are the sums that came out, each once.
    """

    first: Series
    tried: int
    kept: bool
    totals: tuple[Money, ...]


def settle(stages: Sequence[Report], policy: PolicySnapshot, used: Used = NOTHING_USED) -> Settlement:
    """One claim as it was known at each stage, oldest first."""
    if not stages:
        raise ValueError("a claim has at least one stage")
    adjudicated = tuple(adjudicate(stage, policy, used) for stage in stages)
    paid, due = Money.zero(policy.currency), []
    for one in adjudicated:
        newly = max(one.computed - paid, Money.zero(policy.currency))
        due.append(newly)
        paid = paid + newly
    return Settlement(adjudicated, tuple(due), paid)


def in_series(reports: Sequence[Report], policy: PolicySnapshot, used: Used = NOTHING_USED) -> Series:
    """One claim after the other; each finds in the ledgers what those before it have used."""
    ledgers: dict[tuple[str, str], Fraction] = dict(used)
    found: list[Adjudication] = []
    for report in reports:
        one = adjudicate(report, policy, ledgers)
        found.append(one)
        for use in one.uses:
            key = (use.aggregate_id, use.period)
            ledgers[key] = ledgers.get(key, ZERO) + use.amount
    total = Money.total((one.computed for one in found), policy.currency)
    return Series(tuple(found), ledgers, total, kind_of([one.kind for one in found]))


def in_every_order(reports: Sequence[Report], policy: PolicySnapshot, used: Used = NOTHING_USED) -> Orders:
    """The claims in every order, up to `ORDERS_MAX` orders, each of them twice."""
    first = in_series(reports, policy, used)
    kept, tried, totals = True, 0, dict.fromkeys([first.total])
    for order in islice(permutations(reports), ORDERS_MAX):
        once, again = in_series(order, policy, used), in_series(order, policy, used)
        kept = kept and once == again and not any(_overspent(once, policy, order, used))
        tried += 1
        totals[once.total] = None
    return Orders(first, tried, kept, tuple(totals))


def opening(policy: PolicySnapshot, report: Report, paid_before: Mapping[str, Money]) -> Used:
    """Ledgers of the period the loss falls into as they stand after earlier payments. ValueError: no such aggregate."""
    aggregates = {one.aggregate_id: one.period for coverage in policy.coverages for one in coverage.aggregates or ()}
    if missing := sorted(set(paid_before) - set(aggregates)):
        raise ValueError(f"the policy has no aggregate {missing[0]}")
    return {
        (name, period_of(aggregates[name], policy, report.loss_at, report.loss_zone)): amount.as_fraction()
        for name, amount in paid_before.items()
    }


def kind_of(kinds: Sequence[DecisionKind]) -> DecisionKind:
    """What several decisions come to together: a doubt or a reduction in one is one in all; what is paid goes first."""
    for kind in _GRAVEST_FIRST:
        if kind in kinds:
            return kind
    return DecisionKind.deny if kinds and all(kind is DecisionKind.deny for kind in kinds) else DecisionKind.nil


def _overspent(series: Series, policy: PolicySnapshot, reports: Sequence[Report], before: Used) -> Iterator[str]:
    """The aggregates that were overspent by these claims."""
    paid_by: dict[tuple[str, str], Fraction] = {}
    limits: dict[tuple[str, str], Fraction] = {}
    for report, one in zip(reports, series.claims, strict=True):
        paid = {result.coverage_code: result.payable.as_fraction() for result in one.coverages}
        for code, amount in paid.items():
            coverage = policy.coverage(code)
            for aggregate in (coverage.aggregates if coverage is not None else None) or ():
                key = (
                    aggregate.aggregate_id,
                    period_of(aggregate.period, policy, report.loss_at, report.loss_zone),
                )
                limits[key] = aggregate.limit.as_fraction()
                paid_by[key] = paid_by.get(key, ZERO) + amount
    for key, limit in limits.items():
        if paid_by[key] > max(ZERO, limit - before.get(key, ZERO)):
            yield key[0]
