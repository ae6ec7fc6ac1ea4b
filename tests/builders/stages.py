"""A small stage over a log in memory, for tests of the runner: restarted at will, told events by hand, never sleeping.

It answers every event it handles with PolicyAwaited, whose `attempt` counts what it has decided for the claim: a
decision on stale state shows on the log. A report is answered with ClaimClosed besides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from messaging import crash_points
from messaging.arrival import Decoder
from messaging.ports import Store, Tx
from messaging.publishing import Publisher, Recorder
from messaging.record import Outgoing, Record, TopicPartition, partition_of
from messaging.stage import Input, Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog, MemoryProducer
from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES
from messaging.stores.store_memory import MemoryStore, MemoryTx
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_memory import MemoryTables
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Tables
from schemas.assessment import PolicyAwaited, PolicyWaitReason
from schemas.event import Event, decode
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.ops import ReviewRecorded
from schemas.outcomes import Emit, Outcome
from schemas.payment import PaymentConfirmed
from schemas.topics import EVENT_TYPES, WRITERS, dead_letter_topic, topic_of
from tests.builders.events import REPORTED_AT, a_claim_closed, a_claim_id, on_the_wire

PARTITIONS = 4
ANSWERS = topic_of("assessment")
LETTERS = dead_letter_topic("assessment")
READS = ("intake", "ops", "payment")
_TOY = "CREATE TABLE toy (claim_id uuid PRIMARY KEY, decided int NOT NULL)"


class Crash(BaseException):
    """Stands for a SIGKILL: nothing of ours catches it."""


class SteppedClock:
    """Stands still until moved; sleeping moves it."""

    def __init__(self, start: datetime = REPORTED_AT) -> None:
        self.instant = start.astimezone(UTC)

    def now(self) -> datetime:
        return self.instant

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


def awaited(attempt: int) -> PolicyAwaited:
    return PolicyAwaited(reason=PolicyWaitReason.policy_unknown, attempt=attempt, next_attempt_at=REPORTED_AT)


@dataclass
class Toy:
    """`instead` may give another outcome for an input, or raise; `decided` is every decision asked for, in order."""

    instead: Callable[[Input], Outcome | None] = lambda event: None
    decided: list[tuple[ClaimId, str, int]] = field(default_factory=list)
    at_prepare: Callable[[Sequence[Input]], None] = lambda inputs: None
    at_load: Callable[[Sequence[ClaimId]], None] = lambda ids: None
    in_save: str | None = None

    async def prepare(self, inputs: Sequence[Input]) -> None:
        self.at_prepare(inputs)

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, int]:
        self.at_load(claim_ids)
        found = dict.fromkeys(claim_ids, 0)
        if isinstance(tx, MemoryTx):
            table = tx.table("toy")
            return {claim_id: table.get(claim_id, 0) for claim_id in claim_ids}
        statement = text("SELECT claim_id, decided FROM toy WHERE claim_id = ANY(CAST(:ids AS uuid[]))")
        for claim_id, decided in await tx.connection.execute(statement, {"ids": list(claim_ids)}):
            found[ClaimId(claim_id)] = decided
        return found

    def decide(self, state: int, event: Input, facts: Any) -> tuple[Outcome, int]:
        self.decided.append((event.claim_id, event.writer, event.sequence))
        other = self.instead(event)
        if other is not None:
            return other, state + 1
        also: tuple[Event, ...] = (a_claim_closed(),) if event.type == ClaimReported.TYPE else ()
        return Emit((awaited(state + 1), *also)), state + 1

    async def save(self, states: Mapping[ClaimId, int], tx: Tx) -> None:
        if isinstance(tx, MemoryTx):
            tx.table("toy").update(states)
            return
        if self.in_save is not None:
            statement, self.in_save = self.in_save, None
            await tx.connection.execute(text(statement))
        await tx.connection.execute(
            text(
                """INSERT INTO toy SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:decided AS int[]))
                ON CONFLICT (claim_id) DO UPDATE SET decided = excluded.decided"""
            ),
            {"ids": list(states), "decided": list(states.values())},
        )


@asynccontextmanager
async def sql_store(url: str, pool_size: int = 5) -> AsyncIterator[SqlStore]:
    """A store with the runner's tables, empty, and the toy's."""
    store = SqlStore(create_async_engine(url, pool_size=pool_size))
    try:
        yield await emptied(store)
    finally:
        await store.engine.dispose()


async def emptied(store: Any) -> Any:
    """The store as on its first day; a new one in memory."""
    if isinstance(store, MemoryStore):
        return MemoryStore()
    async with store.engine.begin() as connection:
        made = (await connection.execute(text("SELECT to_regclass('toy')"))).scalar_one() is not None
        tables = (*(drop.split()[-1] for drop in RUNNER_DROPS), "toy")
        for statement in [f"DELETE FROM {table}" for table in tables] if made else (*RUNNER_TABLES, _TOY):
            await connection.execute(text(statement))
    return store


class Running:
    """One process of the stage."""

    def __init__(self, bench: Bench, release: str = "test") -> None:
        self.tables = bench.tables()
        self.producer: MemoryProducer = bench.log.producer()
        self.publisher = Publisher(self.tables, bench.store, self.producer, bench.clock)
        decoder = Decoder(bench.stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        self.runner = StageRunner(
            bench.stage, self.tables, bench.store, self.publisher, bench.log.info(), decoder, bench.clock, PARTITIONS,
            release,
        )  # fmt: skip
        self.recorder = Recorder(bench.stage, self.tables, bench.clock, PARTITIONS, release)
        self.engine: MemoryEngine = bench.log.engine(self.runner)

    async def drain(self) -> None:
        """Everything there is, and everything due."""
        await self.engine.run_dry()
        await self.runner.resume_due()


class Bench:
    """The stage, its log and its store, which outlive its processes."""

    def __init__(self, store: Store, toy: Toy | None = None) -> None:
        self.store, self.toy, self.clock = store, toy or Toy(), SteppedClock()
        self.log = MemoryLog(PARTITIONS, self.clock)
        handles = {model.TYPE: model for model in (ClaimReported, ReviewRecorded, PaymentConfirmed)}
        self.stage = Stage("assessment", "assessment", READS, handles, self.toy)

    def tables(self) -> Tables:
        return MemoryTables("assessment") if isinstance(self.store, MemoryStore) else SqlTables("assessment")

    def process(self) -> Running:
        return Running(self)

    async def start(self) -> Running:
        """A process that has all partitions."""
        running = self.process()
        await running.engine.start()
        return running

    def tell(self, event: Event, claim: ClaimId | None = None, sequence: int = 1, **envelope: Any) -> Record:
        """Appends a valid event of its writer; `envelope` changes its headers."""
        key, value, headers = on_the_wire(event, claim, sequence, **envelope)
        return self.tell_raw(key, value, headers, topic_of(event.WRITER))

    def tell_raw(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        topic: str = "claims.intake.v1",
    ) -> Record:
        partition = partition_of(key, PARTITIONS) if key else 0
        return self.log.append(Outgoing(topic, partition, key, value, headers))

    def answers(self, claim: ClaimId | None = None) -> list[tuple[int, UUID, str, Any]]:
        """(sequence, id, type's name, event) of each answer of a claim, in the order of the log, second copies left
        out; a copy that differs fails."""
        key = str(claim or a_claim_id()).encode()
        seen: dict[bytes, Any] = {}
        found: list[tuple[int, UUID, str, Any]] = []
        for record in self.log.records(ANSWERS):
            if record.key != key:
                continue
            headers = dict(record.headers)
            copy = (record.key, record.value, record.headers)
            event_id = headers["ce_id"]
            assert seen.setdefault(event_id, copy) == copy
            if len(seen) > len(found):
                name = headers["ce_type"].decode()
                event = decode(name, record.value or b"")
                found.append((int(headers["ce_sequence"]), UUID(event_id.decode()), name.split(".")[1], event))
        return found

    def attempts(self, claim: ClaimId | None = None) -> list[int]:
        """What each decision of the claim saw, in the order of the log."""
        return [event.attempt for _, _, name, event in self.answers(claim) if name == "PolicyAwaited"]

    def letters(self) -> list[tuple[Record, dict[str, str]]]:
        """The dead letters on the log, with what was added to their headers."""
        found = []
        for record in self.log.records(LETTERS):
            why = {
                name.removeprefix("dead-letter-"): value.decode()
                for name, value in record.headers
                if name.startswith("dead-letter-")
            }
            found.append((record, why))
        return found

    async def block(self, claim: ClaimId | None = None) -> Any:
        claim = claim or a_claim_id()
        async with self.store.begin() as tx:
            return (await self.tables().lock_claims(tx, {claim: place_of(claim).partition}))[claim].blocked

    async def position(self, place: TopicPartition) -> int:
        async with self.store.begin() as tx:
            return (await self.tables().positions(tx))[place].next_offset


def place_of(claim: ClaimId, writer: str = "intake") -> TopicPartition:
    return TopicPartition(topic_of(writer), partition_of(str(claim).encode(), PARTITIONS))


async def always(tx: Tx) -> bool:
    """A command that has not been taken yet."""
    return True


@contextmanager
def crash_at(name: str, nth: int = 1) -> Iterator[list[str]]:
    """Raises Crash at the n-th passage of a point ('*': of any); gives the names passed. 0: never."""
    passed: list[str] = []

    def hook(point: str) -> None:
        passed.append(point)
        if len(passed) == nth:
            raise Crash(point)

    crash_points.arm(name, hook)
    try:
        yield passed
    finally:
        crash_points.disarm()
