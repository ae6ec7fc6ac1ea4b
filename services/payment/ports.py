"""What payment needs from outside: the bank, the files of its claims, the ledger, and a way to open a sealed payee."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from messaging.ports import Tx
from privacy.erased import Erased
from privacy.errors import SealError
from schemas.ids import ClaimId, LedgerTransferId, PaymentId
from schemas.party import Party, SealedParty
from services.payment.domain.bank import BankReply, CreditTransfer
from services.payment.domain.files import ClaimFile, Payment
from services.payment.domain.ledger import Transfer

ORDERS_MAX = 100
INQUIRIES_MAX = 1_000


class PaymentGateway(Protocol):
    """The bank. Idempotent by end-to-end id; says InDoubt rather than raise when the outcome is open.

    Must not send an instruction again by itself, and must not take longer than its own time-outs allow.
    """

    async def instruct_many(self, orders: Sequence[CreditTransfer]) -> list[BankReply]:
        """One reply an order, in order; at most ORDERS_MAX. Never NotKnown."""

    async def inquire_many(self, end_to_end_ids: Sequence[str]) -> list[BankReply]:
        """What the bank's record says of each, in order; at most INQUIRIES_MAX. InDoubt if it cannot be asked."""


class PayeeOpener(Protocol):
    """Opens sealed parties (`privacy.sealing.Sealer`). A box that does not open takes only its own place."""

    async def open_each(self, sealed: Sequence[SealedParty]) -> list[Party | Erased | SealError]: ...


class FileBook(Protocol):
    """The payment files. A claim's file is read and written only under the runner's lock on the claim's row."""

    async def load(self, claim_ids: Collection[ClaimId], tx: Tx) -> dict[ClaimId, ClaimFile]:
        """A file for every id, an empty one if unknown; without news."""

    async def save(self, files: Sequence[ClaimFile], tx: Tx) -> None:
        """Stores named payees, changed reserves, and touched payments with their instructions, not what was posted."""

    async def payments(self, tx: Tx, after: PaymentId | None, limit: int) -> list[tuple[ClaimId, Payment]]:
        """All payments by id, a page at a time: those after the given one. For verification, not for decisions."""


class LedgerLine(NamedTuple):
    """One posting of the ledger as it is stored, for statements and verification."""

    transfer_id: LedgerTransferId
    claim_id: ClaimId
    purpose: str
    account: str
    currency: str
    amount_minor: int


class LedgerBook(Protocol):
    """The ledger as it is kept: transfers go in, nothing is ever changed or taken out."""

    async def append(self, transfers: Sequence[Transfer], tx: Tx) -> None:
        """Posts all; DuplicateTransferError or the database's refusal if one of the ids is posted already."""

    async def totals(self, tx: Tx) -> dict[tuple[str, str], int]:
        """Minor units per (account, currency) over everything posted."""

    async def statement(self, claim_id: ClaimId, tx: Tx) -> list[LedgerLine]:
        """A claim's postings in the order they were booked."""

    async def unbalanced(self, tx: Tx) -> list[LedgerTransferId]:
        """Transfers whose stored postings do not sum to zero in some currency; empty unless something is broken."""
