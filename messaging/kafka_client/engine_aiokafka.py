"""The plain engine: one loop of `getmany` over an aiokafka consumer. A fifth of Faust's cost for the same promise.

The group's offsets are a hint for lag tools only: each assignment seeks to the positions the feed has stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as ClientPlace
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from messaging.kafka_client.engine_base import EngineBase
from messaging.kafka_client.reading import record_of, stop_consumer
from messaging.kafka_client.settings import BATCH_MAX, BATCH_WAIT_SECONDS, FILL_SECONDS, KafkaSettings
from messaging.ports import Feed, Leave
from messaging.record import TopicPartition

TRICKLE_SECONDS = 0.2
"""A batch that comes so long after the last one came at a trickle, and the next one is not made to wait."""


class AiokafkaEngine(EngineBase, ConsumerRebalanceListener):  # type: ignore[misc]
    """An Engine. Nothing is acknowledged on the way out."""

    def __init__(self, feed: Feed, settings: KafkaSettings, leave: Leave) -> None:
        super().__init__(feed, settings, leave)
        self._client: AIOKafkaConsumer | None = None
        self._ended = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = False

    async def start(self) -> None:
        """Joins the group and delivers in the background."""
        client = AIOKafkaConsumer(
            **self.settings.consumer(self.feed.group), partition_assignment_strategy=[RangePartitionAssignor]
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        self._client = client
        client.subscribe(topics=self.feed.topics, listener=self)
        self._tasks = [asyncio.create_task(self._run(client)), asyncio.create_task(self.hint(client.commit))]

    async def stop(self) -> None:
        """Waits for the batch under way, then leaves the group."""
        self.stopping = True
        for task in self._tasks:
            if not self._busy or task is not self._tasks[0]:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await stop_consumer(client)
        self._stopped.set()

    async def on_partitions_revoked(self, revoked: Collection[ClientPlace]) -> None:
        """Called by the consumer; nothing is delivered from here to the end of the next assignment."""
        self.sought = False
        self.next = {}
        # The client swallows what a listener raises, so it must leave by itself.
        try:
            await self.feed.revoked([TopicPartition(*place) for place in revoked])
        except Exception as error:
            self.fail(error)

    async def on_partitions_assigned(self, assigned: Collection[ClientPlace]) -> None:
        """Called by the consumer; seeks to the feed's positions before anything is delivered."""
        client = self._client
        if client is None or self.stopping:
            return
        try:
            self.next = await self.feed.assigned([TopicPartition(*place) for place in assigned])
            for place, offset in self.next.items():
                client.seek(ClientPlace(*place), offset)
            self.sought = True
        except Exception as error:
            self.fail(error)

    async def _run(self, client: AIOKafkaConsumer) -> None:
        try:
            while not self.stopping:
                await self._deliver(client)
        except Exception as error:
            self.fail(error)

    async def _deliver(self, client: AIOKafkaConsumer) -> None:
        if self.feed.paused():
            client.pause(*client.assignment())
        elif client.paused():
            client.resume(*client.paused())
        # Paused partitions return nothing, but asking keeps the membership alive.
        found = await client.getmany(timeout_ms=int(BATCH_WAIT_SECONDS * 1000), max_records=BATCH_MAX)
        if not self.sought or not found:
            return
        if self.feed.paused():
            for place, part in found.items():
                client.seek(place, part[0].offset)
            return
        records = [record_of(raw) for part in found.values() for raw in part]
        began = asyncio.get_running_loop().time()
        self._busy = True
        await self.feed.batch(records)
        self._busy = False
        self.moved(records)
        dense, self._ended = began - self._ended < TRICKLE_SECONDS, asyncio.get_running_loop().time()
        if dense and len(records) < BATCH_MAX // 2:
            await asyncio.sleep(FILL_SECONDS)
