"""Turns the inputs of a golden case into ordinary documents: policies, claims, and what hangs together.

By the names of the inputs alone, with the tables of `shapes`; the one exception is `Shape.wording`. There is no
arithmetic here: what comes out of the terms is the engine's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.currencies import CURRENCY_DECIMALS
from schemas.model import Instant
from services.assessment.adapters.policy_rows import money_of

Document = dict[str, Any]
NO_RULES = {("waiting_period_days", "0"), ("frequency_days", "0")}
_WHOLE = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_OFFSET = re.compile(r"[Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
_INSTANT: TypeAdapter[Any] = TypeAdapter(Instant)


class CaseError(ValueError):
    """A case that cannot be put into documents: which input, and why."""


@dataclass(frozen=True)
class Place:
    """Where an input goes: `targets` are paths of the draft, `kind` how its text becomes a value of a document.

    `adds` are values that go along with it, the same for every case; `also` the same input somewhere else, otherwise.
    """

    targets: tuple[str, ...]
    kind: Callable[[Any, str, str], Any]
    adds: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Shape:
    """One form and the inputs it understands. `needs` and the left side of `coverage` may name `items.limit`.

    `coverage` rows: the code of the form's coverage, and what inputs it goes with; the first that fits is taken.
    `early` are inputs not yet known at a first stage, which there is if all of `staged` is so. `rows` are lists whose
    every row is a line, a claim, a policy or a version. `wording`: a term that inputs of this shape leave out and only
    the words of the title, else those of the reason or of the working, tell.
    """

    form: str
    needs: frozenset[str]
    places: Mapping[str, Place]
    coverage: tuple[tuple[str, Mapping[str, Any]], ...]
    rows: Mapping[str, Mapping[str, Place]] = field(default_factory=dict)
    plan: str = "claim"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    early: frozenset[str] = frozenset()
    staged: Mapping[str, Any] = field(default_factory=dict)
    wording: Mapping[str, str] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()


@dataclass
class Draft:
    """A policy and a claim in the making, and what belongs to neither."""

    policy: Document = field(default_factory=lambda: {"own": {}})
    claim: Document = field(default_factory=lambda: {"facts": {}})
    lines: list[Document] = field(default_factory=list)
    extra_lines: list[Document] = field(default_factory=list)
    ledgers: Document = field(default_factory=dict)
    run: Document = field(default_factory=dict)

    def put(self, target: str, value: Any) -> None:
        """Sets what the path names; `own.deductibles` and other lists are appended to."""
        head, _, rest = target.partition(".")
        whole: Document = {
            "policy": self.policy,
            "own": self.policy["own"],
            "claim": self.claim,
            "fact": self.claim["facts"],
            "ledger": self.ledgers,
            "run": self.run,
        }.get(head, {})
        if head == "line":
            self._line(rest, value)
            return
        if head == "extra":
            self.extra_lines.append({"line_id": rest, "category": rest, "asked": value})
            return
        *parents, last = rest.split(".")
        for parent in parents:
            whole = whole.setdefault(parent, {})
        if isinstance(value, list) and isinstance(whole.get(last), list):
            whole[last].extend(value)
        elif value != {} and (head != "own" or value != []):
            whole[last] = value

    def _line(self, name: str, value: Any) -> None:
        if not self.lines:
            self.lines.append({"line_id": "loss"})
        _set(self.lines[0], name, value)


@dataclass(frozen=True)
class Task:
    """What a case comes to. `labels` name claims, policies or versions in the order of the case.

    `offset` is that of the policy's instants, else of any other; dates without a time of day are of it.
    """

    plan: str
    form: str
    coverage: str
    policies: tuple[Document, ...]
    claims: tuple[Document, ...]
    ledgers: Document
    run: Document
    currency: str
    offset: str
    labels: tuple[str, ...] = ()


def translate(case: Mapping[str, Any], shapes: Sequence[Shape]) -> Task:
    """The case as documents; CaseError if no form knows its inputs."""
    inputs, currency = case.get("inputs"), case.get("currency")
    if not isinstance(inputs, dict) or not inputs:
        raise CaseError("inputs: is not an object with at least one input")
    if not isinstance(currency, str) or currency not in {*CURRENCY_DECIMALS, "XXX"}:
        raise CaseError("currency: is not a code of ISO 4217")
    # XXX: the source names no currency; it has two decimals, as this one has.
    currency = "USD" if currency == "XXX" else currency
    given = {name: value for name, value in inputs.items() if value is not None and (name, str(value)) not in NO_RULES}
    shape = _shape(given, shapes)
    given = {**shape.defaults, **given}
    coverage = _coverage(shape, given, case)
    drafts = [_draft(shape, given, currency)]
    if shape.early and all(_is(given, name, wanted) for name, wanted in shape.staged.items()):
        known = {name: value for name, value in given.items() if name not in shape.early}
        drafts.insert(0, _draft(shape, known, currency))
    plan = shape.plan
    return _spread(Task(plan, shape.form, coverage, (), (), {}, {}, currency, _offset(given)), drafts, shape, given)


def _offset(given: Mapping[str, Any]) -> str:
    said = (given.get(name) for name in ("effective_from", "effective_to", *given))
    found = (_OFFSET.search(one) for one in said if isinstance(one, str))
    return next((one[1] for one in found if one is not None), "Z")


def names_of(given: Mapping[str, Any]) -> set[str]:
    """The inputs and, for lists of objects, what any of the objects names: `items.limit`."""
    found = set(given)
    for name, value in given.items():
        if isinstance(value, list):
            found.update(f"{name}.{key}" for row in value if isinstance(row, dict) for key in row)
    return found


def _shape(given: Mapping[str, Any], shapes: Sequence[Shape]) -> Shape:
    names = names_of(given)
    fitting = [shape for shape in shapes if shape.needs <= names and not shape.exclude & names]
    unknown = [_unknown(shape, names) for shape in fitting]
    for shape, left in zip(fitting, unknown, strict=True):
        if not left:
            return shape
    if not fitting:
        raise CaseError(f"inputs: no form knows these together: {', '.join(sorted(given))}")
    raise CaseError("; ".join(f"inputs.{name}: no form knows it" for name in sorted(sorted(unknown, key=len)[0])))


def _unknown(shape: Shape, names: set[str]) -> set[str]:
    known = set(shape.places) | set(shape.rows)
    known.update(f"{name}.{key}" for name, table in shape.rows.items() for key in table)
    whole = {name for name in shape.places if name not in shape.rows}
    return {name for name in names if name not in known and name.partition(".")[0] not in whole}


def _coverage(shape: Shape, given: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    names = names_of(given)
    for code, wanted in shape.coverage:
        if all(_is(given, name, value, names) for name, value in wanted.items()):
            return code
    if shape.wording:
        for part in ("title", "why", "arithmetic"):
            said = str(case.get(part, "")).lower()
            told = {code for words, code in shape.wording.items() if words in said}
            if len(told) == 1:
                return told.pop()
        raise CaseError("inputs: the method of contribution is stated nowhere")
    raise CaseError("inputs: no coverage of the form goes with these values")


def _is(given: Mapping[str, Any], name: str, wanted: Any, names: set[str] | None = None) -> bool:
    """`wanted`: True and False are values, `...` is any value, None is none."""
    if wanted is ...:
        return name in (names if names is not None else given)
    if wanted is None:
        return name not in (names if names is not None else given)
    value = given.get(name)
    return value is wanted if isinstance(wanted, bool) else value == wanted


def _draft(shape: Shape, given: Mapping[str, Any], currency: str) -> Draft:
    draft = Draft()
    said: dict[str, tuple[str, Any]] = {}
    for name, value in given.items():
        place = shape.places.get(name)
        if place is not None:
            _put(draft.put, place, value, currency, name)
            _said_once(said, place, value, currency, name)
    return draft


def _said_once(said: dict[str, tuple[str, Any]], place: Place, value: Any, currency: str, name: str) -> None:
    """Two inputs that are the same term of the policy must not differ; lists, and the time of the loss, take both."""
    whole = {**dict.fromkeys(place.targets, place.kind(value, currency, name)), **place.adds}
    for target, found in whole.items():
        other, before = said.setdefault(target, (name, found))
        if other != name and (target == "own.deductibles" or target in place.adds):
            raise CaseError(f"inputs.{name}: stands beside inputs.{other}")
        if before != found and not isinstance(found, list) and target != "claim.loss_at":
            raise CaseError(f"inputs.{name}: does not agree with inputs.{other}")


def _put(put: Callable[[str, Any], None], place: Place, value: Any, currency: str, name: str) -> None:
    found = place.kind(value, currency, name)
    for target in place.targets:
        put(target, found)
    for target, added in place.adds.items():
        put(target, added)
    for other in place.also:
        _put(put, other, value, currency, name)


def _spread(task: Task, drafts: Sequence[Draft], shape: Shape, given: Mapping[str, Any]) -> Task:
    """Rows of the case become lines, claims, policies or versions."""
    draft, claims, policies, labels = drafts[-1], [], [], []
    for name, table in shape.rows.items():
        rows = given.get(name, [])
        if not isinstance(rows, list) or not rows or len(rows) > 100:
            raise CaseError(f"inputs.{name}: is not a list of 1 to 100 rows")
        _each_its_own(name, [row["id"] for row in rows if isinstance(row, dict) and row.get("id") is not None])
        for number, row in enumerate(rows):
            fields = row if isinstance(row, dict) else {"": row}
            if not fields or not set(fields) <= set(table):
                raise CaseError(f"inputs.{name}: row {number} is none that the form knows")
            if task.plan in ("series", "orders"):
                claims.append(_row(table, fields, task.currency, name, number, draft.claim))
            elif task.plan in ("policies", "versions"):
                policies.append(_row(table, fields, task.currency, name, number, draft.policy))
                labels.append(str(fields.get("id", fields.get("from", number))))
            else:
                _line_row(draft, table, fields, task.currency, name, number)
    if "costs" in draft.run:
        draft.lines.extend(_cost_lines(draft.run["costs"]))
    if not claims:
        claims = [one.claim | {"lines": [*(one.lines or draft.lines), *one.extra_lines]} for one in drafts]
    return Task(
        task.plan if len(drafts) == 1 else "stages",
        task.form,
        task.coverage,
        tuple(policies or [draft.policy]),
        tuple(claims),
        draft.ledgers,
        draft.run,
        task.currency,
        task.offset,
        tuple(labels),
    )


def _each_its_own(name: str, ids: Sequence[Any]) -> None:
    if any(one in ids[:place] for place, one in enumerate(ids)):
        raise CaseError(f"inputs.{name}.id: stands twice")


def _row(
    table: Mapping[str, Place], fields: Mapping[str, Any], currency: str, name: str, number: int, base: Document
) -> Document:
    """A claim or a policy of its own: what all rows share, and the row's own fields over it."""
    draft = Draft()
    is_policy = "own" in base
    whole = draft.policy if is_policy else draft.claim
    whole.update({key: dict(value) if isinstance(value, dict) else value for key, value in base.items()})
    for key, value in fields.items():
        if value is not None:
            _put(draft.put, table[key], value, currency, f"{name}.{key}".rstrip("."))
    if is_policy:
        return whole
    line_id = f"claim-{number}"
    return whole | {"number": number, "lines": [{**line, "line_id": line_id} for line in draft.lines]}


