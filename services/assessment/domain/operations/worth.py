"""What the loss is worth before the terms take anything off: valuation, depreciation, what was verified, advances."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.money import exact_text
from schemas.terms import DepreciationMethod, Operation
from services.assessment.domain.facts import FactError
from services.assessment.domain.position import ONE, ZERO, Applied, Own, Position, Stop, Terms

NOT_VERIFIED = "NOT_VERIFIED"


def value(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """(`of`, else what the step finds) less `less`, times `times`, no less than `at_least`, no more than `at_most`."""
    found = {place: _valued(position, operation, terms, place, len(places)) for place in places}
    changed = {place: amount for place, (amount, _) in found.items()}
    own = {place: Own(working) for place, (_, working) in found.items() if working}
    return Applied(position.with_amounts(changed), revalues=True, own=own)


def advance(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """An amount paid before the final one is known, valued as `value` does; it counts towards the final amount."""
    changed = {place: _valued(position, operation, terms, place, len(places))[0] for place in places}
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
    changed, own, taken = {}, {}, ZERO
    for place in places:
        price = position.amounts[place]
        lost = min(_lost(price, position, terms, place, len(places)), Fraction(rule.cap) * price)
        changed[place], taken = price - lost, taken + lost
        own[place] = Own({"amount": exact_text(lost)}, rule.clause_id)
    results = {"depreciation": position.results.get("depreciation", ZERO) + taken}
    return Applied(position.with_amounts(changed), results=results, revalues=True, own=own)


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


def _valued(
    position: Position, operation: Operation, terms: Terms, place: int, many: int
) -> tuple[Fraction, dict[str, str]]:
    """The value, and its working where it is more than one figure: each figure, and the bound that set the value."""
    of = operation.of
    if of is not None and many > 1 and not any(_of_each_line(one, terms, place) for one in (of, operation.times)):
        name = of.partition(":")[2] or "figure"
        raise FactError(name, "is one figure for several lines: state it on each line, or ask in one line")
    amount = position.amounts[place] if of is None else terms.needed(of, position, place)
    told = {"of": exact_text(amount)}
    if operation.less is not None:
        less = terms.not_negative(operation.less, position, place)
        amount, told["less"] = amount - less, exact_text(less)
    if operation.times is not None:
        times = terms.not_negative(operation.times, position, place)
        amount, told["times"] = amount * times, exact_text(times)
    least = None if operation.at_least is None else terms.figure(operation.at_least, position, place)
    most = None if operation.at_most is None else terms.figure(operation.at_most, position, place)
    if least is not None and amount < least:
        amount, told["least"] = least, exact_text(least)
    if most is not None and amount > most:
        amount, told["most"] = most, exact_text(most)
    return amount, told if len(told) > 1 else {}


def _stated(source: str, position: Position, terms: Terms, place: int, many: int) -> Fraction:
    _one_line(terms, source, place, many)
    return terms.needed(source, position, place)


def _taken_off(source: str, position: Position, terms: Terms, place: int, many: int) -> Fraction:
    _one_line(terms, source, place, many)
    return terms.not_negative(source, position, place)


def _one_line(terms: Terms, source: str, place: int, many: int) -> None:
    """A fact of the whole claim cannot stand for each of several lines; what the terms assume does."""
    kind, _, name = source.partition(":")
    facts = terms.lines[place].facts
    if kind == "fact" and many > 1 and facts.stated(name) and not facts.own(name):
        raise FactError(name, "is stated once for several lines: state it on each line")


def _of_each_line(source: str | None, terms: Terms, place: int) -> bool:
    """A fact each line states for itself, or that the terms assume where nobody states it."""
    kind, _, name = (source or "").partition(":")
    facts = terms.lines[place].facts
    return kind == "fact" and (facts.own(name) or not facts.stated(name))
