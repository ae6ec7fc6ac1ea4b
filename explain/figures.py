"""Amounts and days as a reader of one language writes them, in Babel's forms, prepared once. No float anywhere."""

from __future__ import annotations

from copy import copy
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from babel.core import Locale
from babel.dates import parse_pattern
from babel.numbers import NumberPattern, get_decimal_symbol, get_group_symbol

from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money

_LOCALES = {"en": "en_US", "zh-CN": "zh_Hans_CN"}
LANGUAGES = tuple(_LOCALES)
DAYS_KEPT = 4096


class Figures:
    """Formats for one language."""

    def __init__(self, language: str) -> None:
        self._locale = Locale.parse(_LOCALES[language])
        self._group, self._point = get_group_symbol(self._locale), get_decimal_symbol(self._locale)
        self._around = {currency: self._frame(currency) for currency in CURRENCY_DECIMALS}
        self._day = parse_pattern(self._locale.date_formats["long"])
        self.day = lru_cache(DAYS_KEPT)(self._written_day)

    def money(self, money: Money) -> str:
        """The amount with its currency's sign and exactly its decimals: $1,200.00, US$1,200.00."""
        if money.amount_minor < 0:
            return self.by_babel(money)
        before, after = self._around[money.currency]
        whole, part = divmod(money.amount_minor, 10**money.decimals)
        digits = f"{whole:,}".replace(",", self._group)
        return (
            f"{before}{digits}{self._point}{part:0{money.decimals}}{after}"
            if money.decimals
            else before + digits + after
        )

    def by_babel(self, money: Money) -> str:
        """The same by Babel itself, slower; with our decimals, as Babel's would drop some currencies' cents."""
        pattern = copy(self._locale.currency_formats["standard"])
        if not isinstance(pattern, NumberPattern) or tuple(pattern.grouping) != (3, 3):
            raise TypeError("the locale has no pattern for amounts in groups of three")
        pattern.frac_prec = (money.decimals, money.decimals)
        value = Decimal(money.amount_minor).scaleb(-money.decimals)
        written: str = pattern.apply(value, self._locale, currency=money.currency, currency_digits=False)
        code, _, digits = written.partition(money.currency)
        return f"{money.currency} {digits}" if digits and not code else written

    def percent(self, rate: Fraction) -> str:
        """A part of the whole in per cent, to two decimals where it does not end before: 15%, 83.33%."""
        return f"{self._decimals(Fraction(round(rate * 10_000), 100), 2)}%"

    def exact(self, amount: Fraction) -> str:
        """An amount with more decimals than its currency has, with dots where it never ends."""
        shown = self._decimals(amount, 6)
        return shown if Fraction(shown.replace(self._group, "").replace(self._point, ".")) == amount else f"{shown}…"

    def _decimals(self, number: Fraction, places: int) -> str:
        """The digits as far as they go, at most so many decimals, cut off there."""
        size = abs(number) * 10**places
        whole, part = divmod(size.numerator // size.denominator, 10**places)
        tail = f"{part:0{places}}".rstrip("0")
        sign = "-" if number < 0 else ""
        digits = sign + f"{whole:,}".replace(",", self._group)
        return f"{digits}{self._point}{tail}" if tail else digits

    def _frame(self, currency: str) -> tuple[str, str]:
        """What stands before and after the digits, taken from Babel's zero."""
        zero = self._point.join(["0", "0" * CURRENCY_DECIMALS[currency]] if CURRENCY_DECIMALS[currency] else ["0"])
        before, found, after = self.by_babel(Money.zero(currency)).partition(zero)
        if not found:
            raise TypeError("the locale does not write amounts in these digits")
        return before, after

    def _written_day(self, day: date) -> str:
        return self._day.apply(day, self._locale)
