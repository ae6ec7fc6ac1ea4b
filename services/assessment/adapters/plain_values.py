"""What people write where a model wants its full form: an amount without its currency, a day, a number as a number.

Guided by the model's own fields, so that a new field of the terms is written the same way without a word here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from fractions import Fraction
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money, MoneyError

PLAIN_AMOUNT = r"^[0-9]{1,15}(\.[0-9]{1,9})?$"
DEPTH_MAX, VALUES_MAX = 32, 20_000
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2})?)?", re.ASCII)


class ShapeError(ValueError):
    """The content is too deep or too large, or holds what is no JSON."""


def as_texts(content: Any) -> Any:
    """The same content with every number as text, which no format has rounded; bounded in depth and size."""
    left = [VALUES_MAX]

    def visit(value: Any, depth: int) -> Any:
        left[0] -= 1
        if depth > DEPTH_MAX or left[0] < 0:
            raise ShapeError(f"is nested deeper than {DEPTH_MAX} levels or holds more than {VALUES_MAX} values")
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                raise ShapeError("names of fields are text")
            return {name: visit(one, depth + 1) for name, one in value.items()}
        if isinstance(value, list):
            return [visit(one, depth + 1) for one in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str | bool):
            raise ShapeError("write numbers with decimals as text")
        return value

    return visit(content, 1)


def in_full(model: type[BaseModel], content: Any, currency: str | None, zone: ZoneInfo | None) -> Any:
    """Plain amounts in the currency and days in the zone, in the full form of the model; all else as it is."""

    def visit(wanted: Any, value: Any) -> Any:
        origin = get_origin(wanted)
        if origin is Annotated:
            return visit(get_args(wanted)[0], value)
        if origin in (Union, UnionType):
            for one in get_args(wanted):
                value = visit(one, value)
            return value
        if wanted is Money:
            return _amount(value, currency)
        if wanted is datetime:
            return _moment(value, zone)
        if origin is tuple and isinstance(value, list):
            return [visit(get_args(wanted)[0], one) for one in value]
        if origin is dict and isinstance(value, dict):
            return {name: visit(get_args(wanted)[1], one) for name, one in value.items()}
        if isinstance(wanted, type) and issubclass(wanted, BaseModel) and isinstance(value, dict):
            fields: Mapping[str, Any] = wanted.model_fields
            return {name: visit(fields[name].annotation, one) if name in fields else one for name, one in value.items()}
        return value

    return visit(model, content)


def _amount(value: Any, currency: str | None) -> Any:
    if not isinstance(value, str) or currency not in CURRENCY_DECIMALS or not re.fullmatch(PLAIN_AMOUNT, value):
        return value
    try:
        money = Money.of_fraction(Fraction(value), currency)
    except MoneyError:
        return value
    return {"amount": money.to_text() if money.as_fraction() == Fraction(value) else value, "currency": currency}


def _moment(value: Any, zone: ZoneInfo | None) -> Any:
    """A day is its first instant in the zone, a time without an offset is the zone's."""
    if not isinstance(value, str) or zone is None or not _LOCAL.fullmatch(value):
        return value
    try:
        if len(value) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(value), time(), zone).isoformat()
        return datetime.fromisoformat(value.upper()).replace(tzinfo=zone).isoformat()
    except ValueError:
        return value
