"""The checker says in words why a change breaks, and lets additive ones pass."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from schemas.compatibility import compare

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "string", "maxLength": 20, "x-privacy": "internal"},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "person": {"$ref": "#/$defs/Person"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Person"}, "maxItems": 5},
    },
    "$defs": {"Person": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
}


def changed(*path_and_value: Any) -> dict[str, Any]:
    new = deepcopy(OLD)
    *path, last, value = path_and_value
    here = new
    for part in path:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return new


def test_an_unchanged_schema_has_no_verdict() -> None:
    assert compare(OLD, deepcopy(OLD)) == []


def test_an_optional_field_may_be_added() -> None:
    [verdict] = compare(OLD, changed("properties", "note", {"type": "string"}))

    assert not verdict.breaking
    assert str(verdict) == "fine: /note: an optional field was added: old readers pass over it"


@pytest.mark.parametrize(
    ("new", "place", "words"),
    [
        (changed("properties", "amount", None), "/amount", "required field was removed"),
        (changed("properties", "kind", None), "/kind", "optional field was removed"),
        (changed("required", ["amount", "kind"]), "/kind", "became required"),
        (changed("required", []), "/amount", "became optional"),
        (changed("properties", "amount", "type", "integer"), "/amount/", "type changed"),
        (changed("properties", "amount", "maxLength", 10), "/amount/", "tighter"),
        (changed("properties", "amount", "maxLength", 30), "/amount/", "wider"),
        (changed("properties", "amount", "pattern", "^x$"), "/amount/", "pattern changed"),
        (changed("properties", "amount", "x-privacy", "public"), "/amount/", "privacy class"),
        (changed("properties", "kind", "enum", ["a"]), "/kind/", "b was removed"),
        (changed("properties", "kind", "enum", ["a", "b", "c"]), "/kind/", "c was added"),
        (changed("$defs", "Person", "properties", "id", "type", "integer"), "/person/id/", "type changed"),
        (changed("$defs", "Person", "required", []), "/lines/*/id", "became optional"),
    ],
)
def test_a_breaking_change_names_place_and_reason(new: dict[str, Any], place: str, words: str) -> None:
    breaking = [verdict for verdict in compare(OLD, new) if verdict.breaking]

    assert any(verdict.place == place and words in verdict.words for verdict in breaking), breaking


def test_a_required_field_may_not_be_added() -> None:
    new = changed("properties", "note", {"type": "string"})
    new["required"] = ["amount", "note"]

    assert [verdict.breaking for verdict in compare(OLD, new)] == [True]
