"""Assessment's claims in memory, under the in-memory store's transactions: for the simulation and the fast tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from messaging.ports import Tx
from schemas.ids import ClaimId
from services.assessment.domain.around import ALONE
from services.assessment.domain.claim import ClaimState

TABLE = "assessment_claims"


class MemoryClaims:
    """States are immutable values, so they are kept as they are."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimState]:
        table = tx.table(TABLE)
        return {claim_id: table[claim_id] for claim_id in claim_ids if claim_id in table}

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        table = tx.table(TABLE)
        for claim_id, state in states.items():
            table[claim_id] = replace(state, around=ALONE, within=None)
