"""Claims of one policy beside each other, in the whole stage: duplicates, many claims, the money of a year."""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    ClaimSegmented,
    DuplicateLinked,
    ReferralReason,
    RequestedDocument,
    ReserveSet,
)
from schemas.ids import ClaimId, claim_reference
from schemas.ops import Verdict
from services.assessment.domain.claim import Status
from tests.builders.assessment import AssessmentHouse, an_asked_line, an_assessment_house
from tests.builders.events import (
    a_claim_id,
    a_claim_reported,
    a_claim_withdrawn,
    a_policy_snapshot,
    documents_received,
    usd,
)
from tests.builders.ledgers import (
    MANY_ARE_USUAL,
    a_book,
    a_hurricane_policy,
    a_years_loss,
    an_aggregate_policy,
    taken,
)

pytestmark = pytest.mark.asyncio

ONE, TWO, THREE = a_claim_id(1), a_claim_id(2), a_claim_id(3)
ASKED = ["ClaimRegistered", "ClaimSegmented", "ReserveSet", "ClaimReferred"]
DENIAL = {"verdict": Verdict.deny, "reason": "No cover.", "clause_id": "SFIP.V", "fact": "No flood."}


async def report(house: AssessmentHouse, nth: int, asked: str, policy: str = "FL-000001") -> None:
    house.tell(a_years_loss(nth, asked, policy), a_claim_id(nth))
    await house.run()


async def used(house: AssessmentHouse, *claims: ClaimId, ledger: str = "all-losses") -> Fraction:
    return taken([use for claim in claims for use in (await house.state(claim)).uses], ledger)


def last_referral(house: AssessmentHouse, claim: ClaimId) -> ClaimReferred:
    return house.told(ClaimReferred, claim)[-1]


# ---- one loss told twice, and many losses


async def test_a_loss_told_twice_is_linked_referred_and_closed_by_a_person_who_says_so() -> None:
    async with an_assessment_house(book=a_book(a_policy_snapshot())) as house:
        house.tell(a_claim_reported(ONE), ONE)
        await house.run()
        house.tell(a_claim_reported(TWO), TWO)
        await house.run()
        assert house.names(TWO) == ["ClaimRegistered", "ClaimSegmented", "DuplicateLinked", *ASKED[2:]]
        [link] = house.told(DuplicateLinked, TWO)
        assert (link.other_claim_id, link.other_reference) == (ONE, claim_reference(ONE))
        assert last_referral(house, TWO).reasons == (ReferralReason.duplicate_probable,)

        house.judge(TWO, verdict=Verdict.duplicate, reason="The same water in the same cellar.")
        await house.run()
        house.judge(TWO)
        await house.run()

        assert house.told(ClaimClosed, TWO) == [ClaimClosed(outcome=ClaimOutcome.duplicate)]
        assert not house.told(ClaimApproved, TWO)
        assert house.names(ONE) == ["ClaimRegistered", "ClaimSegmented", "ClaimApproved"]


async def test_two_reports_of_one_loss_in_one_batch_are_seen_like_one_after_the_other() -> None:
    async with an_assessment_house(book=a_book(a_policy_snapshot())) as house:
        for claim in (ONE, TWO, THREE):
            house.tell(a_claim_reported(claim), claim)
        await house.run()

        assert len(house.told(ClaimApproved)) == 1
        assert len(house.told(DuplicateLinked)) == 2


async def test_a_report_after_a_withdrawal_that_came_too_late_is_still_a_probable_duplicate() -> None:
    """The first claim is paid although it was withdrawn after its approval: the loss must not be paid again."""
    async with an_assessment_house(book=a_book(a_policy_snapshot())) as house:
        house.tell(a_claim_reported(ONE), ONE)
        await house.run()
        house.tell(a_claim_withdrawn(), ONE)
        house.tell(a_claim_reported(TWO), TWO)
        await house.run()

        assert house.told(DuplicateLinked, TWO)[0].other_claim_id == ONE
        assert not house.told(ClaimApproved, TWO)


async def test_a_claim_withdrawn_in_time_may_be_reported_anew() -> None:
    async with an_assessment_house(book=a_book(a_policy_snapshot())) as house:
        house.tell(a_claim_reported(ONE, lines=(an_asked_line("400.00"),)), ONE)
        await house.run()
        house.tell(a_claim_withdrawn(), ONE)
        house.tell(a_claim_reported(TWO), TWO)
        await house.run()

        assert house.names(ONE) == [*ASKED, "ClaimClosed"]
        assert house.names(TWO) == ["ClaimRegistered", "ClaimSegmented", "ClaimApproved"]


