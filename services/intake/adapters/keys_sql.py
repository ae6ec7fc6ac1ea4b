"""Idempotency keys on PostgreSQL: table `idempotency_keys` of intake's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId, reference_bits
from services.intake.ports import KeyRow

# In id order, so that two processes that store the same keys wait for each other instead of deadlocking.
_RESERVE = text("""
    INSERT INTO idempotency_keys (claim_id, client, key, body_sha256, status_url, recorded_at)
    SELECT claim_id, client, key, body_sha256, status_url, recorded_at
      FROM unnest(CAST(:claim_ids AS uuid[]), CAST(:clients AS text[]), CAST(:keys AS text[]),
                  CAST(:hashes AS bytea[]), CAST(:urls AS text[]), CAST(:instants AS timestamptz[]))
        AS fresh (claim_id, client, key, body_sha256, status_url, recorded_at)
     ORDER BY claim_id
    ON CONFLICT DO NOTHING
    RETURNING claim_id
""")
_FIND = text("""
    SELECT claim_id, client, key, body_sha256, status_url, recorded_at
      FROM idempotency_keys WHERE claim_id = ANY(CAST(:claim_ids AS uuid[]))
""")

# A reference is made of the first 60 bits of this hash; the expression is that of the index.
_HASH = "substr(sha256(decode('636c61696d666c6f772e7265666572656e63652e7631', 'hex') || uuid_send(claim_id)), 1, 8)"
FIND_REFERENCE = text(f"""
    SELECT claim_id, client, key, body_sha256, status_url, recorded_at
      FROM idempotency_keys WHERE {_HASH} BETWEEN :first AND :last LIMIT 10
""")


class SqlKeyRows:
    """See `KeyRows`."""

    async def reserve(self, tx: Tx, rows: Sequence[KeyRow]) -> set[ClaimId]:
        if not rows:
            return set()
        stored = await tx.connection.execute(
            _RESERVE,
            {
                "claim_ids": [row.claim_id for row in rows],
                "clients": [row.client for row in rows],
                "keys": [row.key for row in rows],
                "hashes": [row.body_sha256 for row in rows],
                "urls": [row.status_url for row in rows],
                "instants": [row.recorded_at for row in rows],
            },
        )
        return {ClaimId(claim_id) for (claim_id,) in stored}

    async def find(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, KeyRow]:
        if not claim_ids:
            return {}
        # A statement of its own after the insert: only a new snapshot sees a row that another process just committed.
        found = await tx.connection.execute(_FIND, {"claim_ids": list(claim_ids)})
        rows = [_row(row) for row in found]
        return {row.claim_id: row for row in rows}

    async def find_reference(self, tx: Tx, reference: str) -> list[KeyRow]:
        bits = reference_bits(reference) << 4
        span = {"first": bits.to_bytes(8), "last": (bits | 15).to_bytes(8)}
        return [_row(row) for row in await tx.connection.execute(FIND_REFERENCE, span)]


def _row(found: Any) -> KeyRow:
    claim_id, client, key, body_sha256, status_url, recorded_at = found
    return KeyRow(ClaimId(claim_id), client, key, bytes(body_sha256), status_url, recorded_at)
