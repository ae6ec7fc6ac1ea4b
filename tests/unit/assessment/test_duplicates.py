"""Probable duplicates: what speaks for one, how much, and which claims are never matched."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from schemas.assessment import DuplicateLinked
from schemas.money import Money
from services.assessment.adapters.sorting_files import load_duplicates
from services.assessment.domain.duplicates import Nearness, best_match
from tests.builders.triage import BEGINNING, LOSS_AT, a_neighbour, some_duplicate_rules

ALL = ("same_policy", "loss_within_hours", "same_peril", "same_place", "same_amount")
EUR = Money.of_text("1000.00", "EUR")


def usd(text: str) -> Money:
    return Money.of_text(text, "USD")


@pytest.mark.parametrize(
    "changes, score, missing",
    [
        ({}, "1", ()),
        ({"loss_at": LOSS_AT + timedelta(hours=24)}, "1", ()),
        ({"loss_at": LOSS_AT - timedelta(hours=24, seconds=1)}, "0.85", ()),
        ({"loss_at": LOSS_AT + timedelta(hours=72, seconds=1)}, "0.65", ("loss_within_hours",)),
        ({"peril": "fire"}, "0.85", ("same_peril",)),
        ({"place": "US:10002"}, "0.85", ("same_place",)),
        ({"place": None}, "0.85", ("same_place",)),
        ({"asked": usd("980.00")}, "1", ()),
        ({"asked": usd("979.99")}, "0.9", ("same_amount",)),
        ({"asked": usd("1020.40")}, "1", ()),
        ({"asked": None}, "0.9", ("same_amount",)),
        ({"asked": EUR}, "0.9", ("same_amount",)),
        ({"asked": usd("0.00")}, "0.9", ("same_amount",)),
    ],
)
def test_every_likeness_counts_exactly_its_weight(
    changes: dict[str, Any], score: str, missing: tuple[str, ...]
) -> None:
    match = best_match(a_neighbour(1), [a_neighbour(2, **changes)], some_duplicate_rules())

    assert match is not None
    assert match.score == Fraction(score) and match.score_text == score
    assert match.reasons == tuple(reason for reason in ALL if reason not in missing)
    assert match.probable == (Fraction(score) >= Fraction("0.7"))


def test_what_neither_claim_says_speaks_for_nothing() -> None:
    silent: dict[str, Any] = {"peril": "unknown", "place": None, "asked": None}

    match = best_match(a_neighbour(1, **silent), [a_neighbour(2, **silent)], some_duplicate_rules())

    assert match is not None
    assert match.reasons == ("same_policy", "loss_within_hours")
    assert not match.probable


def test_the_same_policy_alone_is_no_match() -> None:
    other = a_neighbour(2, loss_at=LOSS_AT + timedelta(days=20), peril="fire", place=None, asked=None)

    assert best_match(a_neighbour(1), [other], some_duplicate_rules()) is None


def test_a_claim_is_never_matched_with_itself_or_with_one_that_is_over() -> None:
    claim = a_neighbour(1)
    over = a_neighbour(2, open_or_paid=False)

    assert best_match(claim, [claim, over], some_duplicate_rules()) is None
    assert best_match(claim, [], some_duplicate_rules()) is None


def test_the_best_match_does_not_depend_on_the_order_of_the_neighbours() -> None:
    claim = a_neighbour(1)
    others = [
        a_neighbour(2, peril="fire"),
        a_neighbour(3, loss_at=LOSS_AT + timedelta(hours=2)),
        a_neighbour(4, loss_at=LOSS_AT + timedelta(hours=1)),
        a_neighbour(5, open_or_paid=False),
    ]

    found = {best_match(claim, order, some_duplicate_rules()) for order in permutations(others)}

    [match] = found
    assert match is not None and match.other.claim_id == others[2].claim_id


def test_equal_matches_go_by_the_claim_id() -> None:
    one, other = a_neighbour(2), a_neighbour(3)
    lower = min(one, other, key=lambda claim: str(claim.claim_id))

    match = best_match(a_neighbour(1), [one, other], some_duplicate_rules())

    assert match is not None and match.other == lower


def test_a_weight_of_zero_is_no_reason() -> None:
    rules = some_duplicate_rules(same_place=Fraction(0), loss_within=(Nearness(24, Fraction(0)),))

    match = best_match(a_neighbour(1), [a_neighbour(2)], rules)

    assert match is not None and match.reasons == ("same_policy", "same_peril", "same_amount")


def test_a_match_fits_the_event_that_tells_it() -> None:
    rules = load_duplicates().at(BEGINNING).of_line("flood")

    match = best_match(a_neighbour(1), [a_neighbour(2)], rules)

    assert match is not None and match.probable
    told = DuplicateLinked(
        other_claim_id=match.other.claim_id,
        other_reference=match.other.reference,
        score=match.score_text,
        reasons=match.reasons,
    )
    assert told.score == "1"


def test_two_treatments_on_one_day_are_no_duplicate_by_the_rules_shipped() -> None:
    rules = load_duplicates().at(BEGINNING).of_line("health_reimbursement")

    match = best_match(a_neighbour(1), [a_neighbour(2, asked=usd("1000.01"))], rules)
    same = best_match(a_neighbour(1), [a_neighbour(2)], rules)

    assert match is not None and not match.probable
    assert same is not None and same.probable
