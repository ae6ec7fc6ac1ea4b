"""Names in a document that nobody knows: each is told with the names there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from schemas.intake import ReportedLine
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage, LimitBasis
from services.assessment.domain.adjudicate import unknown_facts
from services.assessment.domain.claim import Report
from services.assessment.domain.documents import Fault


def unknown_coverages(lines: Sequence[ReportedLine], policy: PolicySnapshot) -> Iterator[Fault]:
    """Lines under no coverage of the policy, and lines that stand twice."""
    codes = [one.code for one in policy.coverages]
    ids = [line.line_id for line in lines]
    for row, line in enumerate(lines):
        if line.coverage_code not in codes:
            yield Fault(("claim", "lines", row, "coverage_code"), f"is no coverage of the policy: {listed(codes)}")
        if ids.index(line.line_id) != row:
            yield Fault(("claim", "lines", row, "line_id"), "stands once")


def facts_not_asked_for(report: Report, policy: PolicySnapshot) -> Iterator[Fault]:
    """Facts that no claimed coverage declares: a misspelt one must not be passed over."""
    unknown = set(unknown_facts(report, policy))
    claimed = [policy.coverage(line.coverage_code) for line in report.lines]
    asked = sorted({name for one in claimed if one is not None for name in one.facts or ()})
    rule = f"is no fact these coverages ask for: {listed(asked)}"
    yield from (Fault(("claim", "facts", name), rule) for name in report.facts or () if name in unknown)
    for row, line in enumerate(report.lines):
        for name in line.facts or ():
            if name in unknown:
                yield Fault(("claim", "lines", row, "facts", name), rule)


def unknown_ledgers(used: Sequence[str], policy: PolicySnapshot) -> Iterator[Fault]:
    """Ledgers said to be used that none of the coverages shares."""
    known = sorted(set(chain.from_iterable(map(_ledgers, policy.coverages))))
    for row, one in enumerate(used):
        if one not in known:
            yield Fault(("used", row, "aggregate_id"), f"is no ledger of these coverages: {listed(known)}")


def _ledgers(coverage: Coverage) -> Iterator[str]:
    yield from (one.aggregate_id for one in coverage.aggregates or ())
    named = [coverage.oop_aggregate_id, *(one.aggregate_id for one in coverage.deductibles)]
    named += [one.aggregate_id for one in coverage.sublimits or ()]
    yield from (one for one in named if one is not None)
    if coverage.limit_basis in (LimitBasis.aggregate_annual, LimitBasis.lifetime):
        yield f"{coverage.code}.limit"


def unknown_terms(coverage: Coverage) -> Iterator[str]:
    """Terms an operation always asks for and the coverage does not have."""
    has = {"limit": coverage.limit, "insured_value": coverage.insured_value}
    known = {name for name, amount in has.items() if amount is not None}
    known |= {*(coverage.amounts or ()), *(coverage.rates or ())}
    sources = [value for one in coverage.operations if one.when is None for value in vars(one).values()]
    wanted = dict.fromkeys(one.removeprefix("term:") for one in sources if isinstance(one, str) and one[:5] == "term:")
    if any(one.op == "limit" and one.of is None and one.when is None for one in coverage.operations):
        wanted["limit"] = None
    for name in wanted:
        per_item = name == "limit" and coverage.limit_basis is LimitBasis.item
        if name not in known and not per_item:
            yield f"needs the term {name}, as an amount or a rate; those it has: {listed(sorted(known))}"


def listed(names: Iterable[str]) -> str:
    """Names for a hint, cut where they get too many."""
    shown = list(names)
    return (", ".join(shown[:20]) + (", ..." if len(shown) > 20 else "")) or "there are none"
