"""A person answers a referral: who may, what is recorded, and that it is told once whatever breaks."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from schemas.decision import DecisionKind
from schemas.envelope import Envelope
from schemas.ops import Verdict
from services.ops.domain.people import Role
from tests.builders.events import (
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_decision,
    a_duplicate_linked,
    an_id,
    documents_requested,
)
from tests.builders.ops import Life, World, a_staff
from tests.builders.stages import Crash, crash_at

PATH = f"/v1/claims/{a_claim_id()}/reviews"


@pytest.fixture
def world() -> World:
    return World()


def a_referred_claim(world: World, **changes: Any) -> str:
    """Tells of a claim that waits for a person; gives the referral's event id."""
    world.tell(a_claim_reported())
    world.tell(a_claim_registered(), after={"intake": 1})
    return str(world.tell(a_claim_referred(**changes), after={"intake": 1}))


def an_approval(referral: str, **changes: Any) -> dict[str, Any]:
    return {"referral_event_id": referral, "verdict": "approve", **changes}


async def test_a_verdict_is_told_with_the_person_and_what_ops_had_seen(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, an_approval(referral))
        await life.follow()
        claim = (await life.get(f"/v1/claims/{a_claim_id()}")).json()

    assert answer.status_code == 201, answer.text
    [(event_id, review)] = world.reviews().items()
    assert answer.json()["event_id"] == str(event_id)
    assert answer.json()["review_id"] == str(review.review_id)
    assert (review.verdict, str(review.referral_event_id)) == (Verdict.approve, referral)
    assert (review.person.person_id, review.person.role) == ("ada", "adjuster")
    assert str(review.person.authority) == "50000.00 USD"
    [record] = world.log.records("claims.ops.v1")
    assert Envelope.from_headers(record.headers).after == {"intake": 1, "assessment": 2}
    assert (claim["state"], claim["review"]) == ("REGISTERED", "DELIVERED")


async def test_another_amount_and_a_denial_carry_reason_clause_and_fact(world: World) -> None:
    referral = a_referred_claim(world)
    said = {
        "referral_event_id": referral, "verdict": "deny", "reason": "Before the policy.",
        "clause_id": "SFIP-VII-B", "fact": "Two days early.",
    }  # fmt: skip

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, said)

    assert answer.status_code == 201, answer.text
    [review] = world.reviews().values()
    assert (review.verdict, review.clause_id, review.fact) == (Verdict.deny, "SFIP-VII-B", "Two days early.")


@pytest.mark.parametrize(
    ("person", "status", "code"),
    [(None, 400, "person-missing"), ("eve", 403, "person-unknown"), ("omar", 403, "role-missing"),
     ("bo", 403, "above-authority")],
)  # fmt: skip
async def test_who_may_not_review_is_told_so_and_nothing_is_recorded(
    world: World, person: str | None, status: int, code: str
) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, an_approval(referral), person)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.reviews() == {}


async def test_an_amount_above_the_persons_authority_is_refused(world: World) -> None:
    referral = a_referred_claim(world)
    asked = an_approval(referral, reason="More.", amount={"amount": "50000.01", "currency": "USD"})

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, asked | {"verdict": "approve_amount"})

    assert (answer.status_code, answer.json()["code"]) == (403, "above-authority")


async def test_a_small_sum_does_not_let_a_person_decide_about_a_great_one(world: World) -> None:
    great = a_decision("90000.00", kind=DecisionKind.refer)
    referral = a_referred_claim(world, decision=great)
    asked = an_approval(referral, reason="Less.", amount={"amount": "1.00", "currency": "USD"})

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, asked | {"verdict": "approve_amount"})

    assert (answer.status_code, answer.json()["code"]) == (403, "above-authority")


def a_request_for_papers(referral: str, *papers: dict[str, str], **changes: Any) -> dict[str, Any]:
    asked = list(papers) or [{"kind": "repair_invoice", "line_id": "1"}, {"kind": "photo"}]
    return {"referral_event_id": referral, "verdict": "ask_documents", "documents": asked, **changes}


async def test_papers_are_asked_for_in_one_list_and_need_no_authority_over_amounts(world: World) -> None:
    referral = a_referred_claim(world, decision=a_decision("90000.00", kind=DecisionKind.refer))

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, a_request_for_papers(referral), "bo")

    assert answer.status_code == 201, answer.text
    [review] = world.reviews().values()
    assert review.verdict is Verdict.ask_documents and review.reason is None
    assert [(one.kind, one.line_id) for one in review.documents or ()] == [("repair_invoice", "1"), ("photo", None)]


