"""Publishing by claim: in sequence, once while in flight, marked only when acknowledged, swept when left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from messaging.ports import PublishFailed
from messaging.publishing import Publisher
from messaging.record import Outgoing
from messaging.rows import Answer
from messaging.stage import Recorded
from messaging.stores.store_memory import MemoryStore
from schemas.ids import ClaimId
from tests.builders.events import a_claim_closed, a_claim_id, an_id
from tests.builders.stages import ANSWERS, Bench, place_of

CLAIM, NEIGHBOUR = a_claim_id(1), a_claim_id(2)


class SlowProducer:
    """Acknowledges when let go, or fails when told to."""

    def __init__(self) -> None:
        self.sent: list[list[Outgoing]] = []
        self.go = asyncio.Event()
        self.fails = False

    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        self.sent.append(list(sends))
        await self.go.wait()
        if self.fails:
            raise PublishFailed("not acknowledged")


async def stored(bench: Bench, claim: ClaimId = CLAIM, name: str = "click") -> list[Answer]:
    async with bench.store.begin() as tx:
        return await bench.process().recorder.record(tx, [Recorded(claim, an_id(name), (a_claim_closed(),))])


async def test_an_event_in_flight_is_awaited_and_not_sent_again() -> None:
    bench, producer = Bench(MemoryStore()), SlowProducer()
    publisher = Publisher(bench.tables(), bench.store, producer, bench.clock)
    answers = await stored(bench)

    first = asyncio.create_task(publisher.publish_answers(answers))
    await asyncio.sleep(0)
    second = asyncio.create_task(publisher.publish([CLAIM]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not first.done() and not second.done()
    producer.go.set()
    await asyncio.gather(first, second)

    assert len(producer.sent) == 1
    async with bench.store.begin() as tx:
        assert await bench.tables().unmarked(tx, [CLAIM]) == []


async def test_whoever_waits_for_an_event_in_flight_fails_with_it_and_it_stays_unmarked() -> None:
    bench, producer = Bench(MemoryStore()), SlowProducer()
    publisher = Publisher(bench.tables(), bench.store, producer, bench.clock)
    answers = await stored(bench)
    producer.fails = True

    both = [asyncio.create_task(publisher.publish_answers(answers)) for _ in range(2)]
    await asyncio.sleep(0)
    producer.go.set()

    for failed in await asyncio.gather(*both, return_exceptions=True):
        assert isinstance(failed, PublishFailed)
    producer.fails = False
    await publisher.publish([CLAIM])
    assert len(producer.sent) == 2


async def test_waiting_for_an_event_in_flight_has_a_deadline() -> None:
    bench, producer = Bench(MemoryStore()), SlowProducer()
    publisher = Publisher(bench.tables(), bench.store, producer, bench.clock)
    answers = await stored(bench)
    first = asyncio.create_task(publisher.publish_answers(answers))
    await asyncio.sleep(0)

    with pytest.raises(PublishFailed):
        await publisher.publish_answers(answers, timeout_seconds=0.0)

    producer.go.set()
    await first


async def test_the_sweeper_leaves_fresh_events_and_others_partitions_alone() -> None:
    bench = Bench(MemoryStore())
    running = bench.process()
    await stored(bench)
    own = place_of(CLAIM).partition

    assert await running.publisher.sweep([own]) == 0
    bench.clock.advance(6)
    assert await running.publisher.sweep([own + 1]) == 0
    assert await running.publisher.sweep([own]) == 1
    assert await running.publisher.sweep(None) == 0

    assert [sequence for sequence, *_ in bench.answers(CLAIM)] == [1]


async def test_a_sweep_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.publishing.SWEEP_MAX", 2)
    bench = Bench(MemoryStore())
    for number in range(5):
        await stored(bench, CLAIM, str(number))
    await stored(bench, NEIGHBOUR)
    bench.clock.advance(timedelta(minutes=1).total_seconds())

    assert await bench.process().publisher.sweep(None) == 6

    assert [sequence for sequence, *_ in bench.answers(CLAIM)] == [1, 2, 3, 4, 5]
    assert len(bench.log.records(ANSWERS)) == 6
