"""Claims on PostgreSQL: one row a claim, the state as JSON, the confirmed payments beside it for the sender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId, PaymentId
from services.notify.domain.notices import ClaimNotices

# No FOR UPDATE: the runner holds the lock of each claim's own row in this transaction.
_LOAD = text("SELECT claim_id, state::text FROM notify_claims WHERE claim_id = ANY(CAST(:ids AS uuid[]))")
_SAVE = text("""
    INSERT INTO notify_claims (claim_id, state, confirmed)
    SELECT claim_id, CAST(state AS jsonb),
           ARRAY(SELECT CAST(jsonb_array_elements_text(CAST(confirmed AS jsonb)) AS uuid))
      FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:confirmed AS text[]))
        AS fresh (claim_id, state, confirmed)
    ON CONFLICT (claim_id) DO UPDATE SET state = EXCLUDED.state, confirmed = EXCLUDED.confirmed
""")
_CONFIRMED = text("""
    SELECT unnest(confirmed) FROM notify_claims
     WHERE claim_id = ANY(CAST(:ids AS uuid[])) AND cardinality(confirmed) > 0
""")


class SqlClaimRepository:
    """See `ClaimRepository`."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimNotices]:
        if not claim_ids:
            return {}
        rows = await tx.connection.execute(_LOAD, {"ids": list(claim_ids)})
        return {ClaimId(claim_id): ClaimNotices.model_validate_json(state) for claim_id, state in rows}

    async def save(self, states: Mapping[ClaimId, ClaimNotices], tx: Tx) -> None:
        if not states:
            return
        ids = sorted(states)
        await tx.connection.execute(
            _SAVE,
            {
                "ids": ids,
                "states": [states[one].model_dump_json(exclude_defaults=True) for one in ids],
                "confirmed": [_json_list(states[one].confirmed()) for one in ids],
            },
        )

    async def confirmed(self, claim_ids: Sequence[ClaimId], tx: Tx) -> frozenset[PaymentId]:
        if not claim_ids:
            return frozenset()
        rows = await tx.connection.execute(_CONFIRMED, {"ids": list(claim_ids)})
        return frozenset(PaymentId(payment_id) for (payment_id,) in rows)


def _json_list(ids: frozenset[PaymentId]) -> str:
    return "[" + ",".join(f'"{one}"' for one in sorted(ids)) + "]"
