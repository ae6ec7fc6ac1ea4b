"""The closed list of operations: how each runs, which of an operation's fields it takes, and what terms it needs.

Which operations run, and in which order, is data on the coverage. What is not in this list is never guessed at: files
of terms that use it are refused, and a snapshot that carries it goes to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from schemas.conditions import FACT, Condition, Conditions
from schemas.terms import Coverage, DeductibleKind, DeductiblePer, Operation
from services.assessment.domain.contradictions import contradictions
from services.assessment.domain.facts import is_bound
from services.assessment.domain.operations import adding, capping, cover, taking, worth
from services.assessment.domain.position import Applied, Position, Terms

Run = Callable[[Position, Operation, Terms, Sequence[int]], Applied]
COMMON = frozenset({"op", "clause_id", "when"})


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """`takes` and `needs` name fields of an operation, `terms` fields of the coverage without which it cannot run.

    `values`: it can say what a line is worth that states no amount. `caps`: it bounds what is paid. `sees_when`: it
    looks at its own conditions instead of being left out where they do not hold. `covers`: it judges whether there is
    cover at all, of what an extension pays as well. `exempting`: its clause takes from
    what the insurer would owe, so it has to have been pointed out at sale (PRC Insurance Law art. 17).
    """

    run: Run
    takes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    terms: frozenset[str] = frozenset()
    values: bool = False
    caps: bool = False
    sees_when: bool = False
    covers: bool = False
    exempting: bool = False


def _spec(run: Run, takes: str = "", needs: str = "", terms: str = "", **marks: bool) -> OperationSpec:
    wanted = frozenset(needs.split())
    return OperationSpec(run, frozenset(takes.split()) | wanted, wanted, frozenset(terms.split()), **marks)


OPERATIONS: Mapping[str, OperationSpec] = MappingProxyType(
    {
        "in_force": _spec(cover.in_force, "reason", covers=True),
        "waiting": _spec(cover.waiting, "reason", terms="waiting", covers=True, exempting=True),
        "frequency": _spec(cover.frequency, "reason", terms="frequency", covers=True, exempting=True),
        "exclusions": _spec(cover.exclusions, terms="exclusions", covers=True, exempting=True),
        "disclosure": _spec(cover.disclosure, covers=True),
        "value": _spec(worth.value, "of less times at_least at_most", values=True),
        "advance": _spec(worth.advance, "less times at_least at_most due_days", needs="of", values=True),
        "net": _spec(worth.net),
        "adjust": _spec(worth.adjust, "less reason", needs="of"),
        "depreciate": _spec(worth.depreciate, terms="depreciation"),
        "subtract": _spec(taking.subtract, "reason", needs="of"),
        "share": _spec(taking.share, "table name", needs="of"),
        "percent_cut": _spec(taking.percent_cut, "table name", needs="of", exempting=True),
        "proportion": _spec(taking.proportion, "at_least less", terms="coinsurance", exempting=True),
        "deductible": _spec(taking.deductible, "kinds share less", exempting=True),
        "member_coinsurance": _spec(taking.member_coinsurance, "of", exempting=True),
        "oop_max": _spec(capping.oop_max),
        "sublimit": _spec(capping.sublimit, "share"),
        "limit": _spec(capping.limit, "of less share", caps=True),
        "unlimited": _spec(capping.unlimited, caps=True),
        "aggregate": _spec(capping.aggregate, "share", terms="aggregates", caps=True),
        "contribute": _spec(capping.contribute, terms="other_insurance limit", caps=True),
        "step_schedule": _spec(capping.step_schedule, "of", terms="schedule", values=True, caps=True, sees_when=True),
        "extension": _spec(adding.extension, needs="name", terms="extensions"),
        "holdback": _spec(adding.holdback, needs="name", terms="depreciation"),
        "subrogation": _spec(adding.subrogation),
    }
)

EXEMPTING = frozenset(name for name, spec in OPERATIONS.items() if spec.exempting)
_OF_LINES = frozenset({"insured_value", "replacement_cost", "asked", "category", "item_id", "coverage_code"})
_OF_CLAIMS = frozenset(
    "peril cause_code line jurisdiction loss_at reported_at effective_from effective_to inception".split()
)
KNOWN_FACTS = _OF_LINES | _OF_CLAIMS
"""What every claim states by itself; every other fact is declared by the coverage that asks for it."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in the terms that cannot be run: where (`operations row 2`) and the rule it breaks."""

    place: str
    rule: str


