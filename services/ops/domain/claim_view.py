"""The view of one claim, folded from its events.

The fold keeps facts by writer and derives status from them, so events that no cause orders may come in either order:
a rebuild from the topics gives the same view. No personal data, and no box of a sealed party, enters it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

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
    ReferralReason,
    ReserveSet,
)
from schemas.decision import Decision
from schemas.event import Event
from schemas.ids import ClaimId, DecisionId, EventId, claim_reference
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentsReceived
from schemas.model import Code, Instant, Model
from schemas.money import Money
from schemas.notify import NoticeFailed, NoticeSent
from schemas.ops import ReviewRecorded
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentRejected
from services.ops.domain.claim_parts import (
    Advance,
    Duplicate,
    PaperRequest,
    ReceivedPaper,
    ReserveView,
    Working,
    payable_of,
    reserved,
    reserves_after,
    sorted_as,
    with_advance,
    with_duplicate,
    with_received,
    with_request,
    working_of,
)
from services.ops.domain.claim_payments import PaymentState, PaymentView, with_payment

REVIEWED_MAX = 50


class ClaimStatus(StrEnum):
    """The lifecycle, as far as the walking path goes."""

    RECEIVED = "RECEIVED"
    AWAITING_POLICY = "AWAITING_POLICY"
    REGISTERED = "REGISTERED"
    AWAITING_INFO = "AWAITING_INFO"
    APPROVED = "APPROVED"
    PARTLY_APPROVED = "PARTLY_APPROVED"
    DECIDED_NIL = "DECIDED_NIL"
    DENIED = "DENIED"
    SETTLED_PENDING = "SETTLED_PENDING"
    PAYING = "PAYING"
    PAYMENT_EXCEPTION = "PAYMENT_EXCEPTION"
    PAID = "PAID"
    CLOSED = "CLOSED"


class Review(StrEnum):
    """The review axis: has a person to look, or has one looked?"""

    NONE = "NONE"
    IN_REVIEW = "IN_REVIEW"
    DELIVERED = "DELIVERED"


REFERRED = "REFERRED"
STATES = (*(status.value for status in ClaimStatus), REFERRED)
"""What a list of claims is filtered by: the status, or REFERRED while a referral is open."""

AT_REST = (ClaimStatus.CLOSED.value, ClaimStatus.AWAITING_INFO.value, REFERRED)
"""States in which no service has anything left to do for the claim: people have, or nobody."""


class Referral(Model):
    """What a person is asked; `computed` and `payable` are the proposal's, None if nothing could be computed."""

    event_id: EventId
    sequence: int
    desk: Code
    reasons: tuple[ReferralReason, ...]
    computed: Money | None = None
    payable: Money | None = None
    proposal: Working | None = None
    referred_at: Instant


