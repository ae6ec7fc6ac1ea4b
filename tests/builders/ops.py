"""ops over a log in memory: store, log, people and key ring outlive any number of lives of the service.

`World.tell` appends an event of any writer; `Life` is one running process with its HTTP client.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx2

from messaging.arrival import Decoder
from messaging.ports import PublishFailed, Store
from messaging.publishing import Publisher, Recorder
from messaging.record import Outgoing, Record, partition_of
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog, MemoryProducer
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_memory import MemoryTables
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Tables
from privacy.erased import Erased
from privacy.key_ring import Destruction, KeyRing
from privacy.key_ring_memory import MemoryKeyRing
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer_with_ring
from privacy.wrapping import DataKey
from schemas.envelope import Envelope
from schemas.event import Event, decode
from schemas.ids import ClaimId, SubjectId, event_id
from schemas.money import Money
from schemas.ops import ReviewRecorded
from schemas.party import Party, SealedParty
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.ops.adapters.desk_memory import MemoryDesk
from services.ops.adapters.desk_sql import SqlDesk
from services.ops.adapters.persons_key_ring import KeyRingPersons
from services.ops.adapters.views_memory import MemoryViews
from services.ops.adapters.views_sql import SqlViews
from services.ops.app import Ops, create_app, make_ops, ops_desk_stage, ops_views_stage
from services.ops.domain.people import Role, Staff
from services.ops.handlers.watching import LETTER_TOPICS, STATUS_TOPICS, Watcher
from services.ops.ports import Desk, Views
from tests.builders.events import a_claim_id, on_the_wire, usd
from tests.builders.stages import SteppedClock

PARTITIONS = 4
OK: Mapping[str, Any] = {"status": "ok"}


def a_staff(person_id: str = "ada", authority: str | None = "50000.00", *roles: Role) -> Staff:
    limit: Money | None = usd(authority) if authority is not None else None
    return Staff(id=person_id, roles=roles or (Role.adjuster,), authority=limit)


class Crew:
    """People as a test names them."""

    def __init__(self, *staff: Staff) -> None:
        crew = staff or (
            a_staff("ada"),
            a_staff("bo", "500.00"),
            a_staff("omar", None, Role.operator),
            a_staff("pia", None, Role.privacy, Role.unmask),
        )
        self.people = {one.id: one for one in crew}

    def find(self, person_id: str) -> Staff | None:
        return self.people.get(person_id)


class RingAway:
    """A key ring whose database cannot be reached."""

    async def create_many(self, subject_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        raise ConnectionRefusedError

    async def get_many(self, key_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        raise ConnectionRefusedError

    async def destroy(self, subject_id: UUID, destroyed_at: datetime) -> Destruction:
        raise ConnectionRefusedError

    async def rewrap_some(self, limit: int) -> int:
        raise ConnectionRefusedError


class Wire:
    """A life's producer. `down`: nothing is taken. `lost`: everything is taken, no acknowledgement comes."""

    def __init__(self, log: MemoryLog) -> None:
        self._producer: MemoryProducer = log.producer()
        self.state: Literal["up", "down", "lost"] = "up"

    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        if self.state == "down":
            raise PublishFailed("the broker is down")
        await self._producer.send(sends, timeout_seconds)
        if self.state == "lost":
            raise PublishFailed("no acknowledgement came")


@dataclass(slots=True)
class Life:
    """One running ops process."""

    ops: Ops
    engine: MemoryEngine
    runner: StageRunner
    publisher: Publisher
    wire: Wire
    client: httpx2.AsyncClient

    async def follow(self) -> None:
        """Takes everything there is into the views and the board."""
        await self.engine.run_dry()
        await self.ops.watcher.take_all()

    async def get(self, path: str, person: str | None = None, **headers: str) -> httpx2.Response:
        named = {} if person is None else {"Claimflow-Person": person}
        return await self.client.get(path, headers={**named, **headers})

    async def post(self, path: str, body: Any, person: str | None = "ada", key: str | None = None) -> httpx2.Response:
        headers = {} if person is None else {"Claimflow-Person": person}
        if key is not None:
            headers["Idempotency-Key"] = key
        if isinstance(body, bytes):
            return await self.client.post(path, content=body, headers={**headers, "Content-Type": "application/json"})
        return await self.client.post(path, json=body, headers=headers)