async def test_papers_asked_for_again_need_a_reason(world: World) -> None:
    a_referred_claim(world)
    world.tell(documents_requested("repair_invoice"), after={"intake": 1})
    referral = str(world.tell(a_claim_referred(), after={"intake": 1}))

    async with world.new_life() as life:
        await life.follow()
        without = await life.post(PATH, a_request_for_papers(referral))
        with_reason = await life.post(PATH, a_request_for_papers(referral, reason="It could not be read."))

    assert (without.status_code, without.json()["code"]) == (422, "reason-missing")
    assert with_reason.status_code == 201, with_reason.text
    assert [review.reason for review in world.reviews().values()] == ["It could not be read."]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ([], "invalid-body"),
        ([{"kind": "a photo"}], "invalid-body"),
        ([{"kind": "photo", "content": "x"}], "invalid-body"),
        ([{"kind": f"photo-{number}"} for number in range(51)], "invalid-body"),
        ([{"kind": "photo"}, {"kind": "photo"}], "paper-named-twice"),
        ([{"kind": "photo", "line_id": "9"}], "line-unknown"),
    ],
)
async def test_a_list_of_papers_that_does_not_hold_is_refused(
    world: World, asked: list[dict[str, str]], code: str
) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, a_request_for_papers(referral) | {"documents": asked})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert world.reviews() == {}


@pytest.mark.parametrize("verdict", ["approve", "deny", "duplicate"])
async def test_papers_belong_to_the_verdict_that_asks_for_them(world: World, verdict: str) -> None:
    referral = a_referred_claim(world)
    world.tell(a_duplicate_linked(), after={"intake": 1})
    said = {"verdict": verdict, "reason": "r", "clause_id": "C", "fact": "f"}

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, a_request_for_papers(referral) | said)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-body")


def a_duplicate(referral: str, **changes: Any) -> dict[str, Any]:
    return {"referral_event_id": referral, "verdict": "duplicate", "reason": "The same water.", **changes}


async def test_a_person_says_that_a_linked_claim_tells_of_the_same_loss(world: World) -> None:
    world.tell(a_claim_reported())
    world.tell(a_duplicate_linked(a_claim_id(2)), after={"intake": 1})
    referral = str(world.tell(a_claim_referred(), after={"intake": 1}))

    async with world.new_life() as life:
        await life.follow()
        unexplained = await life.post(PATH, a_duplicate(referral, reason=None))
        too_small = await life.post(PATH, a_duplicate(referral), "bo")
        answer = await life.post(PATH, a_duplicate(referral))

    assert (unexplained.status_code, unexplained.json()["code"]) == (422, "invalid-body")
    assert (too_small.status_code, too_small.json()["code"]) == (403, "above-authority")
    assert answer.status_code == 201, answer.text
    assert [review.verdict for review in world.reviews().values()] == [Verdict.duplicate]


async def test_a_claim_without_a_link_is_nobodys_duplicate(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, a_duplicate(referral))

    assert (answer.status_code, answer.json()["code"]) == (422, "nothing-linked")


@pytest.mark.parametrize("body", [a_request_for_papers("x"), a_duplicate("x")])
async def test_who_has_no_role_neither_asks_for_papers_nor_names_duplicates(world: World, body: dict[str, Any]) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, body | {"referral_event_id": referral}, "omar")

    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


