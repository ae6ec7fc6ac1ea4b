"""Claims in memory, inside the store's transactions: for the simulation and the fast tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from messaging.ports import Tx
from schemas.ids import ClaimId, PaymentId
from services.notify.domain.notices import ClaimNotices

TABLE = "notify_claims"


class MemoryClaimRepository:
    """See `ClaimRepository`."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimNotices]:
        table = tx.table(TABLE)
        return {claim_id: table[claim_id] for claim_id in claim_ids if claim_id in table}

    async def save(self, states: Mapping[ClaimId, ClaimNotices], tx: Tx) -> None:
        table = tx.table(TABLE)
        for claim_id, state in states.items():
            table[claim_id] = state

    async def confirmed(self, claim_ids: Sequence[ClaimId], tx: Tx) -> frozenset[PaymentId]:
        known = await self.load(claim_ids, tx)
        return frozenset().union(*(state.confirmed() for state in known.values()))
