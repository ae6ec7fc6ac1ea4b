"""Faust as an engine, with everything switched off by which it loses events.

Faust fetches, assigns and delivers; where to start is the feed's position, and what is done is never told to Faust.
`refuse_unsafe` checks an app against the list of settings measured to lose events.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncIterator, Collection, Coroutine, Generator, Mapping, Sequence
from typing import Any, cast

import faust
from aiokafka import TopicPartition as ClientPlace
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.enums import ProcessingGuarantee
from mode import CrashingSupervisor

from messaging.kafka_client.engine_base import EngineBase
from messaging.kafka_client.settings import BATCH_MAX, FILL_SECONDS, SASL_MECHANISM, KafkaSettings
from messaging.ports import Feed, Leave
from messaging.record import Record, TopicPartition

BUFFER_MAX = 8192
BUFFER_MIN = 4096
PAUSE_SECONDS = 0.1
START_SECONDS = 120.0
STOP_SECONDS = 20.0


class UnsafeFaust(Exception):
    """An app that would lose events; the message lists why."""


def refuse_unsafe(app: Any) -> None:
    """Raises UnsafeFaust unless every setting known to lose events is off."""
    conf = app.conf
    wrong = {
        "exactly_once": conf.processing_guarantee is not ProcessingGuarantee.AT_LEAST_ONCE,
        "producer_threaded": conf.producer_threaded,
        "stream_publish_on_commit": conf.stream_publish_on_commit,
        "stream_wait_empty=False": not conf.stream_wait_empty,
        f"stream_buffer_maxsize below {BUFFER_MIN}": conf.stream_buffer_maxsize < BUFFER_MIN,
        "topic_allow_declare": conf.topic_allow_declare,
        "a leader topic": not conf.topic_disable_leader,
        "standby replicas": conf.table_standby_replicas != 0,
        "tables": bool(app.tables),
        "the web server": conf.web_enabled,
        "a consumer that commits by itself": not issubclass(app.transport.Consumer, StageConsumer),
    }
    for agent in app.agents.values():
        schema = agent.channel.schema
        wrong |= {
            "concurrency above 1": agent.concurrency != 1,
            "a supervisor that restarts": agent.supervisor_strategy is not CrashingSupervisor,
            "isolated partitions": agent.isolated_partitions,
            "a value type or codec": not (schema.value_type is bytes and schema.value_serializer == "raw"),
            "a key type or codec": not (schema.key_type is bytes and schema.key_serializer == "raw"),
            "refused tombstones": not schema.allow_empty,
            "automatic acks": agent.channel.acks,
        }
    found = [name for name, is_wrong in wrong.items() if is_wrong]
    if found:
        raise UnsafeFaust(f"Faust would lose events by: {', '.join(found)}")


class StageThread(driver.AIOKafkaConsumerThread):
    """Assigns by ranges, so that one partition number of all topics, and with it a claim, meets in one member."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        client = super()._create_worker_consumer(transport)
        client._partition_assignment_strategy = [RangePartitionAssignor]
        return client


class StageConsumer(driver.Consumer):
    """Faust's consumer that starts where the feed says and commits nothing by itself."""

    @property
    def engine(self) -> FaustEngine:
        return cast(StageApp, self.app).engine

    def _new_consumer_thread(self) -> StageThread:
        return StageThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        self.engine.withdraw()
        await super().on_partitions_revoked(revoked)
        await asyncio.shield(self.engine.revoked(revoked))

    async def on_partitions_assigned(self, assigned: Collection[Any], generation_id: int = 0) -> None:
        self.engine.withdraw()
        self.engine.awaited = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Faust's one hook between an assignment and the first fetch."""
        # Faust cancels this when the next rebalance comes; a half-loaded assignment must not be left behind.
        return await asyncio.shield(self.engine.seek(self))

    async def wait_empty(self) -> None:
        """What is not in a batch already is dropped and delivered again."""
        await self.engine.idle()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        return False

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:
        """Runs the message callback at once instead of in tasks of its own, unless it has to wait for something."""
        if timeout is not None or len(coros) != 2 or not all(inspect.iscoroutine(coro) for coro in coros):
            return await super().wait_first(*coros, timeout=timeout)
        callback, suspended = coros
        try:
            awaited = callback.send(None)
        except StopIteration:
            suspended.close()
            return None
        except BaseException:
            suspended.close()
            raise
        return await super().wait_first(_resumed(callback, awaited), suspended)


