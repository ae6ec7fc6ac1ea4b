"""Every gap between two effects is crashed in, and repeated: no 202 without an event, and one claim for one key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from messaging import crash_points
from services.intake.handlers.reports import Limits
from tests.builders.crashes import nth_time
from tests.builders.intake import CommitUnknown, Life, World
from tests.builders.reports import a_report, bulk_body
from tests.builders.stages import Crash

POINTS = (
    "parties.sealed",
    "key-row.reserved",
    "answer.commit",
    "answer.committed",
    "publish.send",
    "publish.acked",
    "published.mark",
    "published.marked",
    "answer.sent",
)


@pytest.fixture
def world() -> World:
    return World()


async def lives_until_crash(world: World, request: Callable[[Life], Any], limits: Limits | None = None) -> Any:
    """The answer, or None when the process was gone before it came."""
    async with world.new_life(limits) as life:
        try:
            return await request(life)
        except Crash:
            return None


@pytest.mark.parametrize("point", POINTS)
async def test_after_a_crash_anywhere_the_retry_gives_one_claim(world: World, point: str) -> None:
    crash_points.arm(point, nth_time(1))
    cut = await lives_until_crash(world, lambda life: life.submit(a_report()))
    assert cut is None

    crash_points.disarm()
    world.clock.move(minutes=7)
    async with world.new_life() as life:
        answer = await life.submit(a_report())

    assert answer.status_code == 202
    assert len(world.events()) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_that_crashes_twice_at_one_place_still_tells_once(world: World, point: str) -> None:
    for _ in range(2):
        crash_points.arm(point, nth_time(1))
        await lives_until_crash(world, lambda life: life.submit(a_report()))
        crash_points.disarm()

    async with world.new_life() as life:
        answer = await life.submit(a_report())

    assert answer.status_code == 202
    assert len(world.events()) == 1


@pytest.mark.parametrize("point", POINTS[3:])
async def test_what_was_recorded_is_published_without_a_retry(world: World, point: str) -> None:
    crash_points.arm(point, nth_time(1))
    await lives_until_crash(world, lambda life: life.submit(a_report()))
    crash_points.disarm()

    async with world.new_life() as life:
        await life.publisher.sweep(None, everything=True)

    assert len(world.events()) == 1


@pytest.mark.parametrize("passage", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS[:-1])
async def test_a_bulk_request_cut_in_its_middle_is_repeated_whole(world: World, point: str, passage: int) -> None:
    body = bulk_body([(f"key-{number}", a_report(number)) for number in range(1, 10)])
    thirds = Limits(group_rows=3, group_seconds=0)
    crash_points.arm(point, nth_time(passage))
    await lives_until_crash(world, lambda life: life.submit_bulk(body), thirds)
    crash_points.disarm()

    async with world.new_life(thirds) as life:
        answer = await life.submit_bulk(body)

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [202] * 9
    assert len(world.events()) == 9


async def test_with_the_broker_down_the_same_key_succeeds_later_once(world: World) -> None:
    async with world.new_life() as life:
        life.wire.state = "down"
        refused = [await life.submit(a_report()) for _ in range(3)]
        told_while_down = world.records()
        life.wire.state = "up"
        taken = await life.submit(a_report())

    assert [answer.status_code for answer in refused] == [503] * 3
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.json()["code"] for answer in refused} == {"log-unavailable"}
    assert told_while_down == []
    assert taken.status_code == 202
    assert len(world.records()) == 1


async def test_a_lost_acknowledgement_is_no_202_and_the_second_copy_is_the_same_event(world: World) -> None:
    async with world.new_life() as life:
        life.wire.state = "lost"
        refused = await life.submit(a_report())
        life.wire.state = "up"
        taken = await life.submit(a_report())

    assert (refused.status_code, taken.status_code) == (503, 202)
    assert len(world.records()) == 2
    assert len(world.events()) == 1


async def test_a_broker_that_never_answers_is_given_up_inside_the_deadline(world: World) -> None:
    async with world.new_life(Limits(answer_seconds=0.05, group_seconds=0)) as life:
        life.wire.gate = asyncio.Event()
        answer = await life.submit(a_report())
        life.wire.gate.set()

    assert answer.status_code == 503
    assert answer.json()["code"] == "not-acknowledged"
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_unknown_commit_is_503_and_the_retry_settles_it(
    world: World, moment: Literal["before", "after"]
) -> None:
    def cut(at: Literal["before", "after"]) -> None:
        if at == moment:
            raise CommitUnknown

    async with world.new_life() as life:
        world.store.at_commit = cut
        refused = await life.submit(a_report())
        world.store.at_commit = lambda _: None
        taken = await life.submit(a_report())

    assert (refused.status_code, refused.json()["code"]) == (503, "store-unavailable")
    assert taken.status_code == 202
    assert len(world.events()) == 1


async def test_too_many_unpublished_events_refuse_new_reports_before_storing(world: World) -> None:
    limits = Limits(unpublished_max=2, group_seconds=0)
    async with world.new_life(limits) as life:
        life.wire.state = "down"
        for number in (1, 2):
            await life.submit(a_report(number), key=f"key-{number}")
        refused = await life.submit(a_report(3), key="key-3")
        refused_bulk = await life.submit_bulk(bulk_body([("key-4", a_report(4))]))
        life.wire.state = "up"
        await life.publisher.sweep(None, everything=True)

    assert (refused.status_code, refused.json()["code"]) == (503, "backlog-full")
    assert (refused_bulk.status_code, refused_bulk.json()["code"]) == (503, "backlog-full")
    assert refused.headers["retry-after"] == "5"
    assert {event.policy_number for event in world.events().values()} == {"FL-000001", "FL-000002"}


async def test_the_backlog_is_counted_anew_once_others_have_published_it(world: World) -> None:
    limits = Limits(unpublished_max=1, group_seconds=0)
    async with world.new_life(limits) as life:
        life.wire.state = "down"
        await life.submit(a_report())
    async with world.new_life(limits) as life:
        watching = asyncio.create_task(life.intake.watch_backlog())
        await asyncio.sleep(0.01)
        full = await life.submit(a_report(2), key="key-2")
        await life.publisher.sweep(None, everything=True)
        while life.intake.overloaded():
            await asyncio.sleep(0)
        taken = await life.submit(a_report(2), key="key-2")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert (full.status_code, taken.status_code) == (503, 202)
    assert len(world.records()) == 2
