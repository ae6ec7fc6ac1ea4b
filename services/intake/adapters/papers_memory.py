"""Papers, withdrawals and request keys in memory, in tables whose changes the transaction undoes."""

from __future__ import annotations

from messaging.ports import Tx
from schemas.ids import ClaimId, DocumentId
from services.intake.domain.papers import StoredPaper, Withdrawal
from services.intake.ports import RequestKey


class MemoryRequestKeys:
    """See `RequestKeys`."""

    async def reserve(self, tx: Tx, row: RequestKey) -> bytes:
        found: RequestKey = tx.table("request_keys").setdefault((row.client, row.purpose, row.key), row)
        return found.request_sha256

    async def find(self, tx: Tx, row: RequestKey) -> bytes | None:
        found: RequestKey | None = tx.table("request_keys").get((row.client, row.purpose, row.key))
        return None if found is None else found.request_sha256


class MemoryPaperRows:
    """See `PaperRows`."""

    async def add(self, tx: Tx, row: StoredPaper) -> StoredPaper | None:
        found = await self.find(tx, row.document_id)
        if found is None:
            tx.table("papers")[row.document_id] = row
        return found

    async def find(self, tx: Tx, document_id: DocumentId) -> StoredPaper | None:
        found: StoredPaper | None = tx.table("papers").get(document_id)
        return found

    async def of_claim(self, tx: Tx, claim_id: ClaimId, limit: int) -> list[StoredPaper]:
        found = [row for row in tx.table("papers").values() if row.claim_id == claim_id]
        return sorted(found, key=lambda row: (row.received_at, row.document_id))[:limit]


class MemoryWithdrawals:
    """See `Withdrawals`."""

    async def add(self, tx: Tx, row: Withdrawal) -> Withdrawal | None:
        found = await self.find(tx, row.claim_id)
        if found is None:
            tx.table("withdrawals")[row.claim_id] = row
        return found

    async def find(self, tx: Tx, claim_id: ClaimId) -> Withdrawal | None:
        found: Withdrawal | None = tx.table("withdrawals").get(claim_id)
        return found
