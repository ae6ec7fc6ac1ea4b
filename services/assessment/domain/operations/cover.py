"""Whether the terms cover the loss at all. What they do not cover is proposed as a refusal: a person has to say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from schemas.policy import PolicyStatus
from schemas.terms import Frequency, Operation
from services.assessment.domain.conditions import hold
from services.assessment.domain.facts import FactBook, FactError, Value, day_of, instant_of
from services.assessment.domain.position import ZERO, Applied, Position, Stop, Terms

OUTSIDE_PERIOD = "OUTSIDE_POLICY_PERIOD"
NOT_IN_FORCE = "POLICY_NOT_IN_FORCE"
WAITING = "WAITING_PERIOD"
FREQUENCY = "FREQUENCY"
COUNT = "COUNT_LIMIT"
CLAUSE_NOT_EFFECTIVE = "CLAUSE_NOT_EFFECTIVE"
FACT_MAX = 500
_Moment = TypeVar("_Moment", date, datetime)


def in_force(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """A loss outside the policy's period, its end not included, or under a policy that is not in force."""
    policy = terms.policy
    if not policy.in_force_at(terms.loss_at):
        ends = policy.effective_to.isoformat() if policy.effective_to else "open end"
        fact = f"loss at {terms.loss_at.isoformat()}, policy from {policy.effective_from.isoformat()} to {ends}"
        stop = Stop(operation.reason or OUTSIDE_PERIOD, operation.clause_id, fact)
        return _stopped(position, dict.fromkeys(places, stop))
    if policy.status is not PolicyStatus.in_force:
        stop = Stop(NOT_IN_FORCE, operation.clause_id, f"policy is {policy.status.value}")
        return _stopped(position, dict.fromkeys(places, stop))
    return Applied(position.amounts)


def waiting(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """A loss before the waiting days have gone since the start, line by line."""
    rule = terms.coverage.waiting
    if rule is None:
        raise FactError("waiting", "is not among the terms of the coverage", missing=True)
    clause = rule.clause_id or operation.clause_id
    stops = {}
    for place in places if _effective(position, clause) else ():
        facts = terms.lines[place].facts
        if hold(rule.when, facts) and _earlier(facts, rule.at, rule.since, rule.days):
            fact = f"{rule.at} {facts.find(rule.at)}, {rule.days} days from {rule.since} {facts.find(rule.since)}"
            stops[place] = Stop(operation.reason or WAITING, clause, fact)
    return _stopped(position, stops, clause)


def frequency(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Too soon after the last time (the last day counts as too soon), or more often than the terms allow, by line."""
    rule = terms.coverage.frequency
    if rule is None:
        raise FactError("frequency", "is not among the terms of the coverage", missing=True)
    clause = rule.clause_id or operation.clause_id
    stops = {}
    _countable(rule, terms, places)
    for place in places if _effective(position, clause) else ():
        facts = terms.lines[place].facts
        fact = _too_soon(facts, rule)
        if fact is not None:
            stops[place] = Stop(operation.reason or FREQUENCY, clause, fact)
            continue
        before = facts.figure(rule.count)
        if rule.count_max is not None and before is not None and before >= rule.count_max:
            stops[place] = Stop(COUNT, clause, f"{rule.count} {before}, at most {rule.count_max}")
    return _stopped(position, stops, clause)


def _countable(rule: Frequency, terms: Terms, places: Sequence[int]) -> None:
    """FactError where one count stands for several lines and it depends on which comes first what is still allowed."""
    shared = [place for place in places if not terms.lines[place].facts.own(rule.count)]
    before = terms.facts.figure(rule.count)
    if rule.count_max is None or before is None or len(shared) < 2:
        return
    if before < rule.count_max < before + len(shared):
        raise FactError(rule.count, "is stated once for more lines than are left: state it on each line")


def _too_soon(facts: FactBook, rule: Frequency) -> str | None:
    """The facts by which it is, None if it is not."""
    if rule.days is None or facts.find(rule.previous) is None:
        return None
    previous = day_of(instant_of(rule.previous, _known(facts, rule.previous)))
    at = day_of(instant_of(rule.at, _known(facts, rule.at)))
    if previous < _days_later(at, -rule.days, rule.at):
        return None
    if previous > _days_later(at, rule.days, rule.at):
        # Which of the two came first decides, and no rule says that a later one takes from an earlier.
        raise FactError(rule.previous, f"lies after {rule.at}")
    return f"{rule.previous} {previous.isoformat()}, {rule.at} {at.isoformat()}, {rule.days} days"


def exclusions(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Takes out the lines whose facts fulfil an exclusion; for each line the first one that does is the one named."""
    stops: dict[int, Stop] = {}
    for exclusion in terms.coverage.exclusions or ():
        if not _effective(position, exclusion.clause_id):
            continue
        for place in places:
            facts = terms.lines[place].facts
            if place not in stops and hold(exclusion.when, facts):
                said = ", ".join(f"{one.fact} {facts.find(one.fact)}" for one in exclusion.when)
                fact = f"{said} (text {exclusion.text_version})"
                stops[place] = Stop(exclusion.reason, exclusion.clause_id, fact)
    return _stopped(position, stops)


def disclosure(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Clauses that take from the customer have no effect unless it is proved that they were pointed out at sale.

    PRC Insurance Law art. 17; Interpretation (II) art. 9 counts deductibles, their rates and proportions among them.
    """
    shown = {one.clause_id for one in terms.policy.disclosure_evidence or ()}
    coverage = terms.coverage
    clauses: set[str | None] = {one.clause_id or _clause_of("deductible", terms) for one in coverage.deductibles}
    clauses.update(one.clause_id for one in coverage.exclusions or ())
    rules = {"waiting": coverage.waiting, "frequency": coverage.frequency, "proportion": coverage.coinsurance}
    clauses.update(rule.clause_id or _clause_of(op, terms) for op, rule in rules.items() if rule is not None)
    clauses.update(one.clause_id for one in coverage.operations if one.op in ("percent_cut", "member_coinsurance"))
    without = frozenset(clauses - shown)
    reason = CLAUSE_NOT_EFFECTIVE if without else None
    return Applied(position.amounts, reason=reason, ineffective=without)


def _clause_of(op: str, terms: Terms) -> str | None:
    return next((one.clause_id for one in terms.coverage.operations if one.op == op), None)


def _effective(position: Position, clause: str | None) -> bool:
    return position.ineffective is None or clause not in position.ineffective


def _earlier(facts: FactBook, at: str, since: str, days: int) -> bool:
    """By the instant where both have a time of day, else by the day."""
    one, start = instant_of(at, _known(facts, at)), instant_of(since, _known(facts, since))
    if isinstance(one, datetime) and isinstance(start, datetime):
        return one < _days_later(start, days, since)
    return day_of(one) < _days_later(day_of(start), days, since)


def _days_later(moment: _Moment, days: int, name: str) -> _Moment:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        raise FactError(name, "is too near the end of the calendar to count days from") from None


def _known(facts: FactBook, name: str) -> Value:
    found = facts.find(name)
    if found is None:
        raise FactError(name, "is needed by the terms and was not stated", missing=True)
    return found


def _stopped(position: Position, stops: Mapping[int, Stop], clause: str | None = None) -> Applied:
    """Nothing for the lines that are refused; without any, nothing changes."""
    told = {place: replace(stop, fact=stop.fact[:FACT_MAX]) for place, stop in stops.items()}
    return Applied(position.with_amounts(dict.fromkeys(stops, ZERO)), clause_id=clause, stops=told)
