"""The payment stage over the log and store in memory: each approval is booked, instructed and settled once."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

import pytest

from privacy.wiring import memory_sealer_with_ring
from schemas.assessment import ClaimDenied, ClaimOutcome
from schemas.decision import Override, ReserveLine
from schemas.ids import end_to_end_id
from schemas.money import Money
from schemas.party import Account
from schemas.payment import HoldReason, PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentKind, PaymentRejected
from services.payment.domain.bank import BankReply, CreditTransfer
from services.payment.domain.files import PaymentStatus
from tests.builders.events import (
    a_claim_approved,
    a_claim_id,
    a_claim_reported,
    a_claim_withdrawn,
    a_decision,
    a_person,
    an_id,
    usd,
)
from tests.builders.payments import BankInProcess, Fate, PaymentHouse, SteppedClock, a_party, a_payment_house

pytestmark = pytest.mark.asyncio


async def test_an_approved_claim_is_booked_instructed_and_confirmed() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve(payable="1200.00")

        await house.settle()

        [instructed, confirmed] = house.told()
        assert isinstance(instructed, PaymentInstructed) and isinstance(confirmed, PaymentConfirmed)
        assert instructed.amount == confirmed.amount == usd("1200.00")
        assert instructed.end_to_end_id == end_to_end_id(instructed.payment_id, 1) == confirmed.end_to_end_id
        assert house.bank.executed == [instructed.end_to_end_id]
        assert await house.totals() == {("claims-incurred", "USD"): 120_000, ("bank", "USD"): -120_000}


async def test_the_booking_stands_before_the_bank_hears_of_it() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve()

        await house.engine.run_dry()

        assert house.bank.executed == []
        assert (await house.totals())["bank-clearing", "USD"] == -120_000
        [payment] = (await house.file()).payments
        assert payment.status is PaymentStatus.instructed


async def test_the_statement_of_a_claim_shows_reserve_payable_instructed_paid() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve()
        await house.settle()

        async with house.store.begin() as tx:
            lines = await house.ledger.statement(a_claim_id(), tx)

        assert [(line.purpose, line.account, line.amount_minor) for line in lines] == [
            ("reserve", "claims-incurred", 120_000),
            ("reserve", "reserves:building", -120_000),
            ("payable", "claims-payable", -120_000),
            ("payable", "reserves:building", 120_000),
            ("instructed", "bank-clearing", -120_000),
            ("instructed", "claims-payable", 120_000),
            ("paid", "bank", -120_000),
            ("paid", "bank-clearing", 120_000),
        ]


async def test_an_advance_and_the_rest_are_paid_from_the_reserve_set_at_registration() -> None:
    async with a_payment_house() as house:
        await house.report_and_reserve(reserve="900.00")
        house.tell_of_advance(payable="300.00", reserve="900.00")
        await house.settle()
        assert await house.totals() == {
            ("claims-incurred", "USD"): 90_000,
            ("reserves:building", "USD"): -60_000,
            ("bank", "USD"): -30_000,
        }
        house.tell_of_approval(payable="700.00")

        await house.settle()

        told = [(one.kind, one.amount.to_text()) for one in house.told(PaymentInstructed)]
        assert told == [(PaymentKind.partial, "300.00"), (PaymentKind.final, "400.00")]
        assert Money.total((one.amount for one in house.told(PaymentConfirmed)), "USD") == usd("700.00")
        assert await house.totals() == {("claims-incurred", "USD"): 70_000, ("bank", "USD"): -70_000}


async def test_the_whole_log_of_an_advance_delivered_again_posts_nothing_twice() -> None:
    async with a_payment_house() as house:
        await house.report_and_reserve()
        house.tell_of_advance()
        house.tell_of_approval()
        house.tell_of_close()
        await house.settle()
        before = await house.totals()

        await house.restart()
        for place in house.engine.next:
            house.engine.next[place] = 0
        await house.settle()

        assert len(house.bank.executed) == 2
        assert await house.totals() == before


async def test_a_rejected_advance_is_part_of_the_final_payment() -> None:
    closed = Account(holder="Ada Example", account_number="0009990004", country="US")
    async with a_payment_house() as house:
        await house.report_and_reserve(party=a_party(account=closed))
        house.tell_of_advance(payable="300.00")
        await house.settle()
        house.tell_of_approval(payable="700.00")

        await house.settle()

        told = [(one.kind, one.amount.to_text()) for one in house.told(PaymentInstructed)]
        assert told == [(PaymentKind.partial, "300.00"), (PaymentKind.final, "700.00")]


async def test_a_final_decision_below_the_advance_tells_nothing() -> None:
    async with a_payment_house() as house:
        await house.report_and_reserve()
        house.tell_of_advance(payable="300.00")
        await house.settle()
        house.tell_of_approval(payable="200.00")

        await house.settle()

        assert len(house.told()) == 2
        assert await house.totals() == {("claims-incurred", "USD"): 30_000, ("bank", "USD"): -30_000}


@pytest.mark.parametrize("outcome", list(ClaimOutcome))
async def test_a_closed_claim_has_nothing_in_its_reserve_accounts(outcome: ClaimOutcome) -> None:
    async with a_payment_house() as house:
        await house.report_and_reserve()
        house.tell_of_advance(payable="300.00")
        await house.settle()
        house.tell_of_close(outcome=outcome)

        await house.settle()

        assert await house.totals() == {("claims-incurred", "USD"): 30_000, ("bank", "USD"): -30_000}
        assert (await house.file()).reserves == ()


async def test_a_withdrawal_that_assessment_has_not_judged_releases_nothing() -> None:
    async with a_payment_house() as house:
        await house.report_and_reserve(reserve="900.00")
        house.tell(a_claim_withdrawn())

        await house.settle()

        assert (await house.totals())["reserves:building", "USD"] == -90_000


async def test_what_the_bank_refused_stays_owed_when_a_claim_closes_as_paid_and_goes_back_when_it_is_withdrawn() -> (
    None
):
    closed = Account(holder="Ada Example", account_number="0009990004", country="US")
    async with a_payment_house() as house:
        for number in (1, 2):
            await house.report_and_reserve(number, party=a_party(account=closed))
            house.tell_of_advance(number, payable="300.00")
        await house.settle()
        house.tell_of_close(1, ClaimOutcome.paid)
        house.tell_of_close(2, ClaimOutcome.withdrawn)

        await house.settle()

        assert await house.totals() == {("claims-incurred", "USD"): 30_000, ("claims-payable", "USD"): -30_000}


async def test_the_whole_log_delivered_again_pays_nobody_twice() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve(count=5)
        await house.settle()
        before = await house.totals()

        await house.restart()
        for place in house.engine.next:
            house.engine.next[place] = 0
        await house.settle()

        assert len(house.bank.executed) == 5
        assert await house.totals() == before


async def test_a_second_approval_of_the_same_decision_changes_nothing() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve()
        house.tell(a_claim_approved(a_decision(name="decision-1")))

        await house.settle()

        assert len(house.told(PaymentInstructed)) == 1
        assert len(house.bank.executed) == 1


async def test_another_decision_for_a_claim_that_was_paid_is_held() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve()
        await house.settle()
        house.tell(a_claim_approved(a_decision("50.00", name="another")))

        await house.settle()

        [held] = house.told(PaymentHeld)
        assert held.reason is HoldReason.approval_differs
        assert len(house.bank.executed) == 1


async def test_a_closed_account_is_rejected_and_the_money_is_payable_again() -> None:
    closed = Account(holder="Ada Example", account_number="0009990004", country="US")
    async with a_payment_house() as house:
        await house.report_and_approve(party=a_party(account=closed))

        await house.settle()

        [rejected] = house.told(PaymentRejected)
        assert (rejected.code, rejected.reason) == ("AC04", "the account is closed")
        assert await house.totals() == {("claims-incurred", "USD"): 120_000, ("claims-payable", "USD"): -120_000}


async def test_a_new_decision_after_a_rejection_releases_the_old_booking_and_is_instructed() -> None:
    blocked = Account(holder="Ada Example", account_number="0009990006", country="US")
    async with a_payment_house() as house:
        await house.report_and_approve(party=a_party(account=blocked))
        await house.settle()
        house.tell(a_claim_approved(a_decision("700.00", name="decision after the rejection")))

        await house.settle()

        assert [payment.status for payment in (await house.file()).payments] == [
            PaymentStatus.superseded,
            PaymentStatus.rejected,
        ]
        assert await house.totals() == {("claims-incurred", "USD"): 70_000, ("claims-payable", "USD"): -70_000}


async def test_a_denial_after_a_rejection_releases_what_was_booked() -> None:
    blocked = Account(holder="Ada Example", account_number="0009990006", country="US")
    denied = ClaimDenied(
        person=a_person(), reason="not covered", clause_id="A.1", fact="the loss was no flood", appeal="write to us"
    )
    async with a_payment_house() as house:
        await house.report_and_approve(party=a_party(account=blocked))
        await house.settle()
        house.tell(denied)

        await house.settle()

        assert await house.totals() == {}


async def test_a_denial_while_a_payment_is_on_its_way_changes_nothing() -> None:
    denied = ClaimDenied(
        person=a_person(), reason="not covered", clause_id="A.1", fact="the loss was no flood", appeal="write to us"
    )
    async with a_payment_house() as house:
        await house.report_and_approve()
        house.tell(denied)

        await house.settle()

        assert (await house.totals())["bank", "USD"] == -120_000


async def test_a_payee_without_account_is_held_and_nothing_is_sent() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve(party=a_party(account=None))

        await house.settle()

        assert [held.reason for held in house.told(PaymentHeld)] == [HoldReason.account_missing]
        assert len(house.bank.book) == 0
        assert (await house.totals())["claims-payable", "USD"] == -120_000


async def test_a_box_moved_from_another_person_is_held_as_unreadable() -> None:
    async with a_payment_house() as house:
        ada, eve = await house.sealed(name="ada"), await house.sealed(name="eve")
        forged = ada.model_copy(update={"box": eve.box})
        house.tell(a_claim_reported(reporter=forged))
        house.tell(a_claim_approved(), after={"intake": 1})

        await house.settle()

        assert [held.reason for held in house.told(PaymentHeld)] == [HoldReason.payee_unreadable]


async def test_the_payee_is_paid_rather_than_the_reporter() -> None:
    async with a_payment_house() as house:
        reporter = await house.sealed(a_party(account=None), "reporter")
        payee = await house.sealed(a_party(), "payee")
        house.tell(a_claim_reported(reporter=reporter, payee=payee))
        house.tell(a_claim_approved(), after={"intake": 1})

        await house.settle()

        assert len(house.told(PaymentConfirmed)) == 1


async def test_an_amount_set_by_a_person_is_taken_from_all_reserves_in_proportion() -> None:
    override = Override(computed=usd("1200.00"), final=usd("1000.01"), reason="as agreed", person=a_person())
    decision = a_decision("1200.00").model_copy(update={"payable": usd("1000.01"), "override": override})
    reserves = (
        ReserveLine(coverage_code="building", amount=usd("900.00")),
        ReserveLine(coverage_code="contents", amount=usd("300.00")),
    )
    async with a_payment_house() as house:
        house.tell(a_claim_reported(reporter=await house.sealed()))
        house.tell(a_claim_approved(decision, reserves=reserves, approved_by=a_person()), after={"intake": 1})

        await house.settle()

        totals = await house.totals()
        assert house.told(PaymentConfirmed)[0].amount == usd("1000.01")
        assert totals["reserves:building", "USD"] == -(90_000 - 75_001)
        assert totals["reserves:contents", "USD"] == -(30_000 - 25_000)


async def test_a_coverage_without_reserve_of_its_own_is_held() -> None:
    reserves = (ReserveLine(coverage_code="contents", amount=usd("5000.00")),)
    async with a_payment_house() as house:
        house.tell(a_claim_reported(reporter=await house.sealed()))
        house.tell(a_claim_approved(reserves=reserves), after={"intake": 1})

        await house.settle()

        assert [held.reason for held in house.told(PaymentHeld)] == [HoldReason.reserve_missing]
        assert await house.totals() == {}


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_becomes_of_requests_every_payment_is_executed_once(seed: int) -> None:
    chance = random.Random(seed)
    fates: list[Fate] = ["answered", "lost before", "lost after", "busy"]
    async with a_payment_house() as house:
        house.bank.fate = lambda: chance.choice(fates)
        await house.report_and_approve(count=20, payable="0.01")

        await house.settle(steps_max=200)

        assert len(house.bank.executed) == len(set(house.bank.executed)) == len(house.told(PaymentConfirmed)) == 20
        assert await house.totals() == {("claims-incurred", "USD"): 20, ("bank", "USD"): -20}


async def test_a_payment_without_answer_is_in_doubt_and_never_sent_under_another_id() -> None:
    async with a_payment_house() as house:
        house.bank.fate = lambda: "lost after"
        await house.report_and_approve()
        await house.engine.run_dry()
        [effect] = house.stage.effects

        for _ in range(30):
            await house.dispatcher.step(effect)
            house.clock.advance(timedelta(seconds=61))

        [payment] = (await house.file()).payments
        assert payment.status is PaymentStatus.in_doubt
        assert len(house.bank.book) == 1
        assert [type(event) for event in house.told()] == [PaymentInstructed]

        house.bank.fate = lambda: "answered"
        await house.settle()
        assert len(house.told(PaymentConfirmed)) == 1
        assert len(house.bank.book) == 1


async def test_what_the_bank_paid_otherwise_stands_in_suspense_and_a_person_is_asked() -> None:
    async with a_payment_house() as house:
        await house.report_and_approve(payable="1200.00")
        await house.engine.run_dry()
        [payment] = (await house.file()).payments
        assert payment.instruction is not None
        await _paid_otherwise(house, payment.instruction.end_to_end_id, Money(100_000, "USD"))

        await house.settle()

        assert [held.reason for held in house.told(PaymentHeld)] == [HoldReason.account_in_doubt]
        assert await house.totals() == {
            ("claims-incurred", "USD"): 120_000,
            ("bank", "USD"): -100_000,
            ("suspense", "USD"): -20_000,
        }


async def _paid_otherwise(house: PaymentHouse, one: str, amount: Money) -> None:
    """The first answer is lost; the bank's record then shows another amount than was asked."""
    account = {"name": "Ada Example", "account_number": "000123456789", "bank_code": "021000021", "country": "US"}
    order = {"end_to_end_id": one, "amount": amount.to_text(), "currency": amount.currency, "creditor": account}
    house.bank.book.execute([order], house.clock.now())
    house.bank.fate = lambda: "lost before"
    [effect] = house.stage.effects
    await house.dispatcher.step(effect)
    house.bank.fate = lambda: "answered"


