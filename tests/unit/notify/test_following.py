"""Which events owe a notice, and which do not: one per decision, after booking, and only where there is news."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from schemas.assessment import ReferralReason
from schemas.event import Event
from schemas.ids import DecisionId, EventId, PaymentId, SubjectId, end_to_end_id
from schemas.notify import NoticeKind
from schemas.payment import HoldReason
from services.notify.domain.following import HANDLED, Cause, follow, not_before
from services.notify.domain.notices import MESSAGE_ID_HOST, ClaimNotices
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_reported,
    a_duplicate_linked,
    a_payment_confirmed,
    a_payment_instructed,
    a_sealed_party,
    an_id,
    documents_requested,
    usd,
)
from tests.builders.notices import (
    ADVANCED,
    NOW,
    STORIES,
    a_claim_denied,
    a_claim_partly_approved,
    a_notice,
    a_payment_held,
    a_payment_rejected,
    a_rest_denied,
    followed,
    kinds_of,
    the_rules,
    whole_after_advance,
)

REPORT = a_claim_reported()
APPROVED = a_claim_approved()
PARTLY = a_claim_partly_approved()
INSTRUCTED = a_payment_instructed()
CONFIRMED = a_payment_confirmed()
SECOND_TRY = a_payment_instructed(attempt=2, end_to_end_id=end_to_end_id(PaymentId(an_id("payment")), 2))
PART_PAID = a_payment_confirmed("advance-payment", amount=usd("500.00"))
WHOLE = a_claim_approved(whole_after_advance())
REST, REST_PAID = a_payment_instructed(amount=usd("700.00")), a_payment_confirmed(amount=usd("700.00"))
PAPERS_CAME = a_claim_referred(reasons=(ReferralReason.documents_received, ReferralReason.duplicate_probable))
ABOUT_PAYMENT = a_claim_referred(reasons=(ReferralReason.payment_rejected,), decision=None)


@pytest.mark.parametrize(
    "events, owed",
    [
        pytest.param([REPORT], ["received"], id="a report"),
        pytest.param([REPORT, a_claim_referred()], ["received", "referred"], id="a referral"),
        pytest.param([REPORT, APPROVED], ["received"], id="an approval alone: the money is not booked yet"),
        pytest.param([REPORT, APPROVED, INSTRUCTED], ["received", "approved"], id="booked"),
        pytest.param([REPORT, APPROVED, INSTRUCTED, CONFIRMED], ["received", "approved", "paid"], id="paid"),
        pytest.param([REPORT, APPROVED, CONFIRMED, INSTRUCTED], ["received", "paid"], id="confirmed first: only paid"),
        pytest.param([REPORT, PARTLY, INSTRUCTED], ["received", "partly_approved"], id="a reduction, booked"),
        pytest.param(
            [REPORT, PARTLY, CONFIRMED, INSTRUCTED],
            ["received", "paid", "partly_approved"],
            id="a reduction is explained even when paid first",
        ),
        pytest.param([REPORT, INSTRUCTED], ["received", "approved"], id="the approval was skipped by an operator"),
        pytest.param([REPORT, CONFIRMED], ["received", "paid"], id="everything before the payment was skipped"),
        pytest.param(
            [REPORT, APPROVED, INSTRUCTED, CONFIRMED, CONFIRMED], ["received", "approved", "paid"], id="twice"
        ),
        pytest.param([REPORT, APPROVED, INSTRUCTED, SECOND_TRY], ["received", "approved"], id="instructed again"),
        pytest.param([REPORT, *ADVANCED], ["received", "referred", "advance"], id="a part beforehand, booked"),
        pytest.param(
            [REPORT, *ADVANCED[:2], PART_PAID, ADVANCED[2]],
            ["received", "referred", "paid"],
            id="a part, confirmed first",
        ),
        pytest.param(
            [REPORT, *ADVANCED, PART_PAID, WHOLE, REST, REST_PAID, a_claim_closed()],
            ["received", "referred", "advance", "paid", "approved", "paid"],
            id="a part, then the rest",
        ),
        pytest.param(
            [REPORT, *ADVANCED[:2], WHOLE, ADVANCED[2], REST, REST_PAID, PART_PAID],
            ["received", "referred", "advance", "approved", "paid", "paid"],
            id="the whole is decided while the part is on its way",
        ),
        pytest.param(
            [REPORT, *ADVANCED, a_rest_denied(), PART_PAID, a_claim_closed()],
            ["received", "referred", "advance", "settled", "paid"],
            id="the rest is refused: no payment follows that could tell of it",
        ),
        pytest.param(
            [REPORT, *ADVANCED, a_claim_approved(whole_after_advance("500.00")), PART_PAID],
            ["received", "referred", "advance", "settled", "paid"],
            id="the rest is zero",
        ),
        pytest.param(
            [REPORT, *ADVANCED, a_rest_denied(), a_payment_instructed(amount=usd("500.00"))],
            ["received", "referred", "advance", "settled"],
            id="the bank refused the part: its money follows, the decision is not told again",
        ),
        pytest.param(
            [
                REPORT,
                *ADVANCED,
                a_rest_denied(),
                a_claim_approved(whole_after_advance("500.00", name="second")),
                a_payment_instructed(amount=usd("500.00"), decision_id=DecisionId(an_id("second"))),
            ],
            ["received", "referred", "advance", "settled", "approved"],
            id="the same amount decided again is told with its payment",
        ),
        pytest.param(
            [REPORT, a_claim_referred(), a_claim_referred()], ["received", "referred"], id="a question asked again"
        ),
        pytest.param(
            [REPORT, a_claim_referred(), documents_requested(), PAPERS_CAME, PAPERS_CAME],
            ["received", "referred", "documents_requested", "referred"],
            id="papers asked for and come",
        ),
        pytest.param(
            [REPORT, documents_requested(), documents_requested(round=2, reason="It cannot be read.")],
            ["received", "documents_requested", "documents_requested"],
            id="papers asked for twice",
        ),
        pytest.param([REPORT, *STORIES[NoticeKind.withdrawn]], ["received", "withdrawn"], id="a withdrawal"),
        pytest.param([REPORT, *STORIES[NoticeKind.duplicate]], ["received", "duplicate"], id="a duplicate"),
        pytest.param([REPORT, a_duplicate_linked()], ["received"], id="a link alone is nobody's news"),
        pytest.param([REPORT, a_claim_denied()], ["received", "denied"], id="a denial"),
        pytest.param([REPORT, *STORIES[NoticeKind.decided_nil]], ["received", "decided_nil"], id="a nil decision"),
        pytest.param([APPROVED, INSTRUCTED, CONFIRMED], [], id="the report was skipped: nobody to tell"),
    ],
)
def test_events_owe_these_notices(events: list[Event], owed: list[str]) -> None:
    _, notices = followed(events)

    assert kinds_of(notices) == owed


@pytest.mark.parametrize("reason", list(HoldReason))
def test_a_hold_is_told_only_where_the_customer_can_do_something(reason: HoldReason) -> None:
    _, notices = followed([REPORT, APPROVED, a_payment_held(reason=reason)])

    told = reason in (HoldReason.account_missing, HoldReason.account_in_doubt)
    assert kinds_of(notices) == (["received", "payment_held"] if told else ["received"])


@pytest.mark.parametrize("code, told", [("AC04", True), ("AC01", True), ("AM04", False), ("NARR", False)])
def test_a_rejection_is_told_where_the_account_is_the_reason(code: str, told: bool) -> None:
    _, notices = followed([REPORT, APPROVED, INSTRUCTED, a_payment_rejected(code=code)])

    assert kinds_of(notices)[2:] == (["payment_held"] if told else [])


def test_who_was_asked_for_an_account_is_not_told_of_the_referral_it_causes() -> None:
    _, notices = followed([REPORT, APPROVED, INSTRUCTED, a_payment_rejected(), ABOUT_PAYMENT])

    assert kinds_of(notices) == ["received", "approved", "payment_held"]


def test_a_referral_about_a_payment_is_told_when_nobody_was_asked_for_anything() -> None:
    _, notices = followed([REPORT, APPROVED, INSTRUCTED, a_payment_rejected(code="AM04"), ABOUT_PAYMENT])

    assert kinds_of(notices) == ["received", "approved", "referred"]


def test_two_decisions_are_told_each_once() -> None:
    first, second = DecisionId(an_id("first")), DecisionId(an_id("second"))
    events = [
        REPORT,
        a_payment_instructed("one", decision_id=first),
        a_payment_instructed("two", decision_id=second),
        a_payment_instructed("three", decision_id=first),
    ]

    _, notices = followed(events)

    assert [notice.decision_id for notice in notices[1:]] == [first, second]


def test_a_payment_of_the_rest_says_what_came_before_and_a_part_says_that_it_is_one() -> None:
    _, notices = followed([REPORT, *ADVANCED, PART_PAID, WHOLE, REST, REST_PAID])

    told = [(one.kind.value, one.about, one.before) for one in notices[2:]]
    assert told == [
        ("advance", None, None),
        ("paid", "partial", None),
        ("approved", None, usd("500.00")),
        ("paid", None, usd("500.00")),
    ]


def test_a_refusal_of_the_rest_is_told_with_its_reason_before_any_payment() -> None:
    _, notices = followed([REPORT, *ADVANCED, a_rest_denied()])

    explained = notices[-1].explained
    assert explained is not None and explained.reason == "The fence is not covered."
    assert (explained.payable, notices[-1].before) == (usd("500.00"), usd("500.00"))


def test_papers_are_asked_for_with_the_coverage_of_their_line() -> None:
    notice = a_notice(NoticeKind.documents_requested)

    assert [(paper.kind, paper.line_id) for paper in notice.papers[:2]] == [("repair_invoice", "1"), ("photo", None)]
    assert notice.coverages == {"1": "building"}


def test_a_message_id_follows_from_source_event_recipient_and_template_alone() -> None:
    notice = a_notice(NoticeKind.paid)

    same = a_notice(NoticeKind.paid, made_at=NOW + timedelta(days=1), amount=usd("1.00"), version=2, language="zh-CN")
    others = [
        a_notice(NoticeKind.paid, source_event_id=EventId(an_id("another"))),
        a_notice(NoticeKind.paid, recipient=a_sealed_party(subject_id=SubjectId(an_id("somebody")))),
        notice.model_copy(update={"kind": NoticeKind.approved}),
    ]

    assert same.message_id == notice.message_id
    assert len({notice.message_id, *(one.message_id for one in others)}) == 4
    assert notice.message_id == f"<{notice.notice_id}@{MESSAGE_ID_HOST}>"


def test_a_notice_of_a_payment_waits_until_the_money_is_booked_whatever_our_clock_says() -> None:
    late = a_payment_instructed(booked_at=NOW + timedelta(seconds=30))
    notice = a_notice(NoticeKind.approved)

    assert not_before(notice, late, the_rules()) == NOW + timedelta(seconds=30)
    assert INSTRUCTED.booked_at <= not_before(notice, INSTRUCTED, the_rules()) <= NOW


def test_notices_owed_at_one_instant_come_due_in_the_order_they_are_read_in() -> None:
    kinds = [NoticeKind.received, NoticeKind.referred, NoticeKind.partly_approved, NoticeKind.approved, NoticeKind.paid]

    due = [not_before(a_notice(kind), INSTRUCTED, the_rules()) for kind in kinds]

    assert due == sorted(set(due))


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_has_a_place_in_that_order(kind: NoticeKind) -> None:
    assert NOW - timedelta(milliseconds=1) < not_before(a_notice(kind), REPORT, the_rules()) < NOW


def test_an_approval_may_wait_for_the_bank_and_a_reduction_may_not() -> None:
    rules = the_rules().model_copy(update={"approved_wait_seconds": 60})

    assert not_before(a_notice(NoticeKind.approved), INSTRUCTED, rules) > NOW + timedelta(seconds=59)
    assert not_before(a_notice(NoticeKind.partly_approved), INSTRUCTED, rules) < NOW


def test_a_notice_names_day_and_deadline_in_the_zone_of_the_loss() -> None:
    notice = a_notice(NoticeKind.received)

    assert notice.loss_on == date(2012, 10, 29)
    assert notice.by_on == date(2026, 1, 1) + timedelta(days=the_rules().kinds[NoticeKind.received].by_days)


def test_an_unknown_zone_falls_back_to_utc() -> None:
    claim, _ = followed([a_claim_reported(loss_zone="Mars/Olympus")])

    assert claim.loss_on == date(2012, 10, 29)


def test_an_event_that_changes_nothing_gives_back_the_same_claim() -> None:
    claim, _ = followed([REPORT])
    cause = Cause(EventId(an_id("closing")), a_claim_id(), NOW)

    after, _ = follow(claim, a_claim_closed(), cause, the_rules())

    assert after is claim


def test_what_is_known_of_a_claim_survives_the_way_through_json() -> None:
    claim, notices = followed([REPORT, PARTLY, INSTRUCTED, CONFIRMED])

    assert ClaimNotices.model_validate_json(claim.model_dump_json(exclude_defaults=True)) == claim
    assert all(type(one).model_validate_json(one.model_dump_json(exclude_none=True)) == one for one in notices)


def test_decisions_and_payments_kept_of_a_claim_are_bounded() -> None:
    events: list[Event] = [REPORT]
    for number in range(150):
        decision = DecisionId(an_id(f"decision:{number}"))
        events.append(a_payment_instructed(f"payment:{number}", decision_id=decision, booked_at=REPORTED_AT))

    claim, _ = followed(events)

    assert (len(claim.payments), len(claim.announced)) == (100, 20)


def test_the_stories_of_these_tests_cover_every_handled_type() -> None:
    handled = {type(event) for events in STORIES.values() for event in events} | {
        type(REPORT),
        type(a_payment_rejected()),
    }

    assert handled == set(HANDLED)
