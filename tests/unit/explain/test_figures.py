"""Amounts and percentages as the readers of each language write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES, Figures
from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money
from tests.builders.events import usd

FIGURES = [Figures(language) for language in LANGUAGES]


@pytest.mark.parametrize(
    "amount, currency, english, chinese",
    [
        ("1234567.89", "USD", "$1,234,567.89", "US$1,234,567.89"),
        ("0.05", "CNY", "CN¥0.05", "¥0.05"),
        ("1234", "JPY", "¥1,234", "JP¥1,234"),
        ("1.234", "KWD", "KWD 1.234", "KWD 1.234"),
        ("12.50", "AFN", "AFN 12.50", "AFN 12.50"),
    ],
)
def test_amounts_are_written_with_exactly_their_decimals(
    amount: str, currency: str, english: str, chinese: str
) -> None:
    money = Money.of_text(amount, currency)

    written = [Figures(language).money(money) for language in LANGUAGES]

    assert written == [english, chinese]


def test_every_currency_keeps_all_its_digits() -> None:
    for currency, decimals in CURRENCY_DECIMALS.items():
        written = Figures("en").money(Money(9_007_199_254_740_993, currency))

        digits = "".join(character for character in written if character.isdigit())
        assert digits == "9007199254740993", (currency, decimals)


@given(amount=st.integers(0, 2**63 - 1), currency=st.sampled_from(sorted(CURRENCY_DECIMALS)))
def test_the_prepared_way_of_writing_an_amount_is_babels(amount: int, currency: str) -> None:
    money = Money(amount, currency)

    for figures in FIGURES:
        assert figures.money(money) == figures.by_babel(money)


def test_a_negative_amount_keeps_its_sign() -> None:
    assert Figures("en").money(usd("-12.50")) == "-$12.50"


@pytest.mark.parametrize(
    "rate, written", [("0.15", "15%"), ("1", "100%"), ("5/6", "83.33%"), ("0.0005", "0.05%"), ("0", "0%")]
)
def test_a_rate_is_written_in_per_cent(rate: str, written: str) -> None:
    assert [figures.percent(Fraction(rate)) for figures in FIGURES] == [written, written]


@pytest.mark.parametrize("amount, written", [("1234.5", "1,234.5"), ("2000/3", "666.666666…"), ("-1.125", "-1.125")])
def test_an_exact_amount_shows_where_it_does_not_end(amount: str, written: str) -> None:
    assert Figures("en").exact(Fraction(amount)) == written
