"""The ledger's rules: double entry, append-only, every transfer balanced in each currency and posted once.

A transfer's id follows from what caused it, so the same cause can never be booked twice. Debits are positive, credits
negative, integers of minor units. The chart of accounts is data; only the accounts named in it can be posted to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from schemas.ids import ClaimId, LedgerTransferId
from schemas.money import Money

POSTINGS_MAX = 400
Totals = Mapping[tuple[str, str], int]
"""Sum of minor units per (account, currency); debits positive."""


class AccountKind(StrEnum):
    asset = "asset"
    liability = "liability"
    expense = "expense"


class AccountSpec(NamedTuple):
    """What an account holds. `parted`: one account per part, written `name:part`."""

    kind: AccountKind
    meaning: str
    parted: bool = False


CHART: Mapping[str, AccountSpec] = MappingProxyType(
    {
        "claims-incurred": AccountSpec(AccountKind.expense, "what claims are expected to cost"),
        "reserves": AccountSpec(AccountKind.liability, "set aside for the loss, per coverage", True),
        "reserves-expense": AccountSpec(AccountKind.liability, "set aside for handling it, per coverage", True),
        "claims-payable": AccountSpec(AccountKind.liability, "approved and owed to payees"),
        "bank-clearing": AccountSpec(AccountKind.liability, "instructed, not yet confirmed by the bank"),
        "bank": AccountSpec(AccountKind.asset, "what the bank's record says went out"),
        "suspense": AccountSpec(AccountKind.asset, "the bank's record differs from what was instructed"),
    }
)


class Purpose(StrEnum):
    """Why a transfer was posted."""

    reserve = "reserve"
    payable = "payable"
    instructed = "instructed"
    paid = "paid"
    returned = "returned"
    paid_otherwise = "paid_otherwise"
    released = "released"


class LedgerError(ValueError):
    """A transfer breaks a rule of the ledger; the message names the rule."""


class UnbalancedError(LedgerError):
    """Debits and credits of a transfer differ in some currency."""


class DuplicateTransferError(LedgerError):
    """A transfer of this id is posted already."""


def account(name: str, part: str | None = None) -> str:
    """The account's full name; LedgerError if the chart does not have it."""
    spec = CHART.get(name)
    if spec is None:
        raise LedgerError("the chart of accounts has no such account")
    if spec.parted != (part is not None):
        raise LedgerError(f"{name} {'needs' if spec.parted else 'has no'} parts")
    return name if part is None else f"{name}:{part}"


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a transfer: a debit if positive, a credit if negative."""

    account: str
    amount: Money

    def __post_init__(self) -> None:
        name, colon, part = self.account.partition(":")
        account(name, part if colon else None)
        if not self.amount:
            raise LedgerError("a posting moves money")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money moved between accounts for one claim. Balanced in each currency, or it cannot be made."""

    transfer_id: LedgerTransferId
    claim_id: ClaimId
    purpose: Purpose
    postings: tuple[Posting, ...]
    booked_at: datetime

    def __post_init__(self) -> None:
        if not 2 <= len(self.postings) <= POSTINGS_MAX:
            raise LedgerError(f"a transfer has 2 to {POSTINGS_MAX} postings")
        places = {(posting.account, posting.amount.currency) for posting in self.postings}
        if len(places) != len(self.postings):
            raise LedgerError("a transfer posts once to each account and currency")
        if any(_per_currency(self.postings).values()):
            raise UnbalancedError("debits and credits must be equal in each currency")


def totals_of(transfers: Iterable[Transfer]) -> dict[tuple[str, str], int]:
    """Every account's sum per currency after these transfers."""
    totals: Counter[tuple[str, str]] = Counter()
    for transfer in transfers:
        for posting in transfer.postings:
            totals[posting.account, posting.amount.currency] += posting.amount.amount_minor
    return dict(totals)


def imbalance(totals: Totals) -> dict[str, int]:
    """Per currency what all accounts together are off by; empty when the ledger is balanced."""
    sums: Counter[str] = Counter()
    for (_, currency), amount_minor in totals.items():
        sums[currency] += amount_minor
    return {currency: amount_minor for currency, amount_minor in sums.items() if amount_minor}


def _per_currency(postings: Iterable[Posting]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for posting in postings:
        sums[posting.amount.currency] += posting.amount.amount_minor
    return dict(sums)
