"""Persons behind their keys: shown as erased, opened on purpose only, and never in a view."""

from __future__ import annotations

import httpx2
import pytest

from schemas.ids import SubjectId
from tests.builders.events import a_claim_approved, a_claim_id, a_claim_registered, a_claim_reported, an_id
from tests.builders.ops import Life, RingAway, World
from tests.builders.stages import Crash, crash_at

CLAIM = f"/v1/claims/{a_claim_id()}"
ERASE = "/v1/persons:erase"


@pytest.fixture
def world() -> World:
    return World()


async def a_claim_of_two(world: World) -> tuple[SubjectId, SubjectId]:
    reporter, payee = await world.sealed("grace"), await world.sealed("henry")
    world.tell(a_claim_reported(reporter=reporter, payee=payee))
    return reporter.subject_id, payee.subject_id


async def erase_the_reporter(life: Life) -> httpx2.Response:
    return await life.post(ERASE, {"claim": str(a_claim_id()), "who": "reporter", "reason": "Asked."}, "pia")


async def shown(life: Life) -> dict[str, str]:
    return {one["who"]: one["shown"] for one in (await life.get(CLAIM)).json()["parties"]}


async def test_erasing_the_reporter_leaves_the_claim_and_the_payee(world: World) -> None:
    await a_claim_of_two(world)
    world.tell(a_claim_registered())
    world.tell(a_claim_approved(), after={"intake": 1})

    async with world.new_life() as life:
        await life.follow()
        before = await shown(life)
        answer = await life.post(ERASE, {"claim": str(a_claim_id()), "who": "reporter", "reason": "Asked."}, "pia")
        again = await life.post(ERASE, {"claim": str(a_claim_id()), "who": "reporter", "reason": "Asked."}, "pia")
        after, claim = await shown(life), (await life.get(CLAIM)).json()

    assert before == {"reporter": "[sealed]", "payee": "[sealed]"}
    assert after == {"reporter": "[erased]", "payee": "[sealed]"}
    assert (answer.json()["outcome"], again.json()["outcome"]) == ("destroyed", "already_destroyed")
    assert claim["payable"] == {"amount": "1200.00", "currency": "USD"}