class ClaimView(Model):
    """All that is shown of a claim. `applied`: per writer, the sequence of its last event in here."""

    claim_id: ClaimId
    reference: str
    client: str | None = None
    policy_number: str | None = None
    policy_version: str | None = None
    claim_number: str | None = None
    line: str | None = None
    line_ids: tuple[str, ...] = ()
    peril: str | None = None
    channel: str | None = None
    currency: str | None = None
    synthetic: bool = False
    loss_at: Instant | None = None
    loss_zone: str | None = None
    reported_at: Instant | None = None
    registered_at: Instant | None = None
    wait_reason: str | None = None
    referral: Referral | None = None
    reviewed: tuple[EventId, ...] = ()
    decision: Literal["APPROVED", "PARTLY_APPROVED", "DECIDED_NIL", "DENIED"] | None = None
    decision_id: DecisionId | None = None
    decided_at: Instant | None = None
    decided_by: str | None = None
    computed: Money | None = None
    payable: Money | None = None
    working: Working | None = None
    segment: str | None = None
    lane: str | None = None
    flags: tuple[str, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    papers_asked: tuple[PaperRequest, ...] = ()
    papers_awaited: bool = False
    papers_received: tuple[ReceivedPaper, ...] = ()
    reserves: tuple[ReserveView, ...] = ()
    advances: tuple[Advance, ...] = ()
    withdrawn_at: Instant | None = None
    payments: tuple[PaymentView, ...] = ()
    notices_sent: int = 0
    notices_failed: int = 0
    outcome: ClaimOutcome | None = None
    closed_at: Instant | None = None
    changed_at: Instant | None = None
    events: int = 0
    applied: dict[str, int] = Field(default_factory=dict)

    @property
    def open_referral(self) -> Referral | None:
        """The referral a person still has to answer."""
        referral = self.referral
        if referral is None or self.outcome is not None or referral.event_id in self.reviewed:
            return None
        return referral

    @property
    def review(self) -> Review:
        if self.open_referral is not None:
            return Review.IN_REVIEW
        return Review.DELIVERED if self.reviewed else Review.NONE

    @property
    def status(self) -> ClaimStatus:
        if self.outcome is not None:
            return ClaimStatus.CLOSED
        if self.decision in ("APPROVED", "PARTLY_APPROVED"):
            return self._payment_status() or ClaimStatus(self.decision)
        if self.decision is not None:
            return ClaimStatus(self.decision)
        if self.papers_awaited:
            return ClaimStatus.AWAITING_INFO
        if self.registered_at is not None:
            return ClaimStatus.REGISTERED
        return ClaimStatus.AWAITING_POLICY if self.wait_reason is not None else ClaimStatus.RECEIVED

    @property
    def state(self) -> str:
        return REFERRED if self.open_referral is not None else self.status.value

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the claim stands where it stands: of the open referral, the payment's trouble, or the wait."""
        if self.open_referral is not None:
            return tuple(reason.value for reason in self.open_referral.reasons)
        if self.status in (ClaimStatus.PAYMENT_EXCEPTION, ClaimStatus.SETTLED_PENDING):
            return tuple(one.reason for one in (*self._decision_payments(), *self._advance_payments()) if one.reason)
        if self.status is ClaimStatus.AWAITING_INFO and self.papers_asked:
            return tuple(dict.fromkeys(paper.kind for paper in self.papers_asked[-1].papers))
        if self.status is ClaimStatus.AWAITING_POLICY and self.wait_reason:
            return (self.wait_reason,)
        return ()

    @property
    def paid(self) -> Money | None:
        """The sum the bank confirmed; None while it confirmed nothing."""
        sums = [one.amount for one in self.payments if one.state is PaymentState.confirmed and one.amount is not None]
        return Money.total(sums, sums[0].currency) if sums else None

    def _decision_payments(self) -> list[PaymentView]:
        return [one for one in self.payments if one.decision_id in (self.decision_id, None)]

    def _advance_payments(self) -> list[PaymentView]:
        advances = {one.decision_id for one in self.advances} - {self.decision_id}
        return [one for one in self.payments if one.decision_id in advances]

    def _payment_status(self) -> ClaimStatus | None:
        """By the decision's own payment; by its advances where they are what is still open, or all there is."""
        mine, advances = self._decision_payments(), self._advance_payments()
        if mine and mine[-1].state is not PaymentState.confirmed:
            return _STATUS_OF_PAYMENT[mine[-1].state]
        if mine and not advances:
            return ClaimStatus.PAID
        paid, payable = self.paid, self.payable
        if paid is not None and payable is not None and paid.currency == payable.currency and paid >= payable:
            return ClaimStatus.PAID
        if mine and advances:
            return _STATUS_OF_PAYMENT[advances[-1].state]
        return ClaimStatus.PAYING if any(one.state is PaymentState.instructed for one in advances) else None


_STATUS_OF_PAYMENT: Mapping[PaymentState, ClaimStatus] = {
    PaymentState.held: ClaimStatus.SETTLED_PENDING,
    PaymentState.instructed: ClaimStatus.PAYING,
    PaymentState.rejected: ClaimStatus.PAYMENT_EXCEPTION,
    PaymentState.confirmed: ClaimStatus.PAID,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event with what its envelope says of it."""

    event_id: UUID
    writer: str
    sequence: int
    time: datetime
    data: Event


def fresh_view(claim_id: ClaimId) -> ClaimView:
    """A claim nothing is known of yet; its reference follows from its id."""
    return ClaimView(claim_id=claim_id, reference=claim_reference(claim_id))


def fold(view: ClaimView, told: Told) -> ClaimView:
    """The view after one more event."""
    changes = _changes(view, told)
    changes["events"] = view.events + 1
    changes["changed_at"] = told.time if view.changed_at is None else max(view.changed_at, told.time)
    changes["applied"] = {**view.applied, told.writer: max(told.sequence, view.applied.get(told.writer, 0))}
    return view.model_copy(update=changes)


def _changes(view: ClaimView, told: Told) -> dict[str, object]:
    data = told.data
    match data:
        case ClaimReported():
            return _reported(data)
        case PolicyAwaited():
            return {"wait_reason": data.reason.value}
        case ClaimRegistered():
            return {
                "registered_at": told.time,
                "claim_number": data.claim_number,
                "policy_version": data.policy.version_id,
                "wait_reason": None,
            }
        case ClaimReferred():
            return _referred(data, told)
        case ClaimApproved() | ClaimPartlyApproved() | ClaimDecidedNil() | ClaimDenied():
            return _decided(data, told)
        case ClaimClosed():
            return {"outcome": data.outcome, "closed_at": told.time, "reserves": (), "papers_awaited": False}
        case ReviewRecorded():
            return {"reviewed": (*view.reviewed, data.referral_event_id)[-REVIEWED_MAX:]}
        case PaymentInstructed() | PaymentConfirmed() | PaymentRejected() | PaymentHeld():
            return {"payments": with_payment(view.payments, data, told.time)}
        case NoticeSent():
            return {"notices_sent": view.notices_sent + 1}
        case NoticeFailed():
            return {"notices_failed": view.notices_failed + 1}
    return _changes_aside(view, told)


def _changes_aside(view: ClaimView, told: Told) -> dict[str, object]:
    """What is known beside the claim's path: how it was sorted, papers, reserves, advances."""
    data = told.data
    match data:
        case ClaimSegmented():
            return sorted_as(data)
        case DuplicateLinked():
            return {"duplicates": with_duplicate(view.duplicates, data, told.time)}
        case DocumentsRequested():
            asked = with_request(view.papers_asked, data, told.time)
            return {"papers_asked": asked, "papers_awaited": True, "referral": None}
        case DocumentsReceived():
            return {"papers_received": with_received(view.papers_received, data)}
        case ClaimWithdrawn():
            return {"withdrawn_at": data.withdrawn_at}
        case ReserveSet():
            return {"reserves": reserved(data)}
        case AdvanceApproved():
            return {"reserves": reserved(data), "advances": with_advance(view.advances, data, told.time)}
    return {}


def _reported(data: ClaimReported) -> dict[str, object]:
    return {
        "reference": data.reference,
        "client": data.client,
        "policy_number": data.policy_number,
        "line": data.line,
        "line_ids": tuple(line.line_id for line in data.lines),
        "peril": data.peril,
        "channel": data.channel,
        "currency": data.currency,
        "synthetic": data.synthetic,
        "loss_at": data.loss_at,
        "loss_zone": data.loss_zone,
        "reported_at": data.reported_at,
    }


def _referred(data: ClaimReferred, told: Told) -> dict[str, object]:
    decision = data.decision
    referral = Referral(
        event_id=EventId(told.event_id),
        sequence=told.sequence,
        desk=data.desk,
        reasons=data.reasons,
        computed=decision.computed if decision else None,
        payable=decision.payable if decision else None,
        proposal=working_of(decision),
        referred_at=told.time,
    )
    return {"referral": referral, "papers_awaited": False}


_DECISIONS: Mapping[type[Event], str] = {
    ClaimApproved: "APPROVED",
    ClaimPartlyApproved: "PARTLY_APPROVED",
    ClaimDecidedNil: "DECIDED_NIL",
    ClaimDenied: "DENIED",
}


def _decided(
    data: ClaimApproved | ClaimPartlyApproved | ClaimDecidedNil | ClaimDenied, told: Told
) -> dict[str, object]:
    decision: Decision | None = data.decision
    if isinstance(data, ClaimApproved):
        by = "system" if data.approved_by == "system" else data.approved_by.person_id
    else:
        by = data.person.person_id
    return {
        "decision": _DECISIONS[type(data)],
        "decision_id": decision.decision_id if decision else None,
        "decided_at": told.time,
        "decided_by": by,
        "computed": decision.computed if decision else None,
        "payable": payable_of(decision, data),
        "working": working_of(decision),
        "reserves": reserves_after(data),
        "papers_awaited": False,
        # Assessment's own later event answers its referral, whatever became of the review.
        "referral": None,
    }
