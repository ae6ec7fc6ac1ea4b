"""A claim's status after each event, and views that do not depend on an order that nothing causes."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assessment import (
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    PolicyAwaited,
    PolicyWaitReason,
)
from schemas.decision import CoverageResult, DecisionKind, Override, Refusal, ReserveLine
from schemas.event import Event, registered_types
from schemas.ids import DecisionId, EventId, PaymentId
from schemas.notify import NoticeChannel, NoticeFailed, NoticeFailure, NoticeKind, NoticeSent
from schemas.party import SealedParty
from schemas.payment import HoldReason, PaymentHeld, PaymentKind, PaymentRejected
from services.ops.domain.claim_view import ClaimStatus, ClaimView, Review, Told, fold, fresh_view
from services.ops.domain.timeline import facts_of
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_claim_segmented,
    a_claim_withdrawn,
    a_decision,
    a_duplicate_linked,
    a_payment_confirmed,
    a_payment_instructed,
    a_person,
    a_reserve_set,
    a_review_recorded,
    a_sealed_party,
    an_advance_approved,
    an_id,
    documents_received,
    documents_requested,
    usd,
)

AWAITED = PolicyAwaited(reason=PolicyWaitReason.policy_unknown, attempt=1, next_attempt_at=REPORTED_AT)
REJECTED = PaymentRejected(
    payment_id=PaymentId(an_id("payment")), end_to_end_id="0" * 32, code="AC04", reason="account closed"
)
HELD = PaymentHeld(decision_id=DecisionId(an_id("decision")), reason=HoldReason.account_missing)
NIL = ClaimDecidedNil(decision=a_decision("0.00", kind=DecisionKind.nil), person=a_person())
DENIED = ClaimDenied(person=a_person(), reason="r", clause_id="C", fact="f", appeal="a")
PARTLY = ClaimPartlyApproved(
    decision=a_decision(kind=DecisionKind.partial),
    reserves=(ReserveLine(coverage_code="building", amount=usd("1200.00")),),
    person=a_person(),
    reason="r",
)
SENT = NoticeSent(
    source_event_id=EventId(an_id("e")), kind=NoticeKind.paid, channel=NoticeChannel.mail, template="paid",
    template_version=1, language="en", recipient_subject_id=a_sealed_party().subject_id, message_id="<a@b>", attempt=1,
)  # fmt: skip
FAILED = NoticeFailed(
    source_event_id=EventId(an_id("e")), kind=NoticeKind.paid, channel=NoticeChannel.mail, template="paid",
    template_version=1, language="en", recipient_subject_id=a_sealed_party().subject_id, attempt=1,
    reason=NoticeFailure.refused,
)  # fmt: skip


def told(*events: Event) -> list[Told]:
    """The events in the order given, each writer's numbered from 1; an event's id follows from writer and number."""
    numbers: dict[str, int] = {}
    found = []
    for event in events:
        number = numbers[event.WRITER] = numbers.get(event.WRITER, 0) + 1
        found.append(Told(an_id(f"{event.WRITER}:{number}"), event.WRITER, number, REPORTED_AT, event))
    return found


def folded(events: list[Told]) -> ClaimView:
    view = fresh_view(a_claim_id())
    for event in events:
        view = fold(view, event)
    return view


def view_after(*events: Event) -> ClaimView:
    return folded(told(*events))


REPORTED, REGISTERED, APPROVED = a_claim_reported(), a_claim_registered(), a_claim_approved()
INSTRUCTED, CONFIRMED = a_payment_instructed(), a_payment_confirmed()
ASKED, RECEIVED = documents_requested("repair_invoice", "photo"), documents_received("repair_invoice")
ADVANCED = an_advance_approved(a_decision("500.00", name="advance"))
PARTIAL = a_payment_instructed(
    "advance", kind="partial", amount=usd("500.00"), decision_id=ADVANCED.decision.decision_id
)
PARTIAL_CONFIRMED = a_payment_confirmed("advance", amount=usd("500.00"))
PARTIAL_REJECTED = PaymentRejected(
    payment_id=PARTIAL.payment_id, end_to_end_id=PARTIAL.end_to_end_id, code="AC04", reason="account closed"
)
REST, REST_CONFIRMED = a_payment_instructed(amount=usd("700.00")), a_payment_confirmed(amount=usd("700.00"))
LOWER = a_claim_approved(a_decision("300.00", name="lower"))
LINKED, SEGMENTED, RESERVED = a_duplicate_linked(), a_claim_segmented(), a_reserve_set()
WITHDRAWN = a_claim_closed(outcome=ClaimOutcome.withdrawn, paid=None)
DUPLICATE = a_claim_closed(outcome=ClaimOutcome.duplicate, paid=None)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((REPORTED,), "RECEIVED"),
        ((REPORTED, AWAITED), "AWAITING_POLICY"),
        ((REPORTED, AWAITED, REGISTERED), "REGISTERED"),
        ((REPORTED, REGISTERED, a_claim_referred()), "REFERRED"),
        ((REPORTED, REGISTERED, APPROVED), "APPROVED"),
        ((REPORTED, REGISTERED, PARTLY), "PARTLY_APPROVED"),
        ((REPORTED, REGISTERED, NIL), "DECIDED_NIL"),
        ((REPORTED, REGISTERED, DENIED), "DENIED"),
        ((REPORTED, REGISTERED, APPROVED, HELD), "SETTLED_PENDING"),
        ((REPORTED, REGISTERED, APPROVED, INSTRUCTED), "PAYING"),
        ((REPORTED, REGISTERED, APPROVED, INSTRUCTED, REJECTED), "PAYMENT_EXCEPTION"),
        ((REPORTED, REGISTERED, APPROVED, INSTRUCTED, CONFIRMED), "PAID"),
        ((REPORTED, REGISTERED, APPROVED, INSTRUCTED, CONFIRMED, a_claim_closed()), "CLOSED"),
        ((REPORTED, REGISTERED, DENIED, a_claim_closed(outcome=ClaimOutcome.denied, paid=None)), "CLOSED"),
        ((REPORTED, REGISTERED, a_claim_referred(), ASKED), "AWAITING_INFO"),
        ((REPORTED, REGISTERED, ASKED, RECEIVED), "AWAITING_INFO"),
        ((REPORTED, REGISTERED, ASKED, RECEIVED, a_claim_referred()), "REFERRED"),
        ((REPORTED, REGISTERED, ASKED, RECEIVED, APPROVED), "APPROVED"),
        ((REPORTED, REGISTERED, ADVANCED), "REGISTERED"),
        ((REPORTED, REGISTERED, a_claim_referred(), ADVANCED), "REFERRED"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, PARTIAL_CONFIRMED, APPROVED), "APPROVED"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, APPROVED), "PAYING"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, PARTIAL_CONFIRMED, LOWER), "PAID"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, APPROVED, REST, REST_CONFIRMED), "PAYING"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, APPROVED, REST, PARTIAL_CONFIRMED), "PAYING"),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, APPROVED, REST, REST_CONFIRMED, PARTIAL_CONFIRMED), "PAID"),
        (
            (REPORTED, REGISTERED, ADVANCED, PARTIAL, APPROVED, REST, REST_CONFIRMED, PARTIAL_REJECTED),
            "PAYMENT_EXCEPTION",
        ),
        ((REPORTED, REGISTERED, ADVANCED, PARTIAL, PARTIAL_REJECTED, APPROVED, INSTRUCTED, CONFIRMED), "PAID"),
        ((REPORTED, a_claim_withdrawn()), "RECEIVED"),
        ((REPORTED, REGISTERED, a_claim_referred(), a_claim_withdrawn(), WITHDRAWN), "CLOSED"),
        ((REPORTED, REGISTERED, ASKED, a_claim_withdrawn(), WITHDRAWN), "CLOSED"),
        ((REPORTED, REGISTERED, LINKED, a_claim_referred(), DUPLICATE), "CLOSED"),
    ],
)
def test_the_state_follows_from_what_was_told(events: tuple[Event, ...], state: str) -> None:
    assert view_after(*events).state == state


def test_a_referral_is_open_until_it_is_reviewed_or_decided() -> None:
    referral = EventId(an_id("assessment:2"))
    review = a_review_recorded(referral_event_id=referral)

    waiting = view_after(REPORTED, REGISTERED, a_claim_referred())
    reviewed = view_after(REPORTED, REGISTERED, a_claim_referred(), review)
    decided = view_after(REPORTED, REGISTERED, a_claim_referred(), review, APPROVED)

    assert waiting.open_referral is not None and waiting.open_referral.event_id == referral
    assert (waiting.review, waiting.reasons) == (Review.IN_REVIEW, ("above_automatic_limit",))
    assert (reviewed.open_referral, reviewed.review, reviewed.status) == (
        None, Review.DELIVERED, ClaimStatus.REGISTERED,
    )  # fmt: skip
    assert (decided.open_referral, decided.state) == (None, "APPROVED")


def test_a_new_referral_after_a_rejected_payment_is_open_again() -> None:
    view = view_after(REPORTED, REGISTERED, APPROVED, INSTRUCTED, REJECTED, a_claim_referred())

    assert (view.state, view.status) == ("REFERRED", ClaimStatus.PAYMENT_EXCEPTION)


def test_paid_is_what_the_bank_confirmed_and_no_more() -> None:
    assert view_after(REPORTED, REGISTERED, APPROVED, INSTRUCTED).paid is None
    assert view_after(REPORTED, REGISTERED, APPROVED, INSTRUCTED, CONFIRMED).paid == usd("1200.00")


def test_a_denied_claim_has_nothing_payable() -> None:
    denied = DENIED.model_copy(update={"decision": a_decision()})

    view = view_after(REPORTED, REGISTERED, denied)

    assert (view.computed, view.payable, view.decided_by) == (usd("1200.00"), None, "ada")


def test_how_a_claim_was_sorted_and_linked_is_shown() -> None:
    again = a_duplicate_linked(score="0.95", reasons=("same_place",))

    view = view_after(REPORTED, SEGMENTED, LINKED, a_duplicate_linked(a_claim_id(3)), again)

    assert (view.segment, view.lane, view.flags) == ("simple", "fast", ("loss_soon_after_inception",))
    assert [(one.claim_id, one.score, one.reasons) for one in view.duplicates] == [
        (a_claim_id(3), "0.9", ("same_policy", "near_loss_time")),
        (a_claim_id(2), "0.95", ("same_place",)),
    ]


def test_papers_asked_for_and_received_are_known_by_kind() -> None:
    more = documents_requested("police_report", round=2, reason="The first one was of another day.")

    view = view_after(REPORTED, REGISTERED, ASKED, RECEIVED, RECEIVED, a_claim_referred(), more)

    assert [(one.round, [paper.kind for paper in one.papers], one.person_id) for one in view.papers_asked] == [
        (1, ["repair_invoice", "photo"], "ada"),
        (2, ["police_report"], "ada"),
    ]
    assert [(one.kind, one.received_at) for one in view.papers_received] == [("repair_invoice", REPORTED_AT)]
    assert view.reasons == ("police_report",)
    assert "another day" not in view.model_dump_json() and "a" * 64 not in view.model_dump_json()


def test_reserves_are_what_was_set_last_and_none_once_refused_or_closed() -> None:
    def reserves(*events: Event) -> list[str]:
        return [str(one.amount) for one in view_after(REPORTED, REGISTERED, RESERVED, *events).reserves]

    assert reserves() == ["2200.00 USD"]
    assert reserves(ADVANCED, APPROVED) == ["1200.00 USD"]
    assert reserves(a_reserve_set("5.00")) == ["5.00 USD"]
    assert reserves(DENIED) == reserves(APPROVED, a_claim_closed()) == reserves(a_reserve_set("0.00")) == []


def test_advances_and_their_payments_are_shown_beside_the_decision() -> None:
    view = view_after(REPORTED, REGISTERED, ADVANCED, PARTIAL, PARTIAL_CONFIRMED, APPROVED, REST, REST_CONFIRMED)

    assert [(one.amount, one.approved_by) for one in view.advances] == [(usd("500.00"), "system")]
    assert [(one.kind, one.amount) for one in view.payments] == [
        (PaymentKind.partial, usd("500.00")),
        (PaymentKind.final, usd("700.00")),
    ]
    assert (view.paid, view.payable) == (usd("1200.00"), usd("1200.00"))


def test_a_proposal_shows_each_coverage_and_an_override_who_set_what_instead() -> None:
    result = CoverageResult(
        coverage_code="building", exact="1200", payable=usd("1200.00"), results={"deductible_applied": "1000"},
        reasons=("LIMIT_REACHED",),
        refusals=(Refusal(line_id="1", reason="EXCLUDED", clause_id="C.1", fact="peril = seepage"),),
    )  # fmt: skip
    proposal = a_decision(kind=DecisionKind.refer, proposed=DecisionKind.partial, coverages=(result,))
    override = Override(computed=usd("1200.00"), final=usd("900.00"), reason="Second estimate.", person=a_person())
    decided = a_decision(kind=DecisionKind.partial).model_copy(update={"override": override, "payable": usd("900.00")})

    by_person = a_claim_approved(decided, approved_by=a_person())
    referred = view_after(REPORTED, REGISTERED, a_claim_referred(decision=proposal))
    view = view_after(REPORTED, REGISTERED, a_claim_referred(decision=proposal), by_person)

    assert referred.open_referral is not None and referred.open_referral.proposal is not None
    assert referred.open_referral.proposal.proposed is DecisionKind.partial
    assert referred.open_referral.proposal.coverages == (result,)
    assert view.working is not None and view.working.override == override
    assert view.working.override.person.authority == usd("50000.00")


def test_events_that_no_cause_orders_may_come_in_either_order() -> None:
    review = a_review_recorded(referral_event_id=EventId(an_id("assessment:2")))
    stories = told(REPORTED, REGISTERED, a_claim_referred(), review, a_claim_referred(), SENT, FAILED, HELD)
    first, *rest = stories
    expected = folded(stories)

    orders = [order for order in permutations(rest) if _each_writer_in_turn(order)]

    assert len(orders) > 100
    assert all(folded([first, *order]) == expected for order in orders)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["assessment", "intake", "payment", "notify"]), min_size=14, max_size=14))
def test_any_interleaving_of_writers_gives_one_view(picks: list[str]) -> None:
    stories = told(
        REPORTED, REGISTERED, SEGMENTED, RESERVED, ADVANCED, ASKED, PARTIAL, RECEIVED, PARTIAL_CONFIRMED, APPROVED,
        REST, REST_CONFIRMED, a_claim_closed(), SENT, FAILED,
    )  # fmt: skip
    waiting = {
        writer: [one for one in stories[1:] if one.writer == writer]
        for writer in ("assessment", "intake", "payment", "notify")
    }
    order = [stories[0]]
    for writer in [*picks, *sorted(waiting) * 8]:
        if waiting[writer]:
            order.append(waiting[writer].pop(0))

    assert folded(order) == folded(stories)


def test_a_view_survives_its_json() -> None:
    view = view_after(
        REPORTED, AWAITED, REGISTERED, SEGMENTED, LINKED, RESERVED, ASKED, RECEIVED, a_claim_referred(), ADVANCED,
        PARTIAL, APPROVED, INSTRUCTED, REJECTED, SENT, a_claim_withdrawn(),
    )  # fmt: skip

    assert ClaimView.model_validate_json(view.model_dump_json(exclude_none=True)) == view


def test_facts_of_every_event_are_short_and_hold_no_words_of_people() -> None:
    secret = "Grace Hopper phoned"
    events: list[Event] = [
        REPORTED, AWAITED, REGISTERED, a_claim_referred(), APPROVED, INSTRUCTED, CONFIRMED, REJECTED, HELD, SENT,
        FAILED, a_claim_closed(), NIL.model_copy(update={"reason": secret}),
        PARTLY.model_copy(update={"reason": secret, "fact": secret}),
        DENIED.model_copy(update={"reason": secret, "fact": secret, "appeal": secret}),
        a_review_recorded(reason=secret), SEGMENTED, LINKED, RESERVED, ADVANCED, RECEIVED, a_claim_withdrawn(),
        documents_requested(*(f"kind-{number}" for number in range(50)), reason=secret, round=2),
    ]  # fmt: skip

    assert {event.TYPE for event in events} == set(registered_types())
    for event in events:
        text = repr(facts_of(event))
        assert 2 < len(text) < 600, event.TYPE
        assert secret not in text
        assert not any(box in text for box in _boxes(event))


def _boxes(event: Event) -> list[str]:
    values = [getattr(event, name) for name in type(event).model_fields]
    return [value.box for value in values if isinstance(value, SealedParty)]


def _each_writer_in_turn(order: tuple[Told, ...]) -> bool:
    seen: dict[str, int] = {}
    for one in order:
        if one.sequence <= seen.get(one.writer, 0):
            return False
        seen[one.writer] = one.sequence
    return True
