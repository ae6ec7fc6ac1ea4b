"""One stage in one process, put together: runner, engine, publisher, dispatchers, sweeper, control, status, health.

Nothing here decides anything; it starts the parts in the order that loses nothing and ends the process when one fails.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from hosting.database import open_engine, without_password
from hosting.exits import CannotStartError
from hosting.migrate import migrate
from hosting.process import leave
from hosting.settings import ProcessSettings
from messaging import crash_points
from messaging.arrival import Decoder
from messaging.control import Control, follow
from messaging.kafka_client.log import KafkaLog, kafka_settings
from messaging.ports import Clock, Fatal, Leave, Log, PublishFailed, Store
from messaging.publishing import Publisher, Recorder
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.status import Status
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Tables
from messaging.work import Dispatcher, Tokens
from schemas.topics import CONTROL_TOPIC, EVENT_TYPES, WRITERS, status_topic, topic_of

log = structlog.get_logger("stage")
TICK_SECONDS = 1.0
STATUS_TICKS = 2
EXPIRE_TICKS = 600
ANSWERS_KEPT = timedelta(days=90)


class SystemClock:
    """The machine's time, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Options:
    """What a process says of itself and its installation."""

    partitions: int
    instance: str = "1"
    release: str = "dev"
    stall_seconds: int = 120


class StageProcess:
    """A running stage. A stage that reads nothing (requests, clicks) has no engine and sweeps every partition."""

    def __init__(
        self, stage: Stage, store: Store, tables: Tables, kafka: Log, options: Options, clock: Clock, leave: Leave
    ) -> None:
        self.stage, self.store, self.tables, self.log, self.clock = stage, store, tables, kafka, clock
        self._options, self._leave = options, leave
        self._producer, self._info = kafka.producer(), kafka.info()
        self.publisher = Publisher(tables, store, self._producer, clock)
        self.recorder = Recorder(stage, tables, clock, options.partitions, options.release)
        self.control = Control(stage.name, kafka.tail((CONTROL_TOPIC,)), tables, store, clock)
        decoder = Decoder(stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        self.runner = StageRunner(
            stage,
            tables,
            store,
            self.publisher,
            self._info,
            decoder,
            clock,
            options.partitions,
            options.release,
            self.control.paused,
        )
        self._tokens = Tokens(stage.name, options.instance, os.urandom)
        self.dispatcher = Dispatcher(
            stage, tables, store, self.publisher, clock, options.partitions, self._tokens, options.release
        )
        self.publisher.on_ready = self.dispatcher.poke
        self.status = Status(self.runner, self.control, tables, store, self._producer, clock, options.instance)
        self._engine = kafka.engine(self.runner) if stage.reads else None
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = False

    async def start(self) -> None:
        """Orders are known before the first batch; the producer is there before anything is taken in."""
        await self._producer.start()
        await self.control.start()
        await self.status.recall(self.log.tail((status_topic(self.stage.name),)))
        if self._engine is not None:
            await self._engine.start()
        async with self.store.begin() as tx:
            await self.tables.release_leases(tx, *self._tokens.range)
        self._task("control", follow(self.control, self.runner))
        self._task("housekeeping", self._keep_house())
        for effect in self.stage.effects:
            self._task(effect.kind, self.dispatcher.run(effect, self.control.paused))
        self._ready = True

    async def stop(self) -> None:
        """Waits for the batch under way and leaves the group; work that was leased comes back when its lease ends."""
        self._ready = False
        if self._engine is not None:
            await self._engine.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.control.stop()
        await self._producer.stop()

    def live(self) -> dict[str, Any]:
        """Health is progress: backlog without any for too long is not ok."""
        stalled = self._stalled()
        return {"status": "stalled" if stalled else "ok", "stage": self.stage.name, "backlog": self.status.backlog}

    def ready(self) -> dict[str, Any]:
        """Ok once everything runs and, where there is an engine, partitions are held or nothing was assigned yet."""
        return {"status": "ok" if self._ready else "starting", "stage": self.stage.name}

    def _stalled(self) -> bool:
        idle = self.clock.now() - self.status.progressed_at
        return self.status.backlog > 0 and idle > timedelta(seconds=self._options.stall_seconds)

    async def _keep_house(self) -> None:
        tick = 0
        while True:
            await self.clock.sleep(TICK_SECONDS)
            tick += 1
            try:
                await self._sweep_and_report(tick)
            except PublishFailed:
                # A stage without an engine serves callers: it must live to tell them that the log is away.
                if self._engine is not None:
                    raise
                log.warning("the log does not acknowledge; what is stored is tried again", stage=self.stage.name)
            if tick % EXPIRE_TICKS == 0:
                async with self.store.begin() as tx:
                    await self.tables.expire_answers(tx, self.clock.now() - ANSWERS_KEPT)
            if self._stalled():
                raise Fatal(f"{self.stage.name}: {self.status.backlog} records wait and none is taken")

    async def _sweep_and_report(self, tick: int) -> None:
        owned = self.runner.owned if self._engine is not None else None
        if owned is None or owned:
            await self.publisher.sweep(owned)
        await self.runner.resume_due()
        if tick % STATUS_TICKS == 0:
            await self.status.report()

    def _task(self, name: str, part: Awaitable[None]) -> None:
        async def guarded() -> None:
            try:
                await part
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._leave(f"{self.stage.name}: {name} failed: {type(error).__name__}: {error}", error)

        self._tasks.append(asyncio.create_task(guarded(), name=f"{self.stage.name}-{name}"))


@asynccontextmanager
async def open_store(settings: ProcessSettings, service: str, migrations: Path) -> AsyncIterator[SqlStore]:
    """The service's own database, brought to its newest shape; its connections are closed at the end."""
    crash_points.arm_from(os.environ)
    engine = open_engine(settings.database, service, settings.database_pool)
    try:
        try:
            async with engine.connect():
                pass
        except (OSError, DBAPIError):
            address = without_password(settings.database)
            raise CannotStartError(f"the database {address} cannot be reached, or refuses the credentials") from None
        await migrate(engine, migrations, f"{service}_version")
        yield SqlStore(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_stage(stage: Stage, store: SqlStore, settings: ProcessSettings) -> AsyncIterator[StageProcess]:
    """The stage running on Kafka; stopped cleanly at the end."""
    options = Options(settings.partitions, settings.instance, settings.release, settings.stall_seconds)
    kafka = KafkaLog(kafka_settings(settings, stage.name), settings.engine, leave)
    process = StageProcess(stage, store, SqlTables(stage.name), kafka, options, SystemClock(), leave)
    await process.start()
    log.info("stage started", stage=stage.name, engine=settings.engine if stage.reads else "none")
    try:
        yield process
    finally:
        await process.stop()


def health(*processes: StageProcess) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Liveness and readiness of several stages in one process: the worst of them."""
    live = next((found for one in processes if (found := one.live())["status"] != "ok"), {"status": "ok"})
    ready = next((found for one in processes if (found := one.ready())["status"] != "ok"), {"status": "ok"})
    return live, ready
