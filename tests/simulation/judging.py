"""What must hold of a history beyond the auditor's promises: shared money, workings that add up, people behind noes.

It judges the events on the log and the states assessment ended with. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from uuid import UUID

from messaging.stores.memory_log import MemoryLog
from schemas.assessment import EVENTS, ClaimClosed, ClaimOutcome
from schemas.decision import Decision
from schemas.envelope import Envelope
from schemas.event import Event, decode
from schemas.intake import ClaimWithdrawn
from schemas.money import Money, exact_amount
from schemas.ops import ReviewRecorded
from schemas.policy import PolicySnapshot
from schemas.terms import DeductibleKind
from schemas.topics import WRITERS, topic_of
from services.assessment.domain.claim import ClaimState
from services.assessment.domain.periods import shared_limits

Told = tuple[Envelope, Event]


def unsound(log: MemoryLog, states: Sequence[ClaimState]) -> list[str]:
    """Everything that is wrong, in words."""
    told: dict[UUID, Told] = {}
    for writer in WRITERS:
        for record in log.records(topic_of(writer)):
            envelope = Envelope.from_headers(record.headers)
            told.setdefault(envelope.id, (envelope, decode(envelope.type, record.value or b"")))
    return [*_overspent(states), *_wrong_workings(told.values()), *_nobody_said_no(told)]


# ---- shared money


def _overspent(states: Sequence[ClaimState]) -> Iterator[str]:
    used: defaultdict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    paid: defaultdict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    limits: dict[tuple[str, str, str], Fraction] = {}
    for state in states:
        if state.report is None or state.policy is None:
            continue
        number = state.report.policy_number
        for use in state.uses:
            used[number, use.aggregate_id, use.period] += use.amount.as_fraction()
        shared = _limits(state, state.policy)
        for (ledger, period), limit in shared.items():
            limits[number, ledger, period] = limit
        for ledger, period in _of_all(state, state.policy):
            total = state.paid_total
            paid[number, ledger, period] += Fraction(0) if total is None else total.as_fraction()
    for key, amount in used.items():
        known = [limit for (number, ledger, _), limit in limits.items() if (number, ledger) == key[:2]]
        if not known or amount > max(known):
            yield f"{amount} are used of {key}"
    for key, amount in paid.items():
        if amount > limits[key]:
            yield f"{amount} are paid of {key}, {limits[key]} is the limit"
        if amount > used[key]:
            yield f"{amount} are paid of {key}, only {used[key]} counted"


def _limits(state: ClaimState, policy: PolicySnapshot) -> dict[tuple[str, str], Fraction]:
    """Every ledger of the policy in the span of the claim's loss; a yearly deductible under the names its uses have."""
    found: dict[tuple[str, str], Fraction] = {}
    assert state.report is not None
    for coverage in policy.coverages:
        shared = shared_limits(coverage, policy, state.report.loss_at, state.report.loss_zone)
        found |= {key: limit.as_fraction() for key, limit in shared.items()}
        for one in coverage.deductibles:
            if one.kind is DeductibleKind.annual and one.amount is not None:
                periods = {use.period for use in state.uses if use.aggregate_id == one.aggregate_id}
                found |= {(one.aggregate_id or "", period): one.amount.as_fraction() for period in periods}
    return found


def _of_all(state: ClaimState, policy: PolicySnapshot) -> set[tuple[str, str]]:
    """The ledgers that bound all coverages of the policy: whatever is paid, is paid out of them."""
    assert state.report is not None
    found = [set(shared_limits(one, policy, state.report.loss_at, state.report.loss_zone)) for one in policy.coverages]
    return set.intersection(*found)


# ---- workings


def _wrong_workings(told: object) -> Iterator[str]:
    for envelope, event in told:  # type: ignore[attr-defined]
        decision = getattr(event, "decision", None)
        if isinstance(decision, Decision):
            yield from (f"{envelope.subject} {type(event).__name__}: {words}" for words in _does_not_add_up(decision))


def _does_not_add_up(decision: Decision) -> Iterator[str]:
    ends: defaultdict[str, Fraction] = defaultdict(Fraction)
    paid: defaultdict[str, list[Money]] = defaultdict(list)
    for line in decision.lines:
        paid[line.coverage_code].append(line.payable)
        if not line.steps:
            if line.payable:
                yield f"line {line.line_id} is paid without a step"
            continue
        reached = Fraction(0) if line.asked is None else line.asked.as_fraction()
        for step in line.steps:
            if exact_amount(step.amount_in) != reached:
                yield f"line {line.line_id}: {step.op} does not begin where the step before ended"
            reached = exact_amount(step.amount_out)
        ends[line.coverage_code] += reached
    for one in decision.coverages or ():
        if exact_amount(one.exact) != ends[one.coverage_code]:
            yield f"coverage {one.coverage_code}: its lines do not end at its exact amount"
        if Money.of_fraction(exact_amount(one.exact), one.payable.currency) != one.payable:
            yield f"coverage {one.coverage_code} is not its exact amount, rounded once"
        if Money.total(paid[one.coverage_code], one.payable.currency) != one.payable:
            yield f"coverage {one.coverage_code} is not the sum of its lines"


# ---- noes

REFUSING = tuple(kind for kind in EVENTS if "person" in kind.model_fields and kind.model_fields["person"].is_required())
"""Every event that cannot be told without a person."""


def _nobody_said_no(told: dict[UUID, Told]) -> Iterator[str]:
    for envelope, event in told.values():
        cause = told.get(envelope.cause_id, (None, None))[1]
        if isinstance(event, REFUSING) and not _said_by(cause, event):
            yield f"{envelope.subject}: {type(event).__name__} without the verdict of the person it names"
        if isinstance(event, ClaimClosed) and event.outcome is not ClaimOutcome.paid:
            wanted = ClaimWithdrawn if event.outcome is ClaimOutcome.withdrawn else ReviewRecorded
            if not isinstance(cause, wanted):
                yield f"{envelope.subject}: closed as {event.outcome.value}, and nobody said so"
        decision = getattr(event, "decision", None)
        if isinstance(decision, Decision) and decision.override is not None and decision.override.person is None:
            yield f"{envelope.subject}: an amount nobody set"


def _said_by(cause: Event | None, event: Event) -> bool:
    return isinstance(cause, ReviewRecorded) and cause.person == getattr(event, "person", None)
