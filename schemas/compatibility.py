"""Says in words whether a changed JSON Schema still fits inside its major version.

Inside a major version changes are additive and optional: every old record must stay valid under the new schema, and
old readers, which ignore unknown fields, must still understand new records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
_TIGHTER_WHEN_LOWER = ("maxLength", "maxItems", "maximum", "maxProperties", "exclusiveMaximum")
_TIGHTER_WHEN_HIGHER = ("minLength", "minItems", "minimum", "minProperties", "exclusiveMinimum")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One change at one place; `breaking` ones need a new major version."""

    breaking: bool
    place: str
    words: str

    def __str__(self) -> str:
        return f"{'BREAKING' if self.breaking else 'fine'}: {self.place}: {self.words}"


def compare(old: Schema, new: Schema) -> list[Verdict]:
    """Every change from `old` to `new`, both standing alone with their $defs; empty when nothing changed."""
    return list(_compare(_Side(old, old), _Side(new, new), "/", frozenset()))


@dataclass(frozen=True, slots=True)
class _Side:
    root: Schema
    here: Schema

    def resolved(self) -> _Side:
        here = self.here
        while "$ref" in here:
            name = here["$ref"].rsplit("/", 1)[-1]
            here = {**self.root["$defs"][name], **{key: value for key, value in here.items() if key != "$ref"}}
        return _Side(self.root, here)

    def at(self, part: Schema) -> _Side:
        return _Side(self.root, part)


def _compare(old: _Side, new: _Side, place: str, seen: frozenset[tuple[int, int]]) -> Iterator[Verdict]:
    old, new = old.resolved(), new.resolved()
    visited = (id(old.here.get("properties")), id(new.here.get("properties")))
    if "properties" in old.here and visited in seen:
        return
    seen = seen | {visited}
    yield from _types(old.here, new.here, place)
    yield from _bounds(old.here, new.here, place)
    yield from _fields(old, new, place, seen)
    if "items" in old.here and "items" in new.here:
        yield from _compare(old.at(old.here["items"]), new.at(new.here["items"]), place + "*/", seen)
    yield from _choices(old, new, place, seen)
    if old.here.get("x-privacy") != new.here.get("x-privacy"):
        yield Verdict(True, place, "the privacy class changed: what was sealed or shown before no longer is")


def _types(old: Schema, new: Schema, place: str) -> Iterator[Verdict]:
    if old.get("type") != new.get("type"):
        yield Verdict(True, place, "the type changed: old records or old readers will refuse it")
    if "const" in old and old["const"] != new.get("const"):
        yield Verdict(True, place, "the fixed value changed: records that carry the old one become invalid")
    before, after = set(old.get("enum", ())), set(new.get("enum", ()))
    for gone in sorted(map(str, before - after)) if after else ():
        yield Verdict(True, place, f"the value {gone} was removed: records that carry it become invalid")
    for added in sorted(map(str, after - before)) if before else ():
        yield Verdict(True, place, f"the value {added} was added: readers that are not upgraded yet refuse it")
    if old.get("pattern") != new.get("pattern"):
        yield Verdict(True, place, "the pattern changed: values that fitted may no longer, here or at old readers")


def _bounds(old: Schema, new: Schema, place: str) -> Iterator[Verdict]:
    for name, sign in [(n, 1) for n in _TIGHTER_WHEN_LOWER] + [(n, -1) for n in _TIGHTER_WHEN_HIGHER]:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None or (after is not None and sign * (after - before) < 0):
            yield Verdict(True, place, f"{name} became tighter: records written before may break it")
        else:
            yield Verdict(True, place, f"{name} became wider: readers that are not upgraded yet refuse the new values")


def _fields(old: _Side, new: _Side, place: str, seen: frozenset[tuple[int, int]]) -> Iterator[Verdict]:
    before, after = old.here.get("properties", {}), new.here.get("properties", {})
    must_before, must_after = set(old.here.get("required", ())), set(new.here.get("required", ()))
    for name in sorted(before.keys() - after.keys()):
        needed = name in must_before
        words = (
            "a required field was removed: old readers cannot do without it"
            if needed
            else ("an optional field was removed: old readers no longer get it")
        )
        yield Verdict(True, f"{place}{name}", words)
    for name in sorted(after.keys() - before.keys()):
        if name in must_after:
            yield Verdict(True, f"{place}{name}", "a required field was added: records written before lack it")
        else:
            yield Verdict(False, f"{place}{name}", "an optional field was added: old readers pass over it")
    for name in sorted(before.keys() & after.keys()):
        if name in must_after - must_before:
            yield Verdict(True, f"{place}{name}", "the field became required: records written before may lack it")
        elif name in must_before - must_after:
            yield Verdict(True, f"{place}{name}", "the field became optional: old readers cannot do without it")
        yield from _compare(old.at(before[name]), new.at(after[name]), f"{place}{name}/", seen)


def _choices(old: _Side, new: _Side, place: str, seen: frozenset[tuple[int, int]]) -> Iterator[Verdict]:
    for word in ("anyOf", "oneOf"):
        before, after = old.here.get(word, []), new.here.get(word, [])
        if len(before) != len(after):
            yield Verdict(True, place, f"the alternatives ({word}) are {len(after)} where they were {len(before)}")
            continue
        for one, other in zip(before, after, strict=True):
            yield from _compare(old.at(one), new.at(other), place, seen)
