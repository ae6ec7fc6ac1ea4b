"""Papers, withdrawals and request keys on PostgreSQL: tables of intake's own database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId, DocumentId
from services.intake.domain.papers import Paper, StoredPaper, Withdrawal
from services.intake.ports import RequestKey

_RESERVE = text("""
    INSERT INTO request_keys (client, purpose, key, claim_id, request_sha256, recorded_at)
    VALUES (:client, :purpose, :key, :claim_id, :request_sha256, :recorded_at) ON CONFLICT DO NOTHING
""")
_RESERVED = text("""
    SELECT request_sha256 FROM request_keys WHERE client = :client AND purpose = :purpose AND key = :key
""")
_PAPER = "document_id, claim_id, kind, line_id, media_type, sha256, size_bytes, received_at"
_ADD_PAPER = text(f"""
    INSERT INTO papers ({_PAPER})
    VALUES (:document_id, :claim_id, :kind, :line_id, :media_type, :sha256, :size_bytes, :received_at)
    ON CONFLICT DO NOTHING RETURNING document_id
""")
_FIND_PAPER = text(f"SELECT {_PAPER} FROM papers WHERE document_id = :document_id")
_PAPERS_OF = text(f"""
    SELECT {_PAPER} FROM papers WHERE claim_id = :claim_id ORDER BY received_at, document_id LIMIT :limit
""")
_WITHDRAW = text("""
    INSERT INTO withdrawals (claim_id, reason, withdrawn_at) VALUES (:claim_id, :reason, :withdrawn_at)
    ON CONFLICT DO NOTHING RETURNING claim_id
""")
_WITHDRAWN = text("SELECT claim_id, reason, withdrawn_at FROM withdrawals WHERE claim_id = :claim_id")

# Each second statement is one of its own: only a new snapshot sees a row that another process just committed.


class SqlRequestKeys:
    """See `RequestKeys`."""

    async def reserve(self, tx: Tx, row: RequestKey) -> bytes:
        named = {"client": row.client, "purpose": row.purpose, "key": row.key}
        kept = {"claim_id": row.claim_id, "request_sha256": row.request_sha256, "recorded_at": row.recorded_at}
        await tx.connection.execute(_RESERVE, named | kept)
        return bytes((await tx.connection.execute(_RESERVED, named)).scalar_one())

    async def find(self, tx: Tx, row: RequestKey) -> bytes | None:
        named = {"client": row.client, "purpose": row.purpose, "key": row.key}
        found = (await tx.connection.execute(_RESERVED, named)).scalar_one_or_none()
        return None if found is None else bytes(found)


class SqlPaperRows:
    """See `PaperRows`."""

    async def add(self, tx: Tx, row: StoredPaper) -> StoredPaper | None:
        paper = row.paper
        values = {
            "document_id": row.document_id,
            "claim_id": row.claim_id,
            "kind": paper.kind,
            "line_id": paper.line_id,
            "media_type": paper.media_type,
            "sha256": paper.sha256,
            "size_bytes": paper.size_bytes,
            "received_at": row.received_at,
        }
        if (await tx.connection.execute(_ADD_PAPER, values)).first() is not None:
            return None
        return await self.find(tx, row.document_id)

    async def find(self, tx: Tx, document_id: DocumentId) -> StoredPaper | None:
        found = (await tx.connection.execute(_FIND_PAPER, {"document_id": document_id})).first()
        return None if found is None else _paper(found)

    async def of_claim(self, tx: Tx, claim_id: ClaimId, limit: int) -> list[StoredPaper]:
        found = await tx.connection.execute(_PAPERS_OF, {"claim_id": claim_id, "limit": limit})
        return [_paper(row) for row in found]


class SqlWithdrawals:
    """See `Withdrawals`."""

    async def add(self, tx: Tx, row: Withdrawal) -> Withdrawal | None:
        values = {"claim_id": row.claim_id, "reason": row.reason, "withdrawn_at": row.withdrawn_at}
        if (await tx.connection.execute(_WITHDRAW, values)).first() is not None:
            return None
        return await self.find(tx, row.claim_id)

    async def find(self, tx: Tx, claim_id: ClaimId) -> Withdrawal | None:
        found = (await tx.connection.execute(_WITHDRAWN, {"claim_id": claim_id})).first()
        return None if found is None else Withdrawal(ClaimId(found[0]), found[1], found[2])


def _paper(row: Any) -> StoredPaper:
    document_id, claim_id, kind, line_id, media_type, sha256, size_bytes, received_at = row
    paper = Paper(kind, media_type, sha256, size_bytes, line_id)
    return StoredPaper(DocumentId(document_id), ClaimId(claim_id), paper, received_at)
