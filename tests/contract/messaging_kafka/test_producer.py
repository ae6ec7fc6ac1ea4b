"""The producer on a real broker: order within a partition, overlapping sends, deadlines, and when it must not go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import TopicPartition as ClientPlace

from hosting.exits import CannotStartError
from local.ports import free_port
from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaTail, admin_client
from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Fatal, PublishFailed
from messaging.record import Outgoing, Record
from tests.builders.kafka_stage import until

pytestmark = pytest.mark.broker

SMALL_TOPIC_BYTES = 400_000


@pytest.fixture
def topic(kafka: str) -> str:
    """A topic of two partitions that takes records up to SMALL_TOPIC_BYTES."""
    name = f"producer-{uuid4().hex[:8]}"
    configs = {"max.message.bytes": str(SMALL_TOPIC_BYTES), "message.timestamp.type": "LogAppendTime"}
    with admin_client(KafkaSettings(kafka)) as client:
        wanted = {"num_partitions": 2, "replication_factor": 1, "configs": configs}
        client.create_topics({name: wanted}, wait_for_metadata=True)
    return name


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[KafkaProducer]:
    made = KafkaProducer(KafkaSettings(kafka))
    await made.start()
    yield made
    await made.stop()


async def everything(kafka: str, topic: str) -> list[Record]:
    tail = KafkaTail([topic], KafkaSettings(kafka))
    await tail.start()
    found: list[Record] = []
    while not await tail.caught_up():
        found += await tail.poll(0.1)
    await tail.stop()
    return found


def numbered(topic: str, count: int, start: int = 0, size: int = 0) -> list[Outgoing]:
    return [
        Outgoing(topic, number % 2, b"key", f"{number:06}".encode().ljust(size), [("n", str(number).encode())])
        for number in range(start, start + count)
    ]


@pytest.mark.parametrize("count", [1, 49, 50, 2000])
async def test_a_batch_lies_in_the_log_in_the_order_given(
    kafka: str, topic: str, producer: KafkaProducer, count: int
) -> None:
    await producer.send(numbered(topic, count, size=1000), 10)

    found = await everything(kafka, topic)
    for partition in (0, 1):
        in_log = [record.value for record in found if record.partition == partition]
        assert in_log == [sent.value for sent in numbered(topic, count, size=1000) if sent.partition == partition]
    assert all(next(iter(record.headers))[0] == "n" and record.key == b"key" for record in found)


async def test_overlapping_sends_keep_the_order_in_which_they_were_begun(
    kafka: str, topic: str, producer: KafkaProducer
) -> None:
    sizes = [1, 60, 1, 3, 200, 49, 1, 51, 2, 500] * 5
    starts = [sum(sizes[:index]) for index in range(len(sizes))]

    await asyncio.gather(
        *(producer.send(numbered(topic, size, start), 10) for size, start in zip(sizes, starts, strict=True))
    )

    found = await everything(kafka, topic)
    for partition in (0, 1):
        in_log = [record.value for record in found if record.partition == partition]
        assert in_log == sorted(in_log, key=lambda value: value or b"")
    assert len(found) == sum(sizes)


async def test_an_unknown_topic_fails_within_the_deadline(producer: KafkaProducer) -> None:
    started = time.monotonic()

    with pytest.raises(PublishFailed):
        await producer.send([Outgoing("no-such-topic", 0, b"k", b"v", [])], 0.5)

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("count", [1, 60])
async def test_a_record_refused_by_the_broker_means_that_the_process_must_leave(
    topic: str, producer: KafkaProducer, count: int
) -> None:
    too_large = Outgoing(topic, 0, b"k", b"x" * (SMALL_TOPIC_BYTES + 1), [])

    with pytest.raises(Fatal, match="MessageSizeTooLargeError"):
        await producer.send([too_large, *numbered(topic, count)], 5)


async def test_a_producer_whose_sequence_is_broken_means_that_the_process_must_leave(
    topic: str, producer: KafkaProducer
) -> None:
    await producer.send(numbered(topic, 10), 5)
    client = producer._client
    assert client is not None
    client._txn_manager.increment_sequence_number(ClientPlace(topic, 0), 7)

    with pytest.raises(Fatal, match="OutOfOrderSequenceNumber"):
        await producer.send(numbered(topic, 2), 5)


async def test_a_partition_the_topic_does_not_have_means_that_the_process_must_leave(
    topic: str, producer: KafkaProducer
) -> None:
    with pytest.raises(Fatal, match="partition"):
        await producer.send([Outgoing(topic, 7, b"k", b"v", [])], 5)


async def test_a_producer_that_is_stopped_refuses_to_send(topic: str, producer: KafkaProducer) -> None:
    await producer.stop()

    with pytest.raises(Fatal, match="not running"):
        await producer.send(numbered(topic, 1), 5)


async def test_starting_without_a_broker_fails_and_leaves_nothing_behind() -> None:
    producer = KafkaProducer(KafkaSettings(f"127.0.0.1:{free_port()}"))

    with pytest.raises(CannotStartError, match="no broker, or it refuses the credentials"):
        await producer.start()

    await producer.stop()


async def test_a_producer_stops_in_time_while_the_broker_is_away(kafka: str, topic: str, broker: object) -> None:
    if not hasattr(broker, "kill") or not hasattr(broker, "start"):
        pytest.skip("this broker is not ours to kill")
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    broker.kill()
    with pytest.raises(PublishFailed):
        await producer.send(numbered(topic, 1), 0.5)

    started = time.monotonic()
    await producer.stop(timeout_seconds=1)

    assert time.monotonic() - started < 5
    # Not in a thread: the broker dies with the thread that started it.
    broker.start()


async def test_the_tail_reader_has_everything_when_it_says_so_and_then_follows(
    kafka: str, topic: str, producer: KafkaProducer
) -> None:
    await producer.send(numbered(topic, 300), 10)
    tail = KafkaTail([topic], KafkaSettings(kafka))
    await tail.start()
    found: list[Record] = []
    assert not await tail.caught_up()
    while not await tail.caught_up():
        found += await tail.poll(0.1)
    assert len(found) == 300

    await producer.send(numbered(topic, 2, 300), 10)

    async def followed() -> bool:
        found.extend(await tail.poll(0.1))
        return len(found) == 302

    await until(followed)
    await tail.stop()


async def test_the_tail_reader_of_an_empty_topic_has_caught_up_at_once(kafka: str, topic: str) -> None:
    tail = KafkaTail([topic], KafkaSettings(kafka))

    await tail.start()

    assert await tail.caught_up()
    await tail.stop()


async def test_the_tail_reader_names_a_topic_that_is_not_there(kafka: str) -> None:
    tail = KafkaTail(["no-such-topic"], KafkaSettings(kafka))

    with pytest.raises(Fatal, match="no-such-topic"):
        await tail.start()

    await tail.stop()
