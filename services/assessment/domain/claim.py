"""A claim as assessment knows it: a fold over the events it was told and the events it told, nothing else.

`fold` alone changes a state; a replay of the same events gives the same state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    ClaimRegistered,
    Decision,
    PolicyAwaited,
    PolicyWaitReason,
    ReferralReason,
)
from schemas.event import Event
from schemas.ids import ClaimId, EventId, PaymentId
from schemas.intake import ClaimReported, OtherPolicy, ReportedLine
from schemas.money import Money
from schemas.payment import PaymentConfirmed
from schemas.policy import PolicySnapshot
from schemas.terms import Facts


class Status(StrEnum):
    """The claim's own axis of the lifecycle. A referral is the review axis: `ClaimState.referral`."""

    new = "NEW"
    received = "RECEIVED"
    awaiting_policy = "AWAITING_POLICY"
    registered = "REGISTERED"
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
    """Everything a later decision about the claim may depend on. `decision` is the last approval."""

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

    @property
    def paid_total(self) -> Money | None:
        """What the bank confirmed so far; None if nothing."""
        if not self.paid:
            return None
        return Money.total((one.amount for one in self.paid), self.paid[0].amount.currency)

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
        case ClaimApproved():
            return replace(state, status=Status.approved, decision=event.decision, referral=None)
        case ClaimPartlyApproved():
            return replace(state, status=Status.partly_approved, decision=event.decision, referral=None)
        case ClaimDecidedNil():
            return replace(state, status=Status.decided_nil, decision=event.decision, referral=None)
        case ClaimDenied():
            return replace(state, status=Status.denied, decision=None, referral=None)
        case PaymentConfirmed():
            return _confirmed(state, event)
        case ClaimClosed():
            return replace(state, status=Status.closed, outcome=event.outcome, referral=None)
    return state


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
