"""Claims of one policy decided at once on PostgreSQL, through the real handler: no shared money is spent twice.

Each transaction has a connection of its own; who is ahead is drawn. What a deadlock or a serialization failure
rolled back is run again, as the runner does it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import uuid5

import pytest
from sqlalchemy import text

from hosting.database import open_engine
from hosting.migrate import migrate
from messaging.arrival import Decoder
from messaging.publishing import Publisher
from messaging.record import Outgoing, TopicPartition, partition_of
from messaging.stage import Input
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_sql import SqlTables
from schemas.event import Event
from schemas.ids import ClaimId, EventId
from schemas.intake import ClaimReported
from schemas.ops import Verdict
from schemas.policy import PolicySnapshot
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.assessment.adapters.claims_sql import SqlClaims
from services.assessment.adapters.surroundings_sql import SqlSurroundings
from services.assessment.app import MIGRATIONS, assessment_stage
from services.assessment.domain.claim import ClaimState, Status
from services.assessment.handlers import AssessmentHandler
from tests.builders.assessment import NOW, SteppedClock
from tests.builders.events import a_claim_id, a_review_recorded, on_the_wire
from tests.builders.ledgers import (
    MANY_ARE_USUAL,
    a_book,
    a_hurricane_policy,
    a_members_policy,
    a_years_loss,
    an_aggregate_policy,
    taken,
)
from tests.simulation.outside import SimPolicyBook

pytestmark = [pytest.mark.asyncio, pytest.mark.database]

AT_ONCE = 8
REPEATS_MAX = 4
POLICIES = ("FL-1", "FL-2", "FL-3")


@dataclass
class Desk:
    """The handler over one database. `repeats` counts what had to be run again."""

    store: SqlStore
    handler: AssessmentHandler
    chance: random.Random
    claims: SqlClaims = field(default_factory=SqlClaims)
    repeats: int = 0

    async def take(self, batch: Sequence[tuple[ClaimId, Event]]) -> None:
        """One transaction over all of the batch, as the runner makes it."""
        for _ in range(REPEATS_MAX):
            try:
                return await self._take(batch)
            except Exception as error:
                if self.store.verdict(error) != "repeat":
                    raise
                self.repeats += 1
        return await self._take(batch)

    async def _take(self, batch: Sequence[tuple[ClaimId, Event]]) -> None:
        inputs = [an_input(claim_id, event) for claim_id, event in batch]
        facts = await self.handler.prepare(inputs)
        await self._yield()
        async with self.store.begin() as tx:
            claim_ids = sorted({claim_id for claim_id, _ in batch})
            states = await self.handler.load(claim_ids, tx, facts)
            await self._yield()
            for one in inputs:
                _, states[one.claim_id] = self.handler.decide(states[one.claim_id], one, facts)
            await self.handler.save(states, tx)
            await self._yield()

    async def _yield(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def states(self) -> list[ClaimState]:
        async with self.store.begin() as tx:
            known = await tx.connection.execute(text("SELECT claim_id FROM assessment_claims ORDER BY claim_id"))
            return list((await self.claims.load([ClaimId(row[0]) for row in known], tx)).values())

    async def forget(self) -> None:
        async with self.store.engine.begin() as connection:
            for table in ("assessment_claims", "assessment_uses", "assessment_policies"):
                await connection.execute(text(f"DELETE FROM {table}"))


def an_input(claim_id: ClaimId, event: Event) -> Input:
    cause = uuid5(claim_id, f"{event.TYPE}:{event.model_dump_json()}")
    return Input(cause, claim_id, event.TYPE, event, NOW, NOW, event.WRITER, 1)


@pytest.fixture(params=[12, pytest.param(100, marks=pytest.mark.long)])
def rounds(request: pytest.FixtureRequest) -> int:
    """How many drawn courses a test goes through."""
    return int(request.param)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    engine = open_engine(database_url, "test", pool_size=AT_ONCE + 1)
    try:
        await migrate(engine, MIGRATIONS, "assessment_version")
        yield SqlStore(engine)
    finally:
        await engine.dispose()


def a_desk(store: SqlStore, seed: int, *policies: PolicySnapshot) -> Desk:
    handler = AssessmentHandler(SqlClaims(), SqlSurroundings(), a_book(*policies), MANY_ARE_USUAL, 2.0)
    return Desk(store, handler, random.Random(seed))


async def report_at_once(desk: Desk, losses: Sequence[ClaimReported]) -> list[ClaimState]:
    """Every loss in a transaction of its own, all at the same time, in a drawn order."""
    batches = [[(a_claim_id(nth), loss)] for nth, loss in enumerate(losses)]
    desk.chance.shuffle(batches)
    await asyncio.gather(*(desk.take(batch) for batch in batches))
    return await desk.states()


def approved(states: Sequence[ClaimState], ledger: str = "all-losses") -> Fraction:
    """What was approved under the policy; what it takes from the ledger is the same."""
    paid = sum((one.decision.payable.as_fraction() for one in states if one.decision is not None), Fraction(0))
    assert taken((use for one in states for use in one.uses), ledger) == paid
    return paid


async def test_claims_at_once_never_overspend_an_annual_aggregate(store: SqlStore, rounds: int) -> None:
    for seed in range(rounds):
        desk = a_desk(store, seed, an_aggregate_policy("100000.00"))
        await desk.forget()
        asked = [desk.chance.randrange(1_000, 60_000) for _ in range(AT_ONCE)]

        states = await report_at_once(desk, [a_years_loss(nth, f"{one}.00") for nth, one in enumerate(asked)])

        paid = [one.decision.payable.as_fraction() for one in states if one.decision is not None]
        assert approved(states) <= 100_000 and len(states) == AT_ONCE
        # Software pays whole or asks: who was asked would not have fitted at that moment.
        assert len(paid) == AT_ONCE or sum(paid) + max(asked) > 100_000
        assert sorted(paid) == sorted(Fraction(one) for one in asked)[: len(paid)] or len(paid) < AT_ONCE


async def test_two_claims_of_sixty_thousand_share_a_hundred_and_a_person_approves_the_rest(
    store: SqlStore, rounds: int
) -> None:
    """XC-06: 60,000 are paid at once, 40,000 when a person says so, never more, and never 60,000 twice."""
    for seed in range(rounds):
        desk = a_desk(store, seed, an_aggregate_policy("100000.00"))
        await desk.forget()
        states = await report_at_once(desk, [a_years_loss(nth, "60000.00") for nth in range(2)])
        assert approved(states) == 60_000
        [waiting] = [one for one in states if one.status is Status.in_assessment]
        assert waiting.referral is not None and waiting.referral.decision is not None
        assert waiting.referral.decision.payable.to_text() == "40000.00"

        review = a_review_recorded(referral_event_id=EventId(waiting.referral.event_id))
        await desk.take([(waiting.claim_id, review)])

        assert approved(await desk.states()) == 100_000


async def test_people_who_approve_at_once_never_overspend_what_each_of_them_saw(store: SqlStore, rounds: int) -> None:
    """Every proposal fits alone; together they do not: whoever comes second is asked again with what is left."""
    for seed in range(rounds):
        desk = a_desk(store, seed, an_aggregate_policy("100000.00"))
        await desk.forget()
        # The first takes most of it; all others are shown to people, each with the same rest.
        await desk.take([(a_claim_id(0), a_years_loss(0, "70000.00"))])
        await report_at_once(desk, [a_years_loss(nth, "70000.00") for nth in range(AT_ONCE)])
        waiting = [one for one in await desk.states() if one.referral is not None]
        assert len(waiting) == AT_ONCE - 1

        await asyncio.gather(*(desk.take([(one.claim_id, approval(one))]) for one in waiting))

        states = await desk.states()
        assert approved(states) == 100_000
        assert sum(one.status is Status.partly_approved for one in states) == 1
        assert all(one.status is not Status.denied for one in states)


def approval(state: ClaimState) -> Event:
    assert state.referral is not None
    return a_review_recorded(referral_event_id=EventId(state.referral.event_id), verdict=Verdict.approve)


async def test_storms_at_once_bear_the_annual_deductible_once_and_whole(store: SqlStore, rounds: int) -> None:
    """HO-17 with eight storms: 9,000 are borne once, every later storm bears 1,000, whichever comes first."""
    for seed in range(rounds):
        desk = a_desk(store, seed, a_hurricane_policy())
        await desk.forget()
        asked = [desk.chance.randrange(20_000, 60_000) for _ in range(AT_ONCE)]

        states = await report_at_once(desk, [a_years_loss(nth, f"{one}.00") for nth, one in enumerate(asked)])

        borne = [
            one.decision.lines[0].asked.as_fraction() - one.decision.payable.as_fraction()
            for one in states
            if one.decision is not None and one.decision.lines[0].asked is not None
        ]
        assert sorted(borne) == [1000] * (AT_ONCE - 1) + [9000]
        assert taken((use for one in states for use in one.uses), "hurricanes") == 9000


async def test_a_members_yearly_maximum_is_borne_once_whoever_comes_first(store: SqlStore, rounds: int) -> None:
    for seed in range(rounds):
        desk = a_desk(store, seed, a_members_policy())
        await desk.forget()

        states = await report_at_once(desk, [a_years_loss(nth, "1000.00") for nth in range(AT_ONCE)])

        borne = sorted(1000 - one.decision.payable.as_fraction() for one in states if one.decision is not None)
        assert borne == [0, 0, *[500] * 6]
        assert taken((use for one in states for use in one.uses), "out-of-pocket") == 3000


async def test_batches_over_several_policies_in_any_order_come_to_an_end(store: SqlStore, rounds: int) -> None:
    """Each batch has claims of several policies; whoever waits for whom, all are decided in the end."""
    repeats = 0
    for seed in range(rounds):
        desk = a_desk(store, seed, *(an_aggregate_policy("50000.00", number) for number in POLICIES))
        await desk.forget()
        losses: list[tuple[ClaimId, Event]] = [
            (a_claim_id(nth), a_years_loss(nth, "20000.00", desk.chance.choice(POLICIES))) for nth in range(24)
        ]
        desk.chance.shuffle(losses)

        await asyncio.gather(*(desk.take(losses[place::AT_ONCE]) for place in range(AT_ONCE)))

        states = await desk.states()
        assert len(states) == len(losses)
        for number in POLICIES:
            of_policy = [one for one in states if one.report is not None and one.report.policy_number == number]
            assert approved(of_policy) == min(2, len(of_policy)) * 20_000
        repeats += desk.repeats
    assert repeats == 0, "claims are locked before policies, both in order: nobody ever has to start again"


async def test_two_processes_with_the_partitions_of_one_policys_claims_share_its_limit(store: SqlStore) -> None:
    clock, book = SteppedClock(), a_book(an_aggregate_policy("100000.00"))
    log = MemoryLog(2, clock)
    for nth in range(40):
        key, value, headers = on_the_wire(a_years_loss(nth, "7000.00"), a_claim_id(nth))
        log.append(Outgoing(topic_of("intake"), partition_of(key, 2), key, value, headers))
    engines = [await _a_process(store, log, clock, book, number) for number in range(2)]

    await asyncio.gather(*(engine.run_dry(limit=3) for engine in engines))

    async with store.begin() as tx:
        states = list((await SqlClaims().load([a_claim_id(nth) for nth in range(40)], tx)).values())
    assert len(states) == 40 and approved(states) == 98_000
    parts: Mapping[int, int] = {
        number: len(log.read(TopicPartition(topic_of("intake"), number), 0, 99)) for number in (0, 1)
    }
    assert min(parts.values()) > 5


async def _a_process(
    store: SqlStore, log: MemoryLog, clock: SteppedClock, book: SimPolicyBook, number: int
) -> MemoryEngine:
    """The stage with one of two partitions, as a second worker would have it."""
    stage = assessment_stage(SqlClaims(), SqlSurroundings(), book, MANY_ARE_USUAL)
    tables = SqlTables(stage.name)
    publisher = Publisher(tables, store, log.producer(), clock)
    decoder = Decoder(stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
    engine = log.engine(StageRunner(stage, tables, store, publisher, log.info(), decoder, clock, 2))
    await engine.assign([TopicPartition(topic_of(writer), number) for writer in stage.reads])
    return engine
