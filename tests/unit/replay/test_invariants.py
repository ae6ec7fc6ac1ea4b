"""The auditor: a good history passes, and each way of breaking a promise is found under its invariant's name."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from local.replay.evidence import Delivered, Evidence, Executed, Posting, Seen, take_event, take_other
from local.replay.invariants import INVARIANTS, audit, standing
from messaging.record import Record
from schemas.assessment import ClaimDecidedNil, ClaimDenied, ReferralReason
from schemas.decision import DecisionKind
from schemas.envelope import Envelope
from schemas.event import Event
from schemas.ids import ClaimId, DecisionId, EventId, LedgerTransferId, SubjectId
from schemas.notify import NoticeChannel, NoticeFailed, NoticeFailure, NoticeKind, NoticeSent
from schemas.topics import topic_of
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_claim_withdrawn,
    a_decision,
    a_payment_confirmed,
    a_payment_instructed,
    a_person,
    a_reserve_set,
    an_advance_approved,
    an_id,
    documents_received,
    documents_requested,
    on_the_wire,
    usd,
)

CLAIM = a_claim_id(1)
TRANSFER, REST = LedgerTransferId(an_id("transfer")), LedgerTransferId(an_id("rest"))
ADVANCE = DecisionId(an_id("advance"))
BOOKED_AT = REPORTED_AT


def a_record(event: Event, sequence: int, claim: ClaimId = CLAIM, **changes: Any) -> Record:
    key, value, headers = on_the_wire(event, claim, sequence, **changes)
    return Record(topic_of(event.WRITER), 0, sequence, 1_700_000_000_000 + sequence, key, value, headers)


def a_paid_history() -> Evidence:
    instructed = a_payment_instructed(ledger_transfer_id=TRANSFER, booked_at=BOOKED_AT)
    confirmed = a_payment_confirmed(end_to_end_id=instructed.end_to_end_id, amount=instructed.amount)
    evidence = Evidence(acknowledged={str(CLAIM): REPORTED_AT})
    told = a_record(instructed, 1, after={"intake": 1, "assessment": 2})
    for record in (
        a_record(a_claim_reported(CLAIM), 1),
        a_record(a_claim_registered(), 1),
        a_record(a_claim_approved(), 2),
        told,
        a_record(confirmed, 2),
        a_record(a_claim_closed(), 3),
    ):
        take_event(evidence, record)
    minor = instructed.amount.amount_minor
    evidence.postings = [
        a_posting("instructed", "claims-payable", minor),
        a_posting("instructed", "bank-clearing", -minor),
        a_posting("paid", "bank-clearing", minor, "paid"),
        a_posting("paid", "bank", -minor, "paid"),
    ]
    evidence.bank = [Executed(instructed.end_to_end_id, "executed", instructed.amount.to_text(), "USD")]
    event_id = str(Envelope.from_headers(told.headers).id)
    received_at = BOOKED_AT + timedelta(seconds=1)
    evidence.mails = [Delivered("<1@example>", str(CLAIM), event_id, "approved", received_at)]
    return evidence


def a_told_history() -> Evidence:
    """A paid history in which everything owed by mail was told; approved was left out, since the bank was quicker."""
    evidence = a_paid_history()
    evidence.mails, evidence.mail_since = [], BOOKED_AT - timedelta(days=1)
    tell(evidence, the_event(evidence, "ClaimReported"), NoticeKind.received)
    tell(evidence, the_event(evidence, "PaymentConfirmed"), NoticeKind.paid)
    return evidence


def the_event(evidence: Evidence, name: str) -> Seen:
    return [event for event in evidence.events if event.name == name][-1]


def tell(evidence: Evidence, about: Seen, kind: NoticeKind, failed: bool = False) -> None:
    """Notify says that this notice went out, or that it will not."""
    fields: dict[str, Any] = {
        "source_event_id": EventId(UUID(about.event_id)),
        "kind": kind,
        "channel": NoticeChannel.mail,
        "template": kind.value,
        "template_version": 1,
        "language": "en",
        "recipient_subject_id": SubjectId(an_id("reporter")),
        "attempt": 1,
    }
    if failed:
        add(evidence, NoticeFailed(**fields, reason=NoticeFailure.address_missing), ClaimId(about.claim_id))
    else:
        add(evidence, NoticeSent(**fields, message_id="<1@notices.example>"), ClaimId(about.claim_id))


def add(evidence: Evidence, event: Event, claim: ClaimId = CLAIM) -> Seen:
    number = sum(one.writer == event.WRITER and one.claim_id == str(claim) for one in evidence.events) + 1
    take_event(evidence, a_record(event, number, claim))
    return evidence.events[-1]


def missing(evidence: Evidence) -> list[tuple[str, str]]:
    """What is said to be missing: claim and words."""
    return [(one.subject, one.words) for one in audit(evidence).findings if one.may_come]


def a_posting(purpose: str, account: str, minor: int, transfer: str = "") -> Posting:
    return Posting(transfer or str(TRANSFER), str(CLAIM), purpose, BOOKED_AT, account, "USD", minor)


def test_a_paid_claim_told_once_breaks_nothing() -> None:
    verdict = audit(a_paid_history())

    assert verdict.findings == ()
    assert verdict.counts["state closed"] == 1


def test_second_copies_and_repeated_mails_are_counted_and_allowed() -> None:
    evidence = a_paid_history()
    evidence.events.append(evidence.events[0])
    evidence.mails.append(evidence.mails[0])

    verdict = audit(evidence)

    assert verdict.holds
    assert verdict.counts["second copies of events"] == verdict.counts["mail repeats"] == 1


def lose_the_report(evidence: Evidence) -> None:
    evidence.acknowledged[str(a_claim_id(2))] = REPORTED_AT


def stop_half_way(evidence: Evidence) -> None:
    del evidence.events[2:]
    evidence.postings, evidence.bank, evidence.mails = [], [], []


def pay_twice_at_the_bank(evidence: Evidence) -> None:
    evidence.bank.append(evidence.bank[0])


def pay_what_nobody_instructed(evidence: Evidence) -> None:
    evidence.bank.append(Executed("f" * 32, "executed", "1.00", "USD"))


def book_without_telling(evidence: Evidence) -> None:
    evidence.postings += [
        a_posting("instructed", "claims-payable", 5, "other"),
        a_posting("instructed", "bank-clearing", -5, "other"),
    ]


def unbalance_a_transfer(evidence: Evidence) -> None:
    evidence.postings[0] = evidence.postings[0]._replace(amount_minor=evidence.postings[0].amount_minor + 1)


def let_the_bank_pay_more(evidence: Evidence) -> None:
    evidence.bank[0] = evidence.bank[0]._replace(amount="999999.00")


def forget_the_payment_in_the_ledger(evidence: Evidence) -> None:
    evidence.postings = evidence.postings[:2]
    evidence.bank = []


def tell_before_the_booking(evidence: Evidence) -> None:
    evidence.mails[0] = evidence.mails[0]._replace(received_at=BOOKED_AT - timedelta(seconds=1))


def tell_under_two_message_ids(evidence: Evidence) -> None:
    evidence.mails.append(evidence.mails[0]._replace(message_id="<2@example>"))


def tell_of_nothing(evidence: Evidence) -> None:
    evidence.mails.append(
        evidence.mails[0]._replace(message_id="<3@example>", event_id="not-an-event", kind="referred")
    )


def swap_two_events(evidence: Evidence) -> None:
    evidence.events[1], evidence.events[2] = evidence.events[2], evidence.events[1]


def change_a_second_copy(evidence: Evidence) -> None:
    evidence.events.append(evidence.events[0]._replace(digest=evidence.events[0].digest + 1))


def follow_what_is_missing(evidence: Evidence) -> None:
    evidence.events[3] = evidence.events[3]._replace(after={"ops": 1})


def refuse_by_software(evidence: Evidence) -> None:
    denied = ClaimDenied(person=a_person(), reason="r", clause_id="c", fact="f", appeal="a")
    take_event(evidence, a_record(a_claim_reported(a_claim_id(3)), 1, a_claim_id(3)))
    take_event(evidence, a_record(denied, 1, a_claim_id(3)))
    take_event(evidence, a_record(a_claim_closed(outcome="denied", paid=None), 2, a_claim_id(3)))


def instruct_without_an_approval(evidence: Evidence) -> None:
    del evidence.events[2]


def approve_less_than_was_instructed(evidence: Evidence) -> None:
    approve_instead(evidence, "1199.99")


def decide_more_than_was_paid(evidence: Evidence) -> None:
    approve_instead(evidence, "1200.01")


def approve_instead(evidence: Evidence, payable: str) -> None:
    other = Evidence()
    take_event(other, a_record(a_claim_approved(a_decision(payable)), 2))
    evidence.events[2] = other.events[0]


def close_with_another_sum(evidence: Evidence) -> None:
    other = Evidence()
    take_event(other, a_record(a_claim_closed(paid=usd("1200.01")), 3))
    evidence.events[5] = other.events[0]


def pay_the_whole_beside_an_advance(evidence: Evidence) -> None:
    take_event(evidence, a_record(an_advance_approved(a_decision("100.00", name="advance")), 4))
    advance = a_payment_instructed("advance", kind="partial", amount=usd("100.00"), decision_id=ADVANCE)
    take_event(evidence, a_record(advance, 3))


def leave_a_reserve_on_a_closed_claim(evidence: Evidence) -> None:
    evidence.postings += [
        a_posting("reserve", "claims-incurred", 5, "reserve"),
        a_posting("reserve", "reserves:building", -5, "reserve"),
    ]


@pytest.mark.parametrize(
    ("broken", "invariant"),
    [
        (lose_the_report, "I1"),
        (stop_half_way, "I1"),
        (pay_twice_at_the_bank, "I2"),
        (pay_what_nobody_instructed, "I2"),
        (book_without_telling, "I2"),
        (instruct_without_an_approval, "I2"),
        (approve_less_than_was_instructed, "I2"),
        (decide_more_than_was_paid, "I2"),
        (close_with_another_sum, "I2"),
        (pay_the_whole_beside_an_advance, "I2"),
        (leave_a_reserve_on_a_closed_claim, "I3"),
        (unbalance_a_transfer, "I3"),
        (let_the_bank_pay_more, "I3"),
        (forget_the_payment_in_the_ledger, "I3"),
        (tell_before_the_booking, "I4"),
        (tell_under_two_message_ids, "I4"),
        (tell_of_nothing, "I4"),
        (swap_two_events, "I5"),
        (change_a_second_copy, "I5"),
        (follow_what_is_missing, "I5"),
        (refuse_by_software, "I5"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_broken_promise_is_found(broken: Callable[[Evidence], None], invariant: str) -> None:
    evidence = deepcopy(a_paid_history())

    broken(evidence)

    assert invariant in {finding.invariant for finding in audit(evidence).findings}
    assert invariant in INVARIANTS


def an_advanced_history(final: str, rest: str | None) -> Evidence:
    """An advance of 400.00 confirmed, then the whole decided, and the rest paid if there was one."""
    advance = a_payment_instructed(
        "advance",
        kind="partial",
        amount=usd("400.00"),
        decision_id=ADVANCE,
        ledger_transfer_id=TRANSFER,
    )
    confirmed = [a_payment_confirmed("advance", amount=advance.amount)]
    rests = [] if rest is None else [a_payment_instructed(amount=usd(rest), ledger_transfer_id=REST)]
    confirmed += [a_payment_confirmed(amount=one.amount) for one in rests]
    evidence = Evidence(acknowledged={str(CLAIM): REPORTED_AT})
    numbers: dict[str, int] = {}
    paid = usd("400.00") if rest is None else usd(rest) + usd("400.00")
    for event in (
        a_claim_reported(CLAIM),
        a_claim_registered(),
        a_reserve_set(),
        an_advance_approved(a_decision("400.00", name="advance")),
        advance,
        a_claim_approved(a_decision(final)),
        *rests,
        *confirmed,
        a_claim_closed(paid=paid),
    ):
        numbers[event.WRITER] = numbers.get(event.WRITER, 0) + 1
        take_event(evidence, a_record(event, numbers[event.WRITER]))
    for one in (advance, *rests):
        minor, transfer = one.amount.amount_minor, str(one.ledger_transfer_id)
        evidence.postings += [
            a_posting("instructed", "claims-payable", minor, transfer),
            a_posting("instructed", "bank-clearing", -minor, transfer),
            a_posting("paid", "bank-clearing", minor, f"paid {transfer}"),
            a_posting("paid", "bank", -minor, f"paid {transfer}"),
        ]
        evidence.bank.append(Executed(one.end_to_end_id, "executed", one.amount.to_text(), "USD"))
    return evidence


@pytest.mark.parametrize(("final", "rest"), [("1200.00", "800.00"), ("400.00", None), ("300.00", None)])
def test_an_advance_and_the_rest_are_what_was_decided_or_what_was_advanced(final: str, rest: str | None) -> None:
    assert audit(an_advanced_history(final, rest)).findings == ()


def test_a_rest_that_forgets_the_advance_is_found() -> None:
    found = audit(an_advanced_history("1200.00", "1200.00")).findings

    assert {finding.invariant for finding in found} == {"I2"}


def test_the_reserve_of_a_claim_that_is_open_may_stand() -> None:
    evidence = a_paid_history()
    leave_a_reserve_on_a_closed_claim(evidence)
    del evidence.events[5]
    evidence.parked["payment:x"] = str(CLAIM)

    assert audit(evidence).holds


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([a_claim_reported(CLAIM), a_claim_referred(), an_advance_approved(), a_reserve_set()], "referred"),
        ([a_claim_reported(CLAIM), documents_requested("a", "b")], "awaiting_documents"),
        ([a_claim_reported(CLAIM), documents_requested("a", "b"), documents_received("a")], "awaiting_documents"),
        (
            [
                a_claim_reported(CLAIM),
                documents_requested("a", "b"),
                documents_received("a"),
                documents_received("b"),
            ],
            "in_flight",
        ),
        ([a_claim_reported(CLAIM), documents_requested("a"), a_claim_withdrawn()], "in_flight"),
        ([a_claim_reported(CLAIM)], "in_flight"),
        ([a_claim_reported(CLAIM), a_claim_registered(), a_claim_referred()], "referred"),
        ([a_claim_registered()], "in_flight"),
    ],
)
def test_where_a_claim_stands_follows_from_its_events(events: list[Event], state: str) -> None:
    evidence = Evidence()
    numbers: dict[str, int] = {}
    for event in events:
        numbers[event.WRITER] = numbers.get(event.WRITER, 0) + 1
        after = {"intake": numbers["intake"]} if event.WRITER == "assessment" and "intake" in numbers else {}
        take_event(evidence, a_record(event, numbers[event.WRITER], after=after))

    assert standing(evidence.events) == state


def test_a_parked_claim_is_not_lost_and_one_taken_up_again_is_no_longer_parked() -> None:
    evidence = a_paid_history()
    stop_half_way(evidence)
    parked = Record("claims.payment.status.v1", 0, 0, 0, f"parked:payment:{CLAIM}".encode(), b"{}", ())

    take_other(evidence, parked)
    held = audit(evidence)
    take_other(evidence, parked._replace(value=None))
    lost = audit(evidence)

    assert held.holds
    assert not lost.holds


def test_a_record_nobody_understands_is_named() -> None:
    evidence = Evidence()

    take_event(evidence, Record("claims.intake.v1", 3, 7, 0, b"k", b"v", ()))

    assert evidence.unreadable == ["claims.intake.v1-3@7"]


def test_a_history_in_which_everything_owed_was_told_breaks_nothing() -> None:
    verdict = audit(a_told_history())

    assert verdict.findings == ()
    assert verdict.counts["notices owed"] == 2


@pytest.mark.parametrize(("kind", "event"), [("received", "ClaimReported"), ("paid", "PaymentConfirmed")])
def test_a_notice_that_is_missing_is_found(kind: str, event: str) -> None:
    evidence = a_told_history()
    evidence.events = [
        one
        for one in evidence.events
        if one.name != "NoticeSent" or (one.data is not None and one.data["kind"] != kind)
    ]

    assert missing(evidence) == [(str(CLAIM), f"{event} owes the notice {kind}, which was not told")]


def test_what_only_misses_notices_may_come_right_and_what_is_wrong_does_not() -> None:
    late, wrong = a_told_history(), a_told_history()
    late.events = wrong.events = [one for one in late.events if one.name != "NoticeSent"]
    pay_twice_at_the_bank(wrong)

    assert audit(late).may_come_right
    assert not audit(wrong).may_come_right and not audit(a_told_history()).may_come_right


def test_a_notice_that_notify_gave_up_with_a_reason_is_not_missing() -> None:
    evidence = a_told_history()
    evidence.events = [one for one in evidence.events if one.name != "NoticeSent"]

    tell(evidence, the_event(evidence, "ClaimReported"), NoticeKind.received, failed=True)
    tell(evidence, the_event(evidence, "PaymentConfirmed"), NoticeKind.paid, failed=True)

    assert missing(evidence) == []


def test_an_approval_may_be_left_out_once_it_is_paid_and_not_before() -> None:
    evidence = a_told_history()
    paid = missing(evidence)
    evidence.events = [one for one in evidence.events if one.name not in ("PaymentConfirmed", "ClaimClosed")]
    unpaid = missing(evidence)

    tell(evidence, the_event(evidence, "PaymentInstructed"), NoticeKind.approved)

    assert (paid, missing(evidence)) == ([], [])
    assert unpaid == [(str(CLAIM), "PaymentInstructed owes the notice approved, which was not told")]


def test_a_partial_approval_is_never_left_out_and_a_decision_is_told_once() -> None:
    evidence = a_told_history()
    approved = the_event(evidence, "ClaimApproved")
    place = evidence.events.index(approved)
    evidence.events[place] = approved._replace(name="ClaimPartlyApproved")
    add(evidence, a_payment_instructed(attempt=2, end_to_end_id="e" * 32))

    words = "PaymentInstructed owes the notice partly_approved, which was not told"
    assert missing(evidence) == [(str(CLAIM), words)]


@pytest.mark.parametrize(
    ("reasons", "owed"),
    [
        (["above_automatic_limit"], True),
        (["payment_held"], False),
        (["payment_rejected", "above_automatic_limit"], True),
    ],
)
def test_a_referral_is_told_unless_it_is_about_a_payment_only(reasons: list[str], owed: bool) -> None:
    evidence = a_told_history()
    evidence.events = [one for one in evidence.events if one.name != "ClaimClosed"]

    add(evidence, a_claim_referred(reasons=tuple(map(ReferralReason, reasons))))

    assert bool(missing(evidence)) is owed


def test_a_denial_and_a_decision_of_nothing_are_owed() -> None:
    evidence = Evidence(mail_since=BOOKED_AT - timedelta(days=1))
    one, other = a_claim_id(4), a_claim_id(5)
    add(evidence, ClaimDenied(person=a_person(), reason="r", clause_id="c", fact="f", appeal="a"), one)
    add(
        evidence,
        ClaimDecidedNil(person=a_person(), reason="r", decision=a_decision("0.00", kind=DecisionKind.nil)),
        other,
    )

    assert missing(evidence) == [
        (str(one), "ClaimDenied owes the notice denied, which was not told"),
        (str(other), "ClaimDecidedNil owes the notice decided_nil, which was not told"),
    ]


def owed_by(*events: Event) -> list[str]:
    """What a claim's events owe beside the report."""
    evidence = Evidence(mail_since=BOOKED_AT - timedelta(days=1))
    for event in (a_claim_reported(CLAIM), *events):
        add(evidence, event)
    return [words.split()[-5].rstrip(",") for _, words in missing(evidence)][1:]


