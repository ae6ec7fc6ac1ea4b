"""What is known about a loss, asked for by name: facts of the line first, then of the claim, then what terms assume.

A fact is text from outside until an operation asks for it as something; what does not fit is a `FactError`, which
names the fact and the rule, never the value, and sends the claim to a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction

from schemas.conditions import DeclaredFact, FactKind, FactValue

Value = FactValue | Fraction | datetime
"""As reported, or, for what the system itself knows, an exact number or an instant."""

_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class FactError(ValueError):
    """A fact the terms need is missing or is no such thing; `fact` is its name, `missing` tells which."""

    def __init__(self, fact: str, rule: str, missing: bool = False) -> None:
        super().__init__(f"{fact} {rule}")
        self.fact = fact
        self.missing = missing


class FactBook:
    """The facts of one line, with those of its claim behind them, then what the terms assume."""

    __slots__ = ("_declared", "_layers")

    def __init__(self, layers: tuple[Mapping[str, Value], ...], declared: Mapping[str, DeclaredFact]) -> None:
        self._layers = layers
        self._declared = declared

    def find(self, name: str) -> Value | None:
        """The fact, or what the terms assume; None where neither says anything."""
        for layer in self._layers:
            value = layer.get(name)
            if value is not None:
                return value
        declared = self._declared.get(name)
        return declared.default if declared is not None else None

    def with_first(self, layer: Mapping[str, Value]) -> FactBook:
        """The same facts with others before them."""
        return FactBook((layer, *self._layers), self._declared)

    def own(self, name: str) -> bool:
        """Whether the line itself states the fact."""
        return any(layer.get(name) is not None for layer in self._layers[:-1])

    def stated(self, name: str) -> bool:
        """Whether the line or its claim states the fact; what the terms assume is stated by nobody."""
        return any(layer.get(name) is not None for layer in self._layers)

    def figure(self, name: str) -> Fraction | None:
        """The fact as an exact number, None if unknown. A list of rates is their sum."""
        value = self.find(name)
        return None if value is None else figure_of(name, value)

    def kind_of(self, name: str) -> FactKind | None:
        """What the terms declare the fact to be."""
        declared = self._declared.get(name)
        return declared.kind if declared is not None else None


def figure_of(name: str, value: Value) -> Fraction:
    """A fact as an exact number; a list of rates is their sum."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, tuple):
        return sum((figure_of(name, one) for one in value), Fraction(0))
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise FactError(name, "is not a number in plain decimals")
    return Fraction(value)


def instant_of(name: str, value: Value) -> datetime | date:
    """A fact as an instant, or as a date if it has no time of day."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            if _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value.replace("z", "Z"))
            if _DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
    raise FactError(name, "is neither a date nor an instant with its offset")


def ordered(
    name: str, value: Value, other: Value
) -> tuple[Fraction, Fraction] | tuple[datetime, datetime] | tuple[date, date]:
    """Both sides of a comparison as the same kind of thing: numbers, instants, or dates if one has no time of day."""
    if is_figure(value):
        return figure_of(name, value), figure_of(name, other)
    one, two = instant_of(name, value), instant_of(name, other)
    if isinstance(one, datetime) and isinstance(two, datetime):
        return one, two
    return day_of(one), day_of(two)


def is_figure(value: Value) -> bool:
    """Whether it is compared as a number."""
    return isinstance(value, Fraction) or (isinstance(value, str) and _DECIMAL.fullmatch(value) is not None)


def is_bound(text: str) -> bool:
    """Whether other things can be more or less than this text: a number, a date or an instant."""
    try:
        return is_figure(text) or instant_of("bound", text) is not None
    except FactError:
        return False


def day_of(moment: datetime | date) -> date:
    """The day of an instant, in the offset it is written in."""
    return moment.date() if isinstance(moment, datetime) else moment


KIND_RULES: Mapping[FactKind, str] = {
    FactKind.money: "is not an amount of nothing or more in plain decimals",
    FactKind.number: "is not a number in plain decimals",
    FactKind.rate: "is not a part of the whole from 0 to 1",
    FactKind.rates: "is not a list of parts of the whole from 0 to 1",
    FactKind.flag: "is neither true nor false",
    FactKind.code: "is not a code",
    FactKind.date: "is not a date",
    FactKind.instant: "is neither a date nor an instant with its offset",
}


def check_kind(name: str, value: Value, kind: FactKind) -> None:
    """FactError if a stated fact is not of the kind the terms declare."""
    if not _fits(name, value, kind):
        raise FactError(name, KIND_RULES[kind])


def _fits(name: str, value: Value, kind: FactKind) -> bool:
    match kind:
        case FactKind.flag:
            return isinstance(value, bool)
        case FactKind.code:
            return isinstance(value, str)
        case FactKind.rates:
            return isinstance(value, tuple) and all(_is_rate(one) for one in value)
        case FactKind.rate:
            return _is_rate(value)
        case FactKind.date | FactKind.instant:
            try:
                instant_of(name, value)
            except FactError:
                return False
            return True
    if not isinstance(value, Fraction) and (not isinstance(value, str) or _DECIMAL.fullmatch(value) is None):
        return False
    return kind is FactKind.number or Fraction(value) >= 0


def _is_rate(value: Value) -> bool:
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None and 0 <= Fraction(value) <= 1
