"""Terms that each can be read, but not together: what would count twice or without end, and what no operation takes.

A ledger that is taken from twice, or a term that is passed over, gives a wrong amount and no sign of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from schemas.terms import Coverage, DeductibleKind, DeductiblePer, LimitBasis, Operation, Selection
from services.assessment.domain.periods import SHARED_BASES, limit_ledger

Found = Iterator[tuple[str, str]]
"""Place and rule."""

_TAKEN_BY = {
    "sublimits": "sublimit",
    "aggregates": "aggregate",
    "exclusions": "exclusions",
    "waiting": "waiting",
    "frequency": "frequency",
    "coinsurance": "proportion",
    "depreciation": "depreciate",
    "other_insurance": "contribute",
    "schedule": "step_schedule",
    "oop_max": "oop_max",
    "member_coinsurance": "member_coinsurance",
}
_BOUNDS = frozenset({"limit", "sublimit", "aggregate", "contribute"})
_TAKES = frozenset({"deductible", "member_coinsurance", "percent_cut", "share", "proportion"})


def contradictions(coverage: Coverage) -> Found:
    """What keeps the terms from being run, by its place."""
    yield from _twice(coverage)
    yield from _ledgers(coverage)
    yield from _given_back(coverage)


def passed_over(coverage: Coverage) -> Found:
    """Terms that no operation takes, and extensions without end: who wrote them wanted something else of them.

    The terms run without them all the same: a policy may say of every coverage what only some of its forms ask for.
    """
    used = {one.op for one in coverage.operations}
    for name, op in _TAKEN_BY.items():
        if op not in used and getattr(coverage, name) not in (None, (), "0"):
            yield name, f"no operation {op} takes it"
    for row, deductible in enumerate(coverage.deductibles, start=1):
        if not any(_takes(one, deductible.kind) for one in coverage.operations):
            yield f"deductibles row {row}", f"no operation deductible takes the kind {deductible.kind.value}"
    named = {one.name for one in coverage.operations if one.op == "extension"}
    for row, extension in enumerate(coverage.extensions or (), start=1):
        if extension.name not in named:
            yield f"extensions row {row}", "no operation extension names it"
        elif not extension.caps:
            yield f"extensions row {row}", "has at least one of caps"
    by_limit = any(one.kind is DeductibleKind.pct_of_limit for one in coverage.deductibles)
    if coverage.limit is not None and coverage.purpose is None and not by_limit and not _limit_is_taken(coverage):
        yield "limit", "no operation takes it"
    if coverage.limit_basis is not LimitBasis.item and not by_limit:
        for row, item in enumerate(coverage.items or (), start=1):
            if item.limit is not None:
                yield f"items row {row}", "a limit of its own needs limit_basis item"


def _takes(operation: Operation, kind: DeductibleKind) -> bool:
    return operation.op == "deductible" and (operation.kinds is None or kind in operation.kinds)


def _limit_is_taken(coverage: Coverage) -> bool:
    if any(one.op == "contribute" or (one.op == "limit" and one.of is None) for one in coverage.operations):
        return True
    used = {one.op for one in coverage.operations}
    if "step_schedule" in used and any(one.share is not None for one in coverage.schedule or ()):
        return True
    sources = [
        source for one in coverage.operations for source in (one.of, one.less, one.times, one.at_least, one.at_most)
    ]
    sources += [cap.of for one in coverage.extensions or () for cap in one.caps]
    sources += [one.of for one in coverage.deductibles]
    if coverage.coinsurance is not None and not coverage.coinsurance.agreed_value:
        sources += [coverage.coinsurance.carried, coverage.coinsurance.value]
    return "term:limit" in sources


def _twice(coverage: Coverage) -> Found:
    lists: Sequence[tuple[str, str, Sequence[object]]] = (
        ("items", "item_id", [one.item_id for one in coverage.items or ()]),
        ("extensions", "name", [one.name for one in coverage.extensions or ()]),
        ("extensions", "category", [one.category for one in coverage.extensions or ()]),
        ("aggregates", "aggregate_id", [(one.aggregate_id, one.period) for one in coverage.aggregates or ()]),
    )
    for place, field, values in lists:
        yield from ((f"{place} row {row}", f"each {field} stands once") for row in _repeated(values))
    named = [one.name for one in coverage.operations if one.op == "extension"]
    yield from (("operations", "each extension is taken once") for _ in _repeated(named))
    if coverage.frequency is not None and coverage.frequency.days is None and coverage.frequency.count_max is None:
        yield "frequency", "has days, count_max or both"
    for row, one in enumerate(coverage.operations, start=1):
        per_item = coverage.limit_basis is LimitBasis.item and one.of is None
        if one.op == "limit" and per_item and one.less is not None:
            yield f"operations row {row}", "limit of each item takes no less"


def _repeated(values: Sequence[object]) -> Iterator[int]:
    return (row for row, value in enumerate(values, start=1) if value in values[: row - 1])


def _ledgers(coverage: Coverage) -> Found:
    """Every ledger is taken from by one operation, once, and holds either what is paid or what is borne."""
    annual = [one for one in coverage.deductibles if one.kind is DeductibleKind.annual]
    yearly = [one for one in coverage.sublimits or () if one.per is DeductiblePer.year]
    takers = {
        "aggregate": [one for one in coverage.operations if one.op == "aggregate"],
        "sublimit": [one for one in coverage.operations if one.op == "sublimit" and yearly],
        "deductible": [one for one in coverage.operations if annual and _takes(one, DeductibleKind.annual)],
        "oop_max": [one for one in coverage.operations if one.op == "oop_max"],
        "limit": [one for one in coverage.operations if one.op == "limit" and one.of is None],
    }
    shared = coverage.limit_basis in SHARED_BASES
    for op, found in takers.items():
        if len(found) > 1 and (op != "limit" or shared):
            yield "operations", f"{op} takes from the same ledger once"
    names: dict[str, Collection[str | None]] = {
        "aggregates": {one.aggregate_id for one in coverage.aggregates or ()},
        "sublimits": {one.aggregate_id for one in yearly},
        "deductibles": {one.aggregate_id for one in annual},
        "oop_aggregate_id": {coverage.oop_aggregate_id} - {None},
        "limit": {limit_ledger(coverage)} if shared else (),
    }
    before: set[str | None] = set()
    for place, ids in names.items():
        if before & set(ids):
            yield place, "its ledger is one of something else"
        before |= set(ids)
    together = coverage.selection in (None, Selection.sum)
    if together and list(_repeated([one.aggregate_id for one in annual if one.when is None])):
        yield "deductibles", "two annual deductibles that both apply have ledgers of their own"
    if any(one.per is DeductiblePer.item for one in annual):
        yield "deductibles", "an annual deductible is not borne per item"


def _given_back(coverage: Coverage) -> Found:
    """What a limit cut after something was taken cannot be told from what the member bears."""
    if coverage.oop_max is None:
        return
    taken = bounded = False
    for row, one in enumerate(coverage.operations, start=1):
        if one.op == "oop_max" and bounded:
            yield f"operations row {row}", "limits stand behind oop_max, or before all that the member bears"
        taken = taken or one.op in _TAKES
        bounded = bounded or (taken and one.op in _BOUNDS)
