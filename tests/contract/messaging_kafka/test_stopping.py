"""An engine stops although its client takes a cancellation that was meant for the engine's own task."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from messaging.kafka_client import engine_base
from messaging.kafka_client.engine_base import EngineBase
from messaging.record import TopicPartition
from tests.builders.kafka_stage import Group, Member


async def test_a_commit_that_swallows_its_cancellation_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_base, "HINT_SECONDS", 0.0)
    engine = Member(Group("127.0.0.1:9", "aiokafka")).engine
    assert isinstance(engine, EngineBase)
    engine.sought, engine.next = True, {TopicPartition("claims.intake.v1", 0): 1}
    commits, under_way = 0, asyncio.Event()

    async def commit(offsets: Mapping[object, int]) -> None:
        nonlocal commits
        commits += 1
        under_way.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if commits > 1:
                raise

    hinting = asyncio.create_task(engine.hint(commit))
    await under_way.wait()
    engine.stopping = True
    hinting.cancel()

    done, _ = await asyncio.wait([hinting], timeout=5)
    assert (commits, done) == (1, {hinting})
