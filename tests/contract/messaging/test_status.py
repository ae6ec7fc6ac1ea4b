"""What a stage says of itself: how much waits in each partition, and since when the oldest of it has waited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from messaging.control import Control
from messaging.record import TopicPartition
from messaging.status import GROWTHS_MAX, Status
from messaging.stores.store_memory import MemoryStore
from schemas.status import PartitionStatus, decode_status
from schemas.topics import CONTROL_TOPIC, status_topic
from tests.builders.events import a_claim_id, a_claim_reported
from tests.builders.stages import Bench, Running, place_of

REPORT = a_claim_reported()
PLACE = place_of(a_claim_id(1))
CLAIMS = [claim for claim in map(a_claim_id, range(1, 99)) if place_of(claim) == PLACE]


class House:
    """One stage with its reports, over a log in memory."""

    def __init__(self) -> None:
        self.bench = Bench(MemoryStore())

    async def live(self) -> Running:
        """A new process of the stage, with a fresh memory of what it has seen."""
        bench, running = self.bench, await self.bench.start()
        control = Control("assessment", bench.log.tail((CONTROL_TOPIC,)), running.tables, bench.store, bench.clock)
        await control.start()
        self.status = Status(
            running.runner, control, running.tables, bench.store, bench.log.producer(), bench.clock, "1"
        )
        return running

    def tell(self, number: int) -> datetime:
        """A report, ten seconds after what was told before; gives when it was appended."""
        self.bench.clock.advance(10)
        self.bench.tell(REPORT, CLAIMS[number])
        return self.bench.clock.now()

    async def say(self) -> tuple[int, datetime | None]:
        """Backlog and oldest of the place, as said after one more second."""
        self.bench.clock.advance(1)
        await self.status.report()
        found: Mapping[bytes | None, Any] = {
            one.key: decode_status(one.value) for one in self.bench.log.records(status_topic("assessment")) if one.value
        }
        [told] = [
            one
            for one in found.values()
            if isinstance(one, PartitionStatus) and TopicPartition(one.topic, one.partition) == PLACE
        ]
        return told.backlog, told.oldest_waiting_at


async def test_where_nothing_waits_there_is_no_oldest() -> None:
    house = House()
    running = await house.live()
    before = await house.say()
    house.tell(0)

    await running.engine.run_dry()

    assert before == await house.say() == (0, None)


async def test_of_a_batch_under_way_the_first_record_not_decided_is_the_oldest() -> None:
    house = House()
    running = await house.live()
    appended = [house.tell(number) for number in range(3)]
    seen: list[int | None] = []
    house.bench.toy.at_load = lambda ids: seen.append(running.runner.undecided_ms(PLACE))

    await running.engine.step(limit=2)
    await running.engine.step()

    assert seen == [appended[0].timestamp() * 1000, appended[2].timestamp() * 1000]
    assert running.runner.undecided_ms(PLACE) is None


async def test_what_waits_without_being_read_is_as_old_as_the_first_report_that_saw_it() -> None:
    house = House()
    running = await house.live()
    await house.say()
    appended = [house.tell(number) for number in range(2)]
    both = await house.say()
    appended.append(house.tell(2))
    three = await house.say()

    await running.engine.step(limit=2)
    last = await house.say()

    second = timedelta(seconds=1)
    assert both == (2, appended[1] + second)
    assert three == (3, appended[1] + second)
    assert last == (1, appended[2] + second)


async def test_what_waited_before_the_process_began_is_of_unknown_age() -> None:
    house = House()
    house.tell(0)
    running = await house.live()
    unknown = await house.say()
    later = house.tell(1)
    still = await house.say()

    await running.engine.step(limit=1)

    assert (unknown, still) == ((1, None), (2, None))
    assert await house.say() == (1, later + timedelta(seconds=1))


async def test_what_is_remembered_of_a_log_that_grows_under_a_held_stage_is_bounded() -> None:
    house = House()
    await house.live()
    await house.say()
    first = house.tell(0)
    for _ in range(3):
        await house.say()

    for _ in range(GROWTHS_MAX + 5):
        house.tell(1)
        told = await house.say()

    assert told == (GROWTHS_MAX + 6, first + timedelta(seconds=1))
    assert max(map(len, house.status.growths.values())) == GROWTHS_MAX
