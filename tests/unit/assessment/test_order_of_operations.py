"""Order is data: percentages may change places, a flat amount and a proportion may not, and the difference is exact."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.money import Money
from schemas.terms import CoinsuranceClause, Operation
from services.assessment.domain.adjudicate import adjudicate
from tests.builders.assessment import a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_policy_snapshot

CUTS = (
    Operation(op="percent_cut", of="0.15"),
    Operation(op="percent_cut", of="0.10"),
    Operation(op="share", of="0.7"),
)
DEDUCTIBLE, LIMIT = Operation(op="deductible"), Operation(op="limit")
PROPORTION = Operation(op="proportion")
RATIO = Fraction(9, 10)
LAW = settings(max_examples=100, deadline=None, derandomize=True)


def exact(asked: str, *operations: Operation, limit: str = "216000.00", deductible: str = "1500.00") -> Fraction:
    """What these operations come to, before rounding, for a house worth 300,000 of which 80 per cent is required."""
    coverage = a_flood_coverage(
        limit=limit,
        deductible=deductible,
        operations=operations,
        coinsurance=CoinsuranceClause(required_rate="0.8"),
        insured_value=Money.of_text("300000.00", "USD"),
    )
    [result] = adjudicate(a_loss([an_asked_line(asked)]), a_policy_snapshot(coverages=(coverage,))).coverages
    return Fraction(result.exact)


@LAW
@given(asked=st.integers(0, 10**9))
def test_percentages_commute_with_each_other(asked: int) -> None:
    text = Money(asked, "USD").to_text()

    found = {exact(text, *order, LIMIT) for order in permutations(CUTS)}

    assert len(found) == 1


@LAW
@given(asked=st.integers(150_000, 10**7))
def test_deductible_first_pays_more_than_proportion_first_by_the_part_of_the_deductible_that_is_not_borne(
    asked: int,
) -> None:
    text = Money(asked, "USD").to_text()

    proportion_first = exact(text, PROPORTION, DEDUCTIBLE, LIMIT)
    deductible_first = exact(text, DEDUCTIBLE, PROPORTION, LIMIT)

    unborne = 1500 * (1 - RATIO)
    loss = Fraction(asked, 100) * RATIO
    assert deductible_first - proportion_first == (unborne if loss >= 1500 else deductible_first)


@pytest.mark.parametrize(
    "first, then, asked, limit, one, other",
    [
        (PROPORTION, DEDUCTIBLE, "25000.00", "216000.00", "21000", "21150"),
        (DEDUCTIBLE, LIMIT, "250000.00", "100000.00", "100000", "98500"),
        (CUTS[0], DEDUCTIBLE, "10000.00", "216000.00", "7000", "7225"),
        (CUTS[0], LIMIT, "150000.00", "100000.00", "100000", "85000"),
    ],
)
def test_these_pairs_do_not_commute(
    first: Operation, then: Operation, asked: str, limit: str, one: str, other: str
) -> None:
    rest = () if LIMIT in (first, then) else (LIMIT,)

    assert exact(asked, first, then, *rest, limit=limit) == Fraction(one)
    assert exact(asked, then, first, *rest, limit=limit) == Fraction(other)
