"""A claim as assessment knows it: a fold over the events it was told and the events it told, nothing else.

`fold` alone changes a state; a replay of the same events gives the same state.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import InstanceOf

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
    DocumentsRequested,
    DuplicateLinked,
    PolicyAwaited,
    PolicyWaitReason,
    ReferralReason,
    RequestedDocument,
)
from schemas.conditions import Facts
from schemas.decision import Decision, LedgerUse
from schemas.event import Event
from schemas.ids import ClaimId, EventId, PaymentId
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentsReceived, OtherPolicy, Place, ReportedLine
from schemas.money import Money
from schemas.payment import PaymentConfirmed, PaymentRejected
from schemas.policy import PolicySnapshot
from services.assessment.domain.around import ALONE, Around, Neighbour, Within, place_key
from services.assessment.domain.duplicates import asked_total


class Status(StrEnum):
    """The claim's own axis of the lifecycle. A referral is the review axis: `ClaimState.referral`."""

    new = "NEW"
    received = "RECEIVED"
    awaiting_policy = "AWAITING_POLICY"
    registered = "REGISTERED"
    awaiting_info = "AWAITING_INFO"
    in_assessment = "IN_ASSESSMENT"
    approved = "APPROVED"
    partly_approved = "PARTLY_APPROVED"
    decided_nil = "DECIDED_NIL"
    denied = "DENIED"
    payment_exception = "PAYMENT_EXCEPTION"
    paid = "PAID"
    closed = "CLOSED"


