"""An approval becomes a booked payment and one instruction, or is held with a reason. Amounts are copied, never made.

Reserve first, then reserve to payable, then payable to clearing; all with the answer, before the bank hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.assessment import CostType, Decision, ReserveLine
from schemas.ids import LedgerTransferId, PaymentId
from schemas.money import Money
from schemas.outcomes import Emit, Nothing, Outcome, Work
from schemas.payment import HoldReason, PaymentHeld, PaymentInstructed, PaymentKind
from services.payment.domain.bank import BankOrder
from services.payment.domain.files import (
    PENDING,
    UNPAID_FOR_GOOD,
    ClaimFile,
    Draw,
    Instruction,
    Payment,
    PaymentStatus,
)
from services.payment.domain.ledger import Posting, Purpose, Transfer, account

BANK_INSTRUCTION = "bank-instruction"


def approve(
    file: ClaimFile, decision: Decision, reserves: Sequence[ReserveLine], now: datetime
) -> tuple[Outcome, ClaimFile]:
    """Pay what was decided. A decision seen before, under whatever event, changes nothing."""
    if file.decided(decision.decision_id):
        return Nothing(), file
    payment = Payment(
        payment_id=PaymentId.of(decision.decision_id, "payment:final:1"),
        decision_id=decision.decision_id,
        kind=PaymentKind.final,
        amount=decision.payable,
        status=PaymentStatus.instructed,
        decided_at=now,
    )
    if any(one.status in PENDING | {PaymentStatus.paid, PaymentStatus.disputed} for one in file.payments):
        # A second amount for one loss is paid only as a supplement, which names what it adds to.
        return _held(file, payment, HoldReason.approval_differs)
    draws = draw(decision, reserves)
    if isinstance(draws, HoldReason):
        return _held(file, payment, draws)
    if file.payee is None or file.reference is None:
        return _held(file, payment, HoldReason.account_missing)
    return _instructed(_superseded(file, now), replace(payment, draws=draws), now)


def decline(file: ClaimFile, now: datetime) -> tuple[Outcome, ClaimFile]:
    """A person decided that nothing is payable: what was booked and never left the house is released."""
    return Nothing(), _superseded(file, now)


def draw(decision: Decision, reserves: Sequence[ReserveLine]) -> tuple[Draw, ...] | HoldReason:
    """What the payment takes from each reserve; a reason if the approval does not add up or is not reserved.

    Each coverage is paid from its own reserve. An amount set by a person is taken from all, in proportion.
    """
    if not _adds_up(decision, reserves):
        return HoldReason.approval_differs
    currency = decision.payable.currency
    held: dict[str, Money] = {}
    for line in reserves:
        name = _reserve_account(line)
        held[name] = held.get(name, Money.zero(currency)) + line.amount
    loss = sorted(name for name, amount in held.items() if amount and not name.startswith("reserves-expense:"))
    taken: dict[str, Money] = {}
    if decision.override is None:
        for part in decision.lines:
            name = account("reserves", part.coverage_code)
            taken[name] = taken.get(name, Money.zero(currency)) + part.payable
    elif Money.total((held[name] for name in loss), currency) >= decision.payable:
        shares = decision.payable.allocate([held[name].amount_minor for name in loss])
        taken = dict(zip(loss, shares, strict=True))
    else:
        return HoldReason.reserve_missing
    nothing = Money.zero(currency)
    if any(amount > held.get(name, nothing) for name, amount in taken.items()):
        return HoldReason.reserve_missing
    return tuple(Draw(name, held[name], taken.get(name, nothing)) for name in sorted(held) if held[name])


def _adds_up(decision: Decision, reserves: Sequence[ReserveLine]) -> bool:
    currency = decision.payable.currency
    amounts = [
        decision.computed,
        *(line.payable for line in decision.lines),
        *(line.amount for line in reserves),
        *((decision.override.computed, decision.override.final) if decision.override else ()),
    ]
    if any(amount.currency != currency for amount in amounts) or decision.payable <= Money.zero(currency):
        return False
    final = decision.override.final if decision.override else decision.computed
    lines = Money.total((line.payable for line in decision.lines), currency)
    return lines == decision.computed and decision.payable == final


def _reserve_account(line: ReserveLine) -> str:
    return account("reserves" if line.cost_type is CostType.indemnity else "reserves-expense", line.coverage_code)


def _held(file: ClaimFile, payment: Payment, reason: HoldReason) -> tuple[Outcome, ClaimFile]:
    held = replace(payment, status=PaymentStatus.held, hold_reason=reason)
    event = PaymentHeld(payment_id=payment.payment_id, decision_id=payment.decision_id, reason=reason)
    return Emit((event,)), file.put(held)


def _instructed(file: ClaimFile, payment: Payment, now: datetime) -> tuple[Outcome, ClaimFile]:
    assert file.payee is not None and file.reference is not None
    instruction = Instruction.of(payment.payment_id, 1, payment.amount)
    transfers = (_reserve(file, payment, now), _payable(file, payment, now), _to_clearing(file, instruction, now))
    event = PaymentInstructed(
        payment_id=payment.payment_id,
        decision_id=payment.decision_id,
        kind=payment.kind,
        amount=payment.amount,
        instruction_id=instruction.instruction_id,
        end_to_end_id=instruction.end_to_end_id,
        attempt=instruction.attempt,
        ledger_transfer_id=transfers[2].transfer_id,
        booked_at=now,
    )
    order = BankOrder(
        payment_id=payment.payment_id,
        end_to_end_id=instruction.end_to_end_id,
        attempt=instruction.attempt,
        amount=payment.amount,
        reference=file.reference,
        payee=file.payee,
    )
    file = file.put(replace(payment, instruction=instruction), *transfers)
    return Emit((event,), (Work(BANK_INSTRUCTION, order),)), file


def _superseded(file: ClaimFile, now: datetime) -> ClaimFile:
    """Earlier payments that ended without money give way to the new decision, and their bookings are released."""
    for payment in file.payments:
        if payment.status in UNPAID_FOR_GOOD:
            released = (_release(file, payment, now),) if payment.draws else ()
            file = file.put(replace(payment, status=PaymentStatus.superseded), *released)
    return file


def _reserve(file: ClaimFile, payment: Payment, now: datetime) -> Transfer:
    credits = tuple(Posting(one.account, -one.reserved) for one in payment.draws)
    return Transfer(
        payment.transfer_id("reserve"),
        file.claim_id,
        Purpose.reserve,
        (Posting(account("claims-incurred"), _reserved(payment)), *credits),
        now,
    )


def _payable(file: ClaimFile, payment: Payment, now: datetime) -> Transfer:
    debits = tuple(Posting(one.account, one.drawn) for one in payment.draws if one.drawn)
    return Transfer(
        payment.transfer_id("payable"),
        file.claim_id,
        Purpose.payable,
        (*debits, Posting(account("claims-payable"), -payment.amount)),
        now,
    )


def _to_clearing(file: ClaimFile, instruction: Instruction, now: datetime) -> Transfer:
    return Transfer(
        LedgerTransferId.of(instruction.instruction_id, "transfer:instructed"),
        file.claim_id,
        Purpose.instructed,
        (
            Posting(account("claims-payable"), instruction.amount),
            Posting(account("bank-clearing"), -instruction.amount),
        ),
        now,
    )


def _release(file: ClaimFile, payment: Payment, now: datetime) -> Transfer:
    left = tuple(Posting(one.account, one.reserved - one.drawn) for one in payment.draws if one.reserved != one.drawn)
    return Transfer(
        payment.transfer_id("released"),
        file.claim_id,
        Purpose.released,
        (
            Posting(account("claims-payable"), payment.amount),
            *left,
            Posting(account("claims-incurred"), -_reserved(payment)),
        ),
        now,
    )


def _reserved(payment: Payment) -> Money:
    return Money.total((one.reserved for one in payment.draws), payment.amount.currency)
