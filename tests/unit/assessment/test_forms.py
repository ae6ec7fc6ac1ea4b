"""Laws that hold for every shipped form and amount: bounds, growth with the loss, steps that add up, same bytes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.money import Money, exact_amount
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from services.assessment.domain.vocabulary import flaws
from tests.builders.terms import COVERAGES, Figures, a_filled_coverage, a_loss_under, a_policy_under

asked = st.integers(0, 10**10)
figures = st.builds(
    Figures,
    limit=st.integers(1, 10**10),
    deductible=st.integers(0, 10**8),
    rate=st.integers(0, 95),
    other=st.integers(0, 10**8),
)
every_coverage = pytest.mark.parametrize("form, code", COVERAGES)
LAW = settings(max_examples=25, deadline=None, derandomize=True)


def adjudicated(form: str, code: str, amount: int, said: Figures) -> Adjudication:
    policy = a_policy_under(form, code, said)
    found = adjudicate(a_loss_under(policy, amount, said), policy)
    assert found.problems == ()
    return found


@every_coverage
def test_a_shipped_coverage_filled_by_a_policy_can_be_run(form: str, code: str) -> None:
    assert list(flaws(a_filled_coverage(form, code))) == []


@every_coverage
def test_terms_that_lack_a_part_are_judged_for_themselves_though_they_share_the_others(form: str, code: str) -> None:
    whole = a_filled_coverage(form, code)

    for part in whole.model_fields_set - {"code", "clause_version", "form"}:
        assert list(flaws(whole)) == []
        lacking = whole.model_copy(update={part: type(whole).model_fields[part].default})
        by_itself = type(whole).model_validate_json(lacking.model_dump_json())
        assert list(flaws(lacking)) == list(flaws(by_itself)), part


@every_coverage
@LAW
@given(amount=asked, said=figures)
def test_a_payment_is_never_negative_and_never_above_the_limit(
    form: str, code: str, amount: int, said: Figures
) -> None:
    found = adjudicated(form, code, amount, said)

    names = {one.op for one in a_filled_coverage(form, code).operations}
    assert found.computed.amount_minor >= 0
    assert all(line.payable.amount_minor >= 0 for line in found.lines)
    if names & {"limit", "aggregate", "step_schedule"}:
        assert found.computed.amount_minor <= said.limit


@every_coverage
@LAW
@given(amount=asked, more=asked, said=figures)
def test_a_larger_loss_never_pays_less(form: str, code: str, amount: int, more: int, said: Figures) -> None:
    before = adjudicated(form, code, amount, said)

    after = adjudicated(form, code, amount + more, said)

    assert after.computed >= before.computed


@every_coverage
@LAW
@given(amount=asked, said=figures)
def test_what_was_asked_and_what_each_step_changed_sum_to_what_is_paid(
    form: str, code: str, amount: int, said: Figures
) -> None:
    found = adjudicated(form, code, amount, said)

    exact = Fraction(0)
    for line in found.lines:
        assert line.asked is not None
        reached = line.asked.as_fraction()
        for step in line.steps:
            assert exact_amount(step.amount_in) == reached
            reached += exact_amount(step.amount_out) - exact_amount(step.amount_in)
        exact += reached
    assert exact == sum(exact_amount(one.exact) for one in found.coverages)
    assert Money.of_fraction(exact, "USD") == found.computed
    assert Money.total((line.payable for line in found.lines), "USD") == found.computed


@every_coverage
@LAW
@given(amount=asked, said=figures)
def test_the_same_input_gives_the_same_bytes(form: str, code: str, amount: int, said: Figures) -> None:
    once, again = adjudicated(form, code, amount, said), adjudicated(form, code, amount, said)

    assert [line.model_dump_json() for line in once.lines] == [line.model_dump_json() for line in again.lines]
    assert [one.model_dump_json() for one in once.coverages] == [one.model_dump_json() for one in again.coverages]
    assert once == again
