"""What the loss is worth before the terms take anything off: valuation, depreciation, what was verified, advances."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.money import exact_text
from schemas.terms import DepreciationMethod, Operation
from services.assessment.domain.facts import FactError
from services.assessment.domain.position import ONE, ZERO, Applied, Position, Stop, Terms

NOT_VERIFIED = "NOT_VERIFIED"


def value(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """(`of`, else what the step finds) less `less`, times `times`, no less than `at_least`, no more than `at_most`."""
    changed = {place: _valued(position, operation, terms, place, len(places)) for place in places}
    return Applied(position.with_amounts(changed), revalues=True)


def advance(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """An amount paid before the final one is known, valued as `value` does; it counts towards the final amount."""
    changed = {place: _valued(position, operation, terms, place, len(places)) for place in places}
    results = {"advance": sum(changed.values(), ZERO)}
    if operation.due_days is not None:
        results["first_payment_due_day"] = Fraction(operation.due_days)
    return Applied(position.with_amounts(changed), results=results, revalues=True)


def net(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """What was saved on some lines is set against the others: only the increase is paid."""
    total = max(ZERO, position.total(places))
    gained = [place for place in places if position.amounts[place] > 0]
    whole = position.total(gained)
    changed = {place: total * position.amounts[place] / whole if place in gained else ZERO for place in places}
    return Applied(position.with_amounts(changed), revalues=True)


def adjust(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """No more than what was verified: `of`, less `less`. What falls away is a reduction, which needs a person.

    A line of which nothing is left is refused.
    """
    changed = {}
    for place in places:
        verified = _stated(operation.of or "", position, terms, place, len(places))
        if operation.less is not None:
            verified -= _taken_off(operation.less, position, terms, place, len(places))
        changed[place] = max(ZERO, min(position.amounts[place], verified))
    cut = position.total(places) - sum(changed.values(), ZERO)
    if not cut:
        return Applied(position.amounts, revalues=True)
    reason = operation.reason or NOT_VERIFIED
    refused = tuple(place for place in places if position.amounts[place] and not changed[place])
    source = (operation.less or operation.of or "").partition(":")[2]
    return Applied(
        position.with_amounts(changed),
        results={"not_verified": position.results.get("not_verified", ZERO) + cut},
        reason=reason,
        reduction=True,
        revalues=True,
        stops=dict.fromkeys(refused, Stop(reason, operation.clause_id, f"nothing is left by {source}")),
    )


def depreciate(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """The new price less what age and wear have taken."""
    rule = terms.coverage.depreciation
    if rule is None:
        raise FactError("depreciation", "is not among the terms of the coverage", missing=True)
    changed, params, taken = {}, {}, ZERO
    for place in places:
        price = position.amounts[place]
        lost = min(_lost(price, position, terms, place, len(places)), Fraction(rule.cap) * price)
        changed[place], taken = price - lost, taken + lost
        params = {"amount": exact_text(lost)}
    if len(places) > 1:
        params = {"amount": exact_text(taken)}
    results = {"depreciation": position.results.get("depreciation", ZERO) + taken}
    return Applied(
        position.with_amounts(changed), params=params, results=results, clause_id=rule.clause_id, revalues=True
    )


def _lost(price: Fraction, position: Position, terms: Terms, place: int, many: int) -> Fraction:
    rule = terms.coverage.depreciation
    if rule is None:
        return ZERO
    if rule.method is DepreciationMethod.stated:
        return _taken_off(rule.of or "", position, terms, place, many)
    if rule.method is DepreciationMethod.rate:
        return price * terms.not_negative(rule.of or "", position, place)
    age = terms.not_negative(rule.age or "", position, place)
    if rule.method is DepreciationMethod.monthly:
        whole_months = Fraction(age.numerator // age.denominator)
        return price * whole_months * terms.not_negative(rule.of or "", position, place)
    life = terms.not_negative(rule.life or "", position, place)
    if not life:
        raise FactError((rule.life or "").partition(":")[2], "must be more than nothing")
    return price * min(ONE, age / life)


def _valued(position: Position, operation: Operation, terms: Terms, place: int, many: int) -> Fraction:
    of = operation.of
    if of is not None and many > 1 and not (_its_own(of, terms, place) or _its_own(operation.times, terms, place)):
        name = of.partition(":")[2] or "figure"
        raise FactError(name, "is one figure for several lines: state it on each line, or ask in one line")
    amount = position.amounts[place] if of is None else terms.needed(of, position, place)
    if operation.less is not None:
        amount -= terms.not_negative(operation.less, position, place)
    if operation.times is not None:
        amount *= terms.not_negative(operation.times, position, place)
    least = None if operation.at_least is None else terms.figure(operation.at_least, position, place)
    most = None if operation.at_most is None else terms.figure(operation.at_most, position, place)
    amount = amount if least is None else max(amount, least)
    return amount if most is None else min(amount, most)


def _stated(source: str, position: Position, terms: Terms, place: int, many: int) -> Fraction:
    _one_line(terms, source, place, many)
    return terms.needed(source, position, place)


def _taken_off(source: str, position: Position, terms: Terms, place: int, many: int) -> Fraction:
    _one_line(terms, source, place, many)
    return terms.not_negative(source, position, place)


def _one_line(terms: Terms, source: str, place: int, many: int) -> None:
    """A fact of the whole claim cannot stand for each of several lines."""
    kind, _, name = source.partition(":")
    if kind == "fact" and many > 1 and not terms.lines[place].facts.own(name):
        raise FactError(name, "is stated once for several lines: state it on each line")


def _its_own(source: str | None, terms: Terms, place: int) -> bool:
    kind, _, name = (source or "").partition(":")
    return kind == "fact" and terms.lines[place].facts.own(name)
