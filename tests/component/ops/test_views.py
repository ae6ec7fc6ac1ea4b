"""ops over a log in memory: what is shown of a claim while its events come in."""

from __future__ import annotations

import pytest

from schemas.decision import CoverageResult, DecisionKind, Override
from schemas.ids import DecisionId, claim_reference
from schemas.payment import HoldReason, PaymentHeld
from tests.builders.events import (
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_claim_segmented,
    a_decision,
    a_duplicate_linked,
    a_payment_confirmed,
    a_payment_instructed,
    a_person,
    a_reserve_set,
    a_sealed_party,
    an_advance_approved,
    an_id,
    documents_received,
    documents_requested,
    on_the_wire,
    usd,
)
from tests.builders.ops import World, all_rows
from tests.builders.stages import Crash, crash_at


@pytest.fixture
def world() -> World:
    return World()


def a_paid_claim(world: World, number: int = 1) -> None:
    claim = a_claim_id(number)
    reported = a_claim_reported(claim, policy_number=f"FL-{number:06d}")
    world.tell(reported, claim)
    world.tell(a_claim_registered(), claim, after={"intake": 1})
    world.tell(a_claim_approved(), claim, after={"intake": 1})
    world.tell(a_payment_instructed(f"payment-{number}"), claim, after={"assessment": 2})
    world.tell(a_payment_confirmed(f"payment-{number}"), claim, after={"assessment": 2})
    world.tell(a_claim_closed(), claim, after={"intake": 1, "payment": 2})


async def test_a_paid_claim_is_shown_whole_by_id_and_by_reference(world: World) -> None:
    a_paid_claim(world)

    async with world.new_life() as life:
        await life.follow()
        by_id = await life.get(f"/v1/claims/{a_claim_id()}")
        spoken = claim_reference(a_claim_id()).lower().replace("-", " ")
        by_reference = await life.get(f"/v1/claims/{spoken}")

    claim = by_id.json()
    assert by_id.status_code == 200, by_id.text
    assert (claim["state"], claim["status"], claim["outcome"]) == ("CLOSED", "CLOSED", "paid")
    assert claim["computed"] == claim["payable"] == claim["paid"] == {"amount": "1200.00", "currency": "USD"}
    assert claim["policy_number"] == "FL-000001"
    assert claim["payments"][0]["state"] == "confirmed"
    assert claim["applied"] == {"intake": 1, "assessment": 3, "payment": 2}
    assert "referral_event_id" not in claim
    assert by_reference.json() == claim


async def test_everything_that_was_told_of_a_claim_is_shown_and_survives_a_rebuild(world: World) -> None:
    proposal = a_decision(
        kind=DecisionKind.refer,
        proposed=DecisionKind.partial,
        coverages=(CoverageResult(coverage_code="building", exact="1200", payable=usd("1200.00"), reasons=("CUT",)),),
    )
    world.tell(a_claim_reported())
    for event in (
        a_claim_registered(), a_claim_segmented(), a_duplicate_linked(), a_reserve_set(),
        documents_requested("photo"), an_advance_approved(), a_claim_referred(decision=proposal),
    ):  # fmt: skip
        world.tell(event, after={"intake": 1})
    world.tell(documents_received("photo"))

    async with world.new_life() as life:
        await life.follow()
        claim = (await life.get(f"/v1/claims/{a_claim_id()}")).json()
        listed = (await life.get("/v1/claims")).json()["claims"][0]
    empty = World()
    empty.log = world.log
    async with empty.new_life() as life:
        await life.follow()

    assert await all_rows(empty) == await all_rows(world)
    assert (claim["segment"], claim["lane"], claim["flags"]) == ("simple", "fast", ["loss_soon_after_inception"])
    assert claim["duplicates"][0]["reference"] == claim_reference(a_claim_id(2))
    assert claim["papers"]["asked"][0]["papers"] == [{"kind": "photo"}]
    assert [paper["kind"] for paper in claim["papers"]["received"]] == ["photo"]
    assert claim["reserves"][0]["amount"]["amount"] == "2200.00"
    assert claim["advances"][0]["amount"]["amount"] == "500.00"
    [coverage] = claim["referral"]["proposal"]["coverages"]
    assert (claim["referral"]["proposal"]["proposed"], coverage["reasons"]) == ("partial", ["CUT"])
    assert {"papers", "decision", "parties"}.isdisjoint(listed) and "proposal" not in listed["referral"]


