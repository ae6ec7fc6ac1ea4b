"""What adjudicating one flood claim costs: the engine over a form's own operations, beside the bare two of flood.

Pure computation in this process: no log, no database. CPU time, the best of several rounds, so that whatever else runs
on the machine counts as little as it can.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.policy import PolicySnapshot
    from services.assessment.domain.claim import Report

MICROSECONDS_MAX = 300
CLAIMS, ROUNDS = 1_000, 7


def measure(claims: int = CLAIMS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Microseconds a claim with a building and a contents line, by the engine and by bare arithmetic; their ratio."""
    from services.assessment.domain.adjudicate import adjudicate

    report, policy = a_flood_claim()
    engine, bare = adjudicate(report, policy).lines, two_operations(report, policy)
    if [line.model_dump() for line in engine] != [line.model_dump() for line in bare]:
        raise AssertionError("engine and bare arithmetic must give the same lines, or they are not comparable")
    costs = {
        "engine": _best(lambda: adjudicate(report, policy), claims, rounds),
        "two_operations": _best(lambda: two_operations(report, policy), claims, rounds),
    }
    return {**costs, "engine : two operations": costs["engine"] / costs["two_operations"]}


def a_flood_claim() -> tuple[Report, PolicySnapshot]:
    """A claim on the shipped flood form, above the deductible in both lines and above the limit in one."""
    from schemas.intake import ReportedLine
    from schemas.money import Money
    from schemas.policy import PolicySnapshot, PolicyStatus
    from schemas.terms import Coverage, Deductible
    from services.assessment.adapters.policy_terms import filled, load_terms
    from services.assessment.domain.claim import Report

    began, terms = datetime(2012, 1, 1, tzinfo=UTC), load_terms()
    coverages = []
    for code, limit in (("building", "250000.00"), ("contents", "30000.00")):
        form = terms.coverage("nfip-dwelling", code, began)
        if form is None:
            raise AssertionError("the shipped flood form has building and contents")
        own = Coverage(
            code=code,
            clause_version=form.clause_version,
            limit=Money.of_text(limit, "USD"),
            deductibles=(Deductible(amount=Money.of_text("1000.00", "USD")),),
        )
        coverages.append(filled(form, own))
    policy = PolicySnapshot(
        policy_number="FL-000001",
        version_id="1",
        effective_from=began,
        status=PolicyStatus.in_force,
        currency="USD",
        line="flood",
        jurisdiction="US-NY",
        coverages=tuple(coverages),
        source_system="benchmark",
        retrieved_at=began,
    )
    asked = {"building": "43793.00", "contents": "41205.50"}
    lines = tuple(
        ReportedLine(line_id=code, coverage_code=code, asked=Money.of_text(amount, "USD"))
        for code, amount in asked.items()
    )
    loss_at = datetime(2012, 10, 29, 16, tzinfo=UTC)
    return Report("FL-000001", "flood", loss_at, "USD", lines, "America/New_York", "flood"), policy


def two_operations(report: Report, policy: PolicySnapshot) -> tuple[Any, ...]:
    """The same decision lines by what flood comes down to: less the deductible, no more than the limit."""
    from schemas.decision import DecisionLine, Step
    from schemas.money import Money, exact_text

    lines = []
    for line in report.lines:
        coverage = policy.coverage(line.coverage_code)
        if coverage is None or coverage.limit is None or coverage.deductibles[0].amount is None or line.asked is None:
            raise AssertionError("both lines of the benchmark's claim are covered")
        amount, steps = line.asked.as_fraction(), []
        sizes = {"deductible": coverage.deductibles[0].amount.as_fraction(), "limit": coverage.limit.as_fraction()}
        for operation in (one for one in coverage.operations if one.op in sizes):
            size = sizes[operation.op]
            after = max(Fraction(0), amount - size) if operation.op == "deductible" else min(amount, size)
            steps.append(
                Step(
                    op=operation.op,
                    clause_id=operation.clause_id,
                    amount_in=exact_text(amount),
                    amount_out=exact_text(after),
                    params={"amount": exact_text(size)},
                )
            )
            amount = after
        lines.append(
            DecisionLine(
                line_id=line.line_id,
                coverage_code=line.coverage_code,
                asked=line.asked,
                payable=Money.of_fraction(amount, policy.currency),
                steps=tuple(steps),
            )
        )
    return tuple(lines)


def _best(run: Callable[[], object], claims: int, rounds: int) -> float:
    """Microseconds of CPU for one, in the fastest round."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(claims):
            run()
        found.append((time.process_time() - began) / claims * 1e6)
    return min(found)
