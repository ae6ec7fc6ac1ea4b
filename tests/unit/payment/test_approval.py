"""An approval is booked and instructed as decided, or held with the reason; it is never corrected here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decision import CostType, Decision, DecisionLine, Override, ReserveLine
from schemas.ids import PaymentId, end_to_end_id
from schemas.money import Money
from schemas.outcomes import Emit, Nothing
from schemas.payment import HoldReason, PaymentHeld, PaymentInstructed
from services.payment.domain.approval import BANK_INSTRUCTION
from services.payment.domain.bank import BankOrder
from services.payment.domain.files import ClaimFile, Payment, PaymentStatus
from services.payment.domain.ledger import imbalance, totals_of
from tests.builders.events import REPORTED_AT, a_claim_id, a_decision, a_person, a_sealed_party, usd
from tests.builders.payments import approved

MINOR = st.integers(1, 10**15)


def a_file(**changes: Any) -> ClaimFile:
    fields: dict[str, Any] = {"reference": "CF-0000-0000-0000-0", "payee": a_sealed_party()}
    return ClaimFile(a_claim_id(), **fields | changes)


def a_line(coverage: str, minor: int) -> DecisionLine:
    return DecisionLine(line_id=coverage, coverage_code=coverage, payable=Money(minor, "USD"))


def a_reserve(coverage: str = "building", amount: str = "1200.00", **changes: Any) -> ReserveLine:
    return ReserveLine(coverage_code=coverage, amount=usd(amount), **changes)


def a_decision_of(**payable_minor: int) -> Decision:
    total = Money(sum(payable_minor.values()), "USD")
    lines = tuple(a_line(coverage, minor) for coverage, minor in payable_minor.items())
    return a_decision().model_copy(update={"lines": lines, "computed": total, "payable": total})


def an_override(computed: Money, final: Money) -> Override:
    return Override(computed=computed, final=final, reason="as agreed", person=a_person())


def held_for(outcome: object) -> HoldReason:
    assert isinstance(outcome, Emit) and not outcome.work
    [event] = outcome.events
    assert isinstance(event, PaymentHeld)
    return event.reason


def test_an_approval_becomes_one_instruction_with_ids_from_its_decision() -> None:
    decision = a_decision("1200.00")

    outcome, file = approved(a_file(), decision, [a_reserve()])

    assert isinstance(outcome, Emit)
    [event], [work] = outcome.events, outcome.work
    [payment] = file.payments
    assert isinstance(event, PaymentInstructed) and isinstance(work.payload, BankOrder)
    assert payment.payment_id == PaymentId.of(decision.decision_id, "payment:final:1") == event.payment_id
    assert (work.kind, work.payload.end_to_end_id) == (BANK_INSTRUCTION, end_to_end_id(payment.payment_id, 1))
    assert event.amount == work.payload.amount == payment.amount == decision.payable
    assert event.booked_at == REPORTED_AT
    assert event.ledger_transfer_id in {transfer.transfer_id for transfer in file.posted}


def test_the_same_decision_again_changes_nothing() -> None:
    _, file = approved(a_file(), a_decision(), [a_reserve()])

    outcome, again = approved(file, a_decision(), [a_reserve()])

    assert outcome == Nothing() and again is file


def test_a_claim_never_reported_to_us_is_held() -> None:
    outcome, file = approved(a_file(payee=None), a_decision(), [a_reserve()])

    assert held_for(outcome) is HoldReason.account_missing
    assert not file.posted


@pytest.mark.parametrize(
    ("changes", "reserves", "reason"),
    [
        ({"payable": usd("1200.01")}, [a_reserve(amount="9999.00")], HoldReason.approval_differs),
        ({"computed": usd("1199.99")}, [a_reserve()], HoldReason.approval_differs),
        ({"lines": ()}, [a_reserve()], HoldReason.approval_differs),
        ({"payable": usd("0.00"), "computed": usd("0.00"), "lines": ()}, [a_reserve()], HoldReason.approval_differs),
        (
            {"override": an_override(usd("1200.00"), usd("800.00"))},
            [a_reserve()],
            HoldReason.approval_differs,
        ),
        ({}, [ReserveLine(coverage_code="building", amount=Money(120_000, "EUR"))], HoldReason.approval_differs),
        ({}, [a_reserve(amount="1199.99")], HoldReason.reserve_missing),
        ({}, [a_reserve("contents")], HoldReason.reserve_missing),
        ({}, [a_reserve(cost_type=CostType.expense)], HoldReason.reserve_missing),
        (
            {"override": an_override(usd("1200.00"), usd("1300.00")), "payable": usd("1300.00")},
            [a_reserve(), a_reserve("contents", "99.99")],
            HoldReason.reserve_missing,
        ),
    ],
)
def test_an_approval_that_does_not_hold_is_held(
    changes: dict[str, Any], reserves: list[ReserveLine], reason: HoldReason
) -> None:
    decision = a_decision("1200.00").model_copy(update=changes)

    outcome, file = approved(a_file(), decision, reserves)

    assert held_for(outcome) is reason
    assert not file.posted and file.payments[0].status is PaymentStatus.held


def test_two_reserve_lines_of_one_coverage_are_one_reserve() -> None:
    _, file = approved(a_file(), a_decision("1200.00"), [a_reserve(amount="700.00"), a_reserve(amount="500.00")])

    assert [(one.account, one.drawn) for one in file.payments[0].draws] == [("reserves:building", usd("1200.00"))]
    assert file.reserves == ()


def test_an_expense_reserve_is_set_aside_but_not_paid_from() -> None:
    expense = a_reserve("building", "50.00", cost_type=CostType.expense)

    _, file = approved(a_file(), a_decision("1200.00"), [a_reserve(), expense])

    assert totals_of(file.posted)["reserves-expense:building", "USD"] == -5_000


@settings(max_examples=100, deadline=None)
@given(building=MINOR, contents=MINOR, more=st.integers(0, 10**12))
def test_each_coverage_is_paid_from_its_own_reserve_and_what_is_left_stays(
    building: int, contents: int, more: int
) -> None:
    decision = a_decision_of(building=building, contents=contents)
    reserves = [
        ReserveLine(coverage_code="building", amount=Money(building + more, "USD")),
        ReserveLine(coverage_code="contents", amount=Money(contents, "USD")),
    ]

    _, file = approved(a_file(), decision, reserves)

    totals = totals_of(file.posted)
    assert imbalance(totals) == {}
    assert totals["reserves:building", "USD"] == -more and totals["reserves:contents", "USD"] == 0
    assert totals["bank-clearing", "USD"] == -(building + contents)
    assert totals["claims-payable", "USD"] == 0


@settings(max_examples=100, deadline=None)
@given(reserved=st.lists(MINOR, min_size=1, max_size=6), part=st.integers(1, 10**6))
def test_an_amount_set_by_a_person_never_takes_more_than_a_reserve_holds(reserved: list[int], part: int) -> None:
    final = Money(max(1, sum(reserved) * part // 10**6), "USD")
    reserves = [
        ReserveLine(coverage_code=f"coverage-{n}", amount=Money(minor, "USD")) for n, minor in enumerate(reserved)
    ]
    decision = a_decision("1200.00").model_copy(
        update={"override": an_override(usd("1200.00"), final), "payable": final}
    )

    _, file = approved(a_file(), decision, reserves)

    drawn = {one.account: one.drawn for one in file.payments[0].draws}
    assert Money.total(drawn.values(), "USD") == final
    assert all(drawn.get(f"reserves:{line.coverage_code}", usd("0.00")) <= line.amount for line in reserves)


@pytest.mark.parametrize("status", ["instructed", "in_doubt", "paid", "disputed"])
def test_a_second_decision_is_held_while_money_is_or_may_be_out(status: str) -> None:
    first = _with_status(PaymentStatus(status))

    outcome, file = approved(first, a_decision("5.00", name="second"), [a_reserve(amount="5.00")])

    assert held_for(outcome) is HoldReason.approval_differs
    assert file.payments[0].status == status and not file.posted


@pytest.mark.parametrize("status", ["rejected", "held"])
def test_a_second_decision_takes_the_place_of_one_that_paid_nothing(status: str) -> None:
    first = _with_status(PaymentStatus(status))

    outcome, file = approved(first, a_decision("5.00", name="second"), [a_reserve(amount="5.00")])

    assert isinstance(outcome, Emit) and isinstance(outcome.events[0], PaymentInstructed)
    assert sorted(payment.status for payment in file.payments) == ["instructed", "superseded"]


def _with_status(status: PaymentStatus) -> ClaimFile:
    _, file = approved(a_file(), a_decision(name="first"), [a_reserve()])
    payment: Payment = replace(file.payments[0], status=status)
    return replace(file, payments=(payment,), posted=(), touched=frozenset())
