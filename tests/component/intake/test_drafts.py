"""A draft is begun, enriched and submitted by HTTP: one claim whatever crashes or repeats, people sealed throughout."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from messaging import crash_points
from schemas.ids import SubjectId
from schemas.party import Party
from services.intake.domain.drafts import DraftRow
from tests.builders.crashes import nth_time
from tests.builders.intake import A_DRAFT, Life, World
from tests.builders.reports import a_party_in_clear, a_report
from tests.builders.stages import Crash

POINTS = """draft.stored parties.sealed key-row.reserved answer.commit answer.committed publish.send publish.acked
    published.mark published.marked answer.sent""".split()
SECRET = "zq-secret-31337"


@pytest.fixture
def world() -> World:
    return World()


async def begun(life: Life, body: Any = A_DRAFT, key: str = "draft-1") -> str:
    answer = await life.begin_draft(body, key)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["draft_id"])


async def rows_of(world: World) -> list[DraftRow]:
    async with world.store.begin() as tx:
        return list(tx.table("drafts").values())


async def test_a_draft_grows_into_one_claim_with_a_permanent_reference(world: World) -> None:
    report = a_report()
    enriching = {name: value for name, value in report.items() if name not in A_DRAFT}

    async with world.new_life() as life:
        created = await life.begin_draft()
        draft = created.json()["draft_id"]
        half = await life.patch_draft(draft, {"line": "flood", "reporter": enriching["reporter"]})
        whole = await life.patch_draft(created.json()["draft_number"].lower().replace("-", " "), enriching)
        submitted = await life.submit_draft(draft)
        shown = await life.client.get(f"/v1/drafts/{draft}")

    assert created.status_code == 201
    assert created.json()["draft_number"].startswith("DR-")
    assert [one["pointer"] for one in half.json()["missing"]["submit"]] == [
        "/loss_zone",
        "/peril",
        "/currency",
        "/lines",
    ]
    assert whole.json()["missing"] == {"save": [], "submit": [], "pay": []}
    assert submitted.status_code == 202, submitted.text
    assert submitted.json()["warnings"] == []
    [event] = world.events().values()
    assert (event.reference, event.policy_number) == (submitted.json()["reference"], "FL-000001")
    assert shown.json()["submitted"]["reference"] == event.reference


async def test_a_draft_tells_the_same_event_as_the_report_it_is(world: World) -> None:
    async with world.new_life() as life:
        await life.submit(a_report())
        draft = await begun(life, a_report(), "draft-1")
        await life.submit_draft(draft)

    first, second = world.events().values()
    different = {"reference", "reporter", "reported_at"}
    assert first.model_dump(exclude=different) == second.model_dump(exclude=different)
    people = await world.sealer.open_many([first.reporter, second.reporter])
    assert people[0] == people[1]


async def test_submitting_again_gets_the_same_bytes_in_any_life(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, a_report(reporter=a_party_in_clear(account=None)))
        first = await life.submit_draft(draft)
        world.clock.move(days=3)
        second = await life.submit_draft(draft)
    async with world.new_life() as life:
        third, fourth = await asyncio.gather(life.submit_draft(draft), life.submit_draft(draft))

    assert {one.content for one in (first, second, third, fourth)} == {first.content}
    assert first.json()["warnings"][0]["pointer"] == "/reporter/account"
    assert first.json()["warnings"][0]["level"] == "pay"
    assert len(world.records()) == 1


async def test_two_that_submit_at_once_make_one_claim(world: World) -> None:
    async with world.new_life() as first, world.new_life() as second:
        draft = await begun(first, a_report())
        answers = await asyncio.gather(*(life.submit_draft(draft) for life in (first, second) * 4))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    assert len(world.events()) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_submission_cut_anywhere_is_one_claim_after_its_retry(world: World, point: str) -> None:
    async with world.new_life() as life:
        draft = await begun(life, {**a_report(loss_at=None), "loss_date": "2026-01-01"})
    crash_points.arm(point, nth_time(1))
    async with world.new_life() as life:
        with pytest.raises(Crash):
            await life.submit_draft(draft)
    crash_points.disarm()
    world.clock.move(hours=30)

    async with world.new_life() as life:
        answer = await life.submit_draft(draft)

    assert answer.status_code == 202, answer.text
    assert len(world.events()) == 1


async def test_with_the_broker_down_the_draft_becomes_a_claim_later_once(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, a_report())
        life.wire.state = "down"
        refused = [await life.submit_draft(draft) for _ in range(2)]
        life.wire.state = "up"
        taken = await life.submit_draft(draft)

    assert [one.status_code for one in refused] == [503, 503]
    assert taken.status_code == 202
    assert len(world.events()) == 1


async def test_what_a_claim_needs_is_told_by_pointer_and_level_and_nothing_is_told_to_others(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life)
        answer = await life.submit_draft(draft)
        after = await life.patch_draft(draft, {"line": "flood"})

    assert (answer.status_code, answer.json()["code"]) == (422, "draft-incomplete")
    assert {error["level"] for error in answer.json()["errors"]} == {"submit"}
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/line",
        "/loss_zone",
        "/peril",
        "/currency",
        "/lines",
        "/reporter",
    }
    assert after.status_code == 200
    assert world.records() == []


async def test_what_cannot_be_saved_is_told_by_pointer_and_level_without_the_value(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life)
        answers = [
            await life.begin_draft({**A_DRAFT, "policy_number": f"{SECRET} 1"}, "draft-2"),
            await life.patch_draft(draft, {"reporter": {"email": SECRET, "name": "A"}}),
            await life.patch_draft(draft, {SECRET + " ": 1}),
        ]
        shown = await life.client.get(f"/v1/drafts/{draft}")

    assert [one.status_code for one in answers] == [422] * 3
    assert {error["level"] for one in answers for error in one.json()["errors"]} == {"save"}
    assert all(SECRET not in one.text for one in answers)
    assert shown.json()["claim"] == dict(A_DRAFT)


async def test_a_report_is_told_which_level_failed_too(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit(a_report(line=None, policy_number=None))

    assert {(error["pointer"], error["level"]) for error in answer.json()["errors"]} == {
        ("/line", "submit"),
        ("/policy_number", "save"),
    }


async def test_people_of_a_draft_are_stored_sealed_and_never_told_again(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, {**A_DRAFT, "reporter": a_party_in_clear(SECRET)})
        patched = await life.patch_draft(draft, {"reporter": {"phone": "+1 555 31337"}})
        shown = await life.client.get(f"/v1/drafts/{draft}")

    [row] = await rows_of(world)
    stored = json.dumps(dataclasses.asdict(row), default=str)
    for text in (stored, patched.text, shown.text):
        assert SECRET not in text
        assert "31337" not in text
        assert "ada@example.org" not in text
    assert shown.json()["people"]["reporter"]["given"] == ["account", "address", "email", "language", "name", "phone"]
    [party] = await world.sealer.open_many([row.people["reporter"]])
    assert isinstance(party, Party)
    assert (party.name, party.phone) == (SECRET, "+1 555 31337")


async def test_the_person_of_a_draft_is_the_person_of_its_claim(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, a_report())
        shown = await life.client.get(f"/v1/drafts/{draft}")
        await life.submit_draft(draft)

    [event] = world.events().values()
    assert shown.json()["people"]["reporter"]["subject_id"] == str(event.reporter.subject_id)


async def test_once_a_person_is_erased_the_draft_answers_so_and_a_claim_made_before_still_answers(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, a_report())
        other = await begun(life, a_report(), "draft-2")
        first = await life.submit_draft(draft)
        for row in await rows_of(world):
            await world.ring.destroy(SubjectId(row.people["reporter"].subject_id), world.clock.now())
        again = await life.submit_draft(draft)
        refused = [await life.submit_draft(other), await life.patch_draft(other, {"line": "flood"})]

    assert again.content == first.content
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(422, "person-erased")] * 2


async def test_the_same_key_begins_one_draft_and_gets_its_first_answer(world: World) -> None:
    async with world.new_life() as life:
        first = await life.begin_draft()
        await life.patch_draft(first.json()["draft_id"], {"line": "flood"})
        again = await life.begin_draft()
        reused = await life.begin_draft({**A_DRAFT, "policy_number": "FL-000002"})

    assert first.content == again.content
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")


async def test_a_submitted_draft_changes_no_more(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life, a_report())
        await life.submit_draft(draft)
        answer = await life.patch_draft(draft, {"peril": "fire"})

    assert (answer.status_code, answer.json()["code"]) == (409, "draft-submitted")


async def test_changes_made_at_once_are_all_kept(world: World) -> None:
    async with world.new_life() as life:
        draft = await begun(life)
        changes = [{"line": "flood"}, {"peril": "flood"}, {"currency": "USD"}]
        answers = await asyncio.gather(*(life.patch_draft(draft, change) for change in changes))
        shown = await life.client.get(f"/v1/drafts/{draft}")

    assert [one.status_code for one in answers] == [200] * 3
    assert {"line", "peril", "currency"} <= set(shown.json()["claim"])


@pytest.mark.parametrize(
    "name", ["0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001", "DR-0000-0000-0000-0", SECRET, "x" * 90, "%00"]
)
async def test_an_unknown_draft_is_404(world: World, name: str) -> None:
    async with world.new_life() as life:
        answers = [
            await life.client.get(f"/v1/drafts/{name}"),
            await life.patch_draft(name, {}),
            await life.submit_draft(name),
        ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "draft-unknown")] * 3
    assert all(SECRET not in one.text for one in answers)


async def test_a_draft_belongs_to_its_client(world: World) -> None:
    async with world.new_life() as life:
        created = await life.begin_draft(client="broker-a")
        path = f"/v1/drafts/{created.json()['draft_id']}"
        mine = await life.client.get(path, headers={"claimflow-client": "broker-a"})
        theirs = await life.client.get(path, headers={"claimflow-client": "broker-b"})

    assert (mine.status_code, theirs.status_code) == (200, 404)


async def test_a_draft_nobody_changes_expires_and_is_deleted(world: World) -> None:
    async with world.new_life() as life:
        old = await begun(life, key="draft-1")
        young = await begun(life, key="draft-2")
        world.clock.move(days=60)
        await life.patch_draft(young, {"line": "flood"})
        world.clock.move(days=31)
        gone = await life.client.get(f"/v1/drafts/{old}")
        deleted = await life.desks.drafts.purge()
        kept = await life.client.get(f"/v1/drafts/{young}")

    assert (gone.status_code, kept.status_code) == (404, 200)
    assert deleted == 1
    assert [str(row.draft_id) for row in await rows_of(world)] == [young]


async def test_a_day_alone_becomes_noon_there_or_now_if_that_is_to_come(world: World) -> None:
    async with world.new_life() as life:
        for number, day in enumerate(["2012-10-29", "2026-01-01"]):
            report = {**a_report(loss_at=None), "loss_date": day}
            await life.submit_draft(await begun(life, report, f"draft-{number}"))

    instants = sorted(event.loss_at.isoformat() for event in world.events().values())
    assert instants == ["2012-10-29T16:00:00+00:00", "2026-01-01T17:00:00+00:00"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/json-patch+json"])
async def test_a_patch_of_another_kind_is_415(world: World, media_type: str) -> None:
    async with world.new_life() as life:
        draft = await begun(life)
        answer = await life.client.patch(f"/v1/drafts/{draft}", content=b"{}", headers={"content-type": media_type})

    assert answer.status_code == 415