def _line_row(
    draft: Draft, table: Mapping[str, Place], fields: Mapping[str, Any], currency: str, name: str, number: int
) -> None:
    line: Document = {"line_id": f"{name}-{number}"}
    item: Document = {}

    def put(target: str, value: Any) -> None:
        head, _, rest = target.partition(".")
        _set(item if head == "item" else line, rest, value)

    for key, value in fields.items():
        if value is not None:
            _put(put, table[key], value, currency, f"{name}.{key}")
    draft.lines.append(line)
    if set(item) > {"item_id"}:
        draft.put("own.items", [item])


def _cost_lines(costs: Document) -> list[Document]:
    """A line for every kind of cost that any of the lists names; what one of them leaves out is nothing."""
    kinds = dict.fromkeys(kind for listed in costs.values() for kind in listed)
    return [
        {
            "line_id": kind,
            "category": kind,
            "facts": {"actual": "0"} | {name: listed[kind] for name, listed in costs.items() if kind in listed},
        }
        for kind in kinds
    ]


def _set(document: Document, name: str, value: Any) -> None:
    """`facts.price` is a fact of the line."""
    head, _, rest = name.partition(".")
    if rest:
        document.setdefault(head, {})[rest] = value
    else:
        document[head] = value


# ---- kinds of values: (value, currency, name of the input) -> value of a document


