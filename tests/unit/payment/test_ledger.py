"""The ledger's rules: nothing unbalanced can be made, whatever the order of accounts, currencies and amounts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import LedgerTransferId
from schemas.money import Money
from services.payment.domain.ledger import (
    CHART,
    LedgerError,
    Posting,
    Purpose,
    Transfer,
    UnbalancedError,
    account,
    imbalance,
    totals_of,
)
from tests.builders.events import REPORTED_AT, a_claim_id, an_id, usd

MINORS = st.integers(1, 10**12) | st.integers(-(10**12), -1)
ACCOUNTS = [name if not spec.parted else f"{name}:building" for name, spec in CHART.items()]


def a_transfer(*postings: Posting, name: str = "transfer") -> Transfer:
    return Transfer(LedgerTransferId(an_id(name)), a_claim_id(), Purpose.reserve, postings, REPORTED_AT)


@st.composite
def balanced_postings(draw: st.DrawFn) -> tuple[Posting, ...]:
    """Random amounts in one or two currencies on distinct accounts, with one account that takes up the rest."""
    made: list[Posting] = []
    for currency in draw(st.sampled_from([("USD",), ("JPY",), ("USD", "JPY")])):
        names = draw(st.lists(st.sampled_from(ACCOUNTS[1:]), min_size=1, max_size=5, unique=True))
        minors = [draw(MINORS) for _ in names]
        made += [Posting(name, Money(minor, currency)) for name, minor in zip(names, minors, strict=True)]
        if sum(minors):
            made.append(Posting(ACCOUNTS[0], Money(-sum(minors), currency)))
    return tuple(made)


@settings(max_examples=100, deadline=None)
@given(st.lists(balanced_postings(), max_size=8))
def test_totals_are_zero_per_currency_after_any_transfers(batches: list[tuple[Posting, ...]]) -> None:
    transfers = [a_transfer(*postings) for postings in batches]

    totals = totals_of(transfers)

    assert imbalance(totals) == {}


@settings(max_examples=100, deadline=None)
@given(balanced_postings(), st.data())
def test_a_transfer_off_by_one_minor_unit_cannot_be_made(postings: tuple[Posting, ...], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(postings) - 1))
    wrong = postings[place]
    off_by_one = Posting(
        wrong.account, wrong.amount + Money(2 if wrong.amount.amount_minor == -1 else 1, wrong.amount.currency)
    )

    with pytest.raises(LedgerError):
        a_transfer(*postings[:place], off_by_one, *postings[place + 1 :])


def test_a_transfer_balanced_over_two_currencies_together_is_refused() -> None:
    dollars, yen = Posting("bank", Money(100, "USD")), Posting("suspense", Money(-100, "JPY"))

    with pytest.raises(UnbalancedError):
        a_transfer(dollars, yen)


def test_a_posting_of_nothing_is_refused() -> None:
    with pytest.raises(LedgerError, match="moves money"):
        Posting("bank", usd("0.00"))


@pytest.mark.parametrize("name", ["petty-cash", "reserves", "bank:main", "", ":building"])
def test_only_accounts_of_the_chart_can_be_posted_to(name: str) -> None:
    with pytest.raises(LedgerError):
        Posting(name, usd("1.00"))


def test_one_account_is_posted_to_once_in_a_transfer() -> None:
    half, whole = Posting("bank", usd("1.00")), Posting("suspense", usd("-2.00"))

    with pytest.raises(LedgerError, match="once to each account"):
        a_transfer(half, half, whole)


def test_a_single_posting_is_no_transfer() -> None:
    with pytest.raises(LedgerError, match="2 to"):
        a_transfer(Posting("bank", usd("1.00")))


def test_a_parted_account_is_named_with_its_part() -> None:
    assert account("reserves", "contents") == "reserves:contents"
    assert account("bank") == "bank"


def test_what_the_accounts_are_off_by_is_told_per_currency() -> None:
    totals = Counter({("bank", "USD"): 5, ("suspense", "USD"): -5, ("bank", "EUR"): 7})

    assert imbalance(totals) == {"EUR": 7}