_SHARED_PARTS = """operations facts sublimits exclusions depreciation coinsurance waiting frequency schedule
    extensions tables aggregates other_insurance purpose""".split()
_shared_parts = attrgetter(*_SHARED_PARTS)
_judged: dict[tuple[Any, ...], tuple[Any, tuple[Flaw, ...]]] = {}
JUDGED_MAX = 500


def flaws(coverage: Coverage, whole: bool = True) -> Iterator[Flaw]:
    """Everything that keeps these terms from being run without guessing; nothing if they are whole.

    `whole` False is for a form, whose amounts and rates the policy adds.
    """
    yield from _flaws_of_shared(coverage, whole)
    yield from _flaws_of_deductibles(coverage)


def _flaws_of_shared(coverage: Coverage, whole: bool) -> tuple[Flaw, ...]:
    """The flaws of all but single deductibles, judged once for what thousands of policies share as the same objects.

    The parts are held beside the answer: while they live, no others can have their ids, and nothing changes in them.
    Of what each policy has for itself the key holds all that is judged.
    """
    parts = _shared_parts(coverage)
    own = (
        whole,
        coverage.limit is None,
        coverage.limit_basis,
        coverage.selection,
        coverage.oop_max is None,
        coverage.oop_aggregate_id,
        tuple(one.item_id for one in coverage.items or ()),
        tuple((one.kind, one.per, one.aggregate_id, one.when is None) for one in coverage.deductibles),
    )
    key = (*map(id, parts), own)
    known = _judged.get(key)
    if known is None:
        if len(_judged) >= JUDGED_MAX:
            _judged.clear()
        known = _judged[key] = (parts, tuple(_flaws_of_parts(coverage, whole)))
    return known[1]


def _flaws_of_parts(coverage: Coverage, whole: bool) -> Iterator[Flaw]:
    if not coverage.operations:
        yield Flaw("operations", "must not be empty")
    for row, operation in enumerate(coverage.operations, start=1):
        yield from _flaws_of(operation, coverage, f"operations row {row}", whole)
    capped = any(one.op in OPERATIONS and OPERATIONS[one.op].caps for one in coverage.operations)
    if not capped and coverage.purpose is None:
        names = ", ".join(name for name, spec in OPERATIONS.items() if spec.caps)
        yield Flaw("operations", f"must include one of {names}")
    values = [Fraction(one.at_least) for one in coverage.schedule or ()]
    for row, value in enumerate(values, start=1):
        if value in values[: row - 1]:
            yield Flaw(f"schedule row {row}", "no two steps begin at the same value")
    yield from _flaws_of_conditions(_conditions_of(coverage))
    yield from _undeclared(_facts_of(coverage), coverage)
    if whole:
        yield from (Flaw(place, rule) for place, rule in contradictions(coverage))


def _flaws_of_deductibles(coverage: Coverage) -> Iterator[Flaw]:
    for row, one in enumerate(coverage.deductibles, start=1):
        place = f"deductibles row {row}"
        if one.per is DeductiblePer.year and one.kind is not DeductibleKind.annual:
            yield Flaw(place, "a deductible per year is of the kind annual")
        if one.min is not None and one.max is not None and one.min.as_fraction() > one.max.as_fraction():
            yield Flaw(place, "min is no more than max")
        yield from _flaws_of_conditions([(place, one.when)])
        named = (fact for source in (one.of, one.rate_of, one.at_least) for fact in _named(source, place))
        yield from _undeclared(named, coverage)
        yield from _undeclared(_tested(one.when, place), coverage)


def _flaws_of_conditions(lists: Iterable[tuple[str, Sequence[Condition] | None]]) -> Iterator[Flaw]:
    for place, conditions in lists:
        for test in conditions or ():
            if not all(is_bound(bound) for bound in _bounds(test) if not bound.startswith(FACT)):
                yield Flaw(place, f"{test.fact} is compared with a figure, a date, an instant or fact:name")


