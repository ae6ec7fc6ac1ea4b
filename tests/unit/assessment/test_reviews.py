"""What a person's verdict does: one verdict per referral, another amount beside the computed one, refusals named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    PolicyAwaited,
    ReferralReason,
)
from schemas.decision import DecisionKind
from schemas.ids import EventId, PaymentId
from schemas.money import Money
from schemas.ops import Verdict
from schemas.outcomes import Emit, Nothing
from schemas.payment import HoldReason, PaymentHeld, PaymentRejected
from services.assessment.domain.assess import Decided, take_report
from services.assessment.domain.claim import ClaimState, Status
from services.assessment.domain.payments import take_confirmed, take_held, take_rejected
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.review import take_review
from tests.builders.assessment import NOW, RULES, a_cause, a_flood_coverage, a_new_claim, an_asked_line, events_of
from tests.builders.events import (
    a_claim_reported,
    a_payment_confirmed,
    a_person,
    a_policy_snapshot,
    a_review_recorded,
    an_id,
    usd,
)

ABOVE = an_asked_line("600000.00")
POLICY = a_policy_snapshot(coverages=(a_flood_coverage(limit="900000.00", deductible="10000.00"),))


def referred(*lines: Any, finding: PolicyFinding = POLICY, **changes: Any) -> ClaimState:
    report = a_claim_reported(lines=lines or (ABOVE,), **changes)
    return take_report(a_new_claim(), report, finding, RULES, a_cause(), NOW)[1]


def review(state: ClaimState, name: str = "review", **changes: Any) -> Decided:
    referral = state.referral.event_id if state.referral else EventId(an_id("nothing"))
    event = a_review_recorded(**{"referral_event_id": referral} | changes)
    return take_review(state, event, RULES, a_cause(name), NOW)


def denial(**changes: Any) -> dict[str, Any]:
    return {
        "verdict": Verdict.deny,
        "reason": "Sewer back-up without flood.",
        "clause_id": "SFIP.V.D.5",
        "fact": "No flood in the area.",
    } | changes


def amount(text: str, currency: str = "USD") -> dict[str, Any]:
    return {"verdict": Verdict.approve_amount, "amount": Money.of_text(text, currency), "reason": "Roof was repaired."}


def test_an_approval_as_proposed_pays_what_was_computed_in_the_persons_name() -> None:
    state = referred()

    outcome, after = review(state)

    [approved] = events_of(outcome)
    assert isinstance(approved, ClaimApproved)
    assert approved.approved_by == a_person()
    assert approved.decision.kind is DecisionKind.pay and approved.decision.override is None
    assert approved.decision.payable == usd("590000.00")
    assert after.status is Status.approved and after.referral is None


def test_a_lower_amount_is_a_part_approval_that_keeps_both_amounts_reason_and_person() -> None:
    [partly] = events_of(review(referred(), **amount("400000.00"))[0])

    assert isinstance(partly, ClaimPartlyApproved)
    assert partly.decision.kind is DecisionKind.partial
    override = partly.decision.override
    assert override is not None
    assert (override.computed, override.final) == (usd("590000.00"), usd("400000.00"))
    assert override.person == partly.person == a_person() and override.reason == partly.reason
    assert Money.total((line.amount for line in partly.reserves), "USD") == usd("400000.00")


def test_a_higher_amount_within_the_limits_is_an_approval_with_both_amounts() -> None:
    [approved] = events_of(review(referred(), **amount("595000.00"))[0])

    assert isinstance(approved, ClaimApproved)
    assert approved.decision.override is not None
    assert approved.decision.payable == usd("595000.00")


def test_the_computed_amount_given_as_another_amount_is_an_approval_as_proposed() -> None:
    [approved] = events_of(review(referred(), **amount("590000.00"))[0])

    assert isinstance(approved, ClaimApproved)
    assert approved.decision.override is None


@pytest.mark.parametrize(
    "given_amount, reason",
    [
        (amount("900000.01"), ReferralReason.above_coverage_limits),
        (amount("5.00", "EUR"), ReferralReason.currency_differs),
    ],
)
def test_an_amount_nobody_may_approve_is_referred_again_with_the_reason(
    given_amount: dict[str, Any], reason: ReferralReason
) -> None:
    state = referred()

    outcome, after = review(state, **given_amount)

    [again] = events_of(outcome)
    assert isinstance(again, ClaimReferred)
    assert again.reasons == (reason,)
    assert state.referral is not None and after.referral is not None
    assert again.decision == state.referral.decision
    assert after.referral.event_id != state.referral.event_id


def test_a_denial_names_person_reason_clause_fact_and_appeal_and_closes_the_claim() -> None:
    outcome, after = review(referred(), **denial())

    denied, closed = events_of(outcome)
    assert isinstance(denied, ClaimDenied)
    assert (denied.person, denied.clause_id, denied.fact) == (a_person(), "SFIP.V.D.5", "No flood in the area.")
    assert denied.appeal == RULES.decisions.at(NOW).of_line("flood").appeal
    assert closed == ClaimClosed(outcome=ClaimOutcome.denied)
    assert after.status is Status.closed


def test_approving_a_zero_decides_nil_and_closes_the_claim() -> None:
    outcome, after = review(referred(an_asked_line("9000.00")), reason="Below the deductible.")

    nil, closed = events_of(outcome)
    assert isinstance(nil, ClaimDecidedNil)
    assert nil.decision.kind is DecisionKind.nil and nil.person == a_person()
    assert closed == ClaimClosed(outcome=ClaimOutcome.nil)
    assert after.outcome is ClaimOutcome.nil


def test_approving_a_proposal_that_leaves_a_claimed_line_out_is_a_reduction() -> None:
    state = referred(an_asked_line("50000.00"), an_asked_line("700.00", "garden"))

    [partly] = events_of(review(state)[0])

    assert isinstance(partly, ClaimPartlyApproved)
    assert partly.decision.payable == usd("40000.00")
    assert partly.person == a_person()


def test_a_line_without_an_amount_left_out_is_no_reduction() -> None:
    state = referred(an_asked_line("50000.00"), an_asked_line(None, line_id="later"))

    [approved] = events_of(review(state)[0])

    assert isinstance(approved, ClaimApproved)


def test_a_verdict_on_an_earlier_referral_changes_nothing() -> None:
    state = referred()

    outcome, after = review(state, referral_event_id=EventId(an_id("earlier")))

    assert outcome == Nothing() and after is state


def test_a_second_verdict_on_the_same_referral_changes_nothing() -> None:
    state = referred()
    assert state.referral is not None
    _, approved = review(state)

    outcome, after = review(approved, "second", **denial(referral_event_id=state.referral.event_id))

    assert outcome == Nothing() and after is approved


def test_a_verdict_on_a_claim_nobody_knows_changes_nothing() -> None:
    assert review(a_new_claim()) == (Nothing(), a_new_claim())


@pytest.mark.parametrize("verdict", [{}, amount("100.00")])
def test_without_a_policy_an_approval_has_it_looked_up_again(verdict: dict[str, Any]) -> None:
    state = referred(finding=PolicyMissing.outside_period)

    outcome, after = review(state, **verdict)

    assert isinstance(outcome, Emit)
    assert [type(event) for event in outcome.events] == [PolicyAwaited]
    assert [work.due_at for work in outcome.work] == [NOW]
    assert after.status is Status.awaiting_policy and after.referral is None


def test_without_a_policy_a_denial_stands() -> None:
    denied, _ = events_of(review(referred(finding=PolicyMissing.outside_period), **denial())[0])

    assert isinstance(denied, ClaimDenied) and denied.decision is None


def test_without_a_computed_amount_an_approval_as_proposed_is_asked_again() -> None:
    state = referred(line="home")

    [again] = events_of(review(state)[0])

    assert isinstance(again, ClaimReferred)
    assert again.reasons == (ReferralReason.policy_of_another_line,)


def test_without_a_computed_amount_a_person_may_set_one_within_the_limits() -> None:
    [partly] = events_of(review(referred(line="home"), **amount("1000.00"))[0])

    assert isinstance(partly, ClaimPartlyApproved)
    assert partly.decision.computed == usd("0.00") and partly.decision.payable == usd("1000.00")
    assert [(line.coverage_code, line.amount) for line in partly.reserves] == [("building", usd("1000.00"))]


@settings(max_examples=150, deadline=None)
@given(asked=st.tuples(st.integers(1, 10**8), st.integers(1, 10**8)), share=st.fractions(0, 1))
def test_reserves_cover_an_approval_and_stay_under_each_coverages_limit(asked: tuple[int, int], share: Any) -> None:
    coverages = (a_flood_coverage("building", "700000.00"), a_flood_coverage("contents", "100000.00", "0.00"))
    lines = [
        an_asked_line(Money(value, "USD").to_text(), code)
        for value, code in zip(asked, ("building", "contents"), strict=True)
    ]
    state = referred(*lines, an_asked_line("1.00", "garden"), finding=a_policy_snapshot(coverages=coverages))
    final = max(1, int(share * 80_000_000))

    [event] = events_of(review(state, **amount(Money(final, "USD").to_text()))[0])

    assert isinstance(event, ClaimApproved | ClaimPartlyApproved)
    assert Money.total((line.amount for line in event.reserves), "USD") == Money(final, "USD")
    limits = {one.code: one.limit for one in coverages}
    assert all(line.amount <= (limits[line.coverage_code] or line.amount) for line in event.reserves)


# --- payments


def approved() -> ClaimState:
    """Approved by a person for 590,000.00."""
    return review(referred())[1]


def confirmed(state: ClaimState, text: str, name: str = "payment") -> Decided:
    return take_confirmed(state, a_payment_confirmed(name, amount=usd(text)), a_cause(f"confirmed-{name}"))


def rejected(state: ClaimState) -> Decided:
    event = PaymentRejected(
        payment_id=PaymentId(an_id("payment")), end_to_end_id="0" * 32, code="AC04", reason="account closed"
    )
    return take_rejected(state, event, RULES, a_cause("rejected"), NOW)


def test_the_claim_closes_when_what_was_approved_is_confirmed() -> None:
    outcome, after = confirmed(approved(), "590000.00")

    assert events_of(outcome) == (ClaimClosed(outcome=ClaimOutcome.paid, paid=usd("590000.00")),)
    assert after.status is Status.closed


def test_a_part_that_is_confirmed_does_not_close_the_claim_and_counts_once() -> None:
    _, part = confirmed(approved(), "1.00")
    outcome, again = confirmed(part, "1.00")

    assert outcome == Nothing()
    assert again.paid_total == usd("1.00") and again.status is Status.approved


def test_the_rest_closes_the_claim_with_the_sum() -> None:
    _, part = confirmed(approved(), "90000.00", "one")

    outcome, _ = confirmed(part, "500000.00", "two")

    assert events_of(outcome) == (ClaimClosed(outcome=ClaimOutcome.paid, paid=usd("590000.00")),)


def test_a_rejected_payment_goes_to_a_person_who_may_let_it_be_tried_again_under_a_new_decision() -> None:
    state = approved()
    outcome, failed = rejected(state)
    [asked] = events_of(outcome)
    assert isinstance(asked, ClaimReferred)
    assert (asked.reasons, asked.desk) == ((ReferralReason.payment_rejected,), "payments")
    assert failed.status is Status.payment_exception

    [again] = events_of(review(failed, "again")[0])

    assert isinstance(again, ClaimApproved) and state.decision is not None
    assert again.decision.payable == state.decision.payable
    assert again.decision.decision_id != state.decision.decision_id


def test_a_held_payment_goes_to_a_person_unless_the_hold_is_of_an_earlier_decision() -> None:
    state = approved()
    assert state.decision is not None
    held = PaymentHeld(decision_id=state.decision.decision_id, reason=HoldReason.account_missing)

    [asked] = events_of(take_held(state, held, RULES, a_cause("held"), NOW)[0])
    stale = take_held(state, held.model_copy(update={"decision_id": an_id("old")}), RULES, a_cause("held"), NOW)

    assert isinstance(asked, ClaimReferred) and asked.reasons == (ReferralReason.payment_held,)
    assert stale == (Nothing(), state)


def test_a_late_confirmation_settles_the_question_about_the_payment() -> None:
    outcome, after = confirmed(rejected(approved())[1], "590000.00")

    assert [type(event) for event in events_of(outcome)] == [ClaimClosed]
    assert after.referral is None


def test_money_that_goes_out_after_the_claim_is_closed_is_kept_and_reopens_nothing() -> None:
    _, denied = review(rejected(approved())[1], "denied", **denial())

    outcome, after = confirmed(denied, "590000.00")

    assert outcome == Nothing()
    assert after.status is Status.closed and after.paid_total == usd("590000.00")


def test_a_payment_of_a_claim_nobody_approved_is_a_wrong_record() -> None:
    outcome, _ = confirmed(referred(), "1.00")

    assert getattr(outcome, "code", None) == "payment-without-approval"


def test_a_confirmation_in_another_currency_is_a_wrong_record() -> None:
    event = a_payment_confirmed(amount=Money.of_text("1.00", "EUR"))

    outcome, _ = take_confirmed(approved(), event, a_cause())

    assert getattr(outcome, "code", None) == "payment-currency-differs"
