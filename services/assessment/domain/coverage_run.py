"""Runs one coverage's operations over its lines, in the order the terms give, and keeps the working of every step.

Exact fractions all the way, one rounding, half-up, at the end; the lines sum to the rounded total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schemas.decision import DecisionLine, Step
from schemas.intake import ReportedLine
from schemas.money import Money, exact_text
from services.assessment.domain.conditions import hold
from services.assessment.domain.facts import FactError
from services.assessment.domain.position import NO_PARAMS, ZERO, Applied, Position, Stop, Terms, Use, added
from services.assessment.domain.vocabulary import OPERATIONS

STEPS_MAX = 1000
_CLAUSE_NOT_EFFECTIVE = "CLAUSE_NOT_EFFECTIVE"


@dataclass(frozen=True, slots=True)
class CoverageRun:
    """What the terms give for one coverage: its decision lines, exact and rounded total, and why it is not more.

    `stops` are refusals the terms propose, by place of the line; `reductions` reasons why less is paid than the
    claim's own terms give; `reasons` all reasons in the order they came up.
    """

    coverage_code: str
    lines: tuple[DecisionLine, ...]
    exact: Fraction
    payable: Money
    results: Mapping[str, Fraction]
    reasons: tuple[str, ...]
    reductions: tuple[str, ...]
    stops: Mapping[int, Stop]
    uses: tuple[Use, ...]


@dataclass(slots=True)
class _Running:
    """The run so far; local to `run`, so the function as a whole is pure."""

    position: Position
    open_places: tuple[int, ...]
    steps: list[list[Step]]
    texts: list[str]
    reasons: dict[str, None]
    reductions: dict[str, None]
    stops: dict[int, Stop]
    uses: list[Use]
    valued: set[int]


def run(terms: Terms, reported: Sequence[ReportedLine], currency: str) -> CoverageRun:
    """The coverage's result for these lines. FactError where a fact is missing or no such thing."""
    running = _run(terms)
    amounts = running.position.amounts
    if any(amount.numerator < 0 for amount in amounts):
        raise FactError("amount", "comes to less than nothing: the terms lack a step that sets it right")
    exact = added(amounts, range(len(amounts)))
    payable = _rounded(exact, amounts, currency)
    lines = tuple(
        DecisionLine(
            line_id=line.line_id,
            coverage_code=line.coverage_code,
            asked=line.asked,
            payable=payable[place],
            steps=tuple(running.steps[place]),
        )
        for place, line in enumerate(reported)
    )
    return CoverageRun(
        coverage_code=terms.coverage.code,
        lines=lines,
        exact=exact,
        payable=Money.total(payable, currency),
        results=running.position.results,
        reasons=tuple(running.reasons),
        reductions=tuple(running.reductions),
        stops=running.stops,
        uses=tuple(running.uses),
    )


def exact_total(terms: Terms) -> Fraction:
    """Only what the coverage comes to, without the steps that look at it again with other facts."""
    kept = tuple(one for one in terms.coverage.operations if one.op != "holdback")
    coverage = terms.coverage.model_copy(update={"operations": kept})
    return sum(_run(replace(terms, coverage=coverage)).position.amounts, ZERO)


def _run(terms: Terms) -> _Running:
    asked = tuple(ZERO if line.asked is None else line.asked for line in terms.lines)
    running = _Running(
        position=Position(asked, asked),
        open_places=tuple(range(len(asked))),
        steps=[[] for _ in asked],
        texts=[exact_text(amount) for amount in asked],
        reasons={},
        reductions={},
        stops={},
        uses=[],
        valued=set(),
    )
    if len(asked) * len(terms.coverage.operations) > STEPS_MAX:
        raise FactError("lines", f"times operations are more than {STEPS_MAX} steps: split the claim")
    for number in range(len(terms.coverage.operations)):
        _step(running, terms, number)
    for place, line in enumerate(terms.lines):
        if line.asked is None and place not in running.valued and place not in running.stops:
            raise FactError("asked", "is needed: no step of the terms says what the line is worth", missing=True)
    return running


