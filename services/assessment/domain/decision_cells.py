"""The cells of decision tables: a small closed language of conditions, and what facts they can tell apart.

Pure and exact. A fact that is not known fulfils only `-` and `unknown`: of what we do not know we do not even know
that it is not something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import lcm

from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money, exact_text

Value = bool | str | Fraction
Fact = Value | Money | None
"""What is known about a claim; None: not known."""

CELL_CHARACTERS_MAX = 300
ANY, UNKNOWN = "-", "unknown"
_FLAGS = {"true": True, "false": False}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_COMPARED = re.compile(rf"(>=|<=|>|<) ?({_NUMBER})", re.ASCII)
_RANGE = re.compile(rf"([\[(]) ?({_NUMBER}) ?\.\. ?({_NUMBER}) ?([\])])", re.ASCII)


class CellError(ValueError):
    """The text is no condition; the message says the rule, never the text."""


class Kind(Enum):
    """`count`: whole numbers from 0. `whole`: whole numbers. `money`: whole minor units of one currency, from 0."""

    number = "number"
    whole = "whole"
    count = "count"
    money = "money"
    code = "code"
    flag = "flag"


_TYPES: dict[Kind, type] = {Kind.flag: bool, Kind.code: str, Kind.money: Money}
NUMBERS = frozenset({Kind.number, Kind.whole, Kind.count, Kind.money})


@dataclass(frozen=True, slots=True)
class Input:
    """One column of conditions, over the fact it names.

    `values` are the codes that may be written; with `closed` no other can occur. `can_be_unknown` false: it is always
    known. An amount of another currency than `currency` counts as not known: nothing is converted.
    """

    name: str
    fact: str
    kind: Kind
    values: tuple[str, ...] = ()
    closed: bool = False
    can_be_unknown: bool = True
    currency: str | None = None

    @property
    def step(self) -> Fraction | None:
        """The distance of two values that can occur; None: any number can."""
        if self.kind is Kind.money:
            return Fraction(1, 10 ** CURRENCY_DECIMALS.get(self.currency or "", 0))
        return Fraction(1) if self.kind in (Kind.whole, Kind.count) else None

    @property
    def least(self) -> Fraction | None:
        return Fraction(0) if self.kind in (Kind.money, Kind.count) else None


@dataclass(frozen=True, slots=True)
class Interval:
    """None is no bound on that side."""

    low: Fraction | None
    low_in: bool
    high: Fraction | None
    high_in: bool

    def holds(self, value: Fraction) -> bool:
        above = self.low is None or value > self.low or (self.low_in and value == self.low)
        return above and (self.high is None or value < self.high or (self.high_in and value == self.high))


@dataclass(frozen=True, slots=True)
class Cell:
    """One condition, read. `excluded` is the one value it is not; `known` asks only that something is known."""

    anything: bool = False
    unknown: bool = False
    known: bool = False
    values: frozenset[bool | str] = frozenset()
    excluded: str | None = None
    intervals: tuple[Interval, ...] = ()

    def accepts(self, value: Value | None) -> bool:
        """Whether the condition is fulfilled; None is not known."""
        if self.anything or value is None:
            return self.anything or self.unknown
        if self.known:
            return True
        if isinstance(value, Fraction):
            return any(interval.holds(value) for interval in self.intervals)
        return value in self.values or (self.excluded is not None and value != self.excluded)

    @property
    def bounds(self) -> set[Fraction]:
        """Every number at which the condition may change."""
        sides = (side for one in self.intervals for side in (one.low, one.high))
        return {side for side in sides if side is not None}

    @property
    def codes(self) -> set[str]:
        """Every code the condition names."""
        named = {value for value in self.values if isinstance(value, str)}
        return named if self.excluded is None else named | {self.excluded}


def read_cell(text: str, column: Input) -> Cell:
    """The condition a text stands for; CellError says what is wrong with it."""
    if len(text) > CELL_CHARACTERS_MAX:
        raise CellError(f"is longer than {CELL_CHARACTERS_MAX} characters")
    text = text.strip()
    if not text:
        raise CellError("is empty; any value is written as -")
    if text == ANY:
        return Cell(anything=True)
    if text.startswith("!"):
        return _negation(text[1:].strip(), column)
    values: set[bool | str] = set()
    intervals: list[Interval] = []
    unknown = False
    for part in (one.strip() for one in text.split("|")):
        if part.lower() == UNKNOWN:
            _demand_unknowable(column)
            unknown = True
        elif column.kind in NUMBERS:
            intervals.append(_interval(part, column))
        else:
            values.add(_value(part, column))
    if unknown + len(values) + len(intervals) < text.count("|") + 1:
        raise CellError("names a value twice")
    return Cell(unknown=unknown, values=frozenset(values), intervals=tuple(intervals))


def _negation(text: str, column: Input) -> Cell:
    if text.lower() == UNKNOWN:
        _demand_unknowable(column)
        return Cell(known=True)
    if column.kind is not Kind.code:
        raise CellError("can only exclude a code, or unknown")
    if "|" in text:
        raise CellError("excludes one value; use several rows for several")
    return Cell(excluded=str(_value(text, column)))


def _demand_unknowable(column: Input) -> None:
    if not column.can_be_unknown:
        raise CellError("asks for unknown, but this fact is always known")


def _value(text: str, column: Input) -> bool | str:
    if column.kind is Kind.flag:
        # A spreadsheet writes its own TRUE and FALSE in capitals.
        if text.lower() not in _FLAGS:
            raise CellError("must be true, false, unknown or -")
        return _FLAGS[text.lower()]
    if not _CODE.fullmatch(text):
        raise CellError("is no code, list of codes with |, code excluded with !, unknown or -")
    if column.values and text not in column.values:
        raise CellError(f"names a value that is none of {', '.join(column.values)}")
    return text


def _interval(text: str, column: Input) -> Interval:
    if _PLAIN.fullmatch(text):
        number = _number(text, column)
        return Interval(number, True, number, True)
    compared = _COMPARED.fullmatch(text)
    if compared is not None:
        sign, number = compared[1], _number(compared[2], column)
        inclusive = sign.endswith("=")
        return Interval(number, inclusive, None, False) if ">" in sign else Interval(None, False, number, inclusive)
    ranged = _RANGE.fullmatch(text)
    if ranged is None:
        raise CellError("is no number, comparison (>= 5), range ([1..3], (1..3]), unknown or -")
    low, high = _number(ranged[2], column), _number(ranged[3], column)
    interval = Interval(low, ranged[1] == "[", high, ranged[4] == "]")
    if low > high or (low == high and not (interval.low_in and interval.high_in)):
        raise CellError("is a range that holds nothing")
    return interval


def _number(text: str, column: Input) -> Fraction:
    number = Fraction(text)
    if column.step is not None and (number / column.step).denominator != 1:
        what = "the currency's minor units" if column.kind is Kind.money else "whole numbers"
        raise CellError(f"must be in {what}")
    return number


class Atoms:
    """An input's values cut into the parts that a table's cells can tell apart; the last part is `not known`.

    Numbers are cut at every bound, into points and what lies between; codes into those named and all others.
    """

    __slots__ = ("_codes", "_cuts", "_type", "_unit", "column", "possible", "samples")

    def __init__(self, column: Input, cells: Iterable[Cell]) -> None:
        self.column = column
        used = list(cells)
        bounds: list[Fraction] = []
        self._codes: dict[Fact, int] = {}
        samples: list[Value | None]
        if column.kind in NUMBERS:
            bounds = sorted({bound for cell in used for bound in cell.bounds})
            samples = list(_points(bounds))
            can_occur = [_occurring(place, bounds, column) for place in range(len(samples))]
            samples = [point if real is None else real for point, real in zip(samples, can_occur, strict=True)]
            possible = [real is not None for real in can_occur]
        elif column.kind is Kind.flag:
            self._codes, samples, possible = {True: 0, False: 1}, [True, False], [True, True]
        else:
            named = sorted({code for cell in used for code in cell.codes} | set(column.values))
            self._codes = {code: place for place, code in enumerate(named)}
            # No code begins so; it stands for every code that is not named.
            samples, possible = [*named, ""], [True] * len(named) + [not column.closed]
        self._type = _TYPES.get(column.kind, Fraction)
        # Comparing integers costs a tenth of comparing fractions, and every claim is compared.
        self._unit = lcm(*(bound.denominator for bound in bounds))
        self._cuts = [int(bound * self._unit) for bound in bounds]
        self.samples: tuple[Value | None, ...] = (*samples, None)
        self.possible = sum(1 << place for place, real in enumerate((*possible, column.can_be_unknown)) if real)

    def accepted(self, cell: Cell) -> int:
        """The parts a cell accepts, one bit each."""
        return sum(1 << place for place, value in enumerate(self.samples) if cell.accepts(value))

    def place(self, fact: Fact) -> int:
        """The part a fact lies in. TypeError if it is not of the column's kind."""
        last = len(self.samples) - 1
        if fact is None:
            return last
        # By type and not isinstance: a fraction's class makes that slow.
        if type(fact) is not self._type:
            raise TypeError(f"the fact {self.column.fact} is not a {self.column.kind.value}")
        if type(fact) is Fraction:
            return self._cut(fact.numerator, fact.denominator)
        if type(fact) is Money:
            return self._cut(fact.amount_minor, 10**fact.decimals) if fact.currency == self.column.currency else last
        return self._codes.get(fact, last - 1)

    def _cut(self, numerator: int, denominator: int) -> int:
        size = numerator * self._unit
        for number, cut in enumerate(self._cuts):
            bound = cut * denominator
            if size <= bound:
                return 2 * number + (size == bound)
        return 2 * len(self._cuts)

    def said(self, place: int) -> str:
        """An example of a part, as a person reads it."""
        value = self.samples[place]
        if value is None:
            return UNKNOWN
        if value == "":
            return "any other"
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, str) else exact_text(value)


