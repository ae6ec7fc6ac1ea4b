"""The whole assessment stage on a log and store in memory: from report to close, and what happens when parts fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from messaging.ports import Fatal
from messaging.stores.store_memory import CommitUnknown
from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimOutcome,
    ClaimReferred,
    PolicyAwaited,
    PolicyWaitReason,
    ReferralReason,
)
from schemas.ids import EventId
from schemas.ops import Verdict
from services.assessment.adapters.policy_book_http import HttpPolicyBook
from services.assessment.domain.claim import Status
from simulators.policy_system.app import serve
from tests.builders.assessment import (
    TERMS,
    AssessmentHouse,
    a_breaker,
    a_policy_row,
    an_asked_line,
    an_assessment_house,
)
from tests.builders.events import a_claim_id, a_claim_reported, a_payment_confirmed, a_review_recorded, usd

pytestmark = pytest.mark.asyncio

ABOVE = an_asked_line("251000.00")
ASKED = ["ClaimRegistered", "ClaimSegmented", "ReserveSet", "ClaimReferred"]
PAID = ["ClaimRegistered", "ClaimSegmented", "ClaimApproved", "ClaimClosed"]


def pay(house: AssessmentHouse, number: int = 1, text: str = "1200.00") -> None:
    """The bank's confirmation, told after the approval was applied."""
    claim = a_claim_id(number)
    event = a_payment_confirmed(f"payment-{number}", amount=usd(text))
    house.tell(event, claim, after={"intake": 1, "assessment": 2})


def verdict(house: AssessmentHouse, **changes: Any) -> None:
    event = a_review_recorded(**{"referral_event_id": EventId(house.referral_id())} | changes)
    house.tell(event, after={"intake": 1, "assessment": 2})


async def test_a_claim_is_registered_approved_and_closed_when_paid() -> None:
    async with an_assessment_house() as house:
        house.policies.put(a_policy_row())
        house.tell(a_claim_reported())
        await house.run()
        pay(house)
        await house.run()

        assert house.names() == PAID
        assert house.told(ClaimClosed) == [ClaimClosed(outcome=ClaimOutcome.paid, paid=usd("1200.00"))]
        assert (await house.state()).status is Status.closed


async def test_a_referred_claim_waits_for_a_person_and_goes_on_with_their_verdict() -> None:
    async with an_assessment_house() as house:
        house.policies.put(a_policy_row())
        house.tell(a_claim_reported(lines=(an_asked_line("500.00"),)))
        await house.run()
        verdict(house, verdict=Verdict.approve_amount, amount=usd("300.00"), reason="Pumping out.")
        await house.run()
        pay(house, text="300.00")
        await house.run()

        assert house.names() == [*ASKED, "ClaimApproved", "ClaimClosed"]


async def test_two_people_at_once_make_one_decision() -> None:
    async with an_assessment_house() as house:
        house.policies.put(a_policy_row())
        house.tell(a_claim_reported(lines=(an_asked_line("500.00"),)))
        await house.run()
        verdict(house)
        verdict(house, verdict=Verdict.deny, reason="No cover.", clause_id="SFIP.V", fact="No flood.")
        await house.run()

        assert house.names() == [*ASKED, "ClaimDecidedNil", "ClaimClosed"]


async def test_a_claim_without_policy_system_waits_and_resumes_by_itself() -> None:
    async with an_assessment_house() as house:
        house.policies.put(a_policy_row())
        house.policies.down = True
        house.tell(a_claim_reported())
        await house.run()
        await house.after(2)
        await house.after(5)
        assert house.names() == ["PolicyAwaited"]
        assert house.told(PolicyAwaited)[0].reason is PolicyWaitReason.policy_system_unavailable
        assert await house.pending() == 1

        house.policies.down = False
        await house.after(10)

        assert house.names() == ["PolicyAwaited", "ClaimRegistered", "ClaimSegmented", "ClaimApproved"]
        assert await house.pending() == 0


async def test_a_policy_that_is_stored_later_is_matched_later() -> None:
    async with an_assessment_house() as house:
        house.tell(a_claim_reported())
        await house.run()
        await house.after(60)

        house.policies.put(a_policy_row())
        await house.after(300)

        assert house.names() == ["PolicyAwaited", "ClaimRegistered", "ClaimSegmented", "ClaimApproved"]


