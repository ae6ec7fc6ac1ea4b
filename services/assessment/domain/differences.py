"""Two answers to one claim side by side: who would get more, less or nothing, and where the two ways part.

Pure. An answer is what rules make of a claim before any person has spoken; a person's amount is never compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from schemas.assessment import ReferralReason
from schemas.decision import Decision, DecisionLine, Step
from schemas.money import Money
from services.assessment.domain.triage import DECIDE_TABLE, FLAG_TABLE, LANE_TABLE, SEGMENT_TABLE

NOTHING = "-"


class Way(StrEnum):
    """Who has the claim next."""

    software = "paid"
    person = "person"


class Change(StrEnum):
    """What becomes of the amount."""

    same = "same"
    more = "more"
    less = "less"
    nothing = "nothing"


@dataclass(frozen=True, slots=True)
class Answer:
    """What rules make of a claim. `amount` is what the terms come to: None where nothing could be computed.

    `flags` and `way_row` are rows of tables; the row that let it through or asked is not in the log, so it may be None.
    `desk` only where a person is asked.
    """

    way: Way
    amount: Money | None
    reasons: tuple[ReferralReason, ...] = ()
    desk: str | None = None
    segment: str | None = None
    lane: str | None = None
    flags: tuple[str, ...] = ()
    advance: Money | None = None
    decision: Decision | None = None
    way_row: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two answers part: a step of a line, a row of a table, or what a person is asked."""

    where: str
    was: str
    then: str


def change_of(was: Answer, then: Answer) -> Change:
    """What the amount becomes. What could not be computed counts as nothing."""
    before, after = _minor(was.amount), _minor(then.amount)
    if before == after:
        return Change.same
    if after > before:
        return Change.more
    return Change.less if after else Change.nothing


def is_same(was: Answer, then: Answer) -> bool:
    """Whether nobody would notice: the same amount by the same way, sorted alike and asked alike."""
    return change_of(was, then) is Change.same and _way_of(was) == _way_of(then)


def first_difference(was: Answer, then: Answer) -> Difference:
    """Where they part, arithmetic first, then the tables in the order they are run, then what is asked."""
    if was.decision is None or then.decision is None:
        if was.decision is not then.decision:
            return Difference("computing", _computed(was), _computed(then))
    elif change_of(was, then) is not Change.same:
        return _in_lines(was.decision, then.decision)
    if was.segment != then.segment:
        return Difference(SEGMENT_TABLE, was.segment or NOTHING, then.segment or NOTHING)
    if was.lane != then.lane:
        return Difference(LANE_TABLE, was.lane or NOTHING, then.lane or NOTHING)
    if was.flags != then.flags:
        return Difference(f"{FLAG_TABLE} rows", _listed(was.flags), _listed(then.flags))
    if was.way_row is not None and was.way_row != then.way_row:
        return Difference(f"{DECIDE_TABLE} row", was.way_row, then.way_row or NOTHING)
    if (was.way, was.reasons) != (then.way, then.reasons):
        row = "" if then.way_row is None or was.way_row is not None else f" ({DECIDE_TABLE} row {then.way_row})"
        return Difference("what is asked", _asked(was), f"{_asked(then)}{row}")
    if was.desk != then.desk:
        return Difference("desk", was.desk or NOTHING, then.desk or NOTHING)
    return Difference("advance", str(was.advance or NOTHING), str(then.advance or NOTHING))


def _minor(amount: Money | None) -> int:
    return 0 if amount is None else amount.amount_minor


def _way_of(one: Answer) -> tuple[object, ...]:
    return one.way, one.reasons, one.desk, one.segment, one.lane, one.flags, one.advance


def _in_lines(was: Decision, then: Decision) -> Difference:
    others = {line.line_id: line for line in then.lines}
    for line in was.lines:
        other = others.get(line.line_id)
        if other is not None and other.payable != line.payable:
            return _in_steps(line, other)
    return Difference("lines", str(was.computed), str(then.computed))


def _in_steps(was: DecisionLine, then: DecisionLine) -> Difference:
    for number, (one, other) in enumerate(zip_longest(was.steps, then.steps), start=1):
        if one is None or other is None or _told(one) != _told(other):
            where = f"line {was.line_id} {was.coverage_code}, step {number}"
            return Difference(where, _words(one), _words(other))
    return Difference(f"line {was.line_id} {was.coverage_code}, rounding", str(was.payable), str(then.payable))


def _told(step: Step) -> tuple[object, ...]:
    return step.op, step.amount_out, step.reason


def _words(step: Step | None) -> str:
    if step is None:
        return "no such step"
    clause = f" {step.clause_id}" if step.clause_id is not None else ""
    reason = f" ({step.reason})" if step.reason is not None else ""
    return f"{step.op}{clause} {step.amount_in} -> {step.amount_out}{reason}"


def _computed(one: Answer) -> str:
    return _listed(one.reasons) if one.decision is None else str(one.decision.computed)


def _asked(one: Answer) -> str:
    return one.way.value if one.way is Way.software else _listed(one.reasons)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(str(name) for name in names) or NOTHING
