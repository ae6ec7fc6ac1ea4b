"""What terms ask about a loss: facts by name, where a figure comes from, and conditions that have to hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from schemas.model import Model, Privacy, ShortText

DECIMAL_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$"
Decimal = Annotated[str, Field(pattern=DECIMAL_PATTERN, max_length=26)]
"""Plain decimal text."""


RATE_PATTERN = r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$"
Rate = Annotated[str, Field(pattern=RATE_PATTERN, max_length=11)]
"""A part of the whole as decimal text from 0 to 1."""


SOURCE_PATTERN = r"^((fact|term|result):[a-z][a-z0-9_]{0,49}|[0-9]{1,15}(\.[0-9]{1,9})?)$"
Source = Annotated[str, Field(pattern=SOURCE_PATTERN, max_length=64)]
"""Where an operation finds a figure: a fact of the line or claim, a term, a result so far, or decimal text."""


FACT = "fact:"
"""Begins a source or a bound that is a fact, by its name."""


NAME_PATTERN = r"^[a-z][a-z0-9_]{0,49}$"
FactName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=50)]


def _flag(value: object) -> object:
    """Files of terms write true and false as words; they mean the same as in JSON."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


FactValue = Annotated[
    StrictBool | ShortText | Annotated[tuple[ShortText, ...], Field(max_length=50)], BeforeValidator(_flag)
]
"""A fact as it stands in a claim: true or false, text (decimal, date, instant, code), or a list of texts."""


Facts = Annotated[dict[FactName, FactValue], Field(max_length=100)]


class FactKind(StrEnum):
    money = "money"
    number = "number"
    rate = "rate"
    rates = "rates"
    flag = "flag"
    code = "code"
    date = "date"
    instant = "instant"


class Condition(Model):
    """One test of one fact. Texts are compared as numbers, dates or instants where both are, else as codes.

    What it is at least, more than, at most or less than is a figure, a date, an instant, or another fact (`fact:name`).
    `within_hours_after` is true up to and including the last of `hours` after the instant of the fact it names.
    """

    fact: Annotated[FactName, Privacy.internal]
    equals: Annotated[FactValue | None, Privacy.internal] = None
    one_of: Annotated[
        Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=100)] | None, Privacy.internal
    ] = None
    at_least: Annotated[ShortText | None, Privacy.internal] = None
    more_than: Annotated[ShortText | None, Privacy.internal] = None
    at_most: Annotated[ShortText | None, Privacy.internal] = None
    less_than: Annotated[ShortText | None, Privacy.internal] = None
    within_hours_after: Annotated[FactName | None, Privacy.internal] = None
    hours: Annotated[Annotated[int, Field(ge=0, le=100_000)] | None, Privacy.internal] = None
    known: Annotated[bool | None, Privacy.internal] = None
    negated: Annotated[bool | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _is_one_test(self) -> Self:
        tests = (
            self.equals,
            self.one_of,
            self.at_least,
            self.more_than,
            self.at_most,
            self.less_than,
            self.within_hours_after,
            self.known,
        )
        if sum(test is not None for test in tests) != 1:
            raise ValueError("a condition makes exactly one test")
        if (self.within_hours_after is None) != (self.hours is None):
            raise ValueError("within_hours_after and hours belong together")
        return self


Conditions = Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]
"""All of them must hold. A fact that is not known holds nothing."""


class DeclaredFact(Model):
    """A fact these terms use, its kind, and what it counts as where a claim does not state it."""

    kind: Annotated[FactKind, Privacy.internal]
    default: Annotated[FactValue | None, Privacy.internal] = None
