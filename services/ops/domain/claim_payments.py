"""The payments of a claim as they are shown, folded from payment's events alone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from schemas.event import Event
from schemas.ids import DecisionId, PaymentId
from schemas.model import Instant, Model
from schemas.money import Money
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentKind, PaymentRejected

PAYMENTS_MAX = 200


class PaymentState(StrEnum):
    held = "held"
    instructed = "instructed"
    confirmed = "confirmed"
    rejected = "rejected"


class PaymentView(Model):
    """One payment, or the hold on a decision that has no payment yet. `reason`: why it is held or was rejected."""

    payment_id: PaymentId | None = None
    decision_id: DecisionId | None = None
    kind: PaymentKind | None = None
    state: PaymentState
    amount: Money | None = None
    end_to_end_id: str | None = None
    attempt: int | None = None
    reason: str | None = None
    at: Instant


def with_payment(payments: tuple[PaymentView, ...], data: Event, at: datetime) -> tuple[PaymentView, ...]:
    """The payments with the one spoken of changed, or added; a hold without a payment goes by its decision."""
    fresh: dict[str, object] = {"at": at, "reason": None}
    match data:
        case PaymentInstructed():
            fresh |= {"state": PaymentState.instructed, "amount": data.amount, "decision_id": data.decision_id}
            fresh |= {"end_to_end_id": data.end_to_end_id, "attempt": data.attempt, "payment_id": data.payment_id}
            fresh |= {"kind": data.kind}
        case PaymentConfirmed():
            fresh |= {"state": PaymentState.confirmed, "amount": data.amount, "payment_id": data.payment_id}
            fresh |= {"end_to_end_id": data.end_to_end_id}
        case PaymentRejected():
            fresh |= {"state": PaymentState.rejected, "payment_id": data.payment_id, "reason": data.code}
            fresh |= {"end_to_end_id": data.end_to_end_id}
        case PaymentHeld():
            fresh |= {"state": PaymentState.held, "decision_id": data.decision_id, "reason": data.reason.value}
            fresh |= {"payment_id": data.payment_id} if data.payment_id is not None else {}
    payment_id, decision_id = fresh.get("payment_id"), fresh.get("decision_id")
    for place, known in enumerate(payments):
        same = known.payment_id == payment_id if known.payment_id and payment_id else known.decision_id == decision_id
        if same:
            return (*payments[:place], *payments[place + 1 :], known.model_copy(update=fresh))
    return (*payments, PaymentView.model_validate(fresh))[-PAYMENTS_MAX:]
