"""Follows the events of a claim and says which notices they owe. Pure: the instant and the rules come in.

The runner gives a claim's events in causal order. Where an operator has accepted a hole, what is unknown is left out
of the text; without a known recipient nobody can be told, and no notice is owed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.assessment import (
    ClaimApproved,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimPartlyApproved,
    ClaimReferred,
    ReferralReason,
)
from schemas.decision import Decision
from schemas.event import Event
from schemas.ids import ClaimId, EventId
from schemas.intake import ClaimReported
from schemas.notify import NoticeKind
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentRejected
from services.notify.domain.notices import (
    DECISIONS_KEPT,
    PAYMENTS_KEPT,
    ClaimNotices,
    Explained,
    Notice,
    PaymentSeen,
)
from services.notify.domain.rules import Rules

_ABOUT_PAYMENT = frozenset({ReferralReason.payment_rejected, ReferralReason.payment_held})


_READ_IN_ORDER = (
    NoticeKind.received,
    NoticeKind.referred,
    NoticeKind.denied,
    NoticeKind.decided_nil,
    NoticeKind.partly_approved,
    NoticeKind.approved,
    NoticeKind.payment_held,
    NoticeKind.paid,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """The event a notice would follow from, and when it is handled."""

    event_id: EventId
    claim_id: ClaimId
    now: datetime


Followed = tuple[ClaimNotices, Notice | None]


def follow(state: ClaimNotices, event: Event, cause: Cause, rules: Rules) -> Followed:
    """The claim after the event, and the notice owed because of it, if any."""
    return _FOLLOWERS[type(event)](state, event, cause, rules)


def not_before(notice: Notice, event: Event, rules: Rules) -> datetime:
    """When the notice may go out: never before the money is booked.

    Notices owed at one instant come due microseconds apart, in the order they are read in.
    """
    due_at = notice.made_at - timedelta(microseconds=len(_READ_IN_ORDER) - _READ_IN_ORDER.index(notice.kind))
    if not isinstance(event, PaymentInstructed):
        return due_at
    wait = rules.approved_wait_seconds if notice.kind is NoticeKind.approved else 0
    return max(due_at, event.booked_at) + timedelta(seconds=wait)


def _reported(state: ClaimNotices, event: ClaimReported, cause: Cause, rules: Rules) -> Followed:
    known = state.model_copy(
        update={
            "reference": event.reference,
            "language": event.language,
            "recipient": event.reporter,
            "loss_on": _day(event.loss_at, event.loss_zone),
            "zone": event.loss_zone,
        }
    )
    return known, _notice(known, NoticeKind.received, cause, rules)


def _referred(state: ClaimNotices, event: ClaimReferred, cause: Cause, rules: Rules) -> Followed:
    if state.asked_for_details and _ABOUT_PAYMENT.issuperset(event.reasons):
        return state, None
    return state, _notice(state, NoticeKind.referred, cause, rules)


def _approved(state: ClaimNotices, event: ClaimApproved, cause: Cause, rules: Rules) -> Followed:
    return _remember(state, _explained(event.decision)), None


def _partly_approved(state: ClaimNotices, event: ClaimPartlyApproved, cause: Cause, rules: Rules) -> Followed:
    words = {"reduced": True, "reason": event.reason, "clause_id": event.clause_id, "fact": event.fact}
    return _remember(state, _explained(event.decision).model_copy(update=words)), None


def _decided_nil(state: ClaimNotices, event: ClaimDecidedNil, cause: Cause, rules: Rules) -> Followed:
    explained = _explained(event.decision).model_copy(update={"reason": event.reason})
    return state, _notice(state, NoticeKind.decided_nil, cause, rules, explained=explained)


def _denied(state: ClaimNotices, event: ClaimDenied, cause: Cause, rules: Rules) -> Followed:
    explained = Explained(
        decision_id=event.decision.decision_id if event.decision else None,
        reason=event.reason,
        clause_id=event.clause_id,
        fact=event.fact,
        appeal=event.appeal,
    )
    return state, _notice(state, NoticeKind.denied, cause, rules, explained=explained)


def _instructed(state: ClaimNotices, event: PaymentInstructed, cause: Cause, rules: Rules) -> Followed:
    seen = state.payment(event.payment_id)
    confirmed = seen is not None and seen.confirmed
    explained = state.decision(event.decision_id)
    kind = NoticeKind.partly_approved if explained is not None and explained.reduced else NoticeKind.approved
    told_before = event.decision_id in state.announced
    state = _with_payment(
        state, PaymentSeen(payment_id=event.payment_id, decision_id=event.decision_id, confirmed=confirmed)
    )
    if not told_before:
        state = state.model_copy(update={"announced": (*state.announced, event.decision_id)[-DECISIONS_KEPT:]})
    if told_before or (confirmed and kind is NoticeKind.approved):
        return state, None
    return state, _notice(state, kind, cause, rules, explained=explained, event=event)


def _confirmed(state: ClaimNotices, event: PaymentConfirmed, cause: Cause, rules: Rules) -> Followed:
    seen = state.payment(event.payment_id)
    if seen is not None and seen.confirmed:
        return state, None
    decision_id = seen.decision_id if seen is not None else None
    state = _with_payment(state, PaymentSeen(payment_id=event.payment_id, decision_id=decision_id, confirmed=True))
    explained = state.decision(decision_id)
    return state, _notice(state, NoticeKind.paid, cause, rules, explained=explained, event=event)


def _held(state: ClaimNotices, event: PaymentHeld, cause: Cause, rules: Rules) -> Followed:
    if event.reason not in rules.customer_tasks:
        return state, None
    state = state.model_copy(update={"asked_for_details": True})
    return state, _notice(state, NoticeKind.payment_held, cause, rules, event=event, task=event.reason.value)


def _rejected(state: ClaimNotices, event: PaymentRejected, cause: Cause, rules: Rules) -> Followed:
    if event.code not in rules.account_codes:
        return state, None
    state = state.model_copy(update={"asked_for_details": True})
    return state, _notice(state, NoticeKind.payment_held, cause, rules, event=event, task="account_rejected")


def _notice(
    state: ClaimNotices,
    kind: NoticeKind,
    cause: Cause,
    rules: Rules,
    explained: Explained | None = None,
    event: Event | None = None,
    task: str | None = None,
) -> Notice | None:
    if state.recipient is None or state.reference is None:
        return None
    rule = rules.kinds[kind]
    payment_id = getattr(event, "payment_id", None)
    seen = state.payment(payment_id) if payment_id is not None else None
    decided = getattr(event, "decision_id", None) or (seen.decision_id if seen else None)
    amount = getattr(event, "amount", None) or (explained.payable if explained else None)
    return Notice(
        source_event_id=cause.event_id,
        claim_id=cause.claim_id,
        kind=kind,
        version=rule.text_version,
        language=state.language,
        reference=state.reference,
        recipient=state.recipient,
        made_at=cause.now,
        expires_at=cause.now + timedelta(hours=rule.expires_hours),
        loss_on=state.loss_on,
        by_on=_day(cause.now, state.zone) + timedelta(days=rule.by_days),
        executed_on=_day(event.executed_at, state.zone) if isinstance(event, PaymentConfirmed) else None,
        amount=amount,
        explained=explained,
        decision_id=decided or (explained.decision_id if explained else None),
        payment_id=payment_id,
        task=task,
    )


def _explained(decision: Decision) -> Explained:
    return Explained(
        decision_id=decision.decision_id,
        payable=decision.payable,
        computed=decision.computed,
        lines=decision.lines,
    )


def _remember(state: ClaimNotices, explained: Explained) -> ClaimNotices:
    kept = [one for one in state.decisions if one.decision_id != explained.decision_id]
    return state.model_copy(update={"decisions": (*kept, explained)[-DECISIONS_KEPT:]})


def _with_payment(state: ClaimNotices, payment: PaymentSeen) -> ClaimNotices:
    kept = [one for one in state.payments if one.payment_id != payment.payment_id]
    return state.model_copy(update={"payments": (*kept, payment)[-PAYMENTS_KEPT:]})


def _day(instant: datetime, zone: str) -> date:
    try:
        return instant.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return instant.date()


_FOLLOWERS: dict[type[Event], Callable[[ClaimNotices, Any, Cause, Rules], Followed]] = {
    ClaimReported: _reported,
    ClaimReferred: _referred,
    ClaimApproved: _approved,
    ClaimPartlyApproved: _partly_approved,
    ClaimDecidedNil: _decided_nil,
    ClaimDenied: _denied,
    PaymentInstructed: _instructed,
    PaymentConfirmed: _confirmed,
    PaymentHeld: _held,
    PaymentRejected: _rejected,
}

HANDLED: tuple[type[Event], ...] = tuple(_FOLLOWERS)
