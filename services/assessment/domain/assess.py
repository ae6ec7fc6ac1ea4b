"""From the report to the decision: the policy is found or awaited, the claim registered, approved or referred."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
    DuplicateLinked,
    PolicyAwaited,
    PolicyWaitReason,
    ReferralReason,
    ReserveReason,
    ReserveSet,
)
from schemas.decision import CostType, DecisionKind, ReserveLine
from schemas.event import Event
from schemas.ids import ClaimId, claim_reference, event_id
from schemas.intake import ClaimReported
from schemas.outcomes import Emit, Nothing, Outcome, RetryLater, Work
from schemas.policy import PolicySnapshot
from services.assessment.domain.adjudicate import in_order
from services.assessment.domain.claim import ClaimState, Report, Status, fold
from services.assessment.domain.duplicates import Match
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.propose import Proposal, propose, reserves_of
from services.assessment.domain.reserves import initial_reserves
from services.assessment.domain.rule_book import RuleBook

WRITER = "assessment"
LOOKUP_WORK = "policy-lookup"
_WAITS = {
    PolicyMissing.unavailable: PolicyWaitReason.policy_system_unavailable,
    PolicyMissing.unknown: PolicyWaitReason.policy_unknown,
    PolicyMissing.unreadable: PolicyWaitReason.policy_unreadable,
}
_GIVEN_UP = {
    PolicyMissing.unknown: ReferralReason.policy_not_found,
    PolicyMissing.unreadable: ReferralReason.policy_unreadable,
    PolicyMissing.outside_period: ReferralReason.loss_outside_policy_period,
    PolicyMissing.not_in_force: ReferralReason.policy_not_in_force,
}

Decided = tuple[Outcome, ClaimState]


def tell(state: ClaimState, cause_id: UUID, events: tuple[Event, ...], work: tuple[Work, ...] = ()) -> Decided:
    """The outcome that tells these events, and the state folded over them."""
    for number, event in enumerate(events):
        state = fold(state, event, event_id(cause_id, WRITER, number))
    return (Emit(events, work) if events else Nothing(work)), state


def take_report(
    state: ClaimState,
    event: ClaimReported,
    finding: PolicyFinding,
    rules: RuleBook,
    cause_id: UUID,
    now: datetime,
) -> Decided:
    """A claim is reported once; a second report of the same claim changes nothing."""
    if state.status is not Status.new:
        return Nothing(), state
    state = fold(state, event, cause_id)
    return _with_finding(state, finding, rules, cause_id, now, tries=1)


def take_finding(
    state: ClaimState, finding: PolicyFinding, attempt: int, rules: RuleBook, cause_id: UUID, now: datetime
) -> Decided:
    """What another look-up found. The same answer as before keeps the work row, in silence, for its next try."""
    if state.status is not Status.awaiting_policy or state.wait is None:
        return Nothing(), state
    if isinstance(finding, PolicyMissing) and _WAITS.get(finding) is state.wait.reason:
        seconds = rules.decisions.policy_wait.seconds_after(finding, attempt + 1)
        if seconds is not None:
            return RetryLater(state.wait.reason.value, now + timedelta(seconds=seconds)), state
        return refer_without_policy(state, _GIVEN_UP[finding], rules, cause_id, now)
    return _with_finding(state, finding, rules, cause_id, now, tries=state.wait.tries + attempt)


def look_again(state: ClaimState, cause_id: UUID, now: datetime) -> Decided:
    """A person wants the claim to go on, but nothing can be approved without a policy: it is looked up again."""
    awaited = PolicyAwaited(reason=PolicyWaitReason.policy_unknown, attempt=1, next_attempt_at=now)
    return tell(state, cause_id, (awaited,), (_lookup(state, now),))


def _with_finding(
    state: ClaimState, finding: PolicyFinding, rules: RuleBook, cause_id: UUID, now: datetime, tries: int
) -> Decided:
    if isinstance(finding, PolicySnapshot):
        return _register(state, finding, rules, cause_id, now)
    reason, seconds = _WAITS.get(finding), rules.decisions.policy_wait.seconds_after(finding, 1)
    if reason is None or seconds is None:
        return refer_without_policy(state, _GIVEN_UP[finding], rules, cause_id, now)
    due = now + timedelta(seconds=seconds)
    awaited = PolicyAwaited(reason=reason, attempt=tries, next_attempt_at=due)
    return tell(state, cause_id, (awaited,), (_lookup(state, due),))


def _lookup(state: ClaimState, due: datetime) -> Work:
    report = _report(state)
    return Work(LOOKUP_WORK, {"policy_number": report.policy_number, "as_of": report.loss_at.isoformat()}, due)


def _register(state: ClaimState, policy: PolicySnapshot, rules: RuleBook, cause_id: UUID, now: datetime) -> Decided:
    """The claim gets its number, is sorted, and is approved, or its reserve is set and a person is asked."""
    registered = ClaimRegistered(
        claim_number=claim_number(state.claim_id), policy=policy, snapshot_hash=policy.snapshot_hash()
    )
    proposal = propose(state, policy, registered.snapshot_hash, rules, cause_id, now)
    events: list[Event] = [registered, _segmented(proposal)]
    if proposal.sorted.match is not None and proposal.sorted.match.probable:
        events.append(_linked(proposal.sorted.match))
    if not proposal.reasons and proposal.decision is not None:
        reserves = reserves_of(proposal.decision, policy, _report(state))
        events.append(ClaimApproved(decision=proposal.decision, reserves=reserves, approved_by="system"))
        return tell(state, cause_id, tuple(events))
    events += _set_aside(proposal, policy, _report(state), rules, now)
    events.append(ClaimReferred(reasons=proposal.reasons, desk=proposal.desk, decision=proposal.decision))
    return tell(state, cause_id, tuple(events))


def _set_aside(
    proposal: Proposal, policy: PolicySnapshot, report: Report, rules: RuleBook, now: datetime
) -> list[Event]:
    """The reserve by rule, and, where nobody disputes a part, that part to be paid at once out of it."""
    version = rules.reserves.at(now)
    reserves = initial_reserves(report, policy, version)
    if not reserves:
        return []
    told: list[Event] = [
        ReserveSet(reserves=reserves, reason=ReserveReason.registration, rule=rules.reserves.named(version))
    ]
    if proposal.advance is not None:
        kept = at_least(reserves, reserves_of(proposal.advance, policy, report))
        told.append(AdvanceApproved(decision=proposal.advance, reserves=kept, approved_by="system"))
    return told


def at_least(reserves: tuple[ReserveLine, ...], needed: tuple[ReserveLine, ...]) -> tuple[ReserveLine, ...]:
    """The reserve, raised where what is to be paid needs more; coverages not set aside before are added."""
    least = {_account(line): line.amount for line in needed}
    kept = [
        line.model_copy(update={"amount": max(line.amount, least.pop(_account(line), line.amount))})
        for line in reserves
    ]
    return (*kept, *(line for line in needed if _account(line) in least))


def _account(line: ReserveLine) -> tuple[str, CostType]:
    return line.coverage_code, line.cost_type


def _segmented(proposal: Proposal) -> ClaimSegmented:
    found = proposal.sorted
    return ClaimSegmented(
        segment=found.segment, lane=found.lane, flags=found.flags, rules=found.rules, input_hash=found.input_hash
    )


def _linked(match: Match) -> DuplicateLinked:
    other = match.other
    return DuplicateLinked(
        other_claim_id=other.claim_id,
        other_reference=other.reference,
        score=match.score_text,
        reasons=match.reasons,
    )


def refer_anew(
    state: ClaimState,
    policy: PolicySnapshot,
    rules: RuleBook,
    cause_id: UUID,
    now: datetime,
    *why: ReferralReason,
) -> Decided:
    """The claim is computed again and a person is asked again, with what comes out now and why; at least for a look."""
    if state.snapshot_hash is None:
        raise ValueError("a claim with a policy has its snapshot's hash")
    proposal = propose(state, policy, state.snapshot_hash, rules, cause_id, now)
    reasons = in_order({*proposal.reasons, *why}) or (ReferralReason.sorted_to_a_person,)
    decision = proposal.decision
    if decision is not None and decision.kind is not DecisionKind.refer:
        decision = decision.model_copy(update={"kind": DecisionKind.refer})
    return tell(state, cause_id, (ClaimReferred(reasons=reasons, desk=proposal.desk, decision=decision),))


def refer_without_policy(
    state: ClaimState, reason: ReferralReason, rules: RuleBook, cause_id: UUID, now: datetime
) -> Decided:
    """A person is asked about a claim whose policy nobody has found."""
    desk = rules.decisions.at(now).of_line(_report(state).line).desk
    return tell(state, cause_id, (ClaimReferred(reasons=(reason,), desk=desk),))


def _report(state: ClaimState) -> Report:
    if state.report is None:
        raise ValueError("the claim was never reported")
    return state.report


def claim_number(claim: ClaimId) -> str:
    """The permanent number: it follows from the claim's id, as its reference does."""
    return "CL" + claim_reference(claim).removeprefix("CF")