async def test_an_override_is_shown_with_both_amounts_reason_person_and_authority(world: World) -> None:
    override = Override(computed=usd("1200.00"), final=usd("900.00"), reason="Second estimate.", person=a_person())
    decided = a_decision().model_copy(update={"override": override, "payable": usd("900.00")})
    world.tell(a_claim_reported())
    world.tell(a_claim_approved(decided, approved_by=a_person()), after={"intake": 1})

    async with world.new_life() as life:
        await life.follow()
        claim = (await life.get(f"/v1/claims/{a_claim_id()}")).json()
        timeline = (await life.get(f"/v1/claims/{a_claim_id()}/timeline")).json()

    assert claim["decision"]["override"] == {
        "computed": {"amount": "1200.00", "currency": "USD"},
        "final": {"amount": "900.00", "currency": "USD"},
        "reason": "Second estimate.",
        "person": "ada",
        "role": "adjuster",
        "authority": {"amount": "50000.00", "currency": "USD"},
    }
    assert timeline["events"][1]["facts"]["override_by"] == "ada"


async def test_an_unchanged_claim_is_not_sent_twice(world: World) -> None:
    a_paid_claim(world)

    async with world.new_life() as life:
        await life.follow()
        first = await life.get(f"/v1/claims/{a_claim_id()}")
        second = await life.get(f"/v1/claims/{a_claim_id()}", **{"If-None-Match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


async def test_the_timeline_says_where_in_the_log_every_event_lies(world: World) -> None:
    a_paid_claim(world)

    async with world.new_life() as life:
        await life.follow()
        answer = await life.get(f"/v1/claims/{a_claim_id()}/timeline")
        page = await life.get(f"/v1/claims/{a_claim_id()}/timeline?limit=2&after=2")

    events = answer.json()["events"]
    assert [event["type"].split(".")[1] for event in events] == [
        "ClaimReported", "ClaimRegistered", "ClaimApproved", "PaymentInstructed", "PaymentConfirmed", "ClaimClosed",
    ]  # fmt: skip
    for event in events:
        place = [record for record in world.log.records(event["topic"]) if record.offset == event["offset"]]
        ids = [dict(record.headers)["ce_id"].decode() for record in place if record.partition == event["partition"]]
        assert ids == [event["event_id"]]
    assert events[2]["facts"]["payable"] == {"amount": "1200.00", "currency": "USD"}
    assert [event["event_id"] for event in page.json()["events"]] == [event["event_id"] for event in events[2:4]]
    assert page.json()["next"] == 4


async def test_a_claim_that_is_not_there_yet_is_waited_for_and_then_refused_for_now(world: World) -> None:
    async with world.new_life() as life:
        began = world.clock.now()
        answer = await life.get(f"/v1/claims/{a_claim_id()}")

    assert (answer.status_code, answer.headers["retry-after"]) == (404, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "claim-unknown"
    assert 2 <= (world.clock.now() - began).total_seconds() < 3


async def test_a_claim_that_comes_while_it_is_waited_for_is_answered(world: World) -> None:
    async with world.new_life() as life:
        plain_sleep = world.clock.sleep

        async def sleep(seconds: float) -> None:
            await plain_sleep(seconds)
            world.clock.sleep = plain_sleep  # type: ignore[method-assign]
            world.tell(a_claim_reported())
            await life.follow()

        world.clock.sleep = sleep  # type: ignore[method-assign]
        answer = await life.get(f"/v1/claims/{a_claim_id()}")

    assert answer.status_code == 200
    assert answer.json()["state"] == "RECEIVED"


@pytest.mark.parametrize("name", ["CF-0000-0000-0000-1", "nonsense", "a" * 59])
async def test_what_is_no_name_of_a_claim_is_refused_without_repeating_it(world: World, name: str) -> None:
    async with world.new_life() as life:
        answer = await life.get(f"/v1/claims/{name}")

    assert answer.status_code == 400
    assert name not in answer.text


async def test_nothing_personal_and_no_box_is_ever_shown(world: World) -> None:
    reporter = a_sealed_party("reporter")
    world.tell(a_claim_reported(reporter=reporter, payee=a_sealed_party("payee")))

    async with world.new_life() as life:
        await life.follow()
        paths = ["", "/timeline"]
        shown = [(await life.get(f"/v1/claims/{a_claim_id()}{path}")).text for path in paths]
        shown.append((await life.get("/v1/claims")).text)

    assert all(reporter.box not in text for text in shown)
    async with world.store.begin() as tx:
        for table in ("view_claims", "view_events", "view_ids"):
            assert all(reporter.box not in repr(row) for row in tx.table(table).values())


async def test_the_summary_counts_claims_by_state(world: World) -> None:
    for number in (1, 2, 3):
        a_paid_claim(world, number)
    world.tell(a_claim_reported(a_claim_id(4)), a_claim_id(4))
    world.tell(a_claim_reported(a_claim_id(5)), a_claim_id(5))
    world.tell(a_claim_referred(), a_claim_id(5), after={"intake": 1})

    async with world.new_life() as life:
        await life.follow()
        answer = await life.get("/v1/summary")

    assert answer.json() == {
        "claims": 5, "by_state": {"CLOSED": 3, "RECEIVED": 1, "REFERRED": 1}, "at_rest": 4, "moving": 1,
    }  # fmt: skip


async def test_claims_are_listed_by_state_page_by_page(world: World) -> None:
    for number in range(1, 6):
        a_paid_claim(world, number)
    world.tell(a_claim_reported(a_claim_id(9)), a_claim_id(9))

    async with world.new_life() as life:
        await life.follow()
        first = (await life.get("/v1/claims?state=CLOSED&limit=3")).json()
        second = (await life.get(f"/v1/claims?state=CLOSED&limit=3&after={first['next']}")).json()
        wrong = await life.get("/v1/claims?state=LOST")

    ids = [claim["claim_id"] for claim in first["claims"] + second["claims"]]
    assert ids == sorted(str(a_claim_id(number)) for number in range(1, 6))
    assert "next" not in second
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "state")


async def test_a_claim_is_found_by_any_id_it_has(world: World) -> None:
    a_paid_claim(world)
    names = {
        str(an_id("payment-1")): "payment",
        "FL-000001": "policy",
        str(a_claim_id()): "claim",
        str(a_sealed_party().subject_id): "subject",
        str(an_id("decision")): "decision",
    }

    async with world.new_life() as life:
        await life.follow()
        found = {name: (await life.get(f"/v1/look-up?id={name}")).json()["found"] for name in names}

    assert found == {name: [{"kind": kind, "claim_id": str(a_claim_id())}] for name, kind in names.items()}


async def test_second_copies_of_events_change_nothing(world: World) -> None:
    a_paid_claim(world)
    async with world.new_life() as life:
        await life.follow()
        before = await all_rows(world)

        for topic in ("claims.intake.v1", "claims.assessment.v1", "claims.payment.v1"):
            world.again(topic)
        await life.follow()

    assert await all_rows(world) == before


async def test_an_event_that_overtook_its_cause_waits_for_it(world: World) -> None:
    world.tell(a_claim_referred(), after={"intake": 1})

    async with world.new_life() as life:
        await life.follow()
        early = await life.get("/v1/summary")
        world.tell(a_claim_reported())
        await life.follow()
        late = await life.get(f"/v1/claims/{a_claim_id()}")

    assert early.json()["claims"] == 0
    assert (late.json()["state"], late.json()["policy_number"]) == ("REFERRED", "FL-000001")


async def test_views_after_a_kill_at_any_point_are_the_views_without_one(world: World) -> None:
    a_paid_claim(world)
    a_paid_claim(world, 2)
    async with world.new_life() as life:
        with crash_at("*", 0) as passed:
            await life.follow()
    expected = await all_rows(world)

    assert "view.commit" in passed
    for nth in range(1, len(passed) + 1):
        other = World()
        a_paid_claim(other)
        a_paid_claim(other, 2)
        with pytest.raises(Crash), crash_at("*", nth):
            async with other.new_life() as life:
                await life.follow()
        async with other.new_life() as life:
            await life.follow()
        assert await all_rows(other) == expected, passed[nth - 1]


async def test_a_held_payment_says_why(world: World) -> None:
    world.tell(a_claim_reported())
    world.tell(a_claim_registered())
    world.tell(a_claim_approved(), after={"intake": 1})
    held = PaymentHeld(decision_id=DecisionId(an_id("decision")), reason=HoldReason.account_missing)
    world.tell(held, after={"assessment": 2})

    async with world.new_life() as life:
        await life.follow()
        claim = (await life.get(f"/v1/claims/{a_claim_id()}")).json()

    assert (claim["state"], claim["reasons"]) == ("SETTLED_PENDING", ["account_missing"])


async def test_a_record_ops_cannot_read_is_its_dead_letter_and_stops_only_its_claim(world: World) -> None:
    key, _, headers = on_the_wire(a_claim_reported())
    world.tell_raw("claims.intake.v1", key, b"\xff{", headers)
    world.tell(a_claim_reported(a_claim_id(2)), a_claim_id(2))

    async with world.new_life() as life:
        await life.follow()
        await life.follow()
        letters = (await life.get("/v1/dead-letters?stage=ops-views")).json()["dead_letters"]
        whole = (await life.get(f"/v1/dead-letters/{letters[0]['dead_letter_id']}")).json()
        other = await life.get(f"/v1/claims/{a_claim_id(2)}")

    assert [letter["code"] for letter in letters] == ["undecodable"]
    assert whole["original"]["value_base64"] == "/3s="
    assert ["ce_type", "Y2xhaW1mbG93LkNsYWltUmVwb3J0ZWQudjE="] in whole["original"]["headers"]
    assert whole["claim_id"] == str(a_claim_id())
    assert other.status_code == 200