async def test_a_policy_nobody_knows_goes_to_a_person_in_the_end_who_can_have_it_looked_up_again() -> None:
    async with an_assessment_house() as house:
        house.tell(a_claim_reported())
        await house.run()
        for _ in range(8):
            await house.after(7200)
        assert house.names() == ["PolicyAwaited", "ClaimReferred"]
        assert house.told(ClaimReferred)[0].reasons == (ReferralReason.policy_not_found,)
        assert await house.pending() == 0

        house.policies.put(a_policy_row())
        verdict(house)
        await house.run()

        assert house.names() == [
            "PolicyAwaited",
            "ClaimReferred",
            "PolicyAwaited",
            "ClaimRegistered",
            "ClaimSegmented",
            "ClaimApproved",
        ]


async def test_a_changed_answer_is_told_once_and_waits_anew() -> None:
    async with an_assessment_house() as house:
        house.policies.down = True
        house.tell(a_claim_reported())
        await house.run()
        await house.after(2)
        house.policies.down = False
        await house.after(5)
        await house.after(60)

        assert [(one.reason, one.attempt) for one in house.told(PolicyAwaited)] == [
            (PolicyWaitReason.policy_system_unavailable, 1),
            (PolicyWaitReason.policy_unknown, 3),
        ]
        assert await house.pending() == 1


async def test_one_claims_missing_policy_does_not_hold_up_the_others() -> None:
    async with an_assessment_house() as house:
        for number in range(1, 41):
            if number % 4:
                house.policies.put(a_policy_row(f"FL-{number}"))
            house.tell(a_claim_reported(a_claim_id(number), policy_number=f"FL-{number}"), a_claim_id(number))
        await house.run()

        assert len(house.told(ClaimApproved)) == 30
        assert len(house.told(PolicyAwaited)) == 10


async def test_the_whole_log_delivered_again_decides_nothing_twice() -> None:
    async with an_assessment_house() as house:
        for number in range(1, 6):
            house.policies.put(a_policy_row(f"FL-{number}"))
            house.tell(a_claim_reported(a_claim_id(number), policy_number=f"FL-{number}"), a_claim_id(number))
        await house.run()
        for number in range(1, 6):
            pay(house, number)
        await house.run()
        before = house.records()

        await house.restart()
        for place in house.engine.next:
            house.engine.next[place] = 0
        await house.run()

        assert house.records() == before
        assert all(house.names(a_claim_id(number)) == PAID for number in range(1, 6))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("cut_at", range(1, 9))
async def test_a_cut_at_any_commit_changes_nothing_of_what_is_told(
    moment: Literal["before", "after"], cut_at: int
) -> None:
    commits = 0

    def cut(when: Literal["before", "after"]) -> None:
        nonlocal commits
        commits += when == moment
        if when == moment and commits == cut_at:
            raise CommitUnknown("cut")

    async with an_assessment_house() as house:
        house.policies.down = True
        house.store.at_commit = cut
        house.tell(a_claim_reported())
        for step in range(12):
            try:
                await house.after(10)
            except (CommitUnknown, Fatal):
                await _restart(house)
            house.policies.down = step < 2
            if not step:
                house.policies.put(a_policy_row())
        await house.after(60)
        await house.after(60)

        assert house.names() in (
            ["PolicyAwaited", "ClaimRegistered", "ClaimSegmented", "ClaimApproved"],
            ["ClaimRegistered", "ClaimSegmented", "ClaimApproved"],
        )
        sequences = [envelope.sequence for envelope, _ in house.records()]
        assert sequences == list(range(1, len(sequences) + 1))


async def _restart(house: AssessmentHouse) -> None:
    try:
        await house.restart()
    except (CommitUnknown, Fatal):
        await house.restart()


async def test_claims_that_waited_out_a_real_outage_resume_against_the_real_simulator(tmp_path: Path) -> None:
    async with serve(tmp_path) as address, httpx2.AsyncClient(base_url=address, timeout=10) as client:
        breaker = a_breaker(lambda: house.clock.now().timestamp())
        book = HttpPolicyBook(client, TERMS, breaker, lambda: house.clock.now())
        house = AssessmentHouse(book)
        await house.restart()
        rows = [a_policy_row(f"FL-{number}") for number in range(1, 31)]
        assert (await client.put("/policies", json=rows)).json()["refused"] == []
        for mode, numbers in (("down", range(1, 11)), ("error429", range(11, 21)), ("error500", range(21, 31))):
            await client.post("/faults", json={"mode": mode})
            for number in numbers:
                report = a_claim_reported(a_claim_id(number), policy_number=f"FL-{number}")
                house.tell(report, a_claim_id(number))
            await house.run()
            await house.after(3)
        assert house.told(ClaimApproved) == []
        assert len(house.told(PolicyAwaited)) == 30

        await client.delete("/faults")
        for _ in range(6):
            await house.after(60)

        assert len(house.told(ClaimApproved)) == 30
        assert await house.pending() == 0
        await house.engine.stop()