def _undeclared(asked: Iterable[tuple[str, str]], coverage: Coverage) -> Iterator[Flaw]:
    for place, name in asked:
        if name not in KNOWN_FACTS and name not in (coverage.facts or ()):
            meant = _meant(name, {*KNOWN_FACTS, *(coverage.facts or ())})
            yield Flaw(place, f"the fact {name} is not declared in facts{meant}")


def _flaws_of(operation: Operation, coverage: Coverage, place: str, whole: bool) -> Iterator[Flaw]:
    spec = OPERATIONS.get(operation.op)
    if spec is None:
        yield Flaw(place, f"op is one of {', '.join(OPERATIONS)}{_meant(operation.op, OPERATIONS)}")
        return
    given = {name for name in operation.model_fields_set - COMMON if getattr(operation, name) is not None}
    for name in sorted(given - spec.takes):
        yield Flaw(place, f"{operation.op} takes no {name}")
    for name in sorted(spec.needs - given):
        yield Flaw(place, f"{operation.op} needs {name}")
    for name in sorted(spec.terms):
        if whole and getattr(coverage, name) in (None, ()):
            yield Flaw(place, f"{operation.op} needs {name} in the coverage")
    if operation.op == "extension" and operation.name not in {one.name for one in coverage.extensions or ()}:
        yield Flaw(place, "name is one of the coverage's extensions")
    if operation.table is not None and operation.table not in (coverage.tables or {}):
        yield Flaw(place, "table is one of the coverage's tables")


def _meant(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}" if near else ""


def _facts_of(coverage: Coverage) -> Iterator[tuple[str, str]]:
    """Every fact that what is not a deductible asks for, with the place that asks."""
    for row, operation in enumerate(coverage.operations, start=1):
        place = f"operations row {row}"
        for source in (operation.of, operation.less, operation.times, operation.at_least, operation.at_most):
            yield from _named(source, place)
        if operation.op == "holdback" and operation.name is not None:
            yield place, operation.name
    for place, conditions in _conditions_of(coverage):
        yield from _tested(conditions, place)
    if coverage.depreciation is not None:
        for source in (coverage.depreciation.of, coverage.depreciation.age, coverage.depreciation.life):
            yield from _named(source, "depreciation")
    if coverage.coinsurance is not None:
        yield from _named(coverage.coinsurance.value, "coinsurance")
        yield from _named(coverage.coinsurance.carried, "coinsurance")
    if coverage.waiting is not None:
        yield from (("waiting", name) for name in (coverage.waiting.since, coverage.waiting.at))
    if coverage.frequency is not None:
        if coverage.frequency.days is not None:
            yield from (("frequency", name) for name in (coverage.frequency.previous, coverage.frequency.at))
        if coverage.frequency.count_max is not None:
            yield "frequency", coverage.frequency.count


def _conditions_of(coverage: Coverage) -> Iterator[tuple[str, Sequence[Condition] | None]]:
    """Every list of conditions but those of deductibles, with its place."""
    lists: dict[str, list[Conditions | None]] = {
        "operations": [one.when for one in coverage.operations],
        "sublimits": [one.when for one in coverage.sublimits or ()],
        "exclusions": [one.when for one in coverage.exclusions or ()],
    }
    for name, held in lists.items():
        yield from ((f"{name} row {row}", when) for row, when in enumerate(held, start=1))
    if coverage.waiting is not None:
        yield "waiting", coverage.waiting.when


def _named(source: str | None, place: str) -> Iterator[tuple[str, str]]:
    if source is not None and source.startswith(FACT):
        yield place, source.removeprefix(FACT)


def _tested(conditions: Sequence[Condition] | None, place: str) -> Iterator[tuple[str, str]]:
    for one in conditions or ():
        yield place, one.fact
        if one.within_hours_after is not None:
            yield place, one.within_hours_after
        for bound in _bounds(one):
            yield from _named(bound, place)


def _bounds(condition: Condition) -> Iterator[str]:
    bounds = (condition.at_least, condition.more_than, condition.at_most, condition.less_than)
    return (bound for bound in bounds if bound is not None)
