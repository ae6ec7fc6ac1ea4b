"""What each reply of the bank does to a payment, and the laws that hold whatever replies come, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import end_to_end_id
from schemas.money import Money
from schemas.outcomes import Emit, Nothing, RetryLater
from schemas.payment import HoldReason, PaymentConfirmed, PaymentHeld, PaymentRejected
from services.payment.domain.bank import (
    AccountMissing,
    Conflict,
    Executed,
    InDoubt,
    NotSent,
    PayeeErased,
    PayeeUnreadable,
    Refused,
    Result,
)
from services.payment.domain.files import PENDING, ClaimFile, PaymentStatus
from services.payment.domain.ledger import Transfer, imbalance, totals_of
from services.payment.domain.settlement import QUIET_AFTER_TRIES, pause, settle
from tests.builders.events import REPORTED_AT, a_claim_approved, a_claim_id, a_decision, a_sealed_party, usd
from tests.builders.payments import an_order, approved

UNSENDABLE: list[Result] = [PayeeErased(), PayeeUnreadable(), AccountMissing()]


def an_instructed_file(payable: str = "1200.00", name: str = "decision") -> ClaimFile:
    told = a_claim_approved(a_decision(payable, name=name))
    file = ClaimFile(a_claim_id()).with_payee("CF-0000-0000-0000-0", a_sealed_party())
    return approved(file, told.decision, told.reserves)[1]


def executed(amount: Money) -> Executed:
    return Executed(amount, "BK000000000001", REPORTED_AT)


def test_executed_as_instructed_is_confirmed_and_leaves_clearing_for_the_bank() -> None:
    file = an_instructed_file("1200.00")

    outcome, after = settle(file, an_order(file), executed(usd("1200.00")), 1, REPORTED_AT)

    assert isinstance(outcome, Emit)
    [event] = outcome.events
    assert isinstance(event, PaymentConfirmed) and event.bank_reference == "BK000000000001"
    totals = totals_of(after.posted)
    assert (totals["bank-clearing", "USD"], totals["bank", "USD"]) == (0, -120_000)
    assert after.payments[0].status is PaymentStatus.paid


@pytest.mark.parametrize(
    ("left", "suspense"),
    [
        (usd("1200.01"), {("suspense", "USD"): 1}),
        (usd("0.01"), {("suspense", "USD"): -119_999}),
        (Money(1_200, "JPY"), {("suspense", "USD"): -120_000, ("suspense", "JPY"): 1_200}),
    ],
)
def test_executed_otherwise_goes_to_suspense_and_is_held(left: Money, suspense: dict[tuple[str, str], int]) -> None:
    file = an_instructed_file("1200.00")

    outcome, after = settle(file, an_order(file), executed(left), 1, REPORTED_AT)

    assert isinstance(outcome, Emit)
    [event] = outcome.events
    assert isinstance(event, PaymentHeld) and event.reason is HoldReason.account_in_doubt
    totals = totals_of(after.posted)
    assert imbalance(totals) == {}
    assert {place: minor for place, minor in totals.items() if place[0] == "suspense"} == suspense
    assert totals["bank", left.currency] == -left.amount_minor
    assert after.payments[0].status is PaymentStatus.disputed


def test_a_refusal_is_posted_back_and_told_in_our_words() -> None:
    file = an_instructed_file("1200.00")

    outcome, after = settle(file, an_order(file), Refused("AC04"), 1, REPORTED_AT)

    assert isinstance(outcome, Emit)
    [event] = outcome.events
    assert isinstance(event, PaymentRejected) and (event.code, event.reason) == ("AC04", "the account is closed")
    totals = totals_of(after.posted)
    assert (totals["bank-clearing", "USD"], totals["claims-payable", "USD"]) == (0, -120_000)


def test_no_answer_is_doubt_and_never_an_event() -> None:
    file = an_instructed_file()

    outcome, after = settle(file, an_order(file), InDoubt(), 3, REPORTED_AT)

    assert outcome == RetryLater("bank-in-doubt", REPORTED_AT + timedelta(seconds=4))
    assert after.payments[0].status is PaymentStatus.in_doubt
    assert after.posted == file.posted


def test_a_busy_bank_is_tried_when_it_said_and_the_payment_stays_as_it_was() -> None:
    file = an_instructed_file()

    outcome, after = settle(file, an_order(file), NotSent(timedelta(seconds=90)), 1, REPORTED_AT)

    assert outcome == RetryLater("bank-busy", REPORTED_AT + timedelta(seconds=90))
    assert after is file


def test_a_conflict_is_held_and_its_money_stays_in_clearing() -> None:
    file = an_instructed_file("1200.00")

    outcome, after = settle(file, an_order(file), Conflict(), 1, REPORTED_AT)

    assert isinstance(outcome, Emit)
    assert after.payments[0].status is PaymentStatus.disputed
    assert totals_of(after.posted)["bank-clearing", "USD"] == -120_000


@pytest.mark.parametrize("result", UNSENDABLE)
def test_what_cannot_be_sent_is_held_and_payable_again(result: Result) -> None:
    file = an_instructed_file("1200.00")

    outcome, after = settle(file, an_order(file), result, 1, REPORTED_AT)

    assert isinstance(outcome, Emit) and isinstance(outcome.events[0], PaymentHeld)
    assert after.payments[0].status is PaymentStatus.held
    assert totals_of(after.posted)["claims-payable", "USD"] == -120_000


@pytest.mark.parametrize("result", UNSENDABLE)
def test_what_cannot_be_sent_again_is_asked_for_until_nothing_can_be_on_its_way(result: Result) -> None:
    file = an_instructed_file()

    early, _ = settle(file, an_order(file), result, QUIET_AFTER_TRIES - 1, REPORTED_AT)
    late, _ = settle(file, an_order(file), result, QUIET_AFTER_TRIES, REPORTED_AT)

    assert isinstance(early, RetryLater) and isinstance(late, Emit)
    assert pause(QUIET_AFTER_TRIES - 1) >= timedelta(seconds=32)


def test_a_reply_for_an_earlier_instruction_changes_nothing() -> None:
    file = an_instructed_file()
    other = an_order(file, end_to_end_id=end_to_end_id(file.payments[0].payment_id, 2))

    assert settle(file, other, executed(usd("1200.00")), 1, REPORTED_AT) == (Nothing(), file)


def test_a_reply_for_a_payment_of_another_claim_changes_nothing() -> None:
    file, stranger = an_instructed_file(), an_instructed_file(name="another")

    assert settle(file, an_order(stranger), executed(usd("1200.00")), 1, REPORTED_AT) == (Nothing(), file)


def test_pauses_double_to_a_minute() -> None:
    assert [pause(tries) // timedelta(seconds=1) for tries in (1, 2, 3, 6, 7, 50, 10**6)] == [1, 2, 4, 32, 60, 60, 60]


AMOUNTS = st.sampled_from([usd("12.00"), usd("12.01"), Money(12, "JPY")])
RESULTS: st.SearchStrategy[Result] = st.one_of(
    AMOUNTS.map(executed),
    st.sampled_from(["AC04", "AM04", "FF01"]).map(Refused),
    st.sampled_from([Conflict(), InDoubt(), NotSent(), *UNSENDABLE]),
)


@settings(max_examples=100, deadline=None)
@given(results=st.lists(st.tuples(st.integers(1, 10), RESULTS), max_size=12))
def test_whatever_the_bank_says_the_ledger_balances_and_each_transfer_is_posted_once(
    results: list[tuple[int, Result]],
) -> None:
    file, posted, told = an_instructed_file("12.00"), list[Transfer](), 0
    posted += file.posted
    for tries, result in results:
        outcome, after = settle(replace(file, posted=()), an_order(file), result, tries, REPORTED_AT)
        posted += after.posted
        told += isinstance(outcome, Emit)
        file = after

    totals = totals_of(posted)
    assert imbalance(totals) == {}
    assert len({transfer.transfer_id for transfer in posted}) == len(posted)
    assert told <= 1
    assert told == (file.payments[0].status not in PENDING)


@settings(max_examples=100, deadline=None)
@given(results=st.lists(RESULTS, min_size=1, max_size=6))
def test_a_second_decision_after_any_replies_never_makes_two_payments_possible(results: list[Result]) -> None:
    file = an_instructed_file("12.00", "first")
    order = an_order(file)
    for result in results:
        _, file = settle(file, order, result, 1, REPORTED_AT)
    told = a_claim_approved(a_decision("12.00", name="second"))

    _, file = approved(file, told.decision, told.reserves)

    may_be_out = PENDING | {PaymentStatus.paid, PaymentStatus.disputed}
    assert sum(payment.status in may_be_out for payment in file.payments) == 1
    assert imbalance(totals_of(file.posted)) == {}
