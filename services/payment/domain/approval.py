"""An approval becomes a booked payment and one instruction, or is held with a reason. Amounts are copied, never made.

Every approval, of an advance or of the whole, pays what is payable less what was paid or is on its way: whatever
became of an advance, nobody is paid twice or too little. Reserve first, then reserve to payable, then payable to
clearing; all with the answer, before the bank hears of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from schemas.decision import Decision, ReserveLine
from schemas.ids import LedgerTransferId, PaymentId
from schemas.money import Money
from schemas.outcomes import Emit, Nothing, Outcome, Work
from schemas.payment import HoldReason, PaymentHeld, PaymentInstructed, PaymentKind
from services.payment.domain.bank import BankOrder
from services.payment.domain.files import (
    ON_ITS_WAY,
    UNPAID_FOR_GOOD,
    ClaimFile,
    Draw,
    Instruction,
    Payment,
    PaymentStatus,
)
from services.payment.domain.ledger import Posting, Purpose, Transfer, account
from services.payment.domain.reserving import is_for_loss, release, reserve_account, set_aside

BANK_INSTRUCTION = "bank-instruction"


def approve(
    file: ClaimFile,
    kind: PaymentKind,
    decision: Decision,
    reserves: Sequence[ReserveLine],
    cause: UUID,
    now: datetime,
) -> tuple[Outcome, ClaimFile]:
    """Pay what was decided and is not on its way yet. A decision that has its payment changes nothing.

    A decision below what was advanced pays nothing and takes nothing back: the reserve becomes what was paid.
    """
    if file.decided(decision.decision_id):
        return Nothing(), file
    payment = Payment(
        payment_id=PaymentId.of(decision.decision_id, f"payment:{kind.value}:1"),
        decision_id=decision.decision_id,
        kind=kind,
        amount=decision.payable,
        status=PaymentStatus.instructed,
        decided_at=now,
    )
    against = None if _adds_up(decision, reserves) else HoldReason.approval_differs
    against = against or _against(file, decision.payable)
    if against is not None:
        return _held(file, payment, against)
    rest = decision.payable - on_its_way(file, decision.payable.currency)
    cleared = _superseded(file, now)
    if rest < Money.zero(rest.currency):
        reserves = [line for line in reserves if not is_for_loss(reserve_account(line))]
    reserved = set_aside(cleared, reserves, cause, now)
    if rest <= Money.zero(rest.currency):
        return Nothing(), reserved
    payment = replace(payment, amount=rest)
    draws = draw(reserved, decision, rest)
    if isinstance(draws, HoldReason):
        return _held(file, payment, draws)
    if file.payee is None or file.reference is None:
        return _held(file, payment, HoldReason.account_missing)
    return _instructed(reserved, replace(payment, draws=draws), now)


def decline(file: ClaimFile, cause: UUID, now: datetime) -> tuple[Outcome, ClaimFile]:
    """Nothing more is payable: what was booked and never left the house goes back, and what is reserved is released."""
    return Nothing(), release(_superseded(file, now), cause, now)


def on_its_way(file: ClaimFile, currency: str) -> Money:
    """What the claim's payees have, or may have, or will have unless the bank refuses."""
    return Money.total((one.amount for one in file.payments if one.status in ON_ITS_WAY), currency)


def draw(file: ClaimFile, decision: Decision, amount: Money) -> tuple[Draw, ...] | HoldReason:
    """What the payment takes from each reserve; the reason if the reserves do not hold it.

    Each coverage is paid from its own reserve. An amount set by a person is taken from all, in proportion.
    """
    currency = amount.currency
    held = Counter({name: minor for (name, coin), minor in file.held().items() if coin == currency})
    wanted: Counter[str] = Counter()
    if decision.override is None:
        for line in decision.lines:
            wanted[account("reserves", line.coverage_code)] += line.payable.amount_minor
        for (name, coin), minor in file.drawn().items():
            if coin == currency and name in wanted:
                wanted[name] -= minor
    else:
        wanted = Counter({name: minor for name, minor in held.items() if is_for_loss(name)})
    wanted = +wanted
    if any(minor > held[name] for name, minor in wanted.items()) or wanted.total() < amount.amount_minor:
        return HoldReason.reserve_missing
    names = sorted(wanted)
    shares = amount.allocate([wanted[name] for name in names])
    return tuple(Draw(name, share) for name, share in zip(names, shares, strict=True) if share)


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