def _points(bounds: list[Fraction]) -> Iterable[Fraction]:
    """One number of every part: below the first bound, at it, between it and the next, and so on."""
    if not bounds:
        yield Fraction(0)
        return
    yield bounds[0] - 1
    for one, following in zip(bounds, [*bounds[1:], None], strict=True):
        yield one
        yield one + 1 if following is None else (one + following) / 2


def _occurring(place: int, bounds: list[Fraction], column: Input) -> Fraction | None:
    """A number of a part that can occur in this column; None if none can."""
    number, at_bound = divmod(place, 2)
    low = bounds[number - 1] if number else None
    high = bounds[number] if number < len(bounds) else None
    if at_bound:
        found = bounds[number]
    elif column.step is None:
        found = list(_points(bounds))[place]
    elif low is not None:
        found = max(_above(low, column.step), Fraction(0) if column.least is not None else low)
    elif high is not None:
        found = Fraction(0) if column.least is not None else _below(high, column.step)
    else:
        found = Fraction(0)
    if column.least is not None and found < column.least:
        return None
    return found if at_bound or _between(low, found, high) else None


def _between(low: Fraction | None, number: Fraction, high: Fraction | None) -> bool:
    return (low is None or low < number) and (high is None or number < high)


def _above(number: Fraction, step: Fraction) -> Fraction:
    return (number // step + 1) * step


def _below(number: Fraction, step: Fraction) -> Fraction:
    return -_above(-number, step)
