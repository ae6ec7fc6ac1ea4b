"""Members that come and go all the time under traffic: still each record once, in order, on either engine."""

from __future__ import annotations

import asyncio
import os
import random
import time

import pytest

from schemas.topics import topic_of
from tests.builders.events import a_claim_id
from tests.builders.kafka_stage import PARTITIONS, Group, Member, by_partition, ends, reports, until, write

pytestmark = [
    pytest.mark.broker,
    pytest.mark.long,
    # A client stopped in the middle of a rebalance can leave a socket to the collector; here no process ends after it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECONDS = float(os.environ.get("CLAIMFLOW_CHURN_SECONDS", "40"))
MEMBERS = 3


@pytest.mark.parametrize("engine", ["aiokafka", "faust"])
async def test_members_that_come_and_go_decide_every_record_once_and_in_order(fresh_kafka: str, engine: str) -> None:
    chance = random.Random(7)
    group = Group(fresh_kafka, engine, ("intake", "payment", "ops"))
    deadline = time.monotonic() + SECONDS
    left: list[str] = []
    written = 0

    async def come_and_go(number: int) -> None:
        while time.monotonic() < deadline:
            async with Member(group) as member:
                await asyncio.sleep(chance.uniform(0.2, 3.0) * (number + 1))
            left.extend(member.left)

    async def traffic() -> None:
        nonlocal written
        while time.monotonic() < deadline:
            count = chance.choice((1, 3, 20, 200))
            await write(fresh_kafka, reports(range(written, written + count)))
            written += count
            await asyncio.sleep(chance.uniform(0, 0.2))

    await asyncio.gather(traffic(), *(come_and_go(number) for number in range(MEMBERS)))
    async with Member(group) as last:
        await until(lambda: len(group.decided) >= written, 60)

    assert left == [] and last.left == []
    assert by_partition(group.decided) == by_partition([a_claim_id(number) for number in range(written)])
    assert {
        place.partition: offset for place, offset in (await group.stored()).items() if place.topic == topic_of("intake")
    } == {place.partition: end for place, end in (await ends(fresh_kafka, topic_of("intake"), PARTITIONS)).items()}
