"""Many requests at once: one key is one claim, groups share transactions, and what is too much is told so."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import IO

import pytest

from privacy.sealing import Sealer
from schemas.ids import SubjectId, claim_id
from schemas.party import Party, SealedParty
from tests.builders.intake import World
from tests.builders.reports import a_party_in_clear, a_report, bulk_body


@pytest.fixture
def world() -> World:
    return World()


async def test_two_bodies_racing_under_one_key_give_one_202(world: World) -> None:
    async with world.new_life() as life:
        answers = await asyncio.gather(*(life.submit(a_report(number)) for number in range(1, 9)))

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[202] == 1
    assert set(statuses) <= {202, 409, 422}
    assert len(world.records()) == 1


async def test_two_bodies_racing_in_two_processes_give_one_202(world: World) -> None:
    async with world.new_life() as first, world.new_life() as second:
        answers = await asyncio.gather(
            *(life.submit(a_report(number)) for number, life in enumerate((first, second) * 4, start=1))
        )

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[202] == 1
    assert set(statuses) <= {202, 409, 422}
    assert len(world.events()) == 1


async def test_one_body_racing_with_itself_gets_one_answer_everywhere(world: World) -> None:
    async with world.new_life() as first, world.new_life() as second:
        answers = await asyncio.gather(*(life.submit(a_report()) for life in (first, second) * 10))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len(world.events()) == 1


async def test_a_key_is_in_use_while_its_first_request_waits_for_the_log(world: World) -> None:
    async with world.new_life() as life:
        life.wire.gate = asyncio.Event()
        first = asyncio.create_task(life.submit(a_report(1)))
        while not life.intake.unpublished:
            await asyncio.sleep(0)
        rival = await life.submit(a_report(2))
        life.wire.gate.set()
        taken = await first
        late = await life.submit(a_report(2))

    assert (rival.status_code, rival.json()["code"]) == (409, "idempotency-key-in-use")
    assert rival.headers["retry-after"] == "2"
    assert taken.status_code == 202
    assert (late.status_code, late.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_key_that_stands_twice_in_one_bulk_request_counts_once(world: World) -> None:
    rows = [("key-1", a_report(1)), ("key-1", a_report(1)), ("key-1", a_report(2))]

    async with world.new_life() as life:
        answer = await life.submit_bulk(bulk_body(rows))

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [202, 202, 409]
    assert len(world.records()) == 1


async def test_requests_that_come_together_share_transactions(world: World) -> None:
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    async with world.new_life() as life:
        world.store.at_commit = count
        await asyncio.gather(*(life.submit(a_report(number), key=f"key-{number}") for number in range(100)))

    assert len(world.records()) == 100
    assert commits < 40


async def test_one_request_too_many_is_told_to_come_back(world: World) -> None:
    async with world.new_life(requests_max=2) as life:
        life.wire.gate = asyncio.Event()
        waiting = [asyncio.create_task(life.submit(a_report(number), key=f"key-{number}")) for number in (1, 2)]
        while life.intake.unpublished < 2:
            await asyncio.sleep(0)
        refused = await life.submit(a_report(3), key="key-3")
        life.wire.gate.set()
        answers = await asyncio.gather(*waiting)
        taken = await life.submit(a_report(3), key="key-3")

    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert refused.headers["retry-after"] == "1"
    assert [answer.status_code for answer in answers] == [202, 202]
    assert taken.status_code == 202


async def test_one_bulk_request_too_many_is_told_to_come_back(world: World) -> None:
    async with world.new_life(bulk_requests_max=1) as life:
        life.wire.gate = asyncio.Event()
        waiting = asyncio.create_task(life.submit_bulk(bulk_body([("key-1", a_report())])))
        while not life.intake.unpublished:
            await asyncio.sleep(0)
        refused = await life.submit_bulk(bulk_body([("key-2", a_report(2))]))
        life.wire.gate.set()
        answer = await waiting

    assert refused.status_code == 429
    assert answer.status_code == 200


class BreaksForOne:
    """A sealer that fails whenever one person is among those to be sealed."""

    def __init__(self, sealer: Sealer, person: SubjectId) -> None:
        self._sealer, self._person = sealer, person

    async def seal_many(self, parties: Sequence[tuple[SubjectId, Party]]) -> Sequence[SealedParty | object]:
        if any(subject == self._person for subject, _ in parties):
            raise ArithmeticError("this person breaks the group")
        return await self._sealer.seal_many(parties)

    async def open_many(self, sealed: Sequence[SealedParty]) -> Sequence[Party | object]:
        return await self._sealer.open_many(sealed)

    async def seal_file(
        self, subject_id: SubjectId, place: bytes, source: IO[bytes], target: IO[bytes]
    ) -> object | None:
        return await self._sealer.seal_file(subject_id, place, source, target)


async def test_a_report_that_cannot_be_stored_fails_no_neighbour(world: World) -> None:
    world.sealing = BreaksForOne(world.sealer, SubjectId.of(claim_id("default", "key-7"), "reporter"))
    body = bulk_body([(f"key-{number}", a_report(number)) for number in range(20)])

    async with world.new_life() as life:
        answer = await life.submit_bulk(body)

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["row"] for result in results if result["status"] != 202] == [7]
    assert results[7]["problem"]["code"] == "internal-fault"
    assert len(world.records()) == 19


async def test_a_retry_after_erasure_gets_the_first_answer(world: World) -> None:
    async with world.new_life() as life:
        first = await life.submit(a_report())
        [event] = world.events().values()
        await world.ring.destroy(event.reporter.subject_id, world.clock.now())
        second = await life.submit(a_report())

    assert first.content == second.content
    assert len(world.records()) == 1


async def test_a_payee_of_another_name_is_another_subject(world: World) -> None:
    async with world.new_life() as life:
        await life.submit(a_report(payee=a_party_in_clear("Grace Payee")))

    [event] = world.events().values()
    assert event.payee is not None
    assert event.payee.subject_id != event.reporter.subject_id