async def test_two_claims_are_never_both_closed_for_each_others_sake() -> None:
    """One waited for its policy while the other was registered: each is linked to the other."""
    book = a_book()
    async with an_assessment_house(book=book) as house:
        house.tell(a_claim_reported(ONE, lines=(an_asked_line("400.00"),)), ONE)
        house.tell(a_claim_reported(TWO, lines=(an_asked_line("400.00"),)), TWO)
        await house.run()
        book.policies = a_book(a_policy_snapshot()).policies
        await house.after(60)
        assert {one.other_claim_id for one in house.told(DuplicateLinked)} == {ONE, TWO}

        for claim in (ONE, TWO):
            house.judge(claim, verdict=Verdict.duplicate, reason="The other one tells of it.")
        await house.run()

        closed = [one.outcome for one in house.told(ClaimClosed)]
        assert closed == [ClaimOutcome.duplicate]
        states = [await house.state(claim) for claim in (ONE, TWO)]
        assert {one.status for one in states} == {Status.closed, Status.in_assessment}


async def test_the_fifth_claim_on_a_policy_is_flagged_and_a_person_looks() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy("250000.00"))) as house:
        for nth in range(1, 6):
            await report(house, nth, "6000.00")

        assert len(house.told(ClaimApproved)) == 4
        [segmented] = house.told(ClaimSegmented, a_claim_id(5))
        assert [flag.code for flag in segmented.flags] == ["MANY_CLAIMS_ON_POLICY"]
        referral = last_referral(house, a_claim_id(5))
        assert referral.reasons == (ReferralReason.fraud_flag,) and referral.desk == "investigation"


async def test_the_desk_that_asked_for_papers_gets_them_also_where_nothing_is_shared() -> None:
    """What stands around a claim is looked at again when its papers come: the fifth claim is still the fifth."""
    policy = a_policy_snapshot(effective_from=a_hurricane_policy().effective_from)
    async with an_assessment_house(book=a_book(policy)) as house:
        for nth in range(1, 6):
            await report(house, nth, "6000.00")

        claim = a_claim_id(5)
        house.judge(claim, verdict=Verdict.ask_documents, documents=(RequestedDocument(kind="invoice"),))
        await house.run()
        house.tell(documents_received("invoice"), claim)
        await house.run()

        referral = last_referral(house, claim)
        assert referral.desk == "investigation"
        assert referral.reasons == (ReferralReason.fraud_flag, ReferralReason.documents_received)


async def test_a_reserve_is_set_when_a_person_is_asked_and_not_when_a_claim_is_paid_at_once() -> None:
    book = a_book(a_policy_snapshot(), a_policy_snapshot(policy_number="FL-2"))
    async with an_assessment_house(book=book) as house:
        house.tell(a_claim_reported(ONE), ONE)
        house.tell(a_claim_reported(TWO, lines=(an_asked_line("400.00"),), policy_number="FL-2"), TWO)
        await house.run()

        assert house.told(ReserveSet, ONE) == []
        assert [line.amount for one in house.told(ReserveSet, TWO) for line in one.reserves] == [usd("400.00")]


# ---- the money of a year


async def test_a_proposal_that_counts_on_money_used_since_is_shown_again_with_what_is_left() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        await report(house, 2, "50000.00")
        await report(house, 3, "20000.00")
        assert last_referral(house, TWO).decision is not None and await used(house, ONE, TWO, THREE) == 90_000

        house.judge(TWO)
        await house.run()

        referral = last_referral(house, TWO)
        assert referral.decision is not None and referral.decision.payable == usd("10000.00")
        assert ReferralReason.ledger_changed in referral.reasons
        house.judge(TWO)
        await house.run()
        assert house.told(ClaimPartlyApproved, TWO)[0].decision.payable == usd("10000.00")
        assert await used(house, ONE, TWO, THREE) == 100_000


@pytest.mark.parametrize("how", ["denied", "withdrawn", "duplicate", "waiting"])
async def test_a_claim_that_nobody_approved_takes_nothing_from_the_year(how: str) -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        await report(house, 2, "50000.00")
        if how == "denied":
            house.judge(TWO, **DENIAL)
        elif how == "withdrawn":
            house.tell(a_claim_withdrawn(), TWO)
        elif how == "duplicate":
            house.judge(TWO, verdict=Verdict.duplicate, reason="Told twice.")
        await house.run()
        await report(house, 3, "30000.00")

        assert len(house.told(ClaimApproved, THREE)) == 1
        assert await used(house, ONE, TWO, THREE) == 100_000


async def test_a_denial_after_a_failed_payment_gives_the_money_back_to_the_year() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        house.reject(ONE)
        await house.run()
        assert await used(house, ONE) == 0 and last_referral(house, ONE).reasons == (ReferralReason.payment_rejected,)
        house.judge(ONE, **DENIAL)
        await house.run()

        await report(house, 2, "100000.00")

        assert house.told(ClaimApproved, TWO) and await used(house, ONE, TWO) == 100_000


async def test_a_failed_payment_frees_the_year_until_it_is_approved_anew_with_what_is_left_then() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        house.reject(ONE)
        await house.run()
        await report(house, 2, "60000.00")
        house.judge(ONE)
        await house.run()
        assert ReferralReason.ledger_changed in last_referral(house, ONE).reasons
        house.judge(ONE)
        await house.run()

        assert house.told(ClaimPartlyApproved, ONE)[0].decision.payable == usd("40000.00")
        assert await used(house, ONE, TWO) == 100_000