def _step(running: _Running, terms: Terms, number: int) -> None:
    operation = terms.coverage.operations[number]
    spec = OPERATIONS[operation.op]
    wanted = operation.name if operation.op == "extension" else None
    places: Sequence[int] = [
        place for place in running.open_places if spec.covers or terms.lines[place].extension == wanted
    ]
    if operation.when is not None and not spec.sees_when:
        places = [place for place in places if hold(operation.when, terms.lines[place].facts)]
    if not places:
        return
    if operation.of is not None or spec.sees_when:
        running.valued.update(places if spec.values else ())
    before = running.position
    applied = spec.run(before, operation, terms, places)
    beside = _refused_with_all_others(applied, terms, running.open_places)
    if beside:
        applied, places = _refusing(applied, beside), [*places, *(one for one in beside if one not in places)]
    params = dict(applied.params) if applied.params is not NO_PARAMS else None
    concerned = _concerned(before, applied, places)
    for place in places:
        text = running.texts[place]
        if applied.amounts[place] is not before.amounts[place]:
            running.texts[place] = exact_text(applied.amounts[place])
        stop, own = applied.stops.get(place), applied.own.get(place)
        clause = own.clause_id if own is not None else applied.clause_id
        running.steps[place].append(
            Step(
                op=operation.op,
                clause_id=(stop.clause_id if stop else clause) or operation.clause_id,
                amount_in=text,
                amount_out=running.texts[place],
                params=(dict(own.params) or None) if own is not None else params,
                reason=stop.reason if stop else applied.reason if place in concerned else None,
            )
        )
    running.reasons.update((stop.reason, None) for stop in applied.stops.values())
    if applied.reason is not None:
        running.reasons[applied.reason] = None
    if applied.reduction and applied.reason is not None:
        running.reductions[applied.reason] = None
    if applied.stops:
        running.stops.update(applied.stops)
        running.open_places = tuple(place for place in running.open_places if place not in applied.stops)
    running.uses.extend(applied.uses)
    running.position = Position(
        applied.amounts,
        applied.amounts if applied.revalues else before.base,
        {**before.results, **applied.results} if applied.results else before.results,
        applied.ineffective if applied.ineffective is not None else before.ineffective,
        _above(before, applied),
    )


def _above(before: Position, applied: Applied) -> tuple[Fraction, ...] | None:
    """What lay above limits so far; a line that is valued anew begins anew."""
    if applied.revalues or not applied.capped:
        return None if applied.revalues else before.above
    if all(left is amount for left, amount in zip(applied.amounts, before.amounts, strict=True)):
        return before.above
    earlier = before.above or (ZERO,) * len(before.amounts)
    rows = zip(earlier, before.amounts, applied.amounts, strict=True)
    return tuple(above + amount - left for above, amount, left in rows)


def _refused_with_all_others(applied: Applied, terms: Terms, open_places: Sequence[int]) -> Sequence[int]:
    """Lines of extensions that are left when the last line of the loss itself is refused: with it they fall."""
    if not applied.stops:
        return ()
    main = [place for place in open_places if terms.lines[place].extension is None]
    if not main or not all(place in applied.stops for place in main):
        return ()
    return [place for place in open_places if place not in applied.stops]


def _refusing(applied: Applied, beside: Sequence[int]) -> Applied:
    """With the first reason for which the loss itself is refused."""
    stop = next(iter(applied.stops.values()))
    amounts = tuple(ZERO if place in beside else amount for place, amount in enumerate(applied.amounts))
    return replace(applied, amounts=amounts, stops={**applied.stops, **dict.fromkeys(beside, stop)})


def _concerned(before: Position, applied: Applied, places: Sequence[int]) -> Sequence[int]:
    """The lines a step's reason is about: those it changes; all of them where it changes none."""
    if applied.reason is None:
        return places
    return [place for place in places if applied.amounts[place] != before.amounts[place]] or places


def _rounded(total: Fraction, amounts: Sequence[Fraction], currency: str) -> list[Money]:
    """The one rounding: the coverage's total half-up, then shared out so that the lines sum to it."""
    rounded = Money.of_fraction(total, currency)
    if len(amounts) == 1:
        return [rounded]
    return rounded.allocate(amounts) if rounded else [rounded for _ in amounts]
