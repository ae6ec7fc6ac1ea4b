"""Intake over memory: one store and one log that outlive any number of lives of the service, and its HTTP client.

`World.new_life()` plays a restart: everything in process memory is gone, store, log and key ring stay.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import httpx2

from messaging.ports import PublishFailed
from messaging.publishing import Publisher, Recorder
from messaging.record import Outgoing, Record
from messaging.stores.memory_log import MemoryLog, MemoryProducer
from messaging.stores.store_memory import CommitUnknown, MemoryStore
from messaging.stores.tables_memory import MemoryTables
from privacy.key_ring_memory import MemoryKeyRing
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer_with_ring
from schemas.event import Event, decode
from schemas.intake import ClaimReported
from services.intake.adapters.paper_store import memory_paper_store
from services.intake.app import Desks, HttpLimits, create_app, intake_stage, memory_desks, memory_intake
from services.intake.handlers.reports import Intake, Limits
from services.intake.ports import PaperStore, Sealing
from services.intake.routes.papers import PaperLimits

PARTITIONS = 4
TOPIC = "claims.intake.v1"
OK: Mapping[str, Any] = {"status": "ok"}
A_PDF = b"%PDF-1.7\n1 0 obj\n"
A_DRAFT: Mapping[str, Any] = MappingProxyType({"policy_number": "FL-000001", "loss_at": "2012-10-29T22:30:00-04:00"})


class SteppedClock:
    """Time that moves when the test says so; sleeping gives way once."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def move(self, **by: float) -> None:
        self.instant += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class Wire:
    """The producer of one life. `down`: nothing is taken. `lost`: everything is taken, no acknowledgement comes."""

    def __init__(self, log: MemoryLog) -> None:
        self._producer: MemoryProducer = log.producer()
        self.state: Literal["up", "down", "lost"] = "up"
        self.gate: Any = None

    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.state == "down":
            raise PublishFailed("the broker is down")
        await self._producer.send(sends, timeout_seconds)
        if self.state == "lost":
            raise PublishFailed("no acknowledgement came")


@dataclass(slots=True)
class Life:
    """One running service."""

    desks: Desks
    publisher: Publisher
    wire: Wire
    client: httpx2.AsyncClient

    @property
    def intake(self) -> Intake:
        return self.desks.intake

    async def submit(self, body: Any, key: str = "key-1", **headers: str) -> httpx2.Response:
        """POST /v1/claims; `body` is JSON-able or the very bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"idempotency-key": key, "content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.client.post("/v1/claims", content=raw, headers=sent)

    async def submit_bulk(self, body: bytes, **headers: str) -> httpx2.Response:
        sent = {"content-type": "application/x-ndjson"} | {n.replace("_", "-"): value for n, value in headers.items()}
        return await self.client.post("/v1/claims:bulk", content=body, headers=sent)

    async def add_paper(
        self, claim: str, content: bytes = A_PDF, key: str = "paper-1", media_type: str = "application/pdf", **more: str
    ) -> httpx2.Response:
        """POST /v1/claims/{claim}/documents; `more` is its query, `kind` estimate unless given."""
        sent = {"idempotency-key": key, "content-type": media_type}
        query = {"kind": "estimate"} | more
        return await self.client.post(f"/v1/claims/{claim}/documents", content=content, headers=sent, params=query)

    async def withdraw(self, claim: str, key: str = "withdraw-1", body: Any = None) -> httpx2.Response:
        """POST /v1/claims/{claim}:withdraw."""
        headers = {"idempotency-key": key}
        return await self.client.post(f"/v1/claims/{claim}:withdraw", json=body or {}, headers=headers)

    async def begin_draft(self, body: Any = A_DRAFT, key: str = "draft-1", client: str = "default") -> httpx2.Response:
        """POST /v1/drafts."""
        headers = {"idempotency-key": key, "claimflow-client": client}
        return await self.client.post("/v1/drafts", json=dict(body), headers=headers)

    async def patch_draft(self, draft: str, patch: Any) -> httpx2.Response:
        """PATCH /v1/drafts/{draft}."""
        headers = {"content-type": "application/merge-patch+json"}
        return await self.client.patch(f"/v1/drafts/{draft}", content=json.dumps(patch).encode(), headers=headers)

    async def submit_draft(self, draft: str) -> httpx2.Response:
        """POST /v1/drafts/{draft}:submit."""
        return await self.client.post(f"/v1/drafts/{draft}:submit")


@dataclass(slots=True)
class World:
    """What outlives the process. `sealing` takes the place of the sealer, for a test that makes it fail."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    place: PaperStore = field(default_factory=memory_paper_store)
    sealer: Sealer = field(init=False)
    sealing: Sealing | None = None
    ring: MemoryKeyRing = field(init=False)
    log: MemoryLog = field(init=False)

    def __post_init__(self) -> None:
        self.sealer, self.ring = memory_sealer_with_ring(random.Random(20260102).randbytes)
        self.log = MemoryLog(PARTITIONS, self.clock)

    @asynccontextmanager
    async def new_life(
        self,
        limits: Limits | None = None,
        requests_max: int = 512,
        bulk_requests_max: int = 8,
        uploads_max: int = 8,
        papers: PaperLimits | None = None,
        papers_max: int = 200,
    ) -> AsyncIterator[Life]:
        stage, tables, wire = intake_stage(), MemoryTables("intake"), Wire(self.log)
        publisher = Publisher(tables, self.store, wire, self.clock)
        recorder = Recorder(stage, tables, self.clock, PARTITIONS)
        sealing = self.sealing or self.sealer
        intake = memory_intake(self.store, tables, sealing, recorder, publisher, self.clock, limits)
        seconds = limits.answer_seconds if limits else 5.0
        desks = memory_desks(
            intake, self.store, sealing, recorder, publisher, self.clock, self.place, seconds, papers_max
        )
        http = HttpLimits(requests_max, bulk_requests_max, uploads_max, papers or PaperLimits())
        app = create_app(desks, self.clock.now, lambda: OK, lambda: OK, http)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://intake") as client:
            yield Life(desks, publisher, wire, client)
            await desks.close()

    def records(self) -> list[Record]:
        """Everything on intake's topic, second copies too."""
        return self.log.records(TOPIC)

    def events(self) -> dict[str, ClaimReported]:
        """The reports on the topic by id: a second copy is the same event, byte for byte, or this fails."""
        return {key: event for key, event in self.all_events().items() if isinstance(event, ClaimReported)}

    def all_events(self) -> dict[str, Event]:
        """Like `events`, of every type."""
        found: dict[str, tuple[bytes | None, Any, str]] = {}
        for record in self.records():
            headers = dict(record.headers)
            copy = (record.value, record.headers, headers["ce_type"].decode())
            assert found.setdefault(headers["ce_id"].decode(), copy) == copy
        return {key: decode(kind, value or b"") for key, (value, _, kind) in found.items()}


__all__ = ["CommitUnknown", "Life", "SteppedClock", "Wire", "World"]
