"""What the broker knows about the log (LogInfo), and the reader of compacted topics (Tail), over Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPlace
from aiokafka.errors import KafkaError as ClientError
from kafka import KafkaAdminClient
from kafka import TopicPartition as AdminPlace
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, KafkaTimeoutError

from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Fatal
from messaging.record import Record, TopicPartition

T = TypeVar("T")
TRIES = 3
TRY_PAUSE_SECONDS = 1.0
STOP_SECONDS = 5.0
STOP_CANCELS = 4


@contextmanager
def admin_client(settings: KafkaSettings) -> Iterator[Any]:
    """A connected kafka-python admin client. Blocking: only for threads and the command line."""
    client = KafkaAdminClient(**settings.admin())
    try:
        yield client
    finally:
        client.close()


def ask(settings: KafkaSettings, question: Callable[[Any], T]) -> T:
    """The answer to a question asked through an admin client, once more after a fault that passes. Blocking."""
    for attempt in range(TRIES):
        try:
            with admin_client(settings) as client:
                return question(client)
        except KafkaError as error:
            # A broker that is away was waited for already.
            if attempt == TRIES - 1 or isinstance(error, KafkaTimeoutError) or not error.retriable:
                raise
            time.sleep(TRY_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def described(client: Any, topics: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """The topics among these that exist, as kafka-python describes them. Blocking."""
    return {topic["name"]: topic for topic in client.describe_topics(sorted(topics)) if topic["error_code"] == 0}


def log_ends(client: Any, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    """First and end offset of each. Blocking."""
    wanted = [AdminPlace(*place) for place in places]
    firsts = client.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.EARLIEST)) if wanted else {}
    ends = client.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST)) if wanted else {}
    return {TopicPartition(*place): (firsts[place].offset, ends[place].offset) for place in wanted}


async def stop_consumer(client: AIOKafkaConsumer) -> None:
    """Stops an aiokafka consumer, within a bound while the broker is away.

    A fetch that failed and waits to be repeated makes the client's own stop end as if it were cancelled, with its
    connections left open; and a member of a group would wait for the broker without end to say that it leaves.
    """
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait([stopping], timeout=STOP_SECONDS)
    for _ in range(STOP_CANCELS):
        # The client takes one cancellation for that of a task of its own.
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait([stopping], timeout=0.5)
    if not stopping.done() or stopping.cancelled():
        await client._client.close()
    else:
        stopping.result()


class KafkaLogInfo:
    """A LogInfo over kafka-python's admin client: aiokafka's metadata is too old to carry topic ids."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        return {name: str(topic["topic_id"]) for name, topic in (await self._described(topics)).items()}

    async def partitions(self, topics: Collection[str]) -> dict[str, int]:
        return {name: len(topic["partitions"]) for name, topic in (await self._described(topics)).items()}

    async def offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return await self._ask(lambda client: log_ends(client, places))

    async def _described(self, topics: Collection[str]) -> dict[str, Mapping[str, Any]]:
        found = await self._ask(lambda client: described(client, topics))
        missing = sorted(set(topics) - set(found))
        if missing:
            raise Fatal(f"no topic {missing[0]} on the broker: create the topics first")
        return found

    async def _ask(self, question: Callable[[Any], T]) -> T:
        return await asyncio.to_thread(ask, self._settings, question)


class KafkaTail:
    """A Tail over an aiokafka consumer without a group; it keeps no position and commits nothing.

    `only_new`: begin at the end there is at the start.
    """

    def __init__(self, topics: Collection[str], settings: KafkaSettings, only_new: bool = False) -> None:
        self._topics, self._settings, self._only_new = tuple(topics), settings, only_new
        self._client: AIOKafkaConsumer | None = None
        self._ends: dict[ClientPlace, int] = {}

    async def start(self) -> None:
        client = AIOKafkaConsumer(
            **self._settings.client(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._client = client
        await client.start()
        info = await KafkaLogInfo(self._settings).partitions(self._topics)
        places = [ClientPlace(topic, number) for topic, count in info.items() for number in range(count)]
        client.assign(places)
        await (client.seek_to_end if self._only_new else client.seek_to_beginning)(*places)
        self._ends = await client.end_offsets(places)

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await stop_consumer(client)

    async def poll(self, timeout_seconds: float) -> Sequence[Record]:
        found = await self._running().getmany(timeout_ms=int(timeout_seconds * 1000))
        return [record_of(raw) for part in found.values() for raw in part]

    async def caught_up(self) -> bool:
        client = self._running()
        return all([await client.position(place) >= end for place, end in self._ends.items()])

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            found = await self._running().end_offsets([ClientPlace(*place) for place in places])
        except ClientError:
            return {}
        return {TopicPartition(*place): end for place, end in found.items()}

    def _running(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise Fatal("the tail reader is not running")
        return self._client


def record_of(raw: Any) -> Record:
    """A Record from what aiokafka calls a ConsumerRecord."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
