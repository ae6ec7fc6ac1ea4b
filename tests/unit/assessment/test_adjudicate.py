"""What flood terms give, to the cent: cases with known answers, then the laws that hold for every amount."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assessment import ReferralReason
from schemas.money import Money, exact_amount
from schemas.terms import Deductible, DeductiblePer, Operation, Valuation
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from tests.builders.assessment import a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot, usd


@pytest.mark.parametrize(
    "asked, limit, deductible, payable",
    [
        ("2200.00", "250000.00", "1000.00", "1200.00"),
        ("150000.00", "100000.00", "5000.00", "100000.00"),
        ("104999.99", "100000.00", "5000.00", "99999.99"),
        ("105000.00", "100000.00", "5000.00", "100000.00"),
        ("105000.01", "100000.00", "5000.00", "100000.00"),
        ("999.99", "250000.00", "1000.00", "0.00"),
        ("1000.00", "250000.00", "1000.00", "0.00"),
        ("1000.01", "250000.00", "1000.00", "0.01"),
        ("0.00", "250000.00", "1000.00", "0.00"),
        ("5000.00", "250000.00", "0.00", "5000.00"),
        ("5000.00", "0.00", "1000.00", "0.00"),
        ("90000000000000.03", "90000000000000.00", "0.01", "90000000000000.00"),
    ],
)
def test_flood_pays_the_damage_less_the_deductible_up_to_the_limit(
    asked: str, limit: str, deductible: str, payable: str
) -> None:
    policy = a_policy_snapshot(coverages=(a_flood_coverage(limit=limit, deductible=deductible),))

    found = adjudicate(a_loss([an_asked_line(asked)]), policy)

    assert found.computed == usd(payable)
    assert found.questions == ()


def test_the_limit_first_would_pay_less_so_the_order_is_the_terms_own() -> None:
    limit_first = (Operation(op="limit"), Operation(op="deductible"))
    coverage = a_flood_coverage(limit="100000.00", deductible="5000.00", operations=limit_first)

    found = adjudicate(a_loss([an_asked_line("150000.00")]), a_policy_snapshot(coverages=(coverage,)))

    assert found.computed == usd("95000.00")


def test_each_coverage_has_its_own_deductible_and_limit() -> None:
    coverages = (a_flood_coverage("building"), a_flood_coverage("contents", "100000.00", "2000.00"))
    lines = [an_asked_line("10000.00"), an_asked_line("5000.50", "contents")]

    found = adjudicate(a_loss(lines), a_policy_snapshot(coverages=coverages))

    assert [line.payable for line in found.lines] == [usd("9000.00"), usd("3000.50")]
    assert found.computed == usd("12000.50")


def test_a_currency_without_decimals_is_computed_in_whole_units() -> None:
    coverage = a_flood_coverage(limit="30000000", deductible="100000", currency="JPY")
    policy = a_policy_snapshot(currency="JPY", coverages=(coverage,))

    found = adjudicate(a_loss([an_asked_line("1234567", currency="JPY")]), policy)

    assert found.computed == Money.of_text("1134567", "JPY")


def test_replacement_cost_pays_the_actual_cash_value_rule_first() -> None:
    coverage = a_flood_coverage(valuation=Valuation.RCV)

    found = adjudicate(a_loss([an_asked_line("2200.00")]), a_policy_snapshot(coverages=(coverage,)))

    assert found.computed == usd("1200.00")


def test_several_deductibles_of_one_coverage_are_all_borne() -> None:
    both = (Deductible(amount=usd("1000.00")), Deductible(amount=usd("250.00")))

    found = adjudicate(
        a_loss([an_asked_line("2200.00")]), a_policy_snapshot(coverages=(a_flood_coverage(deductibles=both),))
    )

    assert found.computed == usd("950.00")


def test_lines_of_one_coverage_share_its_deductible_in_proportion_to_what_they_ask() -> None:
    lines = [an_asked_line("3000.00", line_id="roof"), an_asked_line("1000.00", line_id="floor")]

    found = adjudicate(a_loss(lines), a_policy_snapshot())

    assert found.computed == usd("3000.00")
    assert [line.payable for line in found.lines] == [usd("2250.00"), usd("750.00")]


def test_every_step_names_operation_clause_and_exact_amounts() -> None:
    found = adjudicate(a_loss([an_asked_line("300000.50")]), a_policy_snapshot(coverages=(a_flood_coverage(),)))

    [line] = found.lines
    assert [(step.op, step.clause_id, step.amount_in, step.amount_out) for step in line.steps] == [
        ("deductible", "SFIP.VI", "300000.5", "299000.5"),
        ("limit", "SFIP.III.A", "299000.5", "250000"),
    ]
    assert [step.params for step in line.steps] == [{"amount": "1000"}, {"amount": "250000"}]


@pytest.mark.parametrize(
    "coverage, question",
    [
        (a_flood_coverage(operations=(Operation(op="magic"), Operation(op="limit"))), "operation_unknown"),
        (a_flood_coverage(operations=()), "operation_unknown"),
        (a_flood_coverage(operations=(Operation(op="deductible"),)), "operation_unknown"),
        (a_flood_coverage(operations=(Operation(op="limit", params={"share": "1/2"}),)), "operation_unknown"),
        (
            a_flood_coverage(deductibles=(Deductible(amount=usd("1.00"), per=DeductiblePer.year),)),
            "operation_unknown",
        ),
        (a_flood_coverage("contents"), "coverage_not_on_policy"),
    ],
)
def test_terms_that_are_not_understood_are_a_question_never_a_guess(coverage: object, question: str) -> None:
    found = adjudicate(a_loss([an_asked_line("5000.00")]), a_policy_snapshot(coverages=(coverage,)))

    assert found.questions == (ReferralReason(question),)
    assert found.computed == usd("0.00")
    assert found.lines[0].steps == ()


def test_a_line_without_an_amount_is_a_question_and_the_others_are_computed() -> None:
    coverages = (a_flood_coverage("building"), a_flood_coverage("contents"))
    lines = [an_asked_line("5000.00"), an_asked_line(None, "contents")]

    found = adjudicate(a_loss(lines), a_policy_snapshot(coverages=coverages))

    assert found.questions == (ReferralReason.no_amount_stated,)
    assert [line.payable for line in found.lines] == [usd("4000.00"), usd("0.00")]


def test_a_claim_without_lines_states_no_amount() -> None:
    assert adjudicate(a_loss([]), a_policy_snapshot()).questions == (ReferralReason.no_amount_stated,)


# --- laws

cents = st.integers(0, 10**12)
terms = st.tuples(st.integers(0, 10**11), st.integers(0, 10**9))


def adjudicated(asked: list[int], limit: int, deductible: int) -> Adjudication:
    coverage = a_flood_coverage(limit=Money(limit, "USD").to_text(), deductible=Money(deductible, "USD").to_text())
    lines = [
        an_asked_line(Money(amount, "USD").to_text(), line_id=f"line-{number}") for number, amount in enumerate(asked)
    ]
    return adjudicate(a_loss(lines), a_policy_snapshot(coverages=(coverage,)))


@settings(max_examples=200, deadline=None)
@given(asked=st.lists(cents, min_size=1, max_size=6), terms=terms)
def test_the_payment_is_never_negative_never_above_the_limit_and_the_rule_to_the_cent(
    asked: list[int], terms: tuple[int, int]
) -> None:
    limit, deductible = terms

    found = adjudicated(asked, limit, deductible)

    assert found.computed.amount_minor == min(limit, max(0, sum(asked) - deductible))
    assert all(line.payable.amount_minor >= 0 for line in found.lines)


@settings(max_examples=200, deadline=None)
@given(asked=st.lists(cents, min_size=1, max_size=6), terms=terms)
def test_lines_sum_to_the_computed_amount_and_steps_lead_from_asked_to_payable(
    asked: list[int], terms: tuple[int, int]
) -> None:
    found = adjudicated(asked, *terms)

    assert sum(line.payable.amount_minor for line in found.lines) == found.computed.amount_minor
    for line in found.lines:
        assert line.asked is not None
        amount = line.asked.as_fraction()
        for step in line.steps:
            assert exact_amount(step.amount_in) == amount
            amount = exact_amount(step.amount_out)
        assert abs(amount - line.payable.as_fraction()) < Fraction(1, 100)
    last = sum((exact_amount(line.steps[-1].amount_out) for line in found.lines), Fraction(0))
    assert last == found.computed.as_fraction()


@settings(max_examples=200, deadline=None)
@given(asked=st.lists(cents, min_size=1, max_size=4), more=cents, terms=terms)
def test_more_damage_never_pays_less(asked: list[int], more: int, terms: tuple[int, int]) -> None:
    before = adjudicated(asked, *terms)

    after = adjudicated([asked[0] + more, *asked[1:]], *terms)

    assert after.computed >= before.computed


@settings(max_examples=100, deadline=None)
@given(asked=st.lists(cents, min_size=2, max_size=6), terms=terms, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_change_the_sum(asked: list[int], terms: tuple[int, int], seed: object) -> None:
    shuffled = list(asked)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]

    assert adjudicated(shuffled, *terms).computed == adjudicated(asked, *terms).computed