def money(value: Any, currency: str, name: str) -> Document:
    """An amount on the wire."""
    try:
        amount = money_of(text(value, currency, name), currency)
    except ValueError:
        raise CaseError(f"inputs.{name}: is not an amount in the currency of the case") from None
    return {"amount": amount.to_text(), "currency": currency}


def text(value: Any, currency: str, name: str) -> str:
    """Decimal text, a code, a date: as it stands."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise CaseError(f"inputs.{name}: is not a text or a number")
    return str(value)


def texts(value: Any, currency: str, name: str) -> list[str]:
    """A list of rates."""
    if not isinstance(value, list):
        raise CaseError(f"inputs.{name}: is not a list")
    return [text(one, currency, name) for one in value]


def flag(value: Any, currency: str, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise CaseError(f"inputs.{name}: is neither true nor false")
    return value


def whole(value: Any, currency: str, name: str) -> int:
    """A whole number."""
    said = text(value, currency, name)
    if not _WHOLE.fullmatch(said):
        raise CaseError(f"inputs.{name}: is not a whole number")
    return int(said)


def instant(value: Any, currency: str, name: str) -> str:
    """An instant, or a date, which is the beginning of that day where the policy's instants are said."""
    said = text(value, currency, name)
    try:
        _INSTANT.validate_json(json.dumps(f"{said}T00:00:00Z" if _DATE.fullmatch(said) else said))
    except ValidationError:
        raise CaseError(f"inputs.{name}: is neither a date nor an instant with its offset, 1900 to 2199") from None
    return said


def always(*values: Any) -> Callable[[Any, str, str], Any]:
    """An input the form knows with these values only."""

    def check(value: Any, currency: str, name: str) -> Any:
        if value not in values:
            raise CaseError(f"inputs.{name}: no form knows this value")
        return value

    return check
