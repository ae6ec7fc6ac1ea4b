"""The store and the log in memory: cut at any point, stepped by hand, and honest about what was acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from messaging.ports import PublishFailed, Tx
from messaging.record import Outgoing, Record, TopicPartition
from messaging.stores.memory_log import MemoryLog
from messaging.stores.store_memory import CommitUnknown, MemoryStore
from tests.builders.stages import SteppedClock

TOPIC = "claims.intake.v1"
PLACE = TopicPartition(TOPIC, 1)


def an_outgoing(value: bytes = b"v", partition: int = 1) -> Outgoing:
    return Outgoing(TOPIC, partition, b"k", value, [("h", b"1")])


def a_log() -> MemoryLog:
    return MemoryLog(2, SteppedClock())


async def rows(store: MemoryStore) -> dict[str, int]:
    async with store.begin() as tx:
        return dict(tx.table("t"))


class Cut(BaseException):
    pass


@pytest.mark.parametrize("cut", [ValueError, Cut, asyncio.CancelledError])
async def test_a_transaction_cut_by_anything_leaves_the_rows_as_they_were(cut: type[BaseException]) -> None:
    store = MemoryStore()
    async with store.begin() as tx:
        tx.table("t").update(a=1, b=2)

    with pytest.raises(cut):
        async with store.begin() as tx:
            table = tx.table("t")
            table["a"], table["c"] = 5, 6
            del table["b"]
            table["b"] = 7
            del table["a"]
            raise cut

    assert await rows(store) == {"a": 1, "b": 2}


async def test_a_cut_before_the_commit_undoes_and_one_after_it_does_not() -> None:
    for moment, expected in (("before", {}), ("after", {"a": 1})):

        def cut(now: str, moment: str = moment) -> None:
            if now == moment:
                raise CommitUnknown

        store = MemoryStore(cut)
        with pytest.raises(CommitUnknown):
            async with store.begin() as tx:
                tx.table("t")["a"] = 1
        store.at_commit = lambda now: None

        assert await rows(store) == expected


async def test_transactions_come_one_after_the_other_and_never_one_inside_another() -> None:
    store, seen = MemoryStore(), list[int]()

    async def add() -> None:
        async with store.begin() as tx:
            count = tx.table("t").get("n", 0)
            await asyncio.sleep(0)
            tx.table("t")["n"] = count + 1
            seen.append(count)

    await asyncio.gather(*(add() for _ in range(5)))
    assert seen == [0, 1, 2, 3, 4]

    with pytest.raises(RuntimeError, match="open already"):
        async with store.begin(), store.begin():
            pytest.fail("nested")


async def test_nothing_is_written_through_a_transaction_that_is_over() -> None:
    store = MemoryStore()
    async with store.begin() as tx:
        kept: Tx = tx

    with pytest.raises(RuntimeError, match="over"):
        kept.table("t")["a"] = 1


async def test_a_producer_that_fails_may_have_written_some_or_all() -> None:
    log = a_log()
    producer = log.producer(lambda sends: 1)

    with pytest.raises(PublishFailed):
        await producer.send([an_outgoing(b"1"), an_outgoing(b"2")], 1.0)
    producer.fault = lambda sends: len(sends)
    with pytest.raises(PublishFailed):
        await producer.send([an_outgoing(b"3")], 1.0)
    producer.fault = lambda sends: None
    await producer.send([an_outgoing(b"4")], 1.0)

    assert [record.value for record in log.records(TOPIC)] == [b"1", b"3", b"4"]
    assert [record.offset for record in log.records(TOPIC)] == [0, 1, 2]


async def test_a_trimmed_log_keeps_its_offsets_and_a_topic_made_again_does_not() -> None:
    log = a_log()
    for _ in range(3):
        log.append(an_outgoing())
    log.trim(PLACE, 2)

    assert log.read(PLACE, 0, 9) == [] and log.read(PLACE, 2, 9)[0].offset == 2
    assert (await log.info().offsets([PLACE]))[PLACE] == (2, 3)

    before = await log.topic_ids([TOPIC])
    log.recreate(TOPIC)
    assert (await log.offsets([PLACE]))[PLACE] == (0, 0) and await log.topic_ids([TOPIC]) != before


class Taker:
    """A feed that keeps what it is given."""

    group, topics = "taker", (TOPIC,)

    def __init__(self) -> None:
        self.taken: list[list[bytes | None]] = []
        self.held = False

    def paused(self) -> bool:
        return self.held

    async def assigned(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def revoked(self, places: Sequence[TopicPartition]) -> None: ...

    async def batch(self, records: Sequence[Record]) -> None:
        self.taken.append([record.value for record in records])


async def test_an_engine_delivers_what_it_is_told_to_and_nothing_while_paused() -> None:
    log, feed = a_log(), Taker()
    engine = log.engine(feed)  # type: ignore[arg-type]
    for number in range(3):
        log.append(an_outgoing(str(number).encode(), number % 2))
    await engine.start()
    feed.held = True
    assert await engine.step() == 0
    feed.held = False

    assert await engine.step([PLACE]) == 1
    assert await engine.step(limit=1) == 1
    assert await engine.run_dry() == 1
    engine.next[PLACE] = 0
    await engine.run_dry()

    assert feed.taken == [[b"1"], [b"0"], [b"2"], [b"1"]]


async def test_a_tail_reads_from_the_beginning_and_knows_when_it_has_seen_what_was_there() -> None:
    log = a_log()
    log.append(an_outgoing(b"1"))
    tail = log.tail([TOPIC])
    await tail.start()
    log.append(an_outgoing(b"2", 0))

    assert not await tail.caught_up()
    assert {record.value for record in await tail.poll(0)} == {b"1", b"2"}
    assert await tail.caught_up() and await tail.poll(0) == []

    async with asyncio.timeout(5):
        waiting = asyncio.create_task(tail.poll(5))
        await asyncio.sleep(0)
        log.append(an_outgoing(b"3"))
        assert [record.value for record in await waiting] == [b"3"]
