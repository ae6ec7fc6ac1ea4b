"""Amounts and days as a reader of one language writes them: Babel's patterns, prepared once. No float anywhere."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel.core import Locale
from babel.dates import parse_pattern
from babel.numbers import NumberPattern

from schemas.money import Money

_LOCALES = {"en": "en_US", "zh-CN": "zh_Hans_CN"}
LANGUAGES = tuple(_LOCALES)
DAYS_KEPT = 4096


class Figures:
    """Formats for one language."""

    def __init__(self, language: str) -> None:
        self._locale = Locale.parse(_LOCALES[language])
        pattern = self._locale.currency_formats["standard"]
        if not isinstance(pattern, NumberPattern):
            raise TypeError("the locale has no pattern for amounts")
        self._amount = pattern
        self._day = parse_pattern(self._locale.date_formats["long"])
        self.day = lru_cache(DAYS_KEPT)(self._written_day)

    def money(self, money: Money) -> str:
        """The amount with its currency's sign and exactly its decimals: $1,200.00, US$1,200.00."""
        value = Decimal(money.amount_minor).scaleb(-money.decimals)
        return self._amount.apply(value, self._locale, currency=money.currency, force_frac=(money.decimals,) * 2)

    def _written_day(self, day: date) -> str:
        return str(self._day.apply(day, self._locale))