async def test_a_payee_erased_before_sending_is_held_and_the_totals_stay() -> None:
    sealer, ring = memory_sealer_with_ring(random.Random(5).randbytes)
    async with a_payment_house(sealer=sealer) as house:
        await house.report_and_approve()
        await house.engine.run_dry()
        await ring.destroy(an_id("subject:reporter"), house.clock.now())

        await house.settle()

        assert [held.reason for held in house.told(PaymentHeld)] == [HoldReason.payee_erased]
        assert len(house.bank.book) == 0
        assert (await house.totals())["claims-payable", "USD"] == -120_000


async def test_a_payee_erased_while_in_doubt_is_still_confirmed_by_the_banks_record() -> None:
    sealer, ring = memory_sealer_with_ring(random.Random(5).randbytes)
    async with a_payment_house(sealer=sealer) as house:
        house.bank.fate = lambda: "lost after"
        await house.report_and_approve()
        await house.engine.run_dry()
        await house.dispatcher.step(house.stage.effects[0])
        await ring.destroy(an_id("subject:reporter"), house.clock.now())
        house.bank.fate = lambda: "answered"

        await house.settle()

        assert len(house.told(PaymentConfirmed)) == 1 and not house.told(PaymentHeld)


class BankThatOutlastsTheLease(BankInProcess):
    """While the first request is with the bank, its lease ends and a second process takes the same work up."""

    successor: Callable[[], Awaitable[int]] | None = None

    async def instruct_many(self, orders: Sequence[CreditTransfer]) -> list[BankReply]:
        successor, self.successor = self.successor, None
        replies = await super().instruct_many(orders)
        if successor is not None:
            self._clock.advance(timedelta(seconds=31))
            await successor()
        return replies


async def test_a_process_whose_lease_ended_during_the_call_records_nothing_any_more() -> None:
    clock = SteppedClock()
    bank = BankThatOutlastsTheLease(clock)
    async with a_payment_house(gateway=bank, clock=clock) as house:
        await house.report_and_approve()
        await house.engine.run_dry()
        [effect] = house.stage.effects
        bank.successor = partial(house.dispatcher.step, effect)

        taken = await house.dispatcher.step(effect)

        assert taken == 1 and await house.pending() == 0
        assert len(bank.executed) == len(house.told(PaymentConfirmed)) == 1
        assert await house.totals() == {("claims-incurred", "USD"): 120_000, ("bank", "USD"): -120_000}
