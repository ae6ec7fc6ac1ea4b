"""What the bank's reply means for a payment: confirmed, refused, held, or still in doubt. Pure.

No answer is no refusal: a payment in doubt keeps its instruction and its id until the bank's record settles it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from schemas.ids import LedgerTransferId
from schemas.outcomes import Emit, Nothing, Outcome, RetryLater
from schemas.payment import HoldReason, PaymentConfirmed, PaymentHeld, PaymentRejected
from services.payment.domain.bank import (
    AccountMissing,
    BankOrder,
    Conflict,
    Executed,
    InDoubt,
    NotSent,
    PayeeErased,
    PayeeUnreadable,
    Refused,
    Result,
    refusal_in_words,
)
from services.payment.domain.files import PENDING, ClaimFile, Instruction, Payment, PaymentStatus
from services.payment.domain.ledger import Posting, Purpose, Transfer, account

PAUSE_SECONDS_MAX = 60
QUIET_AFTER_TRIES = 7
"""By this try the pause since the last sending was at least 32 s: nothing of ours is still on its way."""

_UNSENDABLE = {
    PayeeErased: HoldReason.payee_erased,
    PayeeUnreadable: HoldReason.payee_unreadable,
    AccountMissing: HoldReason.account_missing,
}


def settle(file: ClaimFile, order: BankOrder, result: Result, tries: int, now: datetime) -> tuple[Outcome, ClaimFile]:
    """The outcome of one try, and the file after it. A payment that is not pending any more is left alone."""
    payment = file.payment(order.payment_id)
    instruction = payment.instruction if payment else None
    if payment is None or instruction is None or payment.status not in PENDING:
        return Nothing(), file
    if instruction.end_to_end_id != order.end_to_end_id:
        return Nothing(), file
    match result:
        case Executed():
            return _executed(file, payment, instruction, result, now)
        case Refused(code):
            return _refused(file, payment, instruction, code, now)
        case Conflict():
            # Our id stands for other content: somebody may have been paid. A person has to look; nothing is posted.
            return _disputed(file, payment, instruction, now)
        case InDoubt():
            doubted = replace(payment, status=PaymentStatus.in_doubt)
            return RetryLater("bank-in-doubt", now + pause(tries)), file.put(doubted)
        case NotSent(retry_after):
            return RetryLater("bank-busy", now + max(retry_after, pause(tries))), file
        case PayeeErased() | PayeeUnreadable() | AccountMissing():
            if 1 < tries < QUIET_AFTER_TRIES:
                return RetryLater("bank-in-doubt", now + pause(tries)), file
            return _unsendable(file, payment, instruction, _UNSENDABLE[type(result)], now)


def pause(tries: int) -> timedelta:
    """Doubling from one second to a minute."""
    return timedelta(seconds=min(2 ** (min(tries, 10) - 1), PAUSE_SECONDS_MAX))


def _executed(
    file: ClaimFile, payment: Payment, instruction: Instruction, done: Executed, now: datetime
) -> tuple[Outcome, ClaimFile]:
    known = replace(instruction, bank_reference=done.bank_reference, settled_at=now)
    if done.amount != instruction.amount:
        return _disputed(file, payment, known, now, _paid_otherwise(file, instruction, done, now))
    event = PaymentConfirmed(
        payment_id=payment.payment_id,
        end_to_end_id=instruction.end_to_end_id,
        amount=done.amount,
        bank_reference=done.bank_reference,
        executed_at=done.executed_at,
    )
    postings = (Posting(account("bank-clearing"), done.amount), Posting(account("bank"), -done.amount))
    transfer = _transfer(file, instruction, Purpose.paid, postings, now)
    return Emit((event,)), file.put(replace(payment, status=PaymentStatus.paid, instruction=known), transfer)


def _refused(
    file: ClaimFile, payment: Payment, instruction: Instruction, code: str, now: datetime
) -> tuple[Outcome, ClaimFile]:
    event = PaymentRejected(
        payment_id=payment.payment_id,
        end_to_end_id=instruction.end_to_end_id,
        code=code,
        reason=refusal_in_words(code),
    )
    known = replace(instruction, refusal_code=code, settled_at=now)
    rejected = replace(payment, status=PaymentStatus.rejected, instruction=known)
    return Emit((event,)), file.put(rejected, _returned(file, instruction, now))


def _unsendable(
    file: ClaimFile, payment: Payment, instruction: Instruction, reason: HoldReason, now: datetime
) -> tuple[Outcome, ClaimFile]:
    event = PaymentHeld(payment_id=payment.payment_id, decision_id=payment.decision_id, reason=reason)
    held = replace(payment, status=PaymentStatus.held, hold_reason=reason)
    return Emit((event,)), file.put(held, _returned(file, instruction, now))


def _disputed(
    file: ClaimFile, payment: Payment, instruction: Instruction, now: datetime, *transfers: Transfer
) -> tuple[Outcome, ClaimFile]:
    reason = HoldReason.account_in_doubt
    event = PaymentHeld(payment_id=payment.payment_id, decision_id=payment.decision_id, reason=reason)
    known = replace(instruction, settled_at=now)
    disputed = replace(payment, status=PaymentStatus.disputed, instruction=known, hold_reason=reason)
    return Emit((event,)), file.put(disputed, *transfers)


def _paid_otherwise(file: ClaimFile, instruction: Instruction, done: Executed, now: datetime) -> Transfer:
    """Clears what was instructed and shows what left the bank; the difference stands in suspense."""
    asked, left = instruction.amount, done.amount
    suspense, out = account("suspense"), Posting(account("bank"), -left)
    cleared = Posting(account("bank-clearing"), asked)
    if asked.currency == left.currency:
        postings: tuple[Posting, ...] = (cleared, Posting(suspense, left - asked), out)
    else:
        postings = (cleared, Posting(suspense, -asked), Posting(suspense, left), out)
    return _transfer(file, instruction, Purpose.paid_otherwise, postings, now)


def _returned(file: ClaimFile, instruction: Instruction, now: datetime) -> Transfer:
    postings = (
        Posting(account("bank-clearing"), instruction.amount),
        Posting(account("claims-payable"), -instruction.amount),
    )
    return _transfer(file, instruction, Purpose.returned, postings, now)


def _transfer(
    file: ClaimFile, instruction: Instruction, purpose: Purpose, postings: tuple[Posting, ...], now: datetime
) -> Transfer:
    made = LedgerTransferId.of(instruction.instruction_id, f"transfer:{purpose}")
    return Transfer(made, file.claim_id, purpose, postings, now)
