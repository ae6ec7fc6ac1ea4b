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
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    DocumentsRequested,
    DuplicateLinked,
    ReferralReason,
)
from schemas.decision import Decision
from schemas.event import Event
from schemas.ids import ClaimId, DecisionId, EventId
from schemas.intake import ClaimReported
from schemas.money import Money
from schemas.notify import NoticeKind
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentKind, PaymentRejected
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
_CLOSED = {ClaimOutcome.withdrawn: NoticeKind.withdrawn, ClaimOutcome.duplicate: NoticeKind.duplicate}
_READ_IN_ORDER = (
    NoticeKind.received,
    NoticeKind.referred,
    NoticeKind.documents_requested,
    NoticeKind.advance,
    NoticeKind.denied,
    NoticeKind.decided_nil,
    NoticeKind.settled,
    NoticeKind.partly_approved,
    NoticeKind.approved,
    NoticeKind.payment_held,
    NoticeKind.paid,
    NoticeKind.duplicate,
    NoticeKind.withdrawn,
)
WAIVED_WHEN_PAID = frozenset({NoticeKind.approved, NoticeKind.advance})
"""Left out once the bank has paid: the notice of the payment says all of it."""


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
    wait = rules.approved_wait_seconds if notice.kind in WAIVED_WHEN_PAID else 0
    return max(due_at, event.booked_at) + timedelta(seconds=wait)


def _reported(state: ClaimNotices, event: ClaimReported, cause: Cause, rules: Rules) -> Followed:
    known = state.model_copy(
        update={
            "reference": event.reference,
            "language": event.language,
            "recipient": event.reporter,
            "loss_on": _day(event.loss_at, event.loss_zone),
            "zone": event.loss_zone,
            "coverages": {line.line_id: line.coverage_code for line in event.lines},
        }
    )
    return known, _notice(known, NoticeKind.received, cause, rules)


def _referred(state: ClaimNotices, event: ClaimReferred, cause: Cause, rules: Rules) -> Followed:
    """A question that is only asked again is no news. What the reasons suspect is never told: one wording fits all."""
    if _ABOUT_PAYMENT.issuperset(event.reasons):
        return state, None if state.asked_for_details else _notice(state, NoticeKind.referred, cause, rules)
    if state.with_a_person:
        return state, None
    state = state.model_copy(update={"with_a_person": True})
    came = ReferralReason.documents_received
    about = came.value if came in event.reasons else None
    return state, _notice(state, NoticeKind.referred, cause, rules, about=about)


def _documents_requested(state: ClaimNotices, event: DocumentsRequested, cause: Cause, rules: Rules) -> Followed:
    state = _back_from_person(state)
    lines = {paper.line_id for paper in event.documents}
    words: dict[str, Any] = {
        "explained": Explained(reason=event.reason),
        "about": "again" if event.round > 1 else None,
        "papers": event.documents,
        "coverages": {line: code for line, code in state.coverages.items() if line in lines},
    }
    return state, _notice(state, NoticeKind.documents_requested, cause, rules, **words)


def _advance_approved(state: ClaimNotices, event: AdvanceApproved, cause: Cause, rules: Rules) -> Followed:
    return _remember(state, _explained(event.decision).model_copy(update={"advance": True})), None


def _approved(state: ClaimNotices, event: ClaimApproved, cause: Cause, rules: Rules) -> Followed:
    return _decided(state, event.decision, _explained(event.decision), cause, rules)


def _partly_approved(state: ClaimNotices, event: ClaimPartlyApproved, cause: Cause, rules: Rules) -> Followed:
    words = {"reduced": True, "reason": event.reason, "clause_id": event.clause_id, "fact": event.fact}
    return _decided(state, event.decision, _explained(event.decision).model_copy(update=words), cause, rules)


def _decided(state: ClaimNotices, decision: Decision, explained: Explained, cause: Cause, rules: Rules) -> Followed:
    """Told with its payment; at once if everything of it was approved before, as then no payment need follow.

    The same amount decided again only makes up for a payment that failed, and is told with that.
    """
    last = state.whole()
    state = _remember(_back_from_person(state), explained)
    advanced = decision.advanced
    is_new = last is None or last.payable != decision.payable
    if not is_new or advanced is None or not _covers(advanced, decision.payable):
        return state, None
    notice = _notice(state, NoticeKind.settled, cause, rules, explained=explained, before=advanced)
    return _announced(state, decision.decision_id), notice


