"""Idempotency keys on PostgreSQL: table `idempotency_keys` of intake's own database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId
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
        rows = (
            KeyRow(ClaimId(claim_id), client, key, bytes(body_sha256), status_url, recorded_at)
            for claim_id, client, key, body_sha256, status_url, recorded_at in found
        )
        return {row.claim_id: row for row in rows}
