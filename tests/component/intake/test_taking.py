"""A report comes in by HTTP, is recorded and told once, and its client gets the same answer for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.intake.routes.claims import CLAIM_BYTES_MAX
from tests.builders.intake import World
from tests.builders.reports import a_line, a_party_in_clear, a_report, bulk_body, money


@pytest.fixture
def world() -> World:
    return World()


async def test_a_report_is_answered_once_it_is_in_the_log(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit(a_report())

    assert answer.status_code == 202, answer.text
    [event] = world.events().values()
    assert answer.json()["reference"] == event.reference
    assert answer.json()["status_url"].endswith(f"/v1/claims/{answer.json()['claim_id']}")
    [record] = world.records()
    assert record.key == answer.json()["claim_id"].encode()


async def test_the_same_key_and_body_get_the_same_bytes_and_one_event(world: World) -> None:
    async with world.new_life() as life:
        first = await life.submit(a_report())
        world.clock.move(days=3)
        second = await life.submit(a_report())
    async with world.new_life() as life:
        third = await life.submit(a_report())

    assert first.content == second.content == third.content
    assert len(world.records()) == 1


async def test_order_of_members_and_spaces_do_not_make_another_body(world: World) -> None:
    report = a_report()
    turned = dict(reversed(list(report.items())))

    async with world.new_life() as life:
        first = await life.submit(report)
        second = await life.submit(json.dumps(turned, indent=3).encode())

    assert first.content == second.content
    assert second.status_code == 202


async def test_another_body_under_a_used_key_is_refused(world: World) -> None:
    async with world.new_life() as life:
        await life.submit(a_report(1))
        answer = await life.submit(a_report(2))

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency-key-reused"
    assert len(world.records()) == 1


async def test_two_clients_may_use_one_key(world: World) -> None:
    async with world.new_life() as life:
        first = await life.submit(a_report(), claimflow_client="broker-a")
        second = await life.submit(a_report(), claimflow_client="broker-b")

    assert first.json()["claim_id"] != second.json()["claim_id"]
    assert {event.client for event in world.events().values()} == {"broker-a", "broker-b"}


async def test_people_reach_the_log_sealed_only(world: World) -> None:
    report = a_report(payee=a_party_in_clear("Grace Payee", email="grace@example.org"))

    async with world.new_life() as life:
        answer = await life.submit(report)

    assert answer.status_code == 202
    [record] = world.records()
    assert record.value is not None
    for secret in (b"Ada", b"Grace", b"example.org", b"000123456789", b"Harbour"):
        assert secret not in record.value
    [event] = world.events().values()
    assert event.payee is not None
    reporter, payee = await world.sealer.open_many([event.reporter, event.payee])
    assert (str(getattr(reporter, "name", "")), str(getattr(payee, "name", ""))) == ("Ada Example", "Grace Payee")


async def test_facts_and_other_policies_reach_the_event_singly_and_in_bulk(world: World) -> None:
    report = a_report(
        lines=[a_line(category="jewelry", item_id="ring-1", facts={"repair_cost": "12.50", "wet": True})],
        facts={"causes": ["wind", "rain"], "occupied": False},
        other_policies=[{"policy": "HO-77", "limit": money("1000.00")}],
    )

    async with world.new_life() as life:
        await life.submit(report)
        await life.submit_bulk(bulk_body([("key-2", report)]))

    for event in world.events().values():
        [line] = event.lines
        assert (line.category, line.item_id, line.facts) == ("jewelry", "ring-1", {"repair_cost": "12.50", "wet": True})
        assert event.facts == {"causes": ("wind", "rain"), "occupied": False}
        assert [other.policy for other in event.other_policies or ()] == ["HO-77"]
    assert len(world.events()) == 2


async def test_a_report_that_only_its_event_makes_too_large_is_413_and_its_neighbour_is_taken(world: World) -> None:
    def row(key: str, report: dict[str, Any]) -> bytes:
        return json.dumps({"idempotency_key": key, "claim": report}, separators=(",", ":")).encode() + b"\n"

    facts = {f"fact_{number}": ["x" * 180] * 14 for number in range(99)}
    room = CLAIM_BYTES_MAX - len(row("key-1", a_report(facts=facts)))
    large = a_report(facts=facts | {"last": ["y" * 150] * (room // 153 - 1)})

    async with world.new_life() as life:
        answer = await life.submit_bulk(row("key-1", large) + row("key-2", a_report(2)))

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [413, 202]
    assert results[0]["problem"]["code"] == "report-too-large"


async def test_bulk_answers_every_row_in_order_and_a_bad_row_fails_no_other(world: World) -> None:
    rows = [(f"key-{number}", a_report(number)) for number in range(1, 5)]
    rows[1] = ("key-2", a_report(2, loss_at="yesterday"))

    async with world.new_life() as life:
        answer = await life.submit_bulk(bulk_body(rows))

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.status_code == 200
    assert [result["row"] for result in results] == [0, 1, 2, 3]
    assert [result["status"] for result in results] == [202, 422, 202, 202]
    assert results[1]["problem"]["errors"][0]["pointer"] == "/claim/loss_at"
    assert len(world.records()) == 3


async def test_a_report_sent_singly_and_in_bulk_is_one_claim(world: World) -> None:
    async with world.new_life() as life:
        single = await life.submit(a_report(), key="key-1")
        bulk = await life.submit_bulk(bulk_body([("key-1", a_report())]))

    [result] = [json.loads(line) for line in bulk.text.splitlines()]
    assert {name: result[name] for name in single.json()} == single.json()
    assert len(world.records()) == 1
