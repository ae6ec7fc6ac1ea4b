"""Inputs with parts of their own - deductibles, special limits, schedules, living costs - as parts of a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.golden.translate import CaseError, Document, flag, money, text, texts

_DEDUCTIBLE: Mapping[str, tuple[str, Callable[[Any, str, str], Any]]] = {
    "type": ("kind", text),
    "kind": ("kind", text),
    "amount": ("amount", money),
    "rate": ("rate", text),
    "per": ("per", text),
    "min": ("min", money),
    "minimum": ("min", money),
    "max": ("max", money),
    "maximum": ("max", money),
    "clause_id": ("clause_id", text),
    "franchise": ("franchise", flag),
}
_OF_A_TERM = ("limit", "value")
"""Amounts that the deductible itself names to be a percentage of."""


def amount(value: Any, currency: str, name: str) -> str:
    """An amount as a fact has it: its text."""
    return str(money(value, currency, name)["amount"])


def deductibles(value: Any, currency: str, name: str) -> list[Document]:
    """One deductible; a bare amount is a flat one."""
    if not isinstance(value, dict):
        return [{"kind": "flat", "amount": money(value, currency, name)}]
    found: Document = {}
    for key, part in value.items():
        if part is None:
            continue
        if key in _DEDUCTIBLE:
            field, kind = _DEDUCTIBLE[key]
            found[field] = kind(part, currency, f"{name}.{key}")
        elif key in _OF_A_TERM:
            found["of"] = f"term:{_term(name, key)}"
        elif key in ("peril", "perils"):
            found["when"] = _perils(part, currency, f"{name}.{key}")
        else:
            raise CaseError(f"inputs.{name}.{key}: no form knows it")
    return [found]


def _perils(value: Any, currency: str, name: str) -> list[Document]:
    perils = texts(value if isinstance(value, list) else [value], currency, name)
    if not perils:
        raise CaseError(f"inputs.{name}: is not a list of at least one")
    return [{"fact": "peril", "one_of": perils}]


def deductible_terms(value: Any, currency: str, name: str) -> Document:
    """The amounts a deductible names to be a percentage of."""
    named = value.items() if isinstance(value, dict) else ()
    return {_term(name, key): money(part, currency, f"{name}.{key}") for key, part in named if key in _OF_A_TERM}


def named_deductible_terms(value: Any, currency: str, name: str) -> Document:
    """The same for several deductibles by name."""
    named = value.items() if isinstance(value, dict) else ()
    found: Document = {}
    for key, part in named:
        found.update(deductible_terms(part, currency, f"{name}.{key}"))
    return found


def _term(name: str, key: str) -> str:
    return f"{name.rpartition('.')[2]}_{key}"


def named_deductibles(value: Any, currency: str, name: str) -> list[Document]:
    """Several deductibles by name; the form says when each applies."""
    if not isinstance(value, dict) or not value:
        raise CaseError(f"inputs.{name}: is not an object of deductibles")
    return [{"name": key} | one for key, part in value.items() for one in deductibles(part, currency, f"{name}.{key}")]


def excess(value: Any, currency: str, name: str) -> list[Document]:
    """A flat amount."""
    return [{"kind": "flat", "amount": money(value, currency, name)}]


def special_limits(value: Any, currency: str, name: str) -> list[Document]:
    """By category and peril; a category with one amount, or one for any peril, has it for every peril."""
    if not isinstance(value, dict):
        raise CaseError(f"inputs.{name}: is not an object of categories")
    found = []
    for category, limits in value.items():
        by_peril = limits if isinstance(limits, dict) else {"": limits}
        for peril, limit in by_peril.items():
            one: Document = {"category": category, "limit": money(limit, currency, f"{name}.{category}")}
            found.append(one | ({"when": [{"fact": "peril", "equals": peril}]} if peril not in _EVERY_PERIL else {}))
    return found


def sublimits(value: Any, currency: str, name: str) -> list[Document]:
    """A list of them, each with its category, limit, perils and what it is per."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise CaseError(f"inputs.{name}: is not a list of objects")
    found = []
    for row in value:
        one: Document = {}
        for key, part in row.items():
            if key in ("peril", "perils"):
                one["when"] = _perils(part, currency, f"{name}.{key}")
            elif key in ("category", "per"):
                one[key] = text(part, currency, f"{name}.{key}")
            elif key == "limit":
                one[key] = money(part, currency, f"{name}.{key}")
            else:
                raise CaseError(f"inputs.{name}.{key}: no form knows it")
        found.append(one)
    return found


_EVERY_PERIL = ("", "any", "all", "any_peril", "all_perils")


def ceiling(value: Any, currency: str, name: str) -> list[Document]:
    """One ceiling for everything under the coverage."""
    return [{"limit": money(value, currency, name)}]


def schedule(value: Any, currency: str, name: str) -> list[Document]:
    """The steps of an index."""
    if not isinstance(value, list):
        raise CaseError(f"inputs.{name}: is not a list of steps")
    kinds: Mapping[str, Callable[[Any, str, str], Any]] = {"at_least": text, "pay": money, "share": text}
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise CaseError(f"inputs.{name}: row {number} is none that the form knows")
        for key in row:
            if key not in kinds:
                raise CaseError(f"inputs.{name}.{key}: no form knows it")
    return [{key: kinds[key](part, currency, f"{name}.{key}") for key, part in row.items()} for row in value]


def aggregates(value: Any, currency: str, name: str) -> list[Document]:
    """One aggregate for all losses."""
    return [{"aggregate_id": "all_losses", "limit": money(value, currency, name)}]


def debris(value: Any, currency: str, name: str) -> list[Document]:
    """The additional amount of the form's extension."""
    return [{"name": "debris", "category": "debris_removal", "additional_limit": money(value, currency, name)}]


def living_costs(fact: str) -> Callable[[Any, str, str], Document]:
    """Costs by kind, each a line's fact of this name."""

    def read(value: Any, currency: str, name: str) -> Document:
        if not isinstance(value, dict):
            raise CaseError(f"inputs.{name}: is not an object of costs")
        return {key: amount(part, currency, f"{name}.{key}") for key, part in value.items()}

    return read


def disclosure(clauses: tuple[str, ...]) -> Callable[[Any, str, str], list[Document]]:
    """Proof for these clauses of the form, or none."""

    def read(value: Any, currency: str, name: str) -> list[Document]:
        if not isinstance(value, bool):
            raise CaseError(f"inputs.{name}: is neither true nor false")
        shown = clauses if value else ()
        return [{"clause_id": one, "method": "signed", "at": "2000-01-01T00:00:00+00:00"} for one in shown]

    return read