async def _resumed(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Any:
    return await _rest(coroutine, awaited)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """Goes on with a coroutine that has been run up to its first wait."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(sent)
    except StopIteration as end:
        return end.value


class StageApp(faust.App):
    """A Faust app without producer, web server and folders, whose crash is the end of the process."""

    engine: FaustEngine

    class BootStrategy(faust.app.BootStrategy):
        enable_kafka_producer = False
        enable_web = False
        enable_sensors = False

    def on_init_dependencies(self) -> Any:
        # Without the monitor: it costs a tenth of every event, and the feed counts for itself.
        return self.boot_strategy.server()

    def on_rebalance_start(self) -> None:
        super().on_rebalance_start()
        # Without sensors there is no state, of which Faust would warn at every rebalance.
        self._rebalancing_sensor_state = {"none": None}

    def _create_directories(self) -> None:
        """Nothing is kept on disk."""

    def _crash(self, reason: BaseException) -> None:
        super()._crash(reason)
        self.engine.fail(reason)


class FaustEngine(EngineBase):
    """An Engine over a Faust app in the running event loop, without Faust's worker and its signal handlers."""

    def __init__(self, feed: Feed, settings: KafkaSettings, leave: Leave) -> None:
        super().__init__(feed, settings, leave)
        self.awaited = False
        self._round = 0
        self._batch: asyncio.Task[None] | None = None
        self._hints: asyncio.Task[None] | None = None
        self._app: StageApp | None = None

    async def start(self) -> None:
        """Joins the group; returns when the first assignment is made."""
        app = self._app = make_app(self)
        refuse_unsafe(app)
        # Faust waits for its assignment without an end of its own, and a failed start does not always reach the caller.
        await asyncio.wait_for(app.start(), START_SECONDS)
        self._hints = asyncio.create_task(self.hint(self._commit))

    async def stop(self) -> None:
        """Waits for the batch under way, then leaves the group."""
        self.stopping = True
        self.withdraw()
        await self.idle()
        if self._hints is not None:
            self._hints.cancel()
        app, self._app = self._app, None
        if app is not None:
            await asyncio.wait_for(app.stop(), STOP_SECONDS)
        self._stopped.set()

    def withdraw(self) -> None:
        """Nothing is delivered from here to the next `seek` after an assignment."""
        self.sought = self.awaited = False
        self._round += 1
        self.next = {}

    async def idle(self) -> None:
        """Returns when no batch is under way."""
        if self._batch is not None:
            await asyncio.wait([self._batch])

    async def revoked(self, places: Collection[Any]) -> None:
        try:
            await self.feed.revoked([TopicPartition(*place) for place in places])
        except Exception as error:
            self.fail(error)

    async def seek(self, consumer: StageConsumer) -> Mapping[Any, int]:
        """Loads and seeks after an assignment; Faust also asks at other times, which then changes nothing."""
        if self.stopping or not (self.awaited or self.sought):
            return {}
        here = self._round
        try:
            if self.awaited:
                loaded = await self.feed.assigned([TopicPartition(*place) for place in consumer.assignment()])
                if here != self._round:
                    return {}
                self.next, self.awaited = loaded, False
            offsets = {TP(*place): offset for place, offset in self.next.items()}
            await consumer.seek_wait(offsets)
            self.sought = here == self._round
            return offsets if self.sought else {}
        except Exception as error:
            self.fail(error)
            raise

    async def deliver(self, app: StageApp, events: Sequence[Any]) -> None:
        """Hands the events of the present assignment to the feed, unless Faust has lost them to a rebalance since."""
        while self.feed.paused() and self.sought:
            await asyncio.sleep(PAUSE_SECONDS)
        generation = app.consumer_generation_id
        records = [_record(event.message) for event in events if event.message.generation_id == generation]
        if self.sought and records:
            # Faust may cancel the agent; a batch once begun is finished.
            self._batch = asyncio.create_task(self._run(records))
            await asyncio.shield(self._batch)

    async def _run(self, records: Sequence[Record]) -> None:
        try:
            await self.feed.batch(records)
            self.moved(records)
        except Exception as error:
            self.fail(error)

    async def _commit(self, offsets: Mapping[ClientPlace, int]) -> None:
        if self._app is not None:
            thread = cast(StageConsumer, self._app.consumer)._thread
            await thread.call_thread(thread._ensure_consumer().commit, offsets)


def make_app(engine: FaustEngine) -> StageApp:
    """The one configuration of Faust that was measured to keep every event."""
    settings = engine.settings
    if settings.username is None:
        credentials = None
    else:
        credentials = faust.SASLCredentials(
            username=settings.username, password=settings.password, mechanism=SASL_MECHANISM
        )
    app = StageApp(
        **settings.faust(engine.feed.group),
        broker_credentials=credentials,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        store="memory://",
        web_enabled=False,
        stream_wait_empty=True,
        stream_buffer_maxsize=BUFFER_MAX,
        worker_redirect_stdouts=False,
    )
    app.engine = engine
    vars(app.transport)["Consumer"] = StageConsumer
    raw: dict[str, Any] = {"key_type": bytes, "key_serializer": "raw", "value_type": bytes, "value_serializer": "raw"}
    topic = app.topic(*engine.feed.topics, **raw, allow_empty=True, acks=False)

    @app.agent(topic, name="stage", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def stage(stream: Any) -> None:
        batches: AsyncIterator[Sequence[Any]] = stream.noack_take(BATCH_MAX, within=FILL_SECONDS)
        async for events in batches:
            await engine.deliver(app, events)

    return app


def _record(message: Any) -> Record:
    return Record(
        message.topic,
        message.partition,
        message.offset,
        round(message.timestamp * 1000),
        message.key,
        message.value,
        message.headers,
    )
