"""What stands around claims, in PostgreSQL: a row a policy to lock, the claims' own columns, a row a ledger's use."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sqlalchemy import text

from messaging.ports import Tx
from schemas.currencies import CURRENCY_DECIMALS
from schemas.ids import ClaimId
from schemas.money import Money
from services.assessment.domain.around import NEAR_DAYS, NEAR_MAX, Neighbour, Vicinity, Wanted, shares_ledgers
from services.assessment.domain.claim import ClaimState

_LOCK = text(
    """INSERT INTO assessment_policies (policy_number)
       SELECT number FROM unnest(CAST(:numbers AS text[])) AS given (number) ORDER BY number
       ON CONFLICT (policy_number) DO UPDATE SET policy_number = excluded.policy_number WHERE false"""
)
_COUNT = text(
    """SELECT policy_number, count(*) FROM assessment_claims
        WHERE policy_number = ANY(CAST(:numbers AS text[])) GROUP BY policy_number"""
)
_NEAR = text(
    """SELECT given.policy_number, near.* FROM unnest(
              CAST(:numbers AS text[]), CAST(:losses AS timestamptz[])) AS given (policy_number, loss_at)
        CROSS JOIN LATERAL (
              SELECT claim_id, loss_at, peril, place, asked_minor, currency, in_play
                FROM assessment_claims AS other
               WHERE other.policy_number = given.policy_number
                 AND other.loss_at BETWEEN given.loss_at - CAST(:days AS interval)
                                        AND given.loss_at + CAST(:days AS interval)
               ORDER BY greatest(other.loss_at - given.loss_at, given.loss_at - other.loss_at), claim_id
               LIMIT :most) AS near"""
)
_USED = text(
    """SELECT policy_number, aggregate_id, period, currency,
              CASE WHEN claim_id = ANY(CAST(:claim_ids AS uuid[])) THEN claim_id END AS ours, sum(amount_minor)
         FROM assessment_uses WHERE policy_number = ANY(CAST(:numbers AS text[]))
        GROUP BY policy_number, aggregate_id, period, currency, ours"""
)
_FORGET = text("DELETE FROM assessment_uses WHERE claim_id = ANY(CAST(:claim_ids AS uuid[]))")
_KEEP = text(
    """INSERT INTO assessment_uses (policy_number, aggregate_id, period, claim_id, borne, amount_minor, currency)
       SELECT * FROM unnest(CAST(:numbers AS text[]), CAST(:ledgers AS text[]), CAST(:periods AS text[]),
                            CAST(:claim_ids AS uuid[]), CAST(:borne AS boolean[]), CAST(:amounts AS bigint[]),
                            CAST(:currencies AS text[]))"""
)


class SqlSurroundings:
    """See `Surroundings`. The rows are made by this service's migrations."""

    async def read(self, wanted: Mapping[ClaimId, Wanted], tx: Tx) -> Vicinity:
        vicinity = Vicinity()
        numbers = sorted({one.policy_number for one in wanted.values()})
        if not numbers:
            return vicinity
        await tx.connection.execute(_LOCK, {"numbers": numbers})
        await self._read_near(list(wanted.values()), numbers, vicinity, tx)
        ledgers = sorted({one.policy_number for one in wanted.values() if one.ledgers})
        if ledgers:
            given = {"numbers": ledgers, "claim_ids": list(wanted)}
            for number, ledger, period, currency, ours, minor in await tx.connection.execute(_USED, given):
                holder = None if ours is None else ClaimId(ours)
                amount = Fraction(int(minor), 10 ** CURRENCY_DECIMALS[currency])
                vicinity.use(number, (ledger, period), holder, amount)
        return vicinity

    async def _read_near(self, near: list[Wanted], numbers: list[str], vicinity: Vicinity, tx: Tx) -> None:
        for number in numbers:
            vicinity.count(number, 0)
        for number, claims in await tx.connection.execute(_COUNT, {"numbers": numbers}):
            vicinity.count(number, claims)
        given = {
            "numbers": [one.policy_number for one in near],
            "losses": [one.loss_at for one in near],
            "days": NEAR_DAYS,
            "most": NEAR_MAX + 1,  # the claim itself may be among them
        }
        for number, claim, loss_at, peril, place, asked, currency, in_play in await tx.connection.execute(_NEAR, given):
            claim_id = ClaimId(claim)
            money = None if asked is None else Money(asked, currency)
            vicinity.add(number, Neighbour(claim_id, loss_at, peril, place, money, in_play))

    async def keep(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        sharing = [state for state in states.values() if state.policy is not None and shares_ledgers(state.policy)]
        if not sharing:
            return
        await tx.connection.execute(_FORGET, {"claim_ids": [state.claim_id for state in sharing]})
        rows = [(state, use) for state in sharing if state.report is not None for use in state.uses]
        if not rows:
            return
        columns = {
            "numbers": [state.report.policy_number for state, _ in rows if state.report is not None],
            "ledgers": [use.aggregate_id for _, use in rows],
            "periods": [use.period for _, use in rows],
            "claim_ids": [state.claim_id for state, _ in rows],
            "borne": [use.borne for _, use in rows],
            "amounts": [use.amount.amount_minor for _, use in rows],
            "currencies": [use.amount.currency for _, use in rows],
        }
        await tx.connection.execute(_KEEP, columns)
