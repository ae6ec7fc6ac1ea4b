"""Money as an integer of minor units with its currency; exact everywhere, rounded half-up once, by name.

On the wire {"amount": "1234.50", "currency": "USD"} with exactly the currency's decimals. Mixing currencies raises;
no float is accepted anywhere. Amounts are bounded to 64-bit signed integers of minor units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.currencies import CURRENCY_DECIMALS

AMOUNT_MINOR_MAX = 2**63 - 1
_DIGITS_MAX = 19
_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,4})?", re.ASCII)
_EXACT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60}|/[0-9]{1,60})?", re.ASCII)
EXACT_PATTERN = r"^-?[0-9]{1,60}(\.[0-9]{1,60}|/[0-9]{1,60})?$"


class MoneyError(ValueError):
    """The value is no amount of money; the message names the rule, never the value."""


class CurrencyMismatchError(MoneyError):
    """Two currencies met in one sum or comparison."""


CurrencyMismatch = CurrencyMismatchError


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency. Equal only to the same amount of the same currency."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError("amount_minor is an integer of minor units")
        if not -AMOUNT_MINOR_MAX <= self.amount_minor <= AMOUNT_MINOR_MAX:
            raise MoneyError("the amount is beyond 64 bits of minor units")
        if self.currency not in CURRENCY_DECIMALS:
            raise MoneyError("the currency is not an ISO 4217 code in use")

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(0, currency)

    @classmethod
    def of_text(cls, amount: str, currency: str) -> Money:
        """From decimal text with exactly the currency's decimals, e.g. "1234.50" USD or "1234" JPY."""
        decimals = CURRENCY_DECIMALS.get(currency)
        if decimals is None:
            raise MoneyError("the currency is not an ISO 4217 code in use")
        if not isinstance(amount, str) or not _TEXT.fullmatch(amount):
            raise MoneyError("the amount is not plain decimal text")
        whole, _, fraction = amount.partition(".")
        if len(fraction) != decimals:
            raise MoneyError(f"the amount needs exactly the currency's {decimals} decimals")
        minor = int(whole + fraction)
        if minor == 0 and amount[0] == "-":
            raise MoneyError("zero has no sign")
        return cls(minor, currency)

    @classmethod
    def of_fraction(cls, amount: Fraction | int, currency: str) -> Money:
        """From an exact amount in major units, rounded half-up (away from zero at the half) to the minor unit, once."""
        if not isinstance(amount, Fraction) and type(amount) is not int:
            raise TypeError("amounts are exact: a Fraction or an int, never a float")
        if currency not in CURRENCY_DECIMALS:
            raise MoneyError("the currency is not an ISO 4217 code in use")
        minor = Fraction(amount) * 10 ** CURRENCY_DECIMALS[currency]
        size = (2 * abs(minor.numerator) + minor.denominator) // (2 * minor.denominator)
        return cls(size if minor >= 0 else -size, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str) -> Money:
        """The sum, zero of `currency` when there is none; CurrencyMismatch if one amount is of another."""
        result = cls.zero(currency)
        for amount in amounts:
            result = result + amount
        return result

    @property
    def decimals(self) -> int:
        return CURRENCY_DECIMALS[self.currency]

    def as_fraction(self) -> Fraction:
        """The exact amount in major units."""
        return Fraction(self.amount_minor, 10**self.decimals)

    def to_text(self) -> str:
        """Decimal text in major units with exactly the currency's decimals."""
        decimals = self.decimals
        sign = "-" if self.amount_minor < 0 else ""
        digits = str(abs(self.amount_minor)).rjust(decimals + 1, "0")
        return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits

    def allocate(self, weights: Sequence[Fraction | int]) -> list[Money]:
        """Parts in proportion to the weights that sum to the whole: each floored, then the largest remainders get one.

        Ties go to the earlier part. Weights are not negative and not all zero.
        """
        if any(not isinstance(weight, Fraction) and type(weight) is not int for weight in weights):
            raise TypeError("weights are exact: Fractions or ints, never floats")
        if not weights or any(weight < 0 for weight in weights) or not any(weights):
            raise MoneyError("weights must not be negative, nor all zero")
        whole, size = sum(map(Fraction, weights)), abs(self.amount_minor)
        shares = [size * Fraction(weight) / whole for weight in weights]
        parts = [share.numerator // share.denominator for share in shares]
        by_remainder = sorted(range(len(parts)), key=lambda place: (parts[place] - shares[place], place))
        for place in by_remainder[: size - sum(parts)]:
            parts[place] += 1
        sign = 1 if self.amount_minor >= 0 else -1
        return [Money(sign * part, self.currency) for part in parts]

    def __str__(self) -> str:
        return f"{self.to_text()} {self.currency}"

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._minor_of(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._minor_of(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount_minor < self._minor_of(other)

    def __le__(self, other: Money) -> bool:
        return self.amount_minor <= self._minor_of(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount_minor > self._minor_of(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount_minor >= self._minor_of(other)

    def _minor_of(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError("money meets only money")
        if other.currency != self.currency:
            raise CurrencyMismatchError("amounts of two currencies cannot be combined or compared")
        return other.amount_minor

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, max_length=_DIGITS_MAX + 2)
        fields = {
            "amount": core_schema.typed_dict_field(text),
            "currency": core_schema.typed_dict_field(core_schema.str_schema(strict=True, max_length=3)),
        }
        wire = core_schema.no_info_after_validator_function(_of_wire, core_schema.typed_dict_schema(fields))
        return core_schema.json_or_python_schema(
            json_schema=wire,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), wire], mode="left_to_right"),
            serialization=core_schema.plain_serializer_function_ser_schema(_to_wire),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _wire_schema("-?")


def _of_wire(wire: dict[str, str]) -> Money:
    try:
        return Money.of_text(wire["amount"], wire["currency"])
    except MoneyError as error:
        raise PydanticCustomError("money", "{reason}", {"reason": str(error)}) from None


def _to_wire(money: Money) -> dict[str, str]:
    return {"amount": money.to_text(), "currency": money.currency}


def _wire_schema(sign: str) -> dict[str, Any]:
    """Exactly the currency's decimals, per group of currencies: what a validator without our code must refuse too."""
    groups: dict[int, list[str]] = {}
    for code, decimals in CURRENCY_DECIMALS.items():
        groups.setdefault(decimals, []).append(code)
    choices = []
    for decimals, codes in sorted(groups.items()):
        tail = rf"\.[0-9]{{{decimals}}}" if decimals else ""
        pattern = rf"^{sign}(0|[1-9][0-9]{{0,{_DIGITS_MAX - 1 - decimals}}}){tail}$"
        choices.append({"properties": {"amount": {"pattern": pattern}, "currency": {"enum": codes}}})
    return {
        "type": "object",
        "title": "Money",
        "properties": {
            "amount": {"type": "string", "maxLength": _DIGITS_MAX + 2},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
        "required": ["amount", "currency"],
        "oneOf": choices,
    }


class _UnsignedSchema:
    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**_wire_schema(""), "title": "NonNegativeMoney"}


def _not_negative(money: Money) -> Money:
    if money.amount_minor < 0:
        raise PydanticCustomError("money_negative", "The amount must not be negative")
    return money


def _positive(money: Money) -> Money:
    if money.amount_minor <= 0:
        raise PydanticCustomError("money_not_positive", "The amount must be more than zero")
    return money


NonNegativeMoney = Annotated[Money, AfterValidator(_not_negative), _UnsignedSchema()]
PositiveMoney = Annotated[Money, AfterValidator(_positive), _UnsignedSchema()]


def _known_currency(code: str) -> str:
    if code not in CURRENCY_DECIMALS:
        raise PydanticCustomError("currency", "The currency must be an ISO 4217 code in use")
    return code


Currency = Annotated[
    str,
    Field(pattern=r"^[A-Z]{3}$", json_schema_extra={"enum": sorted(CURRENCY_DECIMALS)}),
    AfterValidator(_known_currency),
]

ExactAmount = Annotated[str, Field(pattern=EXACT_PATTERN, max_length=122)]
"""An exact amount in major units as text: a decimal when it ends, else a fraction: "1234.5", "2000/3"."""


def exact_text(amount: Fraction | int) -> str:
    """The shortest exact text of an amount in major units: a decimal when it ends, else numerator/denominator."""
    if not isinstance(amount, Fraction) and type(amount) is not int:
        raise TypeError("amounts are exact: a Fraction or an int, never a float")
    if amount.denominator == 1:
        return str(amount.numerator)
    rest, places = amount.denominator, {2: 0, 5: 0}
    for prime in places:
        while rest % prime == 0:
            rest //= prime
            places[prime] += 1
    if rest != 1:
        return f"{amount.numerator}/{amount.denominator}"
    decimals = max(places.values())
    digits = str(abs(amount.numerator) * 10**decimals // amount.denominator).rjust(decimals + 1, "0")
    sign = "-" if amount.numerator < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def exact_amount(text: str) -> Fraction:
    """The amount in major units a text of `exact_text` stands for; MoneyError for anything else."""
    if not isinstance(text, str) or not _EXACT.fullmatch(text):
        raise MoneyError("the text is no exact amount")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise MoneyError("the text is no exact amount") from None
