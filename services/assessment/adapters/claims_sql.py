"""Assessment's claims in PostgreSQL: one row a claim, its state one JSONB document, one statement a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter
from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId
from services.assessment.domain.claim import ClaimState, neighbour_of

_STATE = TypeAdapter(ClaimState)
NOT_KEPT = {"around", "within"}

_LOAD = text(
    """SELECT claim_id, CAST(state AS text) FROM assessment_claims
        WHERE claim_id = ANY(CAST(:claim_ids AS uuid[])) ORDER BY claim_id FOR UPDATE"""
)
_SAVE = text(
    """INSERT INTO assessment_claims AS kept
              (claim_id, status, policy_number, state, loss_at, peril, place, asked_minor, currency, in_play)
       SELECT claim_id, status, policy_number, CAST(state AS json), loss_at, peril, place, asked_minor, currency,
              in_play
         FROM unnest(CAST(:claim_ids AS uuid[]), CAST(:statuses AS text[]), CAST(:policy_numbers AS text[]),
                     CAST(:states AS text[]), CAST(:losses AS timestamptz[]), CAST(:perils AS text[]),
                     CAST(:places AS text[]), CAST(:asked AS bigint[]), CAST(:currencies AS text[]),
                     CAST(:in_play AS boolean[]))
              AS given (claim_id, status, policy_number, state, loss_at, peril, place, asked_minor, currency, in_play)
       ON CONFLICT (claim_id) DO UPDATE
             SET status = excluded.status, policy_number = excluded.policy_number, state = excluded.state,
                 loss_at = excluded.loss_at, peril = excluded.peril, place = excluded.place,
                 asked_minor = excluded.asked_minor, currency = excluded.currency, in_play = excluded.in_play,
                 changed_at = now()"""
)


class SqlClaims:
    """See `Claims`. The rows are made by this service's migrations."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimState]:
        rows = await tx.connection.execute(_LOAD, {"claim_ids": list(claim_ids)})
        return {ClaimId(row[0]): _STATE.validate_json(row[1]) for row in rows}

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        if not states:
            return
        ordered = [states[claim_id] for claim_id in sorted(states)]
        seen = [neighbour_of(state) for state in ordered]
        columns = {
            "claim_ids": [state.claim_id for state in ordered],
            "statuses": [state.status.value for state in ordered],
            "policy_numbers": [state.report.policy_number if state.report else None for state in ordered],
            "states": [_STATE.dump_json(state, exclude_none=True, exclude=NOT_KEPT).decode() for state in ordered],
            "losses": [one and one.loss_at for one in seen],
            "perils": [one and one.peril for one in seen],
            "places": [one and one.place for one in seen],
            "asked": [one.asked.amount_minor if one and one.asked is not None else None for one in seen],
            "currencies": [one.asked.currency if one and one.asked is not None else None for one in seen],
            "in_play": [one and one.open_or_paid for one in seen],
        }
        await tx.connection.execute(_SAVE, columns)
