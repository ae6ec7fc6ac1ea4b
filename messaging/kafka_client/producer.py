"""The one Kafka producer of a process: whole batches are enqueued in order, every acknowledgement is awaited.

It never gives up by itself while the broker is away, so each caller has a deadline. Once its sequence numbers are
broken it can never succeed again: then the process leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from hosting.exits import CannotStartError
from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Fatal, PublishFailed
from messaging.record import Outgoing, TopicPartition

UNKNOWN_TOPIC_PAUSE_SECONDS = 0.2
WHOLE_BATCHES_FROM = 50
"""Sends of fewer records join the open batch of their partition; larger ones bring their own, which costs less."""


class KafkaProducer:
    """A Producer over one idempotent AIOKafkaProducer. Create, start and use it in one event loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaProducer | None = None
        # Two sends of one claim may overlap; the order in which they came is the order in the log.
        self._enqueueing = asyncio.Lock()

    async def start(self) -> None:
        """Connects; CannotStartError if there is no broker, or it does not take the credentials."""
        client = AIOKafkaProducer(**self._settings.producer())
        try:
            await client.start()
        except KafkaError as error:
            await client.stop()
            raise CannotStartError(
                f"Kafka does not answer at {self._settings.bootstrap}: no broker, or it refuses the credentials "
                f"({type(error).__name__})"
            ) from error
        self._client = client

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Sends what is enqueued, as far as the time allows."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.stop(), timeout_seconds)
        except TimeoutError:
            # What is left is stored unmarked and will be published by the next start.
            await client._sender.close()
            await client.client.close()

    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        """Enqueues all in order and awaits every acknowledgement; PublishFailed past the deadline."""
        if not sends:
            return
        if self._client is None:
            raise Fatal("the producer is not running")
        acknowledged: list[Awaitable[Any]] = []
        try:
            async with asyncio.timeout(timeout_seconds):
                async with self._enqueueing:
                    await self._enqueue(self._client, sends, acknowledged)
                await asyncio.gather(*acknowledged)
        except TimeoutError as late:
            raise PublishFailed(f"not acknowledged within {timeout_seconds:g} s") from late
        except KafkaError as error:
            if error.retriable or isinstance(error, KafkaTimeoutError):
                raise PublishFailed(f"not acknowledged: {type(error).__name__}") from error
            raise Fatal(f"the producer cannot go on: {type(error).__name__}") from error
        except AssertionError as error:
            # The client's way of saying so; partitions are never added to a topic of ours.
            raise Fatal("a record names a partition that its topic does not have") from error
        finally:
            for future in acknowledged:
                _forget(future)

    async def _enqueue(
        self, client: AIOKafkaProducer, sends: Sequence[Outgoing], acknowledged: list[Awaitable[Any]]
    ) -> None:
        if len(sends) < WHOLE_BATCHES_FROM:
            for one in sends:
                headers = list(one.headers)
                send = partial(client.send, one.topic, one.value, one.key, partition=one.partition, headers=headers)
                acknowledged.append(await _enqueued(send))
            return
        parts: dict[TopicPartition, list[Outgoing]] = {}
        for one in sends:
            parts.setdefault(TopicPartition(one.topic, one.partition), []).append(one)
        await asyncio.gather(*(_batches(client, place, part, acknowledged) for place, part in parts.items()))


async def _batches(
    client: AIOKafkaProducer, place: TopicPartition, part: Sequence[Outgoing], acknowledged: list[Awaitable[Any]]
) -> None:
    """One partition's records in as few batches as their sizes allow."""
    batch = client.create_batch()
    for one in part:
        record = {"timestamp": None, "key": one.key, "value": one.value, "headers": list(one.headers)}
        if batch.append(**record) is None:
            acknowledged.append(
                await _enqueued(partial(client.send_batch, batch, place.topic, partition=place.partition))
            )
            batch = client.create_batch()
            if batch.append(**record) is None:
                raise Fatal(f"a record for {place.topic} does not fit into a batch")
    batch.close()
    acknowledged.append(await _enqueued(partial(client.send_batch, batch, place.topic, partition=place.partition)))


async def _enqueued(send: Callable[[], Awaitable[Any]]) -> Any:
    """The future of what is enqueued. A broker that has just come back may not know its topics yet: nothing was
    enqueued then, and it is asked again until the caller's deadline."""
    while True:
        try:
            return await send()
        except UnknownTopicOrPartitionError:
            await asyncio.sleep(UNKNOWN_TOPIC_PAUSE_SECONDS)


def _forget(future: Any) -> None:
    """Nobody waits for it any more: its failure is known already or will be found by the next send."""
    if future.done():
        if not future.cancelled():
            future.exception()
    else:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
