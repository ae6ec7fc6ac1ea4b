"""The fields a file or a document may have, to name the one that was meant where a name is none of them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel


@cache
def field_names(model: type[BaseModel]) -> frozenset[str]:
    """The names of the fields of a model and of every model inside it."""
    found: set[type[BaseModel]] = set()
    left = [model]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left.extend(inner for field in one.model_fields.values() for inner in _models(field.annotation))
    return frozenset(name for one in found for name in one.model_fields)


def unknown_field(name: str, model: type[BaseModel]) -> str:
    """The rule a field breaks that `model` does not have there."""
    known = field_names(model)
    return "is no field here" if name in known else "is no field there is" + did_you_mean(name, known)


def did_you_mean(name: str, known: frozenset[str]) -> str:
    """A hint at the nearest of the names, where one is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}" if near else ""


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