async def test_one_referral_takes_one_review(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        first = await life.post(PATH, an_approval(referral))
        second = await life.post(PATH, an_approval(referral))
        await life.follow()
        third = await life.post(PATH, an_approval(referral))

    assert [first.status_code, second.status_code, third.status_code] == [201, 409, 409]
    assert second.json()["code"] == third.json()["code"] == "already-reviewed"
    assert len(world.reviews()) == 1


async def test_of_racing_reviews_one_wins(world: World) -> None:
    referral = a_referred_claim(world)
    world.people.people["mia"] = a_staff("mia", "100000.00", Role.manager)

    async with world.new_life() as life:
        await life.follow()
        answers = await asyncio.gather(
            *(life.post(PATH, an_approval(referral), person) for person in ("ada", "mia") * 4)
        )

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(world.reviews()) == 1


async def test_the_same_request_under_the_same_key_is_answered_the_same(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        first = await life.post(PATH, an_approval(referral), key="click-1")
        world.clock.advance(60)
        second = await life.post(PATH, an_approval(referral), key="click-1")
    async with world.new_life() as life:
        third = await life.post(PATH, an_approval(referral), key="click-1")
        other = await life.post(PATH, an_approval(str(an_id("other"))), key="click-1")

    assert first.status_code == 201
    assert first.content == second.content == third.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(world.reviews()) == 1


async def test_a_review_of_a_referral_that_was_replaced_is_stale(world: World) -> None:
    old = a_referred_claim(world)
    world.tell(a_claim_referred(), after={"intake": 1})

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, an_approval(old))

    assert (answer.status_code, answer.json()["code"]) == (409, "referral-is-stale")


async def test_a_claim_that_waits_for_nobody_takes_no_review(world: World) -> None:
    world.tell(a_claim_reported())

    async with world.new_life() as life:
        await life.follow()
        not_referred = await life.post(PATH, an_approval(str(an_id("referral"))))
        unknown = await life.post(f"/v1/claims/{a_claim_id(7)}/reviews", an_approval(str(an_id("referral"))))

    assert (not_referred.status_code, not_referred.json()["code"]) == (409, "not-referred")
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"verdict": "perhaps"}, "/verdict"),
        ({"referral_event_id": "CANARY"}, "/referral_event_id"),
        ({"verdict": "approve_amount", "reason": "x", "amount": {"amount": "1.5", "currency": "USD"}}, "/amount"),
        ({"verdict": "approve_amount", "reason": "x", "amount": {"amount": "0.00", "currency": "USD"}}, "/amount"),
        ({"surprise": "CANARY"}, "/surprise"),
        ({"verdict": "deny", "reason": "no clause"}, ""),
        ({"verdict": "approve", "clause_id": "C-1"}, ""),
        ({"verdict": "approve_amount"}, ""),
    ],
)
async def test_a_review_that_breaks_a_rule_names_the_place_and_repeats_no_value(
    world: World, changes: dict[str, Any], pointer: str
) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.post(PATH, an_approval(referral) | changes)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert "CANARY" not in answer.text
    assert world.reviews() == {}


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[" * 5000, 400), (b"[]", 422), (b'"x"' + b" " * 70_000, 413)]
)
async def test_bodies_that_are_no_review_are_refused(world: World, body: bytes, status: int) -> None:
    async with world.new_life() as life:
        answer = await life.post(PATH, body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_review_while_the_broker_is_away_is_told_later_and_once(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        life.wire.state = "down"
        away = await life.post(PATH, an_approval(referral), key="click-1")
        life.wire.state = "up"
        back = await life.post(PATH, an_approval(referral), key="click-1")

    assert (away.status_code, away.headers["retry-after"], away.json()["code"]) == (503, "2", "not-acknowledged")
    assert back.status_code == 201
    assert len(world.log.records("claims.ops.v1")) == 1


async def test_a_lost_acknowledgement_makes_a_second_copy_and_no_second_review(world: World) -> None:
    referral = a_referred_claim(world)

    async with world.new_life() as life:
        await life.follow()
        life.wire.state = "lost"
        await life.post(PATH, an_approval(referral), key="click-1")
        life.wire.state = "up"
        back = await life.post(PATH, an_approval(referral), key="click-1")

    assert back.status_code == 201
    assert len(world.log.records("claims.ops.v1")) == 2
    assert len(world.reviews()) == 1


async def _click(life: Life, referral: str) -> httpx2.Response:
    return await life.post(PATH, an_approval(referral), key="click-1")


async def test_a_kill_at_any_point_of_a_review_leaves_one_review_and_one_answer(world: World) -> None:
    referral = a_referred_claim(world)
    async with world.new_life() as life:
        await life.follow()
        with crash_at("*", 0) as passed:
            expected = (await _click(life, referral)).json()

    assert {"click.recorded", "click.published", "click.marked"} <= set(passed)
    for nth in range(1, len(passed) + 1):
        other = World()
        referral = a_referred_claim(other)
        async with other.new_life() as life:
            await life.follow()
            with pytest.raises(Crash), crash_at("*", nth):
                await _click(life, referral)
        async with other.new_life() as life:
            await life.publisher.sweep(None, everything=True)
            answer = await _click(life, referral)
        assert answer.status_code == 201, passed[nth - 1]
        assert answer.json() == expected, passed[nth - 1]
        assert list(other.reviews()) == [UUID(expected["event_id"])], passed[nth - 1]