async def test_a_failed_payment_of_an_amount_a_person_set_is_approved_anew_as_it_was() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "60000.00")
        await report(house, 2, "50000.00")
        house.judge(TWO, verdict=Verdict.approve_amount, amount=usd("30000.00"), reason="Agreed with the customer.")
        await house.run()
        assert await used(house, ONE, TWO) == 90_000
        house.reject(TWO)
        await house.run()
        assert await used(house, ONE, TWO) == 60_000

        house.judge(TWO)
        await house.run()

        assert [one.decision.payable for one in house.told(ClaimPartlyApproved, TWO)] == [usd("30000.00")] * 2
        assert await used(house, ONE, TWO) == 90_000


async def test_what_a_person_pays_less_stays_in_the_year() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        await report(house, 2, "50000.00")
        house.judge(TWO, verdict=Verdict.approve_amount, amount=usd("10000.00"), reason="Wear.")
        await house.run()
        await report(house, 3, "20000.00")

        assert house.told(ClaimApproved, THREE) and await used(house, ONE, TWO, THREE) == 100_000


@pytest.mark.parametrize("amount, is_taken", [("30000.01", False), ("30000.00", True), ("99999.00", False)])
async def test_a_person_cannot_set_more_than_the_year_still_has(amount: str, is_taken: bool) -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        house.tell(a_years_loss(2, None), TWO)
        await house.run()
        assert ReferralReason.no_amount_stated in last_referral(house, TWO).reasons

        house.judge(TWO, verdict=Verdict.approve_amount, amount=usd(amount), reason="By the invoice.")
        await house.run()

        assert bool(house.told(ClaimApproved, TWO)) == is_taken
        if not is_taken:
            assert last_referral(house, TWO).reasons == (ReferralReason.above_coverage_limits,)
        assert await used(house, ONE, TWO) == (100_000 if is_taken else 70_000)


async def test_an_amount_a_person_sets_where_nothing_was_computed_counts_against_the_year() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        house.tell(a_years_loss(1, None), ONE)
        await house.run()
        house.judge(ONE, verdict=Verdict.approve_amount, amount=usd("80000.00"), reason="By the invoice.")
        await house.run()
        await report(house, 2, "30000.00")

        assert not house.told(ClaimApproved, TWO)
        decision = last_referral(house, TWO).decision
        assert decision is not None and decision.payable == usd("20000.00")


async def test_a_paid_claim_keeps_what_it_used_whatever_the_bank_says_later() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "70000.00")
        house.reject(ONE, "first")
        await house.run()
        house.judge(ONE)
        await house.run()
        house.confirm("70000.00", ONE, "second")
        await house.run()
        house.reject(ONE, "first")
        await house.run()

        assert (await house.state(ONE)).outcome is ClaimOutcome.paid
        assert await used(house, ONE) == 70_000


async def test_a_small_storm_that_pays_nothing_counts_towards_the_years_deductible() -> None:
    """HO-18: 6,000 are borne by the first storm once a person says nil; the second bears the other 3,000."""
    async with an_assessment_house(book=a_book(a_hurricane_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "6000.00")
        house.judge(ONE)
        await house.run()
        await report(house, 2, "20000.00")

        assert house.names(ONE)[-2:] == ["ClaimDecidedNil", "ClaimClosed"]
        assert house.told(ClaimApproved, TWO)[0].decision.payable == usd("17000.00")
        assert await used(house, ONE, TWO, ledger="hurricanes") == 9_000


async def test_a_second_storm_bears_at_least_the_ordinary_deductible() -> None:
    """HO-19: 500 are left of the year's deductible, 1,000 are borne; HO-17: then none is left, 1,000 are borne."""
    async with an_assessment_house(book=a_book(a_hurricane_policy()), rules=MANY_ARE_USUAL) as house:
        await report(house, 1, "8500.00")
        house.judge(ONE)
        await house.run()
        await report(house, 2, "20000.00")
        await report(house, 3, "20000.00")

        paid = [house.told(ClaimApproved, claim)[0].decision.payable for claim in (TWO, THREE)]
        assert paid == [usd("19000.00"), usd("19000.00")]
        assert await used(house, ONE, TWO, THREE, ledger="hurricanes") == 9_000


async def test_losses_told_from_two_zones_share_one_policy_year() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        house.tell(a_years_loss(1, "70000.00", loss_zone="America/New_York"), ONE)
        house.tell(a_years_loss(2, "70000.00", loss_zone="America/Los_Angeles"), TWO)
        await house.run()

        assert len(house.told(ClaimApproved)) == 1
        periods = {use.period for claim in (ONE, TWO) for use in (await house.state(claim)).uses}
        assert periods == {"policy year from 2012-01-01"}
