"""Money is exact, rounded once, bounded, and never leaks a minor unit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.money import (
    AMOUNT_MINOR_MAX,
    CurrencyMismatchError,
    Money,
    MoneyError,
    NonNegativeMoney,
    PositiveMoney,
    exact_amount,
    exact_text,
)

amounts = st.integers(-(10**15), 10**15)
wire = TypeAdapter(Money)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0.00", "USD", 0),
        ("1234.50", "USD", 123450),
        ("-0.01", "USD", -1),
        ("1234", "JPY", 1234),
        ("1.500", "BHD", 1500),
    ],
)
def test_text_with_the_currencys_decimals_is_read_and_written_alike(text: str, currency: str, minor: int) -> None:
    money = Money.of_text(text, currency)

    assert money == Money(minor, currency)
    assert money.to_text() == text


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1", "USD"),
        ("1.0", "USD"),
        ("1.000", "USD"),
        ("1.00", "JPY"),
        ("-0.00", "USD"),
        ("+1.00", "USD"),
        ("01.00", "USD"),
        ("1e2", "USD"),
        ("NaN", "USD"),
        (" 1.00", "USD"),
        ("1.00", "ABC"),
        ("1,00", "USD"),
        ("99999999999999999999.00", "USD"),
        ("١.٠٠", "USD"),
    ],
)
def test_any_other_text_is_refused_without_being_repeated(text: str, currency: str) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.of_text(text, currency)

    assert text not in str(refused.value)


@pytest.mark.parametrize("value", [1.5, True, "100"])
def test_no_float_bool_or_text_becomes_minor_units(value: object) -> None:
    with pytest.raises(TypeError):
        Money(value, "USD")  # type: ignore[arg-type]


def test_amounts_are_bounded_to_64_bits() -> None:
    assert Money(AMOUNT_MINOR_MAX, "USD").amount_minor == AMOUNT_MINOR_MAX
    with pytest.raises(MoneyError):
        Money(AMOUNT_MINOR_MAX, "USD") + Money(1, "USD")


def test_two_currencies_never_mix() -> None:
    with pytest.raises(CurrencyMismatchError):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(CurrencyMismatchError):
        assert Money(1, "USD") < Money(2, "EUR")
    with pytest.raises(CurrencyMismatchError):
        Money.total([Money(1, "EUR")], "USD")
    assert Money(0, "USD") != Money(0, "EUR")


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (Fraction(1, 200), 1),
        (Fraction(-1, 200), -1),
        (Fraction(1, 201), 0),
        (Fraction(2, 3), 67),
        (Fraction(1005, 1000), 101),
        (Fraction(-1005, 1000), -101),
        (3, 300),
    ],
)
def test_rounding_is_half_up_away_from_zero(amount: Fraction | int, minor: int) -> None:
    assert Money.of_fraction(amount, "USD") == Money(minor, "USD")


@given(amounts, st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any))
def test_shares_sum_to_the_whole_and_stay_within_one_unit_of_exact(minor: int, weights: list[int]) -> None:
    whole = Money(minor, "USD")

    parts = whole.allocate(weights)

    assert Money.total(parts, "USD") == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount_minor - Fraction(minor * weight, sum(weights))) < 1


@given(st.fractions(max_denominator=10**6))
def test_exact_text_says_exactly_the_amount(amount: Fraction) -> None:
    assert exact_amount(exact_text(amount)) == amount


@given(amounts, st.sampled_from(["USD", "JPY", "BHD", "CLF"]))
def test_the_wire_form_round_trips(minor: int, currency: str) -> None:
    money = Money(minor, currency)

    assert wire.validate_json(wire.dump_json(money)) == money


@pytest.mark.parametrize("value", ['{"amount": 1.5, "currency": "USD"}', '{"amount": "1.00"}', "1.00", '"1.00 USD"'])
def test_the_wire_takes_no_number_for_an_amount(value: str) -> None:
    with pytest.raises(ValidationError):
        wire.validate_json(value)


def test_signs_are_a_matter_of_type() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(NonNegativeMoney).validate_json('{"amount": "-0.01", "currency": "USD"}')
    with pytest.raises(ValidationError):
        TypeAdapter(PositiveMoney).validate_json('{"amount": "0.00", "currency": "USD"}')
