"""What payment tells: what was booked and instructed, and what the bank made of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.event import Event
from schemas.ids import DecisionId, InstructionId, LedgerTransferId, PaymentId
from schemas.model import Code, Instant, Privacy, ShortText
from schemas.money import PositiveMoney

EndToEndId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class PaymentKind(StrEnum):
    advance = "advance"
    partial = "partial"
    final = "final"
    holdback = "holdback"
    supplement = "supplement"
    goodwill = "goodwill"
    interest = "interest"
    recovery_refund = "recovery_refund"


class HoldReason(StrEnum):
    account_missing = "account_missing"
    account_in_doubt = "account_in_doubt"
    payee_erased = "payee_erased"
    payee_unreadable = "payee_unreadable"
    reserve_missing = "reserve_missing"
    approval_differs = "approval_differs"
    currency_unsupported = "currency_unsupported"
    sanctions_check = "sanctions_check"
    fraud_investigation = "fraud_investigation"


class PaymentInstructed(Event):
    """Booked in the ledger and on its way to the bank. `attempt` rises only after a final rejection."""

    TYPE: ClassVar[str] = "claimflow.PaymentInstructed.v1"
    WRITER: ClassVar[str] = "payment"

    payment_id: Annotated[PaymentId, Privacy.internal]
    decision_id: Annotated[DecisionId, Privacy.internal]
    kind: Annotated[PaymentKind, Privacy.internal]
    amount: Annotated[PositiveMoney, Privacy.internal]
    instruction_id: Annotated[InstructionId, Privacy.internal]
    end_to_end_id: Annotated[EndToEndId, Privacy.internal]
    attempt: Annotated[int, Field(ge=1, le=1000), Privacy.internal]
    ledger_transfer_id: Annotated[LedgerTransferId, Privacy.internal]
    booked_at: Annotated[Instant, Privacy.internal]


class PaymentConfirmed(Event):
    """The bank's record says the money went out. `amount` is what the bank executed."""

    TYPE: ClassVar[str] = "claimflow.PaymentConfirmed.v1"
    WRITER: ClassVar[str] = "payment"

    payment_id: Annotated[PaymentId, Privacy.internal]
    end_to_end_id: Annotated[EndToEndId, Privacy.internal]
    amount: Annotated[PositiveMoney, Privacy.internal]
    bank_reference: Annotated[Code, Privacy.internal]
    executed_at: Annotated[Instant, Privacy.internal]


class PaymentRejected(Event):
    """The bank refused for good. `code` is the bank's (ISO 20022), `reason` our words for it, never the bank's text."""

    TYPE: ClassVar[str] = "claimflow.PaymentRejected.v1"
    WRITER: ClassVar[str] = "payment"

    payment_id: Annotated[PaymentId, Privacy.internal]
    end_to_end_id: Annotated[EndToEndId, Privacy.internal]
    code: Annotated[Code, Privacy.internal]
    reason: Annotated[ShortText, Privacy.internal]


class PaymentHeld(Event):
    """Not instructed, or not further pursued, until the reason is gone."""

    TYPE: ClassVar[str] = "claimflow.PaymentHeld.v1"
    WRITER: ClassVar[str] = "payment"

    payment_id: Annotated[PaymentId | None, Privacy.internal] = None
    decision_id: Annotated[DecisionId, Privacy.internal]
    reason: Annotated[HoldReason, Privacy.internal]


EVENTS: tuple[type[Event], ...] = (PaymentInstructed, PaymentConfirmed, PaymentRejected, PaymentHeld)