@dataclass(frozen=True, slots=True)
class Report:
    """What of the report a decision needs. What has a default was not kept by earlier releases."""

    policy_number: str
    line: str
    loss_at: datetime
    currency: str
    lines: tuple[ReportedLine, ...]
    loss_zone: str = "UTC"
    peril: str = "unknown"
    cause_code: str | None = None
    reported_at: datetime | None = None
    facts: Facts | None = None
    other_policies: tuple[OtherPolicy, ...] | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A policy is awaited: why, and how many tries had been made when it was last told."""

    reason: PolicyWaitReason
    tries: int


@dataclass(frozen=True, slots=True)
class Referral:
    """The open question to a person; a verdict must name its event."""

    event_id: EventId
    reasons: tuple[ReferralReason, ...]
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    payment_id: PaymentId
    amount: Money


@dataclass(frozen=True, slots=True)
class ClaimState:
    """Everything a later decision about the claim may depend on. `decision` is the last approval.

    `uses` is what the claim now takes from shared ledgers, `advances` what was approved to be paid before the whole
    was decided. `around` and `within` are not the claim's own: they are read with it and never kept.
    """

    claim_id: ClaimId
    status: Status = Status.new
    report: Report | None = None
    policy: PolicySnapshot | None = None
    snapshot_hash: str | None = None
    wait: Wait | None = None
    referral: Referral | None = None
    decision: Decision | None = None
    paid: tuple[Paid, ...] = ()
    outcome: ClaimOutcome | None = None
    uses: tuple[LedgerUse, ...] = ()
    advances: tuple[Decision, ...] = ()
    segment: str | None = None
    lane: str | None = None
    duplicate_of: ClaimId | None = None
    asked_papers: tuple[RequestedDocument, ...] = ()
    paper_rounds: int = 0
    withdrawn: bool = False
    around: InstanceOf[Around] = field(default_factory=lambda: ALONE)
    within: InstanceOf[Within] | None = None

    @property
    def paid_total(self) -> Money | None:
        """What the bank confirmed so far; None if nothing."""
        if not self.paid:
            return None
        return Money.total((one.amount for one in self.paid), self.paid[0].amount.currency)

    @property
    def advanced(self) -> Money | None:
        """What advances were approved for; None if there were none."""
        if not self.advances:
            return None
        return Money.total((one.payable for one in self.advances), self.advances[0].payable.currency)

    @property
    def is_paid(self) -> bool:
        """Whether everything approved is confirmed."""
        paid = self.paid_total
        return self.decision is not None and paid is not None and paid >= self.decision.payable


def fold(state: ClaimState, event: Event, event_id: UUID) -> ClaimState:
    """The state after one event; events that tell assessment nothing leave it as it is."""
    match event:
        case ClaimReported():
            return replace(state, status=Status.received, report=_report(event))
        case PolicyAwaited():
            wait = Wait(event.reason, event.attempt)
            return replace(state, status=Status.awaiting_policy, wait=wait, referral=None)
        case ClaimRegistered():
            return replace(
                state, status=Status.registered, policy=event.policy, snapshot_hash=event.snapshot_hash, wait=None
            )
        case ClaimReferred():
            referral = Referral(EventId(event_id), event.reasons, event.decision)
            return replace(state, status=_referred(state, event), referral=referral, wait=None)
        case AdvanceApproved():
            return replace(state, advances=(*state.advances, event.decision), uses=_uses(event.decision))
        case ClaimApproved():
            return _decided(state, Status.approved, event.decision)
        case ClaimPartlyApproved():
            return _decided(state, Status.partly_approved, event.decision)
        case ClaimDecidedNil():
            return _decided(state, Status.decided_nil, event.decision)
        case ClaimDenied():
            return replace(state, status=Status.denied, decision=None, referral=None, uses=())
        case PaymentConfirmed():
            return _confirmed(state, event)
        case ClaimClosed():
            kept = state.uses if event.outcome in _KEEP_USES else ()
            return replace(state, status=Status.closed, outcome=event.outcome, referral=None, uses=kept)
    return _fold_aside(state, event)


_KEEP_USES = frozenset({ClaimOutcome.paid, ClaimOutcome.nil})


def _fold_aside(state: ClaimState, event: Event) -> ClaimState:
    """What is known beside the decision: where the claim was sorted, what was asked for, what came back."""
    match event:
        case ClaimSegmented():
            return replace(state, segment=event.segment, lane=event.lane)
        case DuplicateLinked():
            return replace(state, duplicate_of=event.other_claim_id)
        case DocumentsRequested():
            return replace(
                state,
                status=Status.awaiting_info,
                referral=None,
                asked_papers=event.documents,
                paper_rounds=event.round,
            )
        case DocumentsReceived():
            came = {document.kind for document in event.documents}
            left = tuple(one for one in state.asked_papers if one.kind not in came)
            return replace(state, asked_papers=left)
        case ClaimWithdrawn():
            return replace(state, withdrawn=True)
        case PaymentRejected():
            return _failed(state)
    return state


def _failed(state: ClaimState) -> ClaimState:
    """Money that will not be paid is free for others again; another approval takes it anew.

    Where a part is paid, or was approved to be paid before, nobody can say here which part failed: all stays taken.
    """
    if state.status is Status.closed or state.advances or state.paid:
        return state
    return replace(state, uses=tuple(one for one in state.uses if one.borne))


def _decided(state: ClaimState, status: Status, decision: Decision) -> ClaimState:
    return replace(state, status=status, decision=decision, referral=None, uses=_uses(decision), asked_papers=())


def _uses(decision: Decision) -> tuple[LedgerUse, ...]:
    return decision.uses or ()


def _report(event: ClaimReported) -> Report:
    return Report(
        policy_number=event.policy_number,
        line=event.line,
        loss_at=event.loss_at,
        currency=event.currency,
        lines=event.lines,
        loss_zone=event.loss_zone,
        peril=event.peril,
        cause_code=event.cause_code,
        reported_at=event.reported_at,
        facts=event.facts,
        other_policies=event.other_policies,
        place=event.place,
    )


def _referred(state: ClaimState, event: ClaimReferred) -> Status:
    """A referral leaves the claim where it stands; only what stands behind an approval is a payment's exception."""
    if state.decision is not None:
        return Status.payment_exception
    return Status.in_assessment if state.policy is not None else Status.received


def _confirmed(state: ClaimState, event: PaymentConfirmed) -> ClaimState:
    """A payment counts once, however often it is confirmed."""
    others = tuple(one for one in state.paid if one.payment_id != event.payment_id)
    state = replace(state, paid=(*others, Paid(event.payment_id, event.amount)))
    return replace(state, status=Status.paid) if state.status is not Status.closed and state.is_paid else state


_NOT_IN_PLAY = frozenset({ClaimOutcome.denied, ClaimOutcome.duplicate, ClaimOutcome.withdrawn})


def neighbour_of(state: ClaimState) -> Neighbour | None:
    """The claim as other claims of its policy see it; None if it was never reported."""
    report = state.report
    if report is None:
        return None
    return Neighbour(
        claim_id=state.claim_id,
        loss_at=report.loss_at,
        peril=report.peril,
        place=place_key(report.place),
        asked=asked_total(report.lines, report.currency),
        open_or_paid=state.outcome not in _NOT_IN_PLAY,
    )