ADVANCED = a_payment_instructed("advance", kind="partial", amount=usd("400.00"), decision_id=ADVANCE)
ALL_ADVANCED = a_decision("400.00", advanced=usd("400.00"))
SAME_AGAIN = a_decision("400.00", name="again", advanced=usd("400.00"))
PAPERS_CAME = a_claim_referred(reasons=(ReferralReason.documents_received,))


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ([documents_requested("a"), documents_requested("a", round=2, reason="r")], ["documents_requested"] * 2),
        ([a_claim_referred(), a_claim_referred()], ["referred"]),
        ([a_claim_referred(), documents_requested("a"), PAPERS_CAME], ["referred", "documents_requested", "referred"]),
        ([a_claim_closed(outcome="withdrawn", paid=None)], ["withdrawn"]),
        ([a_claim_closed(outcome="duplicate", paid=None)], ["duplicate"]),
        ([a_claim_closed(outcome="nil", paid=None)], []),
        ([ADVANCED], ["advance"]),
        ([ADVANCED, a_payment_confirmed("advance", amount=usd("400.00"))], ["paid"]),
        ([ADVANCED, a_claim_approved(ALL_ADVANCED)], ["advance", "settled"]),
        (
            [ADVANCED, a_claim_approved(ALL_ADVANCED), a_payment_instructed(amount=usd("400.00"))],
            ["advance", "settled"],
        ),
        ([ADVANCED, a_claim_approved(ALL_ADVANCED), a_claim_approved(SAME_AGAIN)], ["advance", "settled"]),
        ([ADVANCED, a_claim_approved(a_decision(advanced=usd("400.00")))], ["advance"]),
    ],
)
def test_each_of_these_events_owes_its_notice_once(events: list[Event], owed: list[str]) -> None:
    assert owed_by(*events) == owed


def test_a_part_told_before_it_is_booked_is_found() -> None:
    evidence = a_paid_history()
    evidence.mails[0] = evidence.mails[0]._replace(kind="advance", received_at=BOOKED_AT - timedelta(seconds=1))

    assert "I4" in {finding.invariant for finding in audit(evidence).findings}


def test_no_notice_is_owed_where_mail_was_off_or_a_person_has_the_claim_in_hand() -> None:
    off, since_later, parked, dead = (a_told_history() for _ in range(4))
    for evidence in (off, since_later, parked, dead):
        evidence.events = [one for one in evidence.events if one.name != "NoticeSent"]

    off.mail_since = None
    since_later.mail_since = max(one.time for one in since_later.events) + timedelta(seconds=1)
    parked.parked[f"notify:{CLAIM}"] = str(CLAIM)
    dead.dead_lettered.add(str(CLAIM))

    assert [missing(evidence) for evidence in (off, since_later, parked, dead)] == [[]] * 4
    assert audit(off).counts["notices owed"] == 0