async def test_a_person_is_erased_by_subject_too_and_it_is_written_down(world: World) -> None:
    reporter, _ = await a_claim_of_two(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(ERASE, {"subject_id": str(reporter), "reason": "Asked in writing."}, "pia")

    assert answer.status_code == 200, answer.text
    async with world.store.begin() as tx:
        [row] = await world.desk().audit_of(tx, reporter, 10)
    assert (row.action, row.person_id, row.reason) == ("erase", "pia", "Asked in writing.")


async def test_without_a_payee_of_its_own_the_claims_payee_is_its_reporter(world: World) -> None:
    reporter = await world.sealed("grace")
    world.tell(a_claim_reported(reporter=reporter))

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(ERASE, {"claim": str(a_claim_id()), "who": "payee", "reason": "Asked."}, "pia")

    assert answer.json()["subject_id"] == str(reporter.subject_id)


async def test_a_kill_at_any_point_of_an_erasure_is_completed_by_the_same_command(world: World) -> None:
    reporter, _ = await a_claim_of_two(world)
    async with world.new_life() as life:
        await life.follow()
        with crash_at("*", 0) as passed:
            whole = await erase_the_reporter(life)

    assert (whole.json()["outcome"], passed) == ("destroyed", ["erase.audited", "erase.destroyed"])
    for nth, point in enumerate(passed, start=1):
        other = World()
        await a_claim_of_two(other)
        async with other.new_life() as life:
            await life.follow()
            with pytest.raises(Crash), crash_at("*", nth):
                await erase_the_reporter(life)
            left = await shown(life)
        async with other.new_life() as life:
            again = await erase_the_reporter(life)
            after = await shown(life)
        async with other.store.begin() as tx:
            written = await other.desk().audit_of(tx, reporter, 10)
        is_gone = point == "erase.destroyed"
        assert left == {"reporter": "[erased]" if is_gone else "[sealed]", "payee": "[sealed]"}, point
        assert (again.status_code, again.json()["outcome"]) == (200, "already_destroyed" if is_gone else "destroyed")
        assert after == {"reporter": "[erased]", "payee": "[sealed]"}, point
        # Each try is written down before anything is destroyed: none is ever gone without a name beside it.
        assert [(row.action, row.person_id) for row in written] == [("erase", "pia")] * 2, point


async def test_a_kill_before_a_party_is_opened_leaves_it_written_down(world: World) -> None:
    reporter, _ = await a_claim_of_two(world)

    async with world.new_life() as life:
        await life.follow()
        with pytest.raises(Crash), crash_at("unmask.audited"):
            await life.get(f"{CLAIM}/parties?reason=Call", "pia")
    async with world.new_life() as life:
        again = await life.get(f"{CLAIM}/parties?reason=Call", "pia")

    assert again.json()["parties"][0]["party"]["name"] == "Grace Example"
    async with world.store.begin() as tx:
        assert [row.action for row in await world.desk().audit_of(tx, reporter, 10)] == ["unmask"] * 2


async def test_only_the_privacy_role_erases_and_only_unmask_opens(world: World) -> None:
    await a_claim_of_two(world)

    async with world.new_life() as life:
        await life.follow()
        erase = await life.post(ERASE, {"claim": str(a_claim_id()), "who": "payee", "reason": "x"}, "ada")
        opened = await life.get(f"{CLAIM}/parties?reason=x", "ada")
        nobody = await life.get(f"{CLAIM}/parties?reason=x")

    assert [erase.status_code, opened.status_code, nobody.status_code] == [403, 403, 400]
    assert "Example" not in opened.text


async def test_a_party_is_opened_with_a_reason_and_the_erased_one_stays_closed(world: World) -> None:
    reporter, payee = await a_claim_of_two(world)

    async with world.new_life() as life:
        await life.follow()
        await life.post(ERASE, {"subject_id": str(payee), "reason": "Asked."}, "pia")
        answer = await life.get(f"{CLAIM}/parties?reason=Call%20back", "pia")
        without = await life.get(f"{CLAIM}/parties", "pia")

    grace, henry = answer.json()["parties"]
    assert grace["party"]["name"] == "Grace Example"
    assert (henry["who"], henry["party"]) == ("payee", "[erased]")
    assert answer.headers["cache-control"] == "no-store"
    assert without.status_code == 422
    async with world.store.begin() as tx:
        [row] = await world.desk().audit_of(tx, reporter, 10)
    assert (row.action, row.reason) == ("unmask", "Call back")


async def test_a_person_no_key_was_made_for_and_bad_requests_are_refused(world: World) -> None:
    bodies = [
        {"reason": "x"},
        {"subject_id": str(an_id("nobody")), "claim": "CF-1", "who": "payee", "reason": "x"},
        {"claim": str(a_claim_id()), "reason": "x"},
        {"claim": str(a_claim_id()), "who": "CANARY", "reason": "x"},
    ]

    async with world.new_life() as life:
        unknown = await life.post(ERASE, {"subject_id": str(an_id("nobody")), "reason": "x"}, "pia")
        refused = [await life.post(ERASE, body, "pia") for body in bodies]

    assert unknown.status_code == 404
    assert {answer.status_code for answer in refused} == {422}
    assert all("CANARY" not in answer.text for answer in refused)


async def test_a_claim_is_shown_while_the_key_ring_is_away_and_nothing_is_erased(world: World) -> None:
    await a_claim_of_two(world)

    async with world.new_life() as life:
        await life.follow()
    world.ring = RingAway()
    async with world.new_life() as life:
        claim = await life.get(CLAIM)
        erase = await life.post(ERASE, {"claim": str(a_claim_id()), "who": "payee", "reason": "x"}, "pia")

    assert [one["shown"] for one in claim.json()["parties"]] == ["[unknown]", "[unknown]"]
    assert (erase.status_code, erase.json()["code"]) == (503, "key-ring-unavailable")
