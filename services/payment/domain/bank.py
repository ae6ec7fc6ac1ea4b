"""What goes to the bank and what comes back. A reply that leaves the outcome open is a value, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from schemas.ids import PaymentId
from schemas.intake import Reference
from schemas.model import Model, Privacy
from schemas.money import Money, PositiveMoney
from schemas.party import Account, SealedParty
from schemas.payment import EndToEndId


class BankOrder(Model):
    """The work row of one instruction: all that is needed to send it, the payee still sealed.

    It never changes, so that each sending under its end-to-end id is the same instruction.
    """

    payment_id: Annotated[PaymentId, Privacy.internal]
    end_to_end_id: Annotated[EndToEndId, Privacy.internal]
    attempt: Annotated[int, Field(ge=1, le=1000), Privacy.internal]
    amount: Annotated[PositiveMoney, Privacy.internal]
    reference: Annotated[Reference, Privacy.internal]
    payee: Annotated[SealedParty, Privacy.internal]


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """An instruction as the bank sees it, with the account in the clear. Lives as long as one request."""

    end_to_end_id: str
    amount: Money
    reference: str
    account: Account = field(repr=False)


@dataclass(frozen=True, slots=True)
class Executed:
    """The bank's record says the money went out: this amount, under this reference of the bank."""

    amount: Money
    bank_reference: str
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for good, with the bank's code (ISO 20022); no money moved."""

    code: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """The bank holds another instruction under this id."""


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Answer to an inquiry only: the bank never decided about this id."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody can say yet whether the money went out."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The bank did not take the instruction: it certainly did nothing. `retry_after` is its wish."""

    retry_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class PayeeErased:
    """The payee's key was destroyed before the instruction could be sent."""


@dataclass(frozen=True, slots=True)
class PayeeUnreadable:
    """The payee's box does not open: changed, or moved here from another person."""


@dataclass(frozen=True, slots=True)
class AccountMissing:
    """The payee has no account to pay to."""


BankReply = Executed | Refused | Conflict | NotKnown | InDoubt | NotSent
Result = Executed | Refused | Conflict | InDoubt | NotSent | PayeeErased | PayeeUnreadable | AccountMissing

REFUSALS = {
    "AC01": "the account number is incorrect",
    "AC04": "the account is closed",
    "AC06": "the account is blocked",
    "AM04": "our account does not cover the amount",
}


def refusal_in_words(code: str) -> str:
    """Our words for a bank's code; the bank's own text may hold names and is never passed on."""
    return REFUSALS.get(code, "the bank refused the instruction")
