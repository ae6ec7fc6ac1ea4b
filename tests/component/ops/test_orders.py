"""Orders to stages, and what the stages say of themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.control import PauseStage, ResumeStage, Unpark, decode_order, order_key
from schemas.ids import CommandId, DeadLetterId
from schemas.status import (
    CommandOutcome,
    CommandState,
    ParkedClaim,
    PartitionStatus,
    StagePause,
    StatusRecord,
    encode_status,
    status_key,
)
from schemas.topics import CONTROL_TOPIC, status_topic
from tests.builders.events import REPORTED_AT, a_claim_id, an_id
from tests.builders.ops import World
from tests.builders.stages import Crash, crash_at

PAUSE = {"order": "pause-stage", "stage": "payment", "reason": "The bank is closed."}
RESUME = {"order": "resume-stage", "stage": "payment", "reason": "The bank is open."}


@pytest.fixture
def world() -> World:
    return World()


def say(world: World, record: StatusRecord) -> None:
    world.tell_raw(status_topic(record.stage), status_key(record), encode_status(record))


def orders(world: World) -> list[Any]:
    return [decode_order(record.value or b"") for record in world.log.records(CONTROL_TOPIC)]


def a_partition(**changes: Any) -> PartitionStatus:
    fields: dict[str, Any] = {
        "stage": "payment", "topic": "claims.assessment.v1", "partition": 0, "next_offset": 7, "end_offset": 10,
        "backlog": 3, "oldest_waiting_at": REPORTED_AT, "instance": "payment-1", "at": REPORTED_AT,
    }  # fmt: skip
    return PartitionStatus(**fields | changes)


async def test_a_pause_is_on_the_control_topic_when_it_is_answered(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.post("/v1/commands", PAUSE, "omar")

    assert answer.status_code == 201, answer.text
    [order] = orders(world)
    assert isinstance(order, PauseStage)
    assert (order.stage, order.author, order.reason) == ("payment", "omar", "The bank is closed.")
    [record] = world.log.records(CONTROL_TOPIC)
    assert record.key == order_key(order) == b"stage:payment"


async def test_only_operators_order_stages(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.post("/v1/commands", PAUSE, "ada")

    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")
    assert orders(world) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"order": "explode"},
        {"stage": "CANARY"},
        {"stage": "canary"},
        {"reason": ""},
        {"until": "tomorrow"},
        {"author": "CANARY"},
        {"order": "unpark"},
        {"order": "skip", "claim_id": str(a_claim_id())},
    ],
)
async def test_an_order_that_breaks_a_rule_is_refused_without_repeating_it(
    world: World, changes: dict[str, Any]
) -> None:
    async with world.new_life() as life:
        answer = await life.post("/v1/commands", PAUSE | changes, "omar")

    assert answer.status_code == 422, answer.text
    assert "CANARY" not in answer.text
    assert orders(world) == []


async def test_the_same_order_under_the_same_key_is_given_once(world: World) -> None:
    unpark = {"order": "unpark", "stage": "assessment", "reason": "Fixed.", "claim_id": str(a_claim_id())}

    async with world.new_life() as life:
        first = await life.post("/v1/commands", unpark, "omar", key="order-1")
        second = await life.post("/v1/commands", unpark, "omar", key="order-1")
        other = await life.post("/v1/commands", unpark | {"reason": "Other."}, "omar", key="order-1")

    assert first.json() == second.json()
    [order] = orders(world)
    assert isinstance(order, Unpark)
    assert str(order.command_id) == first.json()["command_id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_an_order_given_while_the_broker_is_away_is_sent_before_any_later_one(world: World) -> None:
    async with world.new_life() as life:
        life.wire.state = "down"
        away = await life.post("/v1/commands", PAUSE, "omar")
        life.wire.state = "up"
        back = await life.post("/v1/commands", RESUME, "omar")

    assert (away.status_code, away.json()["code"]) == (503, "not-acknowledged")
    assert back.status_code == 201
    assert [type(order) for order in orders(world)] == [PauseStage, ResumeStage]


async def test_an_order_survives_a_kill_at_any_point_and_the_last_one_holds(world: World) -> None:
    async with world.new_life() as life:
        with crash_at("*", 0) as passed:
            await life.post("/v1/commands", PAUSE, "omar", key="order-1")

    assert passed == ["control.send", "control.sent"]
    for nth in (1, 2):
        other = World()
        async with other.new_life() as life:
            with pytest.raises(Crash), crash_at("*", nth):
                await life.post("/v1/commands", PAUSE, "omar", key="order-1")
        async with other.new_life() as life:
            await life.ops.orders.resend()
            await life.post("/v1/commands", RESUME, "omar")
        given = orders(other)
        assert isinstance(given[-1], ResumeStage)
        assert {type(order) for order in given} == {PauseStage, ResumeStage}


async def test_a_command_shows_what_its_stage_made_of_it(world: World) -> None:
    unpark = {"order": "unpark", "stage": "assessment", "reason": "Fixed.", "claim_id": str(a_claim_id())}

    async with world.new_life() as life:
        command = (await life.post("/v1/commands", unpark, "omar")).json()["command_id"]
        before = (await life.get(f"/v1/commands/{command}")).json()
        say(world, CommandOutcome(
            stage="assessment", command_id=CommandId(command), state=CommandState.applied, detail="succeeded",
            at=REPORTED_AT,
        ))  # fmt: skip
        await life.follow()
        after = (await life.get(f"/v1/commands/{command}")).json()
        unknown = await life.get(f"/v1/commands/{an_id('no command')}")
        nonsense = await life.get("/v1/commands/nonsense")

    assert "outcome" not in before
    assert (after["outcome"]["state"], after["outcome"]["detail"], after["sent"]) == ("applied", "succeeded", True)
    assert unknown.status_code == nonsense.status_code == 404


async def test_a_pause_is_known_to_hold_once_its_stage_says_so(world: World) -> None:
    async with world.new_life() as life:
        command = (await life.post("/v1/commands", PAUSE, "omar")).json()
        closed = "The bank is closed."
        say(world, StagePause(stage="payment", paused=True, author="omar", reason=closed, at=world.clock.now()))
        await life.follow()
        after = (await life.get(f"/v1/commands/{command['command_id']}")).json()
        stage = _stage((await life.get("/v1/stages")).json(), "payment")

    assert after["outcome"]["state"] == "applied"
    assert stage["paused"] is True
    assert stage["pause"]["author"] == "omar"


async def test_stages_show_their_backlog_and_the_age_of_what_waits(world: World) -> None:
    say(world, a_partition())
    say(world, a_partition(partition=1, backlog=2, oldest_waiting_at=REPORTED_AT - timedelta(minutes=5)))
    world.tell_raw("claims.payment.status.v1", b"nonsense", b"\xff")
    world.clock.advance(60)

    async with world.new_life() as life:
        await life.follow()
        found = (await life.get("/v1/stages")).json()

    stage = _stage(found, "payment")
    assert (stage["backlog"], stage["oldest_waiting_seconds"], stage["instances"]) == (5, 360, ["payment-1"])
    assert [partition["partition"] for partition in stage["partitions"]] == [0, 1]
    assert found["unreadable"] == 1
    assert len(found["stages"]) == 6


async def test_a_pause_with_an_end_ends_by_itself(world: World) -> None:
    until = world.clock.now() + timedelta(minutes=1)
    say(world, StagePause(stage="payment", paused=True, author="omar", reason="x", until=until, at=world.clock.now()))

    async with world.new_life() as life:
        await life.follow()
        held = _stage((await life.get("/v1/stages")).json(), "payment")["paused"]
        world.clock.advance(61)
        ended = _stage((await life.get("/v1/stages")).json(), "payment")["paused"]

    assert (held, ended) == (True, False)


async def test_parked_claims_are_shown_until_they_are_taken_back(world: World) -> None:
    parked = ParkedClaim(
        stage="notify", claim_id=a_claim_id(), reason="undecodable", fingerprint="f1", since=REPORTED_AT, attempts=3,
        waiting=2, dead_letter_id=DeadLetterId(an_id("letter")),
    )  # fmt: skip
    say(world, parked)

    async with world.new_life() as life:
        await life.follow()
        shown = (await life.get("/v1/parked?stage=notify")).json()["parked"]
        elsewhere = (await life.get("/v1/parked?stage=payment")).json()["parked"]
        world.tell_raw(status_topic("notify"), status_key(parked), None)
        await life.follow()
        gone = (await life.get("/v1/parked")).json()["parked"]

    assert [(one["claim_id"], one["waiting"]) for one in shown] == [(str(a_claim_id()), 2)]
    assert elsewhere == gone == []


def _stage(found: dict[str, Any], name: str) -> dict[str, Any]:
    [stage] = [one for one in found["stages"] if one["stage"] == name]
    return dict(stage)
