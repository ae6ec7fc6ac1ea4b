"""Reserves move by their difference; advances and the final payment together are what was decided."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decision import CostType, Decision, DecisionLine, Override, ReserveLine
from schemas.ids import DecisionId
from schemas.money import Money
from schemas.outcomes import Emit, Nothing, Outcome
from schemas.payment import HoldReason, PaymentHeld, PaymentInstructed, PaymentKind
from services.payment.domain.approval import approve, decline, on_its_way
from services.payment.domain.bank import Executed, InDoubt, Refused, Result
from services.payment.domain.files import ON_ITS_WAY, PENDING, ClaimFile, Payment, PaymentStatus
from services.payment.domain.ledger import Purpose, imbalance, totals_of
from services.payment.domain.reserving import release, set_aside
from services.payment.domain.settlement import settle
from tests.builders.events import REPORTED_AT, a_claim_id, a_decision, a_person, a_sealed_party, an_id, usd
from tests.builders.payments import an_order, approved

LATER = REPORTED_AT + timedelta(days=3)


def a_file() -> ClaimFile:
    return ClaimFile(a_claim_id()).with_payee("CF-0000-0000-0000-0", a_sealed_party())


def reserve(coverage: str, amount: str, cost_type: CostType = CostType.indemnity) -> ReserveLine:
    return ReserveLine(coverage_code=coverage, cost_type=cost_type, amount=usd(amount))


def reserved(file: ClaimFile, *lines: ReserveLine, cause: str = "reserve set") -> ClaimFile:
    return set_aside(file, lines, an_id(cause), REPORTED_AT)


def an_advance(
    file: ClaimFile, amount: str, reserve_of: str, name: str = "advance", status: PaymentStatus | None = None
) -> ClaimFile:
    """The file with an advance instructed, and perhaps what became of it."""
    _, file = approved(file, a_decision(amount, name=name), [reserve("building", reserve_of)], PaymentKind.partial)
    results: dict[PaymentStatus, Result] = {
        PaymentStatus.paid: Executed(usd(amount), "BK1", REPORTED_AT),
        PaymentStatus.rejected: Refused("AC04"),
        PaymentStatus.in_doubt: InDoubt(),
        PaymentStatus.disputed: Executed(usd("1.00"), "BK1", REPORTED_AT),
    }
    return file if status is None else answered(file, results[status])


def answered(file: ClaimFile, result: Result) -> ClaimFile:
    return settle(file, an_order(file), result, 1, REPORTED_AT)[1]


def balance(file: ClaimFile) -> dict[str, int]:
    return {account: minor for (account, _), minor in totals_of(file.posted).items() if minor}


def the_hold(outcome: Outcome) -> HoldReason:
    assert isinstance(outcome, Emit)
    [event] = outcome.events
    assert isinstance(event, PaymentHeld)
    return event.reason


def the_instruction(outcome: Outcome) -> PaymentInstructed:
    assert isinstance(outcome, Emit)
    [event], [_] = outcome.events, outcome.work
    assert isinstance(event, PaymentInstructed)
    return event


def test_a_reserve_is_posted_before_anything_is_decided() -> None:
    file = reserved(a_file(), reserve("building", "900.00"), reserve("building", "50.00", CostType.expense))

    assert balance(file) == {
        "claims-incurred": 95_000,
        "reserves:building": -90_000,
        "reserves-expense:building": -5_000,
    }


def test_other_lines_post_only_the_difference_up_and_down() -> None:
    file = reserved(a_file(), reserve("building", "900.00"), reserve("contents", "100.00"))

    file = reserved(file, reserve("building", "700.00"), reserve("contents", "150.00"), cause="set again")

    assert {(one.account, one.amount.amount_minor) for one in file.posted[1].postings} == {
        ("claims-incurred", -15_000),
        ("reserves:building", 20_000),
        ("reserves:contents", -5_000),
    }
    assert balance(file) == {"claims-incurred": 85_000, "reserves:building": -70_000, "reserves:contents": -15_000}


def test_a_shift_between_coverages_costs_nothing_in_total() -> None:
    file = reserved(a_file(), reserve("building", "900.00"))

    file = reserved(file, reserve("contents", "900.00"), cause="set again")

    assert [one.account for one in file.posted[1].postings] == ["reserves:building", "reserves:contents"]


def test_the_same_event_twice_is_one_posting() -> None:
    file = reserved(a_file(), reserve("building", "900.00"))

    assert reserved(file, reserve("building", "900.00")) is file


def test_reserves_in_two_currencies_balance_in_each() -> None:
    yen = ReserveLine(coverage_code="building", amount=Money(7_000, "JPY"))

    file = reserved(a_file(), reserve("building", "900.00"), yen)

    assert imbalance(totals_of(file.posted)) == {}
    assert totals_of(file.posted)["reserves:building", "JPY"] == -7_000


def test_an_approval_posts_the_difference_to_the_reserve_set_at_registration() -> None:
    file = reserved(a_file(), reserve("building", "2000.00"))

    _, file = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])

    assert [one.purpose for one in file.posted] == [
        Purpose.reserve, Purpose.reserve, Purpose.payable, Purpose.instructed,
    ]  # fmt: skip
    assert balance(file) == {"claims-incurred": 120_000, "bank-clearing": -120_000}
    assert file.reserves == ()


def test_payments_never_exceed_the_reserve_without_authority() -> None:
    file = reserved(a_file(), reserve("building", "1000.00"))
    decision = a_decision("1200.00")

    outcome, held = approved(file, decision, [reserve("building", "1000.00")])
    assert the_hold(outcome) is HoldReason.reserve_missing
    assert held.posted == file.posted and held.reserves == file.reserves

    raised = a_decision("1200.00", name="by a person whose authority reaches so far")
    outcome, paid = approved(held, raised, [reserve("building", "1200.00")])
    assert the_instruction(outcome).amount == usd("1200.00")
    assert all(minor <= 0 for name, minor in balance(paid).items() if name.startswith("reserves"))


def test_an_advance_is_paid_as_partial_under_its_own_id_and_the_rest_stays_reserved() -> None:
    decision = a_decision("400.00", name="advance")

    outcome, file = approved(a_file(), decision, [reserve("building", "1200.00")], PaymentKind.partial)

    told = the_instruction(outcome)
    assert (told.kind, told.amount, told.decision_id) == (PaymentKind.partial, usd("400.00"), decision.decision_id)
    assert balance(file) == {"claims-incurred": 120_000, "reserves:building": -80_000, "bank-clearing": -40_000}


@pytest.mark.parametrize("status", [None, PaymentStatus.paid, PaymentStatus.in_doubt])
def test_the_final_payment_is_what_is_payable_less_the_advance(status: PaymentStatus | None) -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=status)

    outcome, file = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])

    told = the_instruction(outcome)
    assert (told.kind, told.amount) == (PaymentKind.final, usd("800.00"))
    assert told.payment_id not in {one.payment_id for one in file.payments if one.kind is PaymentKind.partial}
    assert file.reserves == ()


def test_the_final_payment_of_a_claim_whose_advance_was_rejected_is_the_whole() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.rejected)

    outcome, file = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])

    assert the_instruction(outcome).amount == usd("1200.00")
    assert [one.status for one in file.payments] == [PaymentStatus.superseded, PaymentStatus.instructed]
    assert balance(file) == {"claims-incurred": 120_000, "bank-clearing": -120_000}


def test_an_advance_rejected_after_the_final_decision_is_made_up_for_by_a_new_one() -> None:
    file = an_advance(a_file(), "400.00", "1200.00")
    advance = an_order(file)
    _, file = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])
    file = answered(file, Executed(usd("800.00"), "BK2", REPORTED_AT))
    _, file = settle(file, advance, Refused("AC04"), 1, REPORTED_AT)

    outcome, file = approved(file, a_decision("1200.00", name="again"), [reserve("building", "1200.00")])

    assert the_instruction(outcome).amount == usd("400.00")
    assert on_its_way(file, "USD") == usd("1200.00")
    outcome, _ = approved(file, a_decision("1200.00", name="once more"), [reserve("building", "1200.00")])
    assert the_hold(outcome) is HoldReason.approval_differs


def test_a_new_decision_after_a_rejected_advance_is_no_way_to_pay_more_than_was_decided() -> None:
    file = an_advance(a_file(), "400.00", "1200.00")
    advance = an_order(file)
    _, file = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])
    _, file = settle(file, advance, Refused("AC04"), 1, REPORTED_AT)

    outcome, _ = approved(file, a_decision("1200.01", name="again"), [reserve("building", "1200.01")])

    assert the_hold(outcome) is HoldReason.approval_differs


@pytest.mark.parametrize("payable", ["300.00", "400.00"])
def test_a_final_decision_not_above_the_advance_pays_nothing_and_takes_nothing_back(payable: str) -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)

    outcome, file = approved(file, a_decision(payable), [reserve("building", "400.00")])

    assert outcome == Nothing()
    assert balance(file) == {"claims-incurred": 40_000, "bank": -40_000}
    assert len(file.payments) == 1


def test_a_lower_final_decision_sets_the_reserve_to_what_was_paid_whatever_it_names() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)
    lines = [reserve("building", "900.00"), reserve("building", "30.00", CostType.expense)]

    _, file = approved(file, a_decision("300.00"), lines)

    assert [(one.account, one.amount) for one in file.reserves] == [("reserves-expense:building", usd("30.00"))]


def test_an_advance_that_the_bank_paid_otherwise_holds_what_follows() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.disputed)

    outcome, _ = approved(file, a_decision("1200.00"), [reserve("building", "1200.00")])

    assert the_hold(outcome) is HoldReason.account_in_doubt


def test_a_second_advance_pays_what_is_undisputed_by_then_less_the_first() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)

    outcome, file = approved(
        file, a_decision("700.00", name="second"), [reserve("building", "1200.00")], PaymentKind.partial
    )

    assert the_instruction(outcome).amount == usd("300.00")
    assert [(one.account, one.amount) for one in file.reserves] == [("reserves:building", usd("500.00"))]


def test_a_reserve_set_after_an_advance_counts_what_was_paid_of_it() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)

    file = reserved(file, reserve("building", "1000.00"))

    assert balance(file) == {"claims-incurred": 100_000, "reserves:building": -60_000, "bank": -40_000}


def test_a_denial_after_an_advance_releases_what_is_still_reserved() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)

    outcome, file = decline(file, an_id("denied"), REPORTED_AT)

    assert outcome == Nothing()
    assert balance(file) == {"claims-incurred": 40_000, "bank": -40_000}
    assert decline(file, an_id("closed"), REPORTED_AT)[1] is file


def test_an_advance_moved_to_another_coverage_is_drawn_from_where_something_is_due() -> None:
    file = an_advance(a_file(), "400.00", "1200.00", status=PaymentStatus.paid)
    lines = (
        DecisionLine(line_id="1", coverage_code="building", payable=usd("300.00")),
        DecisionLine(line_id="2", coverage_code="contents", payable=usd("500.00")),
    )
    decision = a_decision("800.00").model_copy(update={"lines": lines})

    outcome, file = approved(file, decision, [reserve("building", "300.00"), reserve("contents", "500.00")])

    assert the_instruction(outcome).amount == usd("400.00")
    assert [(one.account, one.drawn) for one in file.payments[-1].draws] == [("reserves:contents", usd("400.00"))]


# ---- any history

COVERAGES = ("building", "contents", "debris")


@dataclass
class Story:
    """A claim's life in random order, with the auditor's own account of it beside."""

    chance: random.Random
    file: ClaimFile = field(default_factory=a_file)
    number: int = 0
    entitled: int | None = None
    finals: int = 0

    def act(self) -> None:
        act = self.chance.choice((self.set_reserve, self.advance, self.decide, self.answer, self.answer))
        act()
        self.check()

    def lines(self, at_least: dict[str, int]) -> list[ReserveLine]:
        spare = {name: self.chance.choice((0, 0, 1, 70_000)) for name in COVERAGES}
        return [
            ReserveLine(coverage_code=name, amount=Money(at_least.get(name, 0) + spare[name], "USD"))
            for name in COVERAGES
        ]

    def cause(self) -> UUID:
        self.number += 1
        return an_id(f"event {self.number}")

    def come_to_rest(self) -> None:
        while pending := [one for one in self.file.payments if one.status in PENDING]:
            self.reply(pending[0], "paid")

    def set_reserve(self) -> None:
        self.file = set_aside(self.file, self.lines({}), self.cause(), LATER)

    def decision(self, payable: dict[str, int], may_override: bool) -> Decision:
        lines = tuple(
            DecisionLine(line_id=name, coverage_code=name, payable=Money(minor, "USD"))
            for name, minor in payable.items()
        )
        total = Money(sum(payable.values()), "USD")
        decided = a_decision().model_copy(
            update={
                "decision_id": DecisionId(an_id(f"decision {self.number}")),
                "lines": lines,
                "computed": total,
                "payable": total,
            }
        )
        if may_override and self.chance.random() < 0.3:
            final = Money(self.chance.randrange(1, total.amount_minor + 1), "USD")
            override = Override(computed=total, final=final, reason="seen", person=a_person())
            decided = decided.model_copy(update={"override": override, "payable": final})
        return decided

    def advance(self) -> None:
        if not self.finals:
            self.say(PaymentKind.partial)

    def decide(self) -> None:
        self.say(PaymentKind.final)

    def say(self, kind: PaymentKind, whole: int | None = None) -> None:
        payable = {name: self.chance.randrange(1, 100_000) for name in COVERAGES}
        cause = self.cause()
        decision = self.decision({"building": whole} if whole else payable, may_override=whole is None)
        lines = self.lines({"building": whole} if whole else payable)
        outcome, self.file = approve(self.file, kind, decision, lines, cause, LATER)
        again, file = approve(self.file, kind, decision, lines, cause, LATER)
        if self.file.decided(decision.decision_id):
            assert again == Nothing() and file is self.file
        held = isinstance(outcome, Emit) and isinstance(outcome.events[0], PaymentHeld)
        if not held:
            self.finals += kind is PaymentKind.final
            self.entitled = max(decision.payable.amount_minor, self.out())

    def answer(self) -> None:
        pending = [one for one in self.file.payments if one.status in PENDING]
        if pending:
            payment = self.chance.choice(pending)
            self.reply(payment, self.chance.choice(("paid", "refused", "doubt")))

    def reply(self, payment: Payment, kind: str) -> None:
        assert payment.instruction is not None
        order = an_order(self.file).model_copy(
            update={
                "payment_id": payment.payment_id,
                "end_to_end_id": payment.instruction.end_to_end_id,
                "amount": payment.amount,
            }
        )
        results: dict[str, Result] = {
            "paid": Executed(payment.amount, "BK", LATER),
            "refused": Refused("AC04"),
            "doubt": InDoubt(),
        }
        _, self.file = settle(self.file, order, results[kind], 1, LATER)

    def out(self) -> int:
        return sum(one.amount.amount_minor for one in self.file.payments if one.status in ON_ITS_WAY)

    def check(self) -> None:
        totals = totals_of(self.file.posted)
        assert imbalance(totals) == {}
        assert len({one.transfer_id for one in self.file.posted}) == len(self.file.posted)
        held = {name: -minor for (name, _), minor in totals.items() if name.startswith("reserves") and minor}
        assert held == {one.account: one.amount.amount_minor for one in self.file.reserves}
        assert all(minor > 0 for minor in held.values())
        assert self.out() <= (self.entitled or 0)
        paid = sum(one.amount.amount_minor for one in self.file.payments if one.status is PaymentStatus.paid)
        assert totals.get(("bank", "USD"), 0) == -paid
        owed = sum(
            one.amount.amount_minor
            for one in self.file.payments
            if one.status in {PaymentStatus.rejected, PaymentStatus.held} and one.draws
        )
        assert totals.get(("claims-payable", "USD"), 0) == -owed


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_history_keeps_the_ledger_balanced_and_pays_exactly_what_is_payable(seed: int) -> None:
    story = Story(random.Random(seed))
    for _ in range(story.chance.randrange(2, 16)):
        story.act()
    story.come_to_rest()
    if not story.finals:
        story.say(PaymentKind.final)
        story.come_to_rest()
    if story.entitled != story.out():
        story.say(PaymentKind.final, story.entitled)
        story.come_to_rest()

    assert story.out() == story.entitled
    story.file = release(story.file, an_id("closed"), LATER)
    story.check()
    assert story.file.reserves == ()
