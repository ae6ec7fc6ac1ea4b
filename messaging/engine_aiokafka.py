"""The plain engine: one loop of `getmany` over an aiokafka consumer. A fifth of Faust's cost for the same promise.

The group's offsets are a hint for lag tools only: each assignment seeks to the positions the feed has stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as ClientPlace
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from messaging.kafka_log import record_of
from messaging.kafka_settings import BATCH_MAX, BATCH_WAIT_SECONDS, KafkaSettings
from messaging.ports import Feed, Leave
from messaging.record import Record, TopicPartition

HINT_SECONDS = 5.0
FILL_FROM = 25
FILL_SECONDS = 0.02

log = logging.getLogger(__name__)


class AiokafkaEngine(ConsumerRebalanceListener):  # type: ignore[misc]
    """An Engine. Whatever goes wrong in it ends the process by `leave`; nothing is acknowledged on the way out."""

    def __init__(self, feed: Feed, settings: KafkaSettings, leave: Leave) -> None:
        self._feed, self._settings, self._leave = feed, settings, leave
        self._client: AIOKafkaConsumer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        # Until the listener has sought, `getmany` may return records of the group's old offsets: they are discarded.
        self._sought = False
        self._next: dict[TopicPartition, int] = {}
        self._busy = False

    async def start(self) -> None:
        client = AIOKafkaConsumer(
            **self._settings.consumer(self._feed.group), partition_assignment_strategy=[RangePartitionAssignor]
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        self._client = client
        client.subscribe(topics=self._feed.topics, listener=self)
        self._tasks = [asyncio.create_task(self._run(client)), asyncio.create_task(self._hint(client))]

    async def stop(self) -> None:
        self._stopping.set()
        for task in self._tasks:
            if not self._busy or task is not self._tasks[0]:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.stop()
        self._stopped.set()

    async def wait(self) -> None:
        await self._stopped.wait()

    async def on_partitions_revoked(self, revoked: Collection[ClientPlace]) -> None:
        """Called by the consumer; nothing is delivered from here to the end of the next assignment."""
        self._sought = False
        try:
            self._next.clear()
            await self._feed.revoked([TopicPartition(*place) for place in revoked])
        except Exception as error:
            self._fail(error)

    async def on_partitions_assigned(self, assigned: Collection[ClientPlace]) -> None:
        """Called by the consumer; seeks to the feed's positions before anything is delivered."""
        client = self._client
        if client is None or self._stopping.is_set():
            return
        try:
            self._next = await self._feed.assigned([TopicPartition(*place) for place in assigned])
            for place, offset in self._next.items():
                client.seek(ClientPlace(*place), offset)
            self._sought = True
        except Exception as error:
            self._fail(error)

    async def _run(self, client: AIOKafkaConsumer) -> None:
        try:
            while not self._stopping.is_set():
                await self._deliver(client)
        except Exception as error:
            self._fail(error)

    async def _deliver(self, client: AIOKafkaConsumer) -> None:
        paused = self._feed.paused()
        if paused:
            client.pause(*client.assignment())
        elif client.paused():
            client.resume(*client.paused())
        # Paused partitions return nothing, but asking keeps the membership alive.
        found = await client.getmany(timeout_ms=int(BATCH_WAIT_SECONDS * 1000), max_records=BATCH_MAX)
        if not self._sought or not found:
            return
        if self._feed.paused():
            for place, part in found.items():
                client.seek(place, part[0].offset)
            return
        records = [record_of(raw) for part in found.values() for raw in part]
        self._busy = True
        await self._feed.batch(records)
        self._busy = False
        self._moved(records)
        if FILL_FROM <= len(records) < BATCH_MAX // 2:
            # Traffic is dense: a larger batch costs less. At a trickle nobody waits.
            await asyncio.sleep(FILL_SECONDS)

    def _moved(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.place in self._next:
                self._next[record.place] = max(self._next[record.place], record.offset + 1)

    async def _hint(self, client: AIOKafkaConsumer) -> None:
        """Commits what is done now and then, so that lag tools see something; nothing depends on it."""
        while True:
            await asyncio.sleep(HINT_SECONDS)
            if self._sought and self._next:
                try:
                    await client.commit({ClientPlace(*place): offset for place, offset in self._next.items()})
                except KafkaError as error:
                    log.debug("offsets not committed: %s", type(error).__name__)

    def _fail(self, error: Exception) -> None:
        self._sought = False
        self._leave(f"{self._feed.group}: {error}" if str(error) else f"{self._feed.group}: {error!r}", error)
