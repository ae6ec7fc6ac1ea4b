"""What stands around claims, in memory: the claims' own table says it all, and transactions come one at a time."""

from __future__ import annotations

from collections.abc import Mapping

from messaging.ports import Tx
from schemas.ids import ClaimId
from services.assessment.adapters.claims_memory import TABLE
from services.assessment.domain.around import NEAR_DAYS, Vicinity, Wanted
from services.assessment.domain.claim import ClaimState, neighbour_of


class MemorySurroundings:
    """See `Surroundings`."""

    async def read(self, wanted: Mapping[ClaimId, Wanted], tx: Tx) -> Vicinity:
        vicinity = Vicinity()
        losses: dict[str, list[Wanted]] = {}
        for one in wanted.values():
            losses.setdefault(one.policy_number, []).append(one)
            vicinity.count(one.policy_number, 0)
        for state in tx.table(TABLE).values():
            number = state.report.policy_number if state.report is not None else None
            neighbour = neighbour_of(state)
            if number not in losses or neighbour is None:
                continue
            vicinity.count(number, 1)
            if any(abs(neighbour.loss_at - one.loss_at) <= NEAR_DAYS for one in losses[number]):
                vicinity.add(number, neighbour)
            if not any(one.ledgers for one in losses[number]):
                continue
            for use in state.uses:
                vicinity.use(number, (use.aggregate_id, use.period), state.claim_id, use.amount.as_fraction())
        return vicinity

    async def keep(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        """Nothing beside the claims is kept."""
