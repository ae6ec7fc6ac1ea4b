"""Amounts and days as a reader of one language writes them: Babel's patterns, prepared once. No float anywhere."""

from __future__ import annotations

from copy import copy
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel.core import Locale
from babel.dates import parse_pattern
from babel.numbers import NumberPattern

from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money

_LOCALES = {"en": "en_US", "zh-CN": "zh_Hans_CN"}
LANGUAGES = tuple(_LOCALES)
DAYS_KEPT = 4096
DECIMALS = tuple(sorted(set(CURRENCY_DECIMALS.values())))


class Figures:
    """Formats for one language."""

    def __init__(self, language: str) -> None:
        self._locale = Locale.parse(_LOCALES[language])
        self._amounts = {decimals: _with_decimals(self._locale, decimals) for decimals in DECIMALS}
        self._day = parse_pattern(self._locale.date_formats["long"])
        self.day = lru_cache(DAYS_KEPT)(self._written_day)

    def money(self, money: Money) -> str:
        """The amount with its currency's sign and exactly its decimals: $1,200.00, US$1,200.00."""
        value = Decimal(money.amount_minor).scaleb(-money.decimals)
        pattern = self._amounts[money.decimals]
        written: str = pattern.apply(value, self._locale, currency=money.currency, currency_digits=False)
        code, _, digits = written.partition(money.currency)
        return f"{money.currency} {digits}" if digits and not code else written

    def _written_day(self, day: date) -> str:
        return self._day.apply(day, self._locale)


def _with_decimals(locale: Locale, decimals: int) -> NumberPattern:
    """The locale's way of writing amounts, with our own table's decimals: Babel's would drop some currencies' cents."""
    pattern = copy(locale.currency_formats["standard"])
    if not isinstance(pattern, NumberPattern):
        raise TypeError("the locale has no pattern for amounts")
    pattern.frac_prec = (decimals, decimals)
    return pattern
