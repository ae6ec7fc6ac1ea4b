"""Drafts in memory, in a table whose changes the transaction undoes: for tests and the simulation."""

from __future__ import annotations

from datetime import datetime

from messaging.ports import Tx
from services.intake.domain.drafts import DraftId, DraftRow

_TABLE = "drafts"


class MemoryDraftRows:
    """See `DraftRows`."""

    async def add(self, tx: Tx, row: DraftRow) -> DraftRow | None:
        found: DraftRow | None = tx.table(_TABLE).get(row.draft_id)
        if found is None:
            tx.table(_TABLE)[row.draft_id] = row
        return found

    async def find(self, tx: Tx, name: DraftId | str) -> DraftRow | None:
        rows: list[DraftRow] = list(tx.table(_TABLE).values())
        return next((row for row in rows if name in (row.draft_id, row.number)), None)

    async def replace(self, tx: Tx, row: DraftRow, version: int) -> bool:
        table = tx.table(_TABLE)
        found: DraftRow | None = table.get(row.draft_id)
        if found is None or found.version != version:
            return False
        table[row.draft_id] = row
        return True

    async def purge(self, tx: Tx, before: datetime, limit: int) -> int:
        table = tx.table(_TABLE)
        expired = sorted((row.expires_at, key) for key, row in table.items() if row.expires_at < before)[:limit]
        for _, key in expired:
            del table[key]
        return len(expired)
