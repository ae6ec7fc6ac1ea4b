"""Idempotency keys in memory, in a table whose changes the transaction undoes: for tests and the simulation."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from messaging.ports import Tx
from schemas.ids import ClaimId, claim_reference
from services.intake.ports import KeyRow

TABLE = "idempotency_keys"


class MemoryKeyRows:
    """See `KeyRows`."""

    async def reserve(self, tx: Tx, rows: Sequence[KeyRow]) -> set[ClaimId]:
        table, fresh = tx.table(TABLE), set()
        for row in rows:
            if row.claim_id not in table:
                table[row.claim_id] = row
                fresh.add(row.claim_id)
        return fresh

    async def find(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, KeyRow]:
        table = tx.table(TABLE)
        return {claim_id: table[claim_id] for claim_id in claim_ids if claim_id in table}

    async def find_reference(self, tx: Tx, reference: str) -> list[KeyRow]:
        return [row for row in tx.table(TABLE).values() if claim_reference(row.claim_id) == reference]
