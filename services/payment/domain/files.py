"""The payment file of a claim: whom to pay, what is reserved, and every payment with what became of it.

Frozen: each change gives a new file, which carries what is to be stored. Nothing leaves it; payments only gain facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from schemas.ids import ClaimId, DecisionId, InstructionId, LedgerTransferId, PaymentId, end_to_end_id
from schemas.money import Money
from schemas.party import SealedParty
from schemas.payment import HoldReason, PaymentKind
from services.payment.domain.ledger import Transfer


class PaymentStatus(StrEnum):
    """`held`, `rejected`, `superseded`: no money left. `disputed`: money may have left otherwise than instructed."""

    instructed = "instructed"
    in_doubt = "in_doubt"
    paid = "paid"
    rejected = "rejected"
    held = "held"
    disputed = "disputed"
    superseded = "superseded"


PENDING = frozenset({PaymentStatus.instructed, PaymentStatus.in_doubt})
UNPAID_FOR_GOOD = frozenset({PaymentStatus.rejected, PaymentStatus.held})
ON_ITS_WAY = PENDING | {PaymentStatus.paid, PaymentStatus.disputed}
"""Paid, or nobody can say yet that it is not: what a later decision counts as had."""

Place = tuple[str, str]
"""An account and a currency."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """What one reserve account still holds for the claim: set aside, and taken by no payment."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Draw:
    """What a payment takes from one reserve account."""

    account: str
    drawn: Money


@dataclass(frozen=True, slots=True)
class Instruction:
    """One order to the bank; a payment gets another only after the bank's final rejection."""

    instruction_id: InstructionId
    payment_id: PaymentId
    attempt: int
    end_to_end_id: str
    amount: Money
    bank_reference: str | None = None
    refusal_code: str | None = None
    settled_at: datetime | None = None

    @classmethod
    def of(cls, payment_id: PaymentId, attempt: int, amount: Money) -> Instruction:
        """Its ids follow from payment and attempt."""
        made = InstructionId.of(payment_id, f"instruction:{attempt}")
        return cls(made, payment_id, attempt, end_to_end_id(payment_id, attempt), amount)


@dataclass(frozen=True, slots=True)
class Payment:
    """What one decision makes payable. `draws` is empty, and `instruction` missing, if it was held before booking."""

    payment_id: PaymentId
    decision_id: DecisionId
    kind: PaymentKind
    amount: Money
    status: PaymentStatus
    decided_at: datetime
    draws: tuple[Draw, ...] = ()
    instruction: Instruction | None = None
    hold_reason: HoldReason | None = None

    def transfer_id(self, purpose: str) -> LedgerTransferId:
        """The id of the transfer this payment causes for a purpose: one for ever."""
        return LedgerTransferId.of(self.payment_id, f"transfer:{purpose}")


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A claim's reserves and payments. `touched`, `named`, `posted`, and reserves other than `stored`, are news."""

    claim_id: ClaimId
    reference: str | None = None
    payee: SealedParty | None = None
    payments: tuple[Payment, ...] = ()
    reserves: tuple[Reserve, ...] = ()
    stored: tuple[Reserve, ...] = ()
    touched: frozenset[PaymentId] = frozenset()
    named: bool = False
    posted: tuple[Transfer, ...] = ()

    def with_payee(self, reference: str, payee: SealedParty) -> ClaimFile:
        """The file with its claim's reference and the person to be paid."""
        return replace(self, reference=reference, payee=payee, named=True)

    def payment(self, payment_id: PaymentId) -> Payment | None:
        """The payment of this id, if it is in the file."""
        return next((one for one in self.payments if one.payment_id == payment_id), None)

    def decided(self, decision_id: DecisionId) -> bool:
        """Whether this decision has its payment already."""
        return any(one.decision_id == decision_id for one in self.payments)

    def held(self) -> Counter[Place]:
        """Minor units that each reserve account still holds."""
        return Counter({(one.account, one.amount.currency): one.amount.amount_minor for one in self.reserves})

    def drawn(self) -> Counter[Place]:
        """Minor units that payments took from each reserve account and that did not go back."""
        taken: Counter[Place] = Counter()
        for payment in self.payments:
            if payment.status is not PaymentStatus.superseded:
                for one in payment.draws:
                    taken[one.account, one.drawn.currency] += one.drawn.amount_minor
        return taken

    def holding(self, minor: Mapping[Place, int], *transfers: Transfer) -> ClaimFile:
        """The file with these minor units in its reserve accounts, by the transfers posted."""
        reserves = tuple(
            Reserve(name, Money(minor[name, coin], coin)) for name, coin in sorted(minor) if minor[name, coin]
        )
        return replace(self, reserves=reserves, posted=(*self.posted, *transfers))

    def put(self, payment: Payment, *transfers: Transfer) -> ClaimFile:
        """The file with the payment added or replaced, and the transfers posted."""
        held = {one.payment_id: one for one in self.payments} | {payment.payment_id: payment}
        return replace(
            self,
            payments=tuple(held.values()),
            touched=self.touched | {payment.payment_id},
            posted=(*self.posted, *transfers),
        )
