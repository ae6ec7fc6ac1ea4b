"""A small stage on a real broker: it registers every claim reported, and several members of its group can run here.

Store and tables are in memory and shared by the members, as a service's processes share one database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import uuid4

from messaging.arrival import Decoder
from messaging.kafka_client.log import KafkaLog
from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaLogInfo
from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Feed, Tx
from messaging.publishing import Publisher
from messaging.record import Outgoing, TopicPartition, partition_of
from messaging.stage import Input, Stage
from messaging.stage_runner import StageRunner
from messaging.stores.store_memory import MemoryStore
from messaging.stores.tables_memory import MemoryTables
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.outcomes import Emit, Outcome
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from tests.builders.events import a_claim_id, a_claim_registered, a_claim_reported, on_the_wire

PARTITIONS = 4


class Left(Exception):
    """Stands for the end of the process."""


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Registrar:
    """Registers every claim and notes the order in which it decided."""

    def __init__(self) -> None:
        self.decided: list[ClaimId] = []

    async def prepare(self, inputs: Sequence[Input]) -> None:
        return None

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, Any]:
        return dict.fromkeys(claim_ids)

    def decide(self, state: Any, event: Input, facts: Any) -> tuple[Outcome, Any]:
        self.decided.append(event.claim_id)
        return Emit((a_claim_registered(),)), state

    async def save(self, states: Mapping[ClaimId, Any], tx: Tx) -> None:
        return None


class Group:
    """The stage, what it has stored, and the settings its members share. Its name is new for every test."""

    def __init__(self, kafka: str, engine: str, reads: tuple[str, ...] = ("intake",), **settings: Any) -> None:
        self.settings = KafkaSettings(kafka, **settings)
        self.engine = engine
        self.handler = Registrar()
        self.stage = Stage(
            name=f"assessment-{uuid4().hex[:8]}",
            writer="assessment",
            reads=reads,
            handles={ClaimReported.TYPE: ClaimReported},
            handler=self.handler,
        )
        self.store, self.tables = MemoryStore(), MemoryTables(self.stage.name)
        self.paused = False

    @property
    def decided(self) -> list[ClaimId]:
        return self.handler.decided

    async def stored(self) -> dict[Any, int]:
        async with self.store.begin() as tx:
            return {place: held.next_offset for place, held in (await self.tables.positions(tx)).items()}

    async def open_dead_letters(self) -> int:
        async with self.store.begin() as tx:
            return await self.tables.open_dead_letters(tx)

    async def at_rest(self, records: int) -> bool:
        """So many records are stored with their answers, and every answer is in the log."""
        async with self.store.begin() as tx:
            stored = sum(held.next_offset for held in (await self.tables.positions(tx)).values())
            return stored >= records and not await self.tables.unmarked(tx, self.decided)


class Member:
    """One process's worth of the stage: producer, runner and engine. `feed` may stand between the last two."""

    def __init__(self, group: Group, feed: Callable[[Feed], Feed] = lambda runner: runner) -> None:
        self.left: list[str] = []
        kafka = KafkaLog(group.settings, group.engine, self._leave)
        self.producer = kafka.producer()
        clock = Clock()
        self.runner = StageRunner(
            group.stage,
            group.tables,
            group.store,
            Publisher(group.tables, group.store, self.producer, clock),
            kafka.info(),
            Decoder(group.stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES),
            clock,
            PARTITIONS,
            paused=lambda: group.paused,
        )
        self.engine = kafka.engine(feed(self.runner))

    async def __aenter__(self) -> Member:
        await self.producer.start()
        await self.engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.stop()
        await self.producer.stop()

    def _leave(self, reason: str, error: BaseException | None = None) -> NoReturn:
        self.left.append(reason)
        raise Left(reason)


def reports(numbers: range) -> list[Outgoing]:
    """One reported claim for each number, as intake writes it."""
    return [report(a_claim_id(number)) for number in numbers]


def report(claim: ClaimId, **changes: Any) -> Outgoing:
    key, value, headers = on_the_wire(a_claim_reported(claim), claim)
    return Outgoing(topic_of("intake"), partition_of(key, PARTITIONS), key, value, headers)._replace(**changes)


async def write(kafka: str, sends: Sequence[Outgoing], timeout_seconds: float = 10) -> None:
    """Writes as another process would, with a producer of its own."""
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    try:
        await producer.send(sends, timeout_seconds)
    finally:
        await producer.stop()


def by_partition(claims: Sequence[ClaimId]) -> dict[int, list[ClaimId]]:
    """The claims by their partition numbers, in the order given."""
    found: dict[int, list[ClaimId]] = {}
    for claim in claims:
        found.setdefault(partition_of(str(claim).encode(), PARTITIONS), []).append(claim)
    return found


async def ends(kafka: str, topic: str, partitions: int = PARTITIONS) -> dict[TopicPartition, int]:
    """The end offset of each partition."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    return {place: end for place, (_, end) in (await KafkaLogInfo(KafkaSettings(kafka)).offsets(places)).items()}


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 30.0) -> None:
    """Waits until it holds; fails the test past the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not come true within {seconds:g} s")
