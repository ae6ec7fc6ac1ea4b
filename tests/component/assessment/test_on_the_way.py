"""What happens to a claim on its way, in the whole stage: parts paid at once, papers, withdrawals, hidden clauses."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    DocumentsRequested,
    ReferralReason,
    RequestedDocument,
    ReserveSet,
)
from schemas.money import Money
from schemas.ops import Verdict
from schemas.policy import DisclosureEvidence, PolicySnapshot
from schemas.terms import Deductible, Operation
from services.assessment.domain.claim import Status
from tests.builders.assessment import (
    AssessmentHouse,
    a_flood_coverage,
    an_asked_line,
    an_assessment_house,
)
from tests.builders.events import (
    LOSS_AT,
    a_claim_id,
    a_claim_reported,
    a_claim_withdrawn,
    a_person,
    a_policy_snapshot,
    documents_received,
    usd,
)
from tests.builders.ledgers import MANY_ARE_USUAL, a_book, a_years_loss, an_aggregate_policy

pytestmark = pytest.mark.asyncio

ASKED = ["ClaimRegistered", "ClaimSegmented", "ReserveSet", "ClaimReferred"]
PARTLY_CLEAR = ["ClaimRegistered", "ClaimSegmented", "ReserveSet", "AdvanceApproved", "ClaimReferred"]
DENIAL = {"verdict": Verdict.deny, "reason": "No cover.", "clause_id": "SFIP.V", "fact": "No flood."}
CLEAR = (an_asked_line("2200.00"), an_asked_line(None, "contents"))
"""1,200.00 for the building are clear; the contents have no amount yet."""


def a_house(**changes: Any) -> Any:
    coverages = (a_flood_coverage(), a_flood_coverage("contents"))
    return an_assessment_house(book=a_book(a_policy_snapshot(coverages=coverages)), **changes)


async def report(house: AssessmentHouse, *lines: Any, **changes: Any) -> None:
    house.tell(a_claim_reported(lines=lines or (an_asked_line("400.00"),), **changes))
    await house.run()


async def judge(house: AssessmentHouse, **changes: Any) -> None:
    house.judge(**changes)
    await house.run()


def papers(*kinds: str, **changes: Any) -> dict[str, Any]:
    """One list of papers, as a person asks for it."""
    wanted = tuple(RequestedDocument(kind=kind) for kind in kinds)
    return {"verdict": Verdict.ask_documents, "documents": wanted} | changes


# ---- the part nobody disputes


async def test_the_clear_part_is_paid_at_once_and_the_rest_is_asked() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)

        assert house.names() == PARTLY_CLEAR
        [advance] = house.told(AdvanceApproved)
        assert (advance.decision.payable, advance.approved_by) == (usd("1200.00"), "system")
        [referral] = house.told(ClaimReferred)
        assert referral.reasons == (ReferralReason.no_amount_stated,)
        [reserve] = house.told(ReserveSet)
        assert [line.amount for line in advance.reserves] == [line.amount for line in reserve.reserves]


async def test_a_later_approval_names_what_was_advanced_and_closes_when_all_is_paid() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        house.confirm("1200.00", name="advance")
        await house.run()
        assert (await house.state()).paid_total == usd("1200.00")
        await judge(house, verdict=Verdict.approve_amount, amount=usd("2000.00"), reason="By the invoice.")
        [approved] = house.told(ClaimApproved)
        assert (approved.decision.advanced, approved.decision.payable) == (usd("1200.00"), usd("2000.00"))

        house.confirm("800.00", name="rest")
        await house.run()

        assert house.told(ClaimClosed) == [ClaimClosed(outcome=ClaimOutcome.paid, paid=usd("2000.00"))]


async def test_an_approval_of_what_is_paid_already_closes_the_claim() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        house.confirm("1200.00", name="advance")
        await house.run()
        await judge(house)

        assert house.names() == [*PARTLY_CLEAR, "ClaimApproved", "ClaimClosed"]


@pytest.mark.parametrize("is_paid", [True, False])
async def test_a_denial_of_the_rest_leaves_what_was_advanced_with_the_persons_name(is_paid: bool) -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        if is_paid:
            house.confirm("1200.00", name="advance")
            await house.run()
        await judge(house, **DENIAL)

        [partly] = house.told(ClaimPartlyApproved)
        assert (partly.decision.payable, partly.person, partly.clause_id) == (usd("1200.00"), a_person(), "SFIP.V")
        if not is_paid:
            house.confirm("1200.00", name="advance")
            await house.run()
        assert house.names() == [*PARTLY_CLEAR, "ClaimPartlyApproved", "ClaimClosed"]
        assert house.told(ClaimClosed)[0].outcome is ClaimOutcome.paid


async def test_an_advance_the_bank_refused_leaves_the_question_open_and_is_paid_with_the_whole() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        house.reject(name="advance")
        await house.run()
        assert house.names() == PARTLY_CLEAR
        await judge(house)

        house.confirm("1200.00", name="whole")
        await house.run()

        assert house.names() == [*PARTLY_CLEAR, "ClaimApproved", "ClaimClosed"]


async def test_an_advance_refused_after_the_whole_was_decided_is_shown_to_a_person() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        await judge(house, verdict=Verdict.approve_amount, amount=usd("2000.00"), reason="By the invoice.")
        house.reject(name="advance")
        await house.run()

        assert house.told(ClaimReferred)[-1].reasons == (ReferralReason.payment_rejected,)


async def test_nothing_is_advanced_where_anything_else_is_in_question() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy("1000.00")), rules=MANY_ARE_USUAL) as house:
        lines = (an_asked_line("1500.00"), an_asked_line(None, line_id="later"))
        house.tell(a_years_loss(1, "900.00"), a_claim_id(1))
        house.tell(a_years_loss(2, None, lines=lines), a_claim_id(2))
        await house.run()

        assert house.told(AdvanceApproved, a_claim_id(2)) == []


async def test_an_advance_counts_against_the_year_at_once() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy("1000.00")), rules=MANY_ARE_USUAL) as house:
        house.tell(
            a_years_loss(1, None, lines=(an_asked_line("700.00"), an_asked_line(None, line_id="2"))), a_claim_id(1)
        )
        await house.run()
        house.tell(a_years_loss(2, "500.00"), a_claim_id(2))
        await house.run()

        assert len(house.told(AdvanceApproved, a_claim_id(1))) == 1
        decision = house.told(ClaimReferred, a_claim_id(2))[0].decision
        assert decision is not None and decision.payable == usd("300.00")


async def test_a_person_who_sets_less_than_was_advanced_gives_nothing_of_it_back_to_the_year() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy("1000.00")), rules=MANY_ARE_USUAL) as house:
        lines = (an_asked_line("700.00"), an_asked_line(None, line_id="2"))
        house.tell(a_years_loss(1, None, lines=lines), a_claim_id(1))
        await house.run()
        house.judge(a_claim_id(1), verdict=Verdict.approve_amount, amount=usd("100.00"), reason="Mostly wear.")
        await house.run()

        [use] = (await house.state(a_claim_id(1))).uses
        assert use.amount == usd("700.00")


# ---- papers


async def test_papers_are_asked_once_and_the_claim_goes_on_when_all_of_them_came() -> None:
    async with a_house() as house:
        await report(house)
        await judge(house, **papers("invoice", "photo"))
        [request] = house.told(DocumentsRequested)
        assert (request.round, request.person, [one.kind for one in request.documents]) == (
            1,
            a_person(),
            ["invoice", "photo"],
        )
        for kind in ("letter", "photo"):
            house.tell(documents_received(kind))
            await house.run()
        assert house.names() == [*ASKED, "DocumentsRequested"]
        assert (await house.state()).status is Status.awaiting_info

        house.tell(documents_received("invoice"))
        await house.run()

        assert house.names() == [*ASKED, "DocumentsRequested", "ClaimReferred"]
        referral = house.told(ClaimReferred)[-1]
        assert ReferralReason.documents_received in referral.reasons and referral.decision is not None
        await judge(house)
        assert house.names()[-2:] == ["ClaimDecidedNil", "ClaimClosed"]


async def test_a_second_list_needs_a_reason_without_it_the_question_stays_open() -> None:
    async with a_house() as house:
        await report(house)
        await judge(house, **papers("invoice"))
        house.tell(documents_received("invoice"))
        await house.run()
        await judge(house, **papers("photo"))
        assert house.names()[-1] == "ClaimReferred"

        await judge(house, **papers("photo", reason="The invoice names another house."))

        request = house.told(DocumentsRequested)[-1]
        assert (request.round, request.reason) == (2, "The invoice names another house.")


async def test_papers_nobody_asked_for_change_nothing() -> None:
    async with a_house() as house:
        await report(house)
        house.tell(documents_received("photo"))
        await house.run()

        assert house.names() == ASKED


async def test_papers_for_a_claim_whose_policy_nobody_knows_bring_it_back_to_a_person() -> None:
    async with an_assessment_house(book=a_book()) as house:
        await report(house)
        for _ in range(8):
            await house.after(7200)
        assert house.told(ClaimReferred)[-1].reasons == (ReferralReason.policy_not_found,)
        await judge(house, **papers("policy"))
        house.tell(documents_received("policy"))
        await house.run()

        assert house.names() == ["PolicyAwaited", "ClaimReferred", "DocumentsRequested", "ClaimReferred"]
        assert house.told(ClaimReferred)[-1].reasons == (ReferralReason.documents_received,)
        await judge(house)
        assert house.names()[-1] == "PolicyAwaited"


# ---- a change of mind


async def test_a_claim_withdrawn_while_a_person_looks_is_closed_and_their_verdict_comes_too_late() -> None:
    async with a_house() as house:
        await report(house)
        house.tell(a_claim_withdrawn())
        await house.run()
        await judge(house, verdict=Verdict.approve_amount, amount=usd("100.00"), reason="Kindness.")

        assert house.names() == [*ASKED, "ClaimClosed"]
        assert house.told(ClaimClosed) == [ClaimClosed(outcome=ClaimOutcome.withdrawn)]


async def test_a_claim_withdrawn_after_its_approval_is_paid_all_the_same() -> None:
    async with a_house() as house:
        await report(house, an_asked_line("2200.00"))
        house.tell(a_claim_withdrawn())
        house.tell(a_claim_withdrawn())
        await house.run()
        assert house.names() == ["ClaimRegistered", "ClaimSegmented", "ClaimApproved"]
        assert (await house.state()).withdrawn

        house.confirm("1200.00")
        await house.run()

        assert house.told(ClaimClosed)[0].outcome is ClaimOutcome.paid


async def test_a_claim_with_an_advance_is_not_withdrawn_but_looked_at() -> None:
    async with a_house() as house:
        await report(house, *CLEAR)
        house.tell(a_claim_withdrawn())
        await house.run()

        assert house.names() == PARTLY_CLEAR


async def test_a_claim_withdrawn_while_its_policy_is_awaited_is_over_when_the_policy_comes() -> None:
    book = a_book()
    async with an_assessment_house(book=book) as house:
        await report(house)
        house.tell(a_claim_withdrawn())
        await house.run()
        book.policies = a_book(a_policy_snapshot()).policies
        await house.after(60)
        await house.after(300)

        assert house.names() == ["PolicyAwaited", "ClaimClosed"]
        assert await house.pending() == 0


async def test_a_claim_withdrawn_while_papers_are_awaited_is_closed_and_late_papers_change_nothing() -> None:
    async with a_house() as house:
        await report(house)
        await judge(house, **papers("invoice"))
        house.tell(a_claim_withdrawn())
        house.tell(documents_received("invoice"))
        await house.run()

        assert house.names() == [*ASKED, "DocumentsRequested", "ClaimClosed"]


async def test_who_withdraws_after_an_advance_while_papers_are_awaited_is_looked_at_again() -> None:
    """The papers will never come: without a person the claim would wait for ever."""
    async with a_house() as house:
        await report(house, *CLEAR)
        await judge(house, **papers("invoice"))
        house.tell(a_claim_withdrawn())
        await house.run()
        assert house.names() == [*PARTLY_CLEAR, "DocumentsRequested", "ClaimReferred"]
        house.confirm("1200.00", name="advance")
        await judge(house)

        assert house.told(ClaimClosed)[0].outcome is ClaimOutcome.paid


async def test_a_withdrawal_told_with_the_report_itself_pays_nothing_that_was_not_approved_before() -> None:
    async with a_house() as house:
        house.tell(a_claim_reported(lines=(an_asked_line("400.00"),)))
        house.tell(a_claim_withdrawn())
        await house.run()

        assert house.names() == [*ASKED, "ClaimClosed"]


# ---- clauses that were not shown


def a_chinese_policy(*shown: str) -> PolicySnapshot:
    """A fifth of the loss is borne, if the clause that says so was pointed out at sale."""
    operations = (
        Operation(op="disclosure", clause_id="art. 17"),
        Operation(op="deductible", clause_id="DED"),
        Operation(op="limit", clause_id="SFIP.III.A"),
    )
    deductible = Deductible(amount=Money.of_text("1000.00", "CNY"), clause_id="DED")
    coverage = a_flood_coverage(currency="CNY", operations=operations, deductibles=(deductible,))
    evidence = tuple(DisclosureEvidence(clause_id=clause, method="signed", at=LOSS_AT) for clause in shown)
    return a_policy_snapshot(
        currency="CNY", jurisdiction="CN", coverages=(coverage,), disclosure_evidence=evidence or None
    )


@pytest.mark.parametrize("shown, payable", [((), "5000.00"), (("DED",), "4000.00")])
async def test_a_clause_that_was_not_shown_takes_nothing_and_a_person_is_told(
    shown: tuple[str, ...], payable: str
) -> None:
    async with an_assessment_house(book=a_book(a_chinese_policy(*shown))) as house:
        await report(house, an_asked_line("5000.00", currency="CNY"), currency="CNY")

        [referral] = house.told(ClaimReferred)
        assert referral.decision is not None and referral.decision.payable.to_text() == payable
        assert (ReferralReason.clause_not_effective in referral.reasons) == (not shown)


async def test_where_a_clause_has_no_effect_a_person_approves_the_amount_without_it() -> None:
    async with an_assessment_house(book=a_book(a_chinese_policy())) as house:
        await report(house, an_asked_line("5000.00", currency="CNY"), currency="CNY")
        await judge(house)

        [approved] = house.told(ClaimApproved)
        assert approved.decision.payable.to_text() == "5000.00" and approved.approved_by == a_person()
