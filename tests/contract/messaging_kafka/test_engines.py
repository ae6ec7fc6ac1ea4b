"""What every engine promises the stage runner, on a real broker: each record once, in order, from its position."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
from kafka import TopicPartition as AdminPlace
from kafka.structs import OffsetAndMetadata

from local.ports import free_port
from messaging.kafka_client.reading import KafkaTail, admin_client
from messaging.ports import Feed, PublishFailed
from messaging.record import Outgoing, Record, TopicPartition
from schemas.ids import ClaimId
from schemas.topics import dead_letter_topic, topic_of
from tests.builders.events import a_claim_id
from tests.builders.kafka_stage import PARTITIONS, Group, Member, by_partition, ends, report, reports, until, write

pytestmark = pytest.mark.broker

INTAKE = topic_of("intake")
READ_BY_THREE = ("intake", "payment", "ops")


@pytest.fixture(params=["aiokafka", "faust"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def starter(broker: Any) -> Iterator[Executor]:
    """A thread that lives as long as the broker: the broker dies with the thread that started it."""
    with ThreadPoolExecutor(1) as executor:
        yield executor
        broker.stop()


def claims(numbers: range) -> list[ClaimId]:
    return [a_claim_id(number) for number in numbers]


async def test_every_record_is_decided_once_in_the_order_of_its_partition(fresh_kafka: str, engine: str) -> None:
    group = Group(fresh_kafka, engine)
    await write(fresh_kafka, reports(range(700)))

    async with Member(group) as member:
        await write(fresh_kafka, reports(range(700, 1500)))
        await until(lambda: len(group.decided) >= 1500)

    assert by_partition(group.decided) == by_partition(claims(range(1500)))
    assert await group.stored() == await ends(fresh_kafka, INTAKE)
    assert sum((await ends(fresh_kafka, topic_of("assessment"))).values()) == 1500
    assert member.left == []


async def test_a_record_of_two_megabytes_and_one_without_a_value_become_dead_letters(
    fresh_kafka: str, engine: str
) -> None:
    group = Group(fresh_kafka, engine)
    sends = [report(a_claim_id(1), value=b"x" * 2_000_000), report(a_claim_id(2), value=None), report(a_claim_id(3))]

    async with Member(group) as member:
        await write(fresh_kafka, sends)
        await until(lambda: group.decided == [a_claim_id(3)] and member.runner.records_done == 3)

    assert await group.open_dead_letters() == 2
    assert sum((await ends(fresh_kafka, dead_letter_topic("assessment"))).values()) == 2
    assert member.left == []


class Slow:
    """Takes its time to load the positions, as a database may; meanwhile a client may have records of old offsets."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.group, self.topics, self.paused = feed.group, feed.topics, feed.paused
        self.revoked, self.batch = feed.revoked, feed.batch

    async def assigned(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0.7)
        return await self._feed.assigned(places)


@pytest.mark.parametrize("committed", ["beginning", "end"])
async def test_a_restart_resumes_at_the_stored_position_whatever_the_group_has_committed(
    fresh_kafka: str, engine: str, committed: str
) -> None:
    group = Group(fresh_kafka, engine)
    await write(fresh_kafka, reports(range(100)))
    async with Member(group):
        await until(lambda: len(group.decided) >= 100)
    await write(fresh_kafka, reports(range(100, 200)))
    offsets = await ends(fresh_kafka, INTAKE)
    commit(group, offsets if committed == "end" else dict.fromkeys(offsets, 0))

    async with Member(group, Slow) as member:
        await until(lambda: len(group.decided) >= 200)

    assert sorted(group.decided) == sorted(claims(range(200)))
    assert member.left == []


def commit(group: Group, offsets: dict[TopicPartition, int]) -> None:
    """Sets the group's own offsets, for which it must be empty."""
    with admin_client(group.settings) as client:
        ahead = {AdminPlace(*place): OffsetAndMetadata(offset, "", None) for place, offset in offsets.items()}
        client.alter_group_offsets(group.stage.name, ahead)
        held = client.list_group_offsets(group.stage.name)[group.stage.name]
    assert {place: one.offset for place, one in held.items()} == {AdminPlace(*p): end for p, end in offsets.items()}


async def test_a_static_member_that_comes_back_within_its_session_goes_on_where_it_stood(
    fresh_kafka: str, engine: str
) -> None:
    group = Group(fresh_kafka, engine, instance="assessment-1")
    for number in range(3):
        await write(fresh_kafka, reports(range(number * 50, number * 50 + 50)))

        async with Member(group) as member:
            await until(lambda: len(group.decided) >= number * 50 + 50, 8)  # noqa: B023 - awaited at once

        assert member.left == []

    assert by_partition(group.decided) == by_partition(claims(range(150)))


async def test_a_paused_stage_takes_nothing_and_goes_on_where_it_stood(fresh_kafka: str, engine: str) -> None:
    group = Group(fresh_kafka, engine)
    async with Member(group) as member:
        await write(fresh_kafka, reports(range(50)))
        await until(lambda: len(group.decided) >= 50)

        group.paused = True
        await write(fresh_kafka, reports(range(50, 150)))
        # Nothing can be awaited that must not happen: this is longer than any batch takes.
        await asyncio.sleep(1)
        while_paused = len(group.decided)
        group.paused = False
        await until(lambda: len(group.decided) >= 150)

    assert while_paused == 50
    assert by_partition(group.decided) == by_partition(claims(range(150)))
    assert member.left == []