@dataclass
class World:
    """What outlives the process."""

    store: Store = field(default_factory=MemoryStore)
    clock: SteppedClock = field(default_factory=SteppedClock)
    people: Crew = field(default_factory=Crew)

    def __post_init__(self) -> None:
        self.log = MemoryLog(PARTITIONS, self.clock)
        self.sealer, ring = _sealer()
        self.ring: KeyRing = ring
        self._ids = _ids()
        self._sequences: dict[tuple[ClaimId, str], int] = {}

    @property
    def in_memory(self) -> bool:
        return isinstance(self.store, MemoryStore)

    def views(self) -> Views:
        return MemoryViews() if self.in_memory else SqlViews()

    def desk(self) -> Desk:
        return MemoryDesk() if self.in_memory else SqlDesk()

    def tables(self, stage: Stage) -> Tables:
        return MemoryTables(stage.name) if self.in_memory else SqlTables(stage.name)

    @asynccontextmanager
    async def new_life(self) -> AsyncIterator[Life]:
        """A fresh process over the same store and log, with all partitions assigned."""
        wire = Wire(self.log)
        desk_stage = ops_desk_stage()
        desk_tables = self.tables(desk_stage)
        publisher = Publisher(desk_tables, self.store, wire, self.clock)
        recorder = Recorder(desk_stage, desk_tables, self.clock, PARTITIONS)
        runner = self._views_runner(wire)
        engine = self.log.engine(runner)
        await engine.start()
        watcher = Watcher(self.log.tail(STATUS_TOPICS), self.log.tail(LETTER_TOPICS), self.clock)
        await watcher.start()
        persons = KeyRingPersons(self.ring, self.sealer)
        ops = make_ops(
            self.store, self.views(), self.desk(), self.people, persons, recorder, publisher, wire, watcher,
            self.clock, self._ids,
        )  # fmt: skip
        app = create_app(ops, lambda: OK, lambda: OK)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url="http://ops") as client:
            yield Life(ops, engine, runner, publisher, wire, client)

    def _views_runner(self, wire: Wire) -> StageRunner:
        stage = ops_views_stage(self.views())
        tables = self.tables(stage)
        publisher = Publisher(tables, self.store, wire, self.clock)
        decoder = Decoder(stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        return StageRunner(stage, tables, self.store, publisher, self.log.info(), decoder, self.clock, PARTITIONS)

    def tell(self, event: Event, claim: ClaimId | None = None, **envelope: Any) -> UUID:
        """Appends an event of its writer with its next sequence, a second later; gives its id."""
        claim = claim or a_claim_id()
        sequence = self._sequences.get((claim, event.WRITER), 0) + 1
        self._sequences[claim, event.WRITER] = sequence
        self.clock.advance(1)
        key, value, headers = on_the_wire(event, claim, sequence, time=self.clock.now(), **envelope)
        self.tell_raw(topic_of(event.WRITER), key, value, headers)
        return Envelope.from_headers(headers).id

    def tell_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Record:
        place = partition_of(key, PARTITIONS) if key and ".status." not in topic and ".control." not in topic else 0
        return self.log.append(Outgoing(topic, place, key, value, headers))

    def again(self, topic: str) -> None:
        """Appends a second copy of everything on a topic."""
        for record in list(self.log.records(topic)):
            self.log.append(Outgoing(topic, record.partition, record.key, record.value, record.headers))

    def reviews(self) -> dict[UUID, ReviewRecorded]:
        """The reviews on the topic by event id; a second copy is the same, byte for byte, or this fails."""
        found: dict[UUID, tuple[Any, Any]] = {}
        for record in self.log.records(topic_of("ops")):
            envelope = Envelope.from_headers(record.headers)
            copy = (record.value, tuple(record.headers))
            assert found.setdefault(envelope.id, copy) == copy
        return {key: _review(value) for key, (value, _) in found.items()}

    async def sealed(self, name: str) -> SealedParty:
        """A party that a key of this world's ring opens."""
        subject = SubjectId(event_id(a_claim_id(), name, 0))
        party = Party(name=f"{name.title()} Example", email=f"{name}@example.org")
        [box] = await self.sealer.seal_many([(subject, party)])
        assert isinstance(box, SealedParty)
        return box


def _review(value: Any) -> ReviewRecorded:
    event = decode(ReviewRecorded.TYPE, value)
    assert isinstance(event, ReviewRecorded)
    return event


def _sealer() -> tuple[Sealer, MemoryKeyRing]:
    return memory_sealer_with_ring(random.Random(20260102).randbytes)


def _ids() -> Callable[[], UUID]:
    drawn = random.Random(7)
    return lambda: UUID(int=drawn.getrandbits(128), version=4)


async def all_rows(world: World) -> dict[str, Any]:
    """Every row of the views as plain values, to be compared."""
    if isinstance(world.store, SqlStore):
        from sqlalchemy import text

        found: dict[str, Any] = {}
        async with world.store.begin() as tx:
            for table in ("view_claims", "view_events", "view_ids", "view_parties"):
                rows = await tx.connection.execute(text(f"SELECT {table}::text AS row FROM {table} ORDER BY 1"))
                found[table] = [row.row for row in rows]
        return found
    async with world.store.begin() as tx:
        names = ("view_claims", "view_events", "view_ids", "view_parties")
        return {name: dict(tx.table(name)) for name in names}
