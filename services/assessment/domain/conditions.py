"""Whether conditions over facts hold. What is not known holds nothing: software never takes cover away on a guess."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from schemas.conditions import FACT, Condition
from services.assessment.domain.facts import FactBook, FactError, Value, instant_of, ordered


def hold(conditions: Iterable[Condition] | None, facts: FactBook) -> bool:
    """Whether all of them hold; no conditions always do. FactError where two things cannot be compared."""
    return conditions is None or all(holds(one, facts) for one in conditions)


def holds(condition: Condition, facts: FactBook) -> bool:
    """Whether one condition holds. An unknown fact only answers `known`, negated or not."""
    value = facts.find(condition.fact)
    if condition.known is not None:
        return ((value is not None) == condition.known) is not bool(condition.negated)
    if value is None:
        return False
    found = _test(condition, value, facts)
    return found is not None and found is not bool(condition.negated)


def _test(condition: Condition, value: Value, facts: FactBook) -> bool | None:
    name = condition.fact
    if condition.equals is not None:
        return _same(name, value, condition.equals)
    if condition.one_of is not None:
        return any(_same(name, value, one) for one in condition.one_of)
    if condition.within_hours_after is not None:
        return _within(condition, value, facts)
    bound = condition.at_least or condition.more_than or condition.at_most or condition.less_than or ""
    other: Value | None = facts.find(bound.removeprefix(FACT)) if bound.startswith(FACT) else bound
    if other is None:
        return None
    one, two = ordered(name, value, other)
    if condition.at_least is not None:
        return one >= two  # type: ignore[operator]
    if condition.more_than is not None:
        return one > two  # type: ignore[operator]
    if condition.at_most is not None:
        return one <= two  # type: ignore[operator]
    return one < two  # type: ignore[operator]


def _same(name: str, value: Value, other: Value) -> bool:
    if isinstance(value, bool) or isinstance(other, bool) or not isinstance(other, str):
        return value == other and type(value) is type(other)
    if value == other:
        return True
    if isinstance(value, tuple):
        return other in value
    try:
        one, two = ordered(name, value, other)
    except FactError:
        return False
    return one == two


def _within(condition: Condition, value: Value, facts: FactBook) -> bool | None:
    """Both ends inclusive: from the named instant to the last of the hours after it."""
    start_name = condition.within_hours_after or ""
    start = facts.find(start_name)
    if start is None:
        return None
    begins, at = instant_of(start_name, start), instant_of(condition.fact, value)
    if not isinstance(begins, datetime) or not isinstance(at, datetime):
        raise FactError(condition.fact, "and what it is counted from must be instants")
    return at <= begins + timedelta(hours=condition.hours or 0)