def _covers(advanced: Money, payable: Money) -> bool:
    return advanced.currency == payable.currency and advanced >= payable


def _linked(state: ClaimNotices, event: DuplicateLinked, cause: Cause, rules: Rules) -> Followed:
    return state.model_copy(update={"duplicate_of": event.other_reference}), None


def _closed(state: ClaimNotices, event: ClaimClosed, cause: Cause, rules: Rules) -> Followed:
    """How a claim ended that nothing was decided about; other ends have been told with what was decided or paid."""
    kind = _CLOSED.get(event.outcome)
    if kind is None:
        return state, None
    other = state.duplicate_of if kind is NoticeKind.duplicate else None
    return state, _notice(state, kind, cause, rules, duplicate_of=other)


def _decided_nil(state: ClaimNotices, event: ClaimDecidedNil, cause: Cause, rules: Rules) -> Followed:
    explained = _explained(event.decision).model_copy(update={"reason": event.reason})
    before = event.decision.advanced
    return state, _notice(state, NoticeKind.decided_nil, cause, rules, explained=explained, before=before)


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
    partial = event.kind is PaymentKind.partial
    explained = state.decision(event.decision_id)
    kind = NoticeKind.partly_approved if explained is not None and explained.reduced else NoticeKind.approved
    kind = NoticeKind.advance if partial else kind
    told_before = event.decision_id in state.announced
    payment = PaymentSeen(
        payment_id=event.payment_id, decision_id=event.decision_id, confirmed=confirmed, partial=partial
    )
    state = _with_payment(state, payment)
    if told_before:
        return state, None
    state = _announced(state, event.decision_id)
    if confirmed and kind in WAIVED_WHEN_PAID:
        return state, None
    before = None if partial else _before(explained, event.amount)
    return state, _notice(state, kind, cause, rules, explained=explained, event=event, before=before)


def _confirmed(state: ClaimNotices, event: PaymentConfirmed, cause: Cause, rules: Rules) -> Followed:
    seen = state.payment(event.payment_id)
    if seen is not None and seen.confirmed:
        return state, None
    seen = seen or PaymentSeen(payment_id=event.payment_id)
    state = _with_payment(state, seen.model_copy(update={"confirmed": True}))
    explained = state.decision(seen.decision_id)
    words: dict[str, Any] = {
        "explained": explained,
        "about": PaymentKind.partial.value if seen.partial else None,
        "before": None if seen.partial else _before(explained, event.amount),
    }
    return state, _notice(state, NoticeKind.paid, cause, rules, event=event, **words)


def _before(explained: Explained | None, amount: Money) -> Money | None:
    """What of a decision was paid or sent on its way before this payment of the rest."""
    payable = explained.payable if explained is not None else None
    if payable is None or payable.currency != amount.currency or payable <= amount:
        return None
    return payable - amount


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
    **words: Any,
) -> Notice | None:
    """The notice, if there is somebody to tell; `words` are its other fields."""
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
        **words,
    )


def _explained(decision: Decision) -> Explained:
    return Explained(
        decision_id=decision.decision_id,
        payable=decision.payable,
        computed=decision.computed,
        lines=decision.lines,
    )


def _announced(state: ClaimNotices, decision_id: DecisionId) -> ClaimNotices:
    return state.model_copy(update={"announced": (*state.announced, decision_id)[-DECISIONS_KEPT:]})


def _back_from_person(state: ClaimNotices) -> ClaimNotices:
    return state.model_copy(update={"with_a_person": False}) if state.with_a_person else state


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
    DocumentsRequested: _documents_requested,
    DuplicateLinked: _linked,
    AdvanceApproved: _advance_approved,
    ClaimApproved: _approved,
    ClaimPartlyApproved: _partly_approved,
    ClaimDecidedNil: _decided_nil,
    ClaimDenied: _denied,
    ClaimClosed: _closed,
    PaymentInstructed: _instructed,
    PaymentConfirmed: _confirmed,
    PaymentHeld: _held,
    PaymentRejected: _rejected,
}

HANDLED: tuple[type[Event], ...] = tuple(_FOLLOWERS)