async def test_two_then_three_members_keep_the_topics_of_a_claim_together(fresh_kafka: str, engine: str) -> None:
    group = Group(fresh_kafka, engine, READ_BY_THREE)
    writing = asyncio.create_task(write_slowly(fresh_kafka, 30))

    async with Member(group) as first, Member(group) as second:
        await until(lambda: shared_out([first, second]))
        async with Member(group) as third:
            members = [first, second, third]
            await until(lambda: shared_out(members))
            await writing
            await until(lambda: len(set(group.decided)) >= 30 * 20)
            for member in members:
                assert set(member.runner.positions()) == {
                    TopicPartition(topic_of(writer), number)
                    for writer in READ_BY_THREE
                    for number in member.runner.owned
                }

    assert by_partition(group.decided) == by_partition(claims(range(30 * 20)))
    assert [member.left for member in members] == [[], [], []]


def shared_out(members: Sequence[Member]) -> bool:
    owned = [number for member in members for number in member.runner.owned]
    return sorted(owned) == list(range(PARTITIONS)) and all(member.runner.owned for member in members)


async def write_slowly(kafka: str, rounds: int) -> None:
    for number in range(rounds):
        await write(kafka, reports(range(number * 20, number * 20 + 20)))
        await asyncio.sleep(0.1)


class Dropping:
    """Loses one record on its way from the engine, as a fault of an engine would."""

    def __init__(self, feed: Feed, offset: int) -> None:
        self._feed, self._offset = feed, offset
        self.group, self.topics, self.paused = feed.group, feed.topics, feed.paused
        self.assigned, self.revoked = feed.assigned, feed.revoked

    async def batch(self, records: Sequence[Record]) -> None:
        await self._feed.batch([record for record in records if record.offset != self._offset])


async def test_a_record_lost_by_the_engine_ends_the_process_before_anything_after_it_is_taken(
    fresh_kafka: str, engine: str
) -> None:
    group = Group(fresh_kafka, engine)
    await write(fresh_kafka, [report(a_claim_id(number), partition=0) for number in range(20)])

    async with Member(group, lambda runner: Dropping(runner, 5)) as member:
        await until(lambda: bool(member.left))
        await write(fresh_kafka, [report(a_claim_id(99), partition=0)])
        await asyncio.sleep(0.5)

    assert member.left == [f"{group.stage.name}: {group.stage.name}: gap in {INTAKE}-0: expected offset 5, got 6"]
    assert (await group.stored())[TopicPartition(INTAKE, 0)] <= 5


class Failing:
    """Cannot load its positions."""

    def __init__(self, feed: Feed) -> None:
        self.group, self.topics, self.paused = feed.group, feed.topics, feed.paused
        self.revoked, self.batch = feed.revoked, feed.batch

    async def assigned(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        raise RuntimeError("no positions to be had")


async def test_an_assignment_that_fails_ends_the_process(fresh_kafka: str, engine: str) -> None:
    group = Group(fresh_kafka, engine)
    await write(fresh_kafka, reports(range(10)))
    member = Member(group, Failing)

    starting = asyncio.create_task(member.__aenter__())
    await until(lambda: bool(member.left))

    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await member.__aexit__()
    assert member.left == [f"{group.stage.name}: no positions to be had"]
    assert group.decided == []


# Leaving raises here, also in the consumer's own thread.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_engine_started_without_a_broker_fails_within_its_time(engine: str) -> None:
    member = Member(Group(f"127.0.0.1:{free_port()}", engine))

    starting = asyncio.create_task(member.engine.start())
    await until(lambda: starting.done() or bool(member.left), 20)

    starting.cancel()
    [outcome] = await asyncio.gather(starting, return_exceptions=True)
    await member.engine.stop()
    assert isinstance(outcome, BaseException) or member.left


async def test_what_reads_stops_within_its_time_while_the_broker_is_away(
    fresh_kafka: str, broker: Any, starter: Executor
) -> None:
    if not hasattr(broker, "kill"):
        pytest.skip("this broker is not ours to kill")
    group = Group(fresh_kafka, "aiokafka")
    tail = KafkaTail([INTAKE], group.settings)
    await tail.start()
    async with Member(group) as member:
        await write(fresh_kafka, reports(range(10)))
        # An engine waits for the batch under way, and that for the broker: it is what only reads that is tried here.
        await until(lambda: group.at_rest(10))

        broker.kill()
        # Long enough for a fetch to have failed and to wait for its next try.
        await asyncio.sleep(0.5)
        await asyncio.wait_for(tail.stop(), 8)
        await asyncio.wait_for(member.engine.stop(), 8)
        await asyncio.get_running_loop().run_in_executor(starter, broker.start)

    assert member.left == []


async def test_a_broker_killed_and_started_again_loses_nothing(
    fresh_kafka: str, engine: str, broker: Any, starter: Executor
) -> None:
    if not hasattr(broker, "kill"):
        pytest.skip("this broker is not ours to kill")
    group = Group(fresh_kafka, engine)
    async with Member(group) as member:
        await write(fresh_kafka, reports(range(100)))
        await until(lambda: len(group.decided) >= 100)
        outside = Member(Group(fresh_kafka, "aiokafka")).producer
        await outside.start()
        lost: list[Outgoing] = reports(range(100, 200))

        broker.kill()
        with pytest.raises(PublishFailed, match="within 1 s"):
            await outside.send(lost, 1)
        await asyncio.get_running_loop().run_in_executor(starter, broker.start)
        await outside.send(lost, 30)
        await until(lambda: len(group.decided) >= 200, 60)
        await outside.stop()

    assert by_partition(group.decided) == by_partition(claims(range(200)))
    assert member.left == []