def _against(file: ClaimFile, payable: Money) -> HoldReason | None:
    """Why no approval can follow these payments, if so.

    Once the whole was decided, a second amount is paid only as a supplement, which names what it adds to. But where
    the bank refused a part in the meantime, a new decision makes up for it, up to what was booked before.
    """
    live = [one for one in file.payments if one.status in ON_ITS_WAY]
    if any(one.amount.currency != payable.currency for one in live):
        return HoldReason.approval_differs
    if any(one.kind is not PaymentKind.partial for one in live):
        refused = [one for one in file.payments if one.status in UNPAID_FOR_GOOD and one.draws]
        booked = Money.total((one.amount for one in (*live, *refused)), payable.currency)
        if not on_its_way(file, payable.currency) < payable <= booked:
            return HoldReason.approval_differs
    # What left the bank otherwise than instructed is known to nobody but a person who looks.
    return HoldReason.account_in_doubt if any(one.status is PaymentStatus.disputed for one in live) else None


def _held(file: ClaimFile, payment: Payment, reason: HoldReason) -> tuple[Outcome, ClaimFile]:
    held = replace(payment, status=PaymentStatus.held, hold_reason=reason)
    event = PaymentHeld(payment_id=payment.payment_id, decision_id=payment.decision_id, reason=reason)
    return Emit((event,)), file.put(held)


def _instructed(file: ClaimFile, payment: Payment, now: datetime) -> tuple[Outcome, ClaimFile]:
    assert file.payee is not None and file.reference is not None
    instruction = Instruction.of(payment.payment_id, 1, payment.amount)
    payable, to_clearing = _payable(file, payment, now), _to_clearing(file, instruction, now)
    event = PaymentInstructed(
        payment_id=payment.payment_id,
        decision_id=payment.decision_id,
        kind=payment.kind,
        amount=payment.amount,
        instruction_id=instruction.instruction_id,
        end_to_end_id=instruction.end_to_end_id,
        attempt=instruction.attempt,
        ledger_transfer_id=to_clearing.transfer_id,
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
    left = file.held()
    left.subtract({(one.account, one.drawn.currency): one.drawn.amount_minor for one in payment.draws})
    file = file.holding(left, payable).put(replace(payment, instruction=instruction), to_clearing)
    return Emit((event,), (Work(BANK_INSTRUCTION, order),)), file


def _superseded(file: ClaimFile, now: datetime) -> ClaimFile:
    """Earlier payments that ended without money give way; what they took goes back to its reserve."""
    for payment in file.payments:
        if payment.status in UNPAID_FOR_GOOD:
            file = file.put(replace(payment, status=PaymentStatus.superseded))
            if payment.draws:
                held = file.held()
                held.update({(one.account, one.drawn.currency): one.drawn.amount_minor for one in payment.draws})
                file = file.holding(held, _given_back(file, payment, now))
    return file


def _payable(file: ClaimFile, payment: Payment, now: datetime) -> Transfer:
    debits = tuple(Posting(one.account, one.drawn) for one in payment.draws)
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


def _given_back(file: ClaimFile, payment: Payment, now: datetime) -> Transfer:
    credits = tuple(Posting(one.account, -one.drawn) for one in payment.draws)
    return Transfer(
        payment.transfer_id("released"),
        file.claim_id,
        Purpose.released,
        (Posting(account("claims-payable"), payment.amount), *credits),
        now,
    )
