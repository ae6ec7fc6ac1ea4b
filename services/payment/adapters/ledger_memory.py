"""The ledger in memory: append-only, each transfer once, as on PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from messaging.ports import Tx
from schemas.ids import ClaimId, LedgerTransferId
from services.payment.domain.ledger import DuplicateTransferError, Transfer, totals_of
from services.payment.ports import LedgerLine

TRANSFERS = "payment_transfers"


class LedgerBookMemory:
    """See `LedgerBook`."""

    async def append(self, transfers: Sequence[Transfer], tx: Tx) -> None:
        held = tx.table(TRANSFERS)
        for transfer in transfers:
            if transfer.transfer_id in held:
                raise DuplicateTransferError("a transfer of this id is posted already")
            held[transfer.transfer_id] = transfer

    async def totals(self, tx: Tx) -> dict[tuple[str, str], int]:
        return totals_of(tx.table(TRANSFERS).values())

    async def statement(self, claim_id: ClaimId, tx: Tx) -> list[LedgerLine]:
        return [
            LedgerLine(
                transfer.transfer_id,
                transfer.claim_id,
                transfer.purpose,
                posting.account,
                posting.amount.currency,
                posting.amount.amount_minor,
            )
            for transfer in tx.table(TRANSFERS).values()
            if transfer.claim_id == claim_id
            for posting in sorted(transfer.postings, key=lambda one: (one.account, one.amount.currency))
        ]

    async def unbalanced(self, tx: Tx) -> list[LedgerTransferId]:
        wrong = []
        for transfer in tx.table(TRANSFERS).values():
            sums: Counter[str] = Counter()
            for posting in transfer.postings:
                sums[posting.amount.currency] += posting.amount.amount_minor
            if any(sums.values()):
                wrong.append(transfer.transfer_id)
        return wrong
