"""Whatever is reported, found, paid, rejected or tried again: a refusal or a reduction has a person's verdict as cause.

And the state is the fold of the events: a replay of what was told gives the same state.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assessment import (
    EVENTS,
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    RequestedDocument,
)
from schemas.event import Event
from schemas.ids import EventId, PaymentId, event_id
from schemas.intake import ClaimWithdrawn
from schemas.money import Money
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Emit, Nothing
from schemas.payment import HoldReason, PaymentConfirmed, PaymentHeld, PaymentRejected
from services.assessment.domain.around import ALONE, Around, Neighbour
from services.assessment.domain.assess import Decided, take_finding, take_report
from services.assessment.domain.claim import ClaimState, Status, fold, neighbour_of
from services.assessment.domain.papers import take_documents, take_withdrawal
from services.assessment.domain.payments import take_confirmed, take_held, take_rejected
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.review import take_review
from tests.builders.assessment import NOW, RULES, a_cause, a_flood_coverage, a_new_claim, an_asked_line
from tests.builders.events import (
    a_claim_id,
    a_claim_reported,
    a_claim_withdrawn,
    a_payment_confirmed,
    a_policy_snapshot,
    a_review_recorded,
    an_id,
    documents_received,
)
from tests.builders.ledgers import an_aggregate_policy

REFUSALS = tuple(one for one in EVENTS if "person" in one.model_fields and one.model_fields["person"].is_required())
assert {ClaimPartlyApproved, ClaimDecidedNil, ClaimDenied} <= set(REFUSALS)

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
    st.builds(lambda limit: an_aggregate_policy(Money(limit + 1, "USD").to_text()), amounts),
)
YEAR = ("all-losses", "policy year from 2012-01-01")


def a_twin() -> Neighbour:
    """Another claim of the policy that tells of the same loss."""
    found = neighbour_of(fold(a_new_claim(2), a_claim_reported(a_claim_id(2)), a_cause()))
    assert found is not None
    return found


arounds = st.builds(
    lambda claims, twin, used: Around(
        claims_on_policy=claims,
        near=(a_twin(),) if twin else (),
        used={YEAR: Fraction(used, 100)} if used else {},
    ),
    st.integers(0, 6),
    st.booleans(),
    st.one_of(st.just(0), amounts),
)
verdicts = st.one_of(
    st.just({"verdict": Verdict.approve}),
    st.just({"verdict": Verdict.deny, "reason": "r", "clause_id": "c", "fact": "f"}),
    st.builds(
        lambda kind, why: {
            "verdict": Verdict.ask_documents,
            "documents": (RequestedDocument(kind=kind),),
            "reason": why,
        },
        st.sampled_from(["invoice", "photo"]),
        st.sampled_from([None, "again"]),
    ),
    st.just({"verdict": Verdict.duplicate, "reason": "told twice"}),
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
        st.tuples(st.just("papers"), st.sampled_from(["invoice", "photo"])),
        st.tuples(st.just("withdrawn"), st.none()),
        st.tuples(st.just("others"), arounds),
    ),
    max_size=9,
)


def happen(state: ClaimState, what: str, how: Any, number: int) -> tuple[Event | None, Decided]:
    cause = a_cause(f"cause-{number}")
    if what == "look up":
        return None, take_finding(state, how, number + 1, RULES, cause, NOW)
    if what in ("verdict", "stale verdict"):
        open_one = state.referral.event_id if state.referral and what == "verdict" else EventId(an_id("stale"))
        review = a_review_recorded(**{"referral_event_id": open_one} | how)
        return review, take_review(state, review, RULES, cause, NOW)
    if what == "papers":
        papers = documents_received(how)
        return papers, take_documents(state, papers, RULES, cause, NOW)
    if what == "withdrawn":
        withdrawn = a_claim_withdrawn()
        return withdrawn, take_withdrawal(state, withdrawn, RULES, cause, NOW)
    if what == "others":
        return None, (Nothing(), replace(state, around=how))
    if what == "confirmed":
        approved = (state.decision.payable if state.decision else state.advanced) if how == "all" else None
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
@given(lines=lines, finding=findings, around=arounds, happenings=happenings)
def test_only_a_persons_verdict_ever_refuses_or_reduces(
    lines: list[Any], finding: PolicyFinding, around: Around, happenings: list[tuple[str, Any]]
) -> None:
    reported = a_claim_reported(lines=tuple(lines))
    outcome, state = take_report(replace(a_new_claim(), around=around), reported, finding, RULES, a_cause(), NOW)
    told: list[Event] = list(outcome.events) if isinstance(outcome, Emit) else []
    assert not any(isinstance(event, REFUSALS) for event in told)
    replayed = _replay(a_new_claim(), reported, told, a_cause())

    for number, (what, how) in enumerate(happenings):
        event, (outcome, after) = happen(state, what, how, number)
        told = list(outcome.events) if isinstance(outcome, Emit) else []
        if not isinstance(event, ReviewRecorded):
            assert not any(isinstance(one, REFUSALS) for one in told)
            assert all(one.approved_by == "system" for one in told if isinstance(one, ClaimApproved | AdvanceApproved))
        for closed in (one for one in told if isinstance(one, ClaimClosed) and one.outcome is not ClaimOutcome.paid):
            wanted = ClaimWithdrawn if closed.outcome is ClaimOutcome.withdrawn else ReviewRecorded
            assert isinstance(event, wanted)
        if state.status is Status.closed:
            assert told == []
        if isinstance(outcome, Emit | Nothing):
            replayed = _replay(replayed, event, told, a_cause(f"cause-{number}"))
            state = after

    assert replayed == replace(state, around=ALONE)


def _replay(state: ClaimState, event: Event | None, told: list[Event], cause: Any) -> ClaimState:
    """The fold of what was told and of what it followed from; a payment without an approval was refused."""
    approved = state.decision is not None or bool(state.advances) or state.status is Status.closed
    refused = isinstance(event, PaymentConfirmed) and not approved
    if event is not None and not refused:
        state = fold(state, event, cause)
    for number, one in enumerate(told):
        state = fold(state, one, event_id(cause, "assessment", number))
    return state
