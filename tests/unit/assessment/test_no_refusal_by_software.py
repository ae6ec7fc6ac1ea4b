"""Whatever is reported, found, paid, rejected or tried again: a refusal or a reduction has a person's verdict as cause.

And the state is the fold of the events: a replay of what was told gives the same state.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assessment import ClaimApproved, ClaimDecidedNil, ClaimDenied, ClaimPartlyApproved
from schemas.event import Event
from schemas.ids import EventId, PaymentId, event_id
from schemas.money import Money
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Emit, Nothing
from schemas.payment import HoldReason, PaymentConfirmed, PaymentHeld, PaymentRejected
from services.assessment.domain.assess import Decided, take_finding, take_report
from services.assessment.domain.claim import ClaimState, Status, fold
from services.assessment.domain.payments import take_confirmed, take_held, take_rejected
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.review import take_review
from tests.builders.assessment import NOW, RULES, a_cause, a_flood_coverage, a_new_claim, an_asked_line
from tests.builders.events import a_claim_reported, a_payment_confirmed, a_policy_snapshot, a_review_recorded, an_id

REFUSALS = (ClaimPartlyApproved, ClaimDecidedNil, ClaimDenied)

amounts = st.integers(0, 10**8)
lines = st.lists(
    st.builds(
        lambda asked, code, number: an_asked_line(
            None if asked is None else Money(asked, "USD").to_text(), code, line_id=f"{code}-{number}"
        ),
        st.one_of(st.none(), amounts),
        st.sampled_from(["building", "contents", "garden"]),
        st.integers(0, 10**6),
    ),
    max_size=4,
    unique_by=lambda line: line.line_id,
)
findings = st.one_of(
    st.sampled_from(list(PolicyMissing)),
    st.builds(
        lambda limit, deductible, line: a_policy_snapshot(
            line=line,
            coverages=(
                a_flood_coverage("building", Money(limit, "USD").to_text(), Money(deductible, "USD").to_text()),
                a_flood_coverage("contents"),
            ),
        ),
        amounts,
        amounts,
        st.sampled_from(["flood", "flood", "home"]),
    ),
)
verdicts = st.one_of(
    st.just({"verdict": Verdict.approve}),
    st.just({"verdict": Verdict.deny, "reason": "r", "clause_id": "c", "fact": "f"}),
    st.builds(
        lambda amount: {"verdict": Verdict.approve_amount, "reason": "r", "amount": Money(amount + 1, "USD")}, amounts
    ),
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("look up"), findings),
        st.tuples(st.just("verdict"), verdicts),
        st.tuples(st.just("stale verdict"), verdicts),
        st.tuples(st.just("confirmed"), st.sampled_from(["all", "cent"])),
        st.tuples(st.just("rejected"), st.none()),
        st.tuples(st.just("held"), st.booleans()),
    ),
    max_size=8,
)


def happen(state: ClaimState, what: str, how: Any, number: int) -> tuple[Event | None, Decided]:
    cause = a_cause(f"cause-{number}")
    if what == "look up":
        return None, take_finding(state, how, number + 1, RULES, cause, NOW)
    if what in ("verdict", "stale verdict"):
        open_one = state.referral.event_id if state.referral and what == "verdict" else EventId(an_id("stale"))
        review = a_review_recorded(**{"referral_event_id": open_one} | how)
        return review, take_review(state, review, RULES, cause, NOW)
    if what == "confirmed":
        approved = state.decision.payable if state.decision and how == "all" else None
        confirmed = a_payment_confirmed(f"payment-{number}", amount=approved or Money(1, "USD"))
        return confirmed, take_confirmed(state, confirmed, cause)
    if what == "rejected":
        rejected = PaymentRejected(
            payment_id=PaymentId(an_id("payment")), end_to_end_id="0" * 32, code="AC04", reason="account closed"
        )
        return rejected, take_rejected(state, rejected, RULES, cause, NOW)
    of = state.decision.decision_id if state.decision and how else an_id("another decision")
    held = PaymentHeld.model_construct(payment_id=None, decision_id=of, reason=HoldReason.account_missing)
    return held, take_held(state, held, RULES, cause, NOW)


@settings(max_examples=300, deadline=None)
@given(lines=lines, finding=findings, happenings=happenings)
def test_only_a_persons_verdict_ever_refuses_or_reduces(
    lines: list[Any], finding: PolicyFinding, happenings: list[tuple[str, Any]]
) -> None:
    reported = a_claim_reported(lines=tuple(lines))
    outcome, state = take_report(a_new_claim(), reported, finding, RULES, a_cause(), NOW)
    told: list[Event] = list(outcome.events) if isinstance(outcome, Emit) else []
    assert not any(isinstance(event, REFUSALS) for event in told)
    replayed = _replay(a_new_claim(), reported, told, a_cause())

    for number, (what, how) in enumerate(happenings):
        event, (outcome, after) = happen(state, what, how, number)
        told = list(outcome.events) if isinstance(outcome, Emit) else []
        if not isinstance(event, ReviewRecorded):
            assert not any(isinstance(one, REFUSALS) for one in told)
            assert all(one.approved_by == "system" for one in told if isinstance(one, ClaimApproved))
        if state.status is Status.closed:
            assert told == []
        if isinstance(outcome, Emit | Nothing):
            replayed = _replay(replayed, event, told, a_cause(f"cause-{number}"))
            state = after

    assert replayed == state


def _replay(state: ClaimState, event: Event | None, told: list[Event], cause: Any) -> ClaimState:
    """The fold of what was told and of what it followed from; a payment without an approval was refused."""
    approved = state.decision is not None or bool(state.advances) or state.status is Status.closed
    refused = isinstance(event, PaymentConfirmed) and not approved
    if event is not None and not refused:
        state = fold(state, event, cause)
    for number, one in enumerate(told):
        state = fold(state, one, event_id(cause, "assessment", number))
    return state
