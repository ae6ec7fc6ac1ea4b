"""What the terms take off a loss: what others paid, shares and percentages, the proportion, deductibles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from schemas.money import exact_text
from schemas.terms import (
    CoinsuranceClause,
    Deductible,
    DeductibleKind,
    DeductiblePer,
    LimitBasis,
    Operation,
    Period,
    Selection,
    Sharing,
)
from services.assessment.domain.conditions import hold
from services.assessment.domain.facts import FactError
from services.assessment.domain.periods import period_of
from services.assessment.domain.position import (
    NO_OWN,
    ONE,
    ZERO,
    Applied,
    Own,
    Position,
    Terms,
    Use,
    by_item,
    shared_by,
    spread,
    take_in_order,
)

BELOW_DEDUCTIBLE = "BELOW_DEDUCTIBLE"


def subtract(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Less what was received from elsewhere: from each line its own where lines state it, else from all together.

    With a `reason` it is no part of the loss in the first place: taking it off is a reduction, which needs a person.
    """
    source = operation.of or ""
    name = source.partition(":")[2]
    named = {"name": name} if name else {}
    own: Mapping[int, Own] = NO_OWN
    if source.startswith("fact:") and any(terms.lines[place].facts.own(name) for place in places):
        stated = [place for place in places if terms.figure(source, position, place) is not None]
        taken = {place: terms.not_negative(source, position, place) if place in stated else ZERO for place in places}
        changed = {place: max(ZERO, position.amounts[place] - taken[place]) for place in places}
        whole = sum(taken.values(), ZERO)
        own = {place: Own({"amount": exact_text(part)} | named) for place, part in taken.items()}
    else:
        whole = terms.not_negative(source, position)
        changed = spread(position, places, max(ZERO, position.total(places) - whole))
    params = {"amount": exact_text(whole)} | named
    reason = operation.reason if whole else None
    amounts = position.with_amounts(changed)
    return Applied(amounts, params=params, reason=reason, reduction=reason is not None, revalues=True, own=own)


def share(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Times a part of the whole: the share of fault, the ratio the plan pays."""
    rate = _rate(operation, position, terms, places)
    changed = {place: position.amounts[place] * rate for place in places}
    return Applied(position.with_amounts(changed), params={"rate": exact_text(rate)} | _named(operation))


def percent_cut(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Less a percentage; several rates are added up and taken at once."""
    if not _effective(position, operation.clause_id):
        return Applied(position.amounts)
    rate = _rate(operation, position, terms, places)
    changed = {place: position.amounts[place] * (ONE - rate) for place in places}
    return Applied(position.with_amounts(changed), params={"rate": exact_text(rate)} | _named(operation))


def proportion(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """The loss in the proportion of the sum carried to the sum required, never more than the loss.

    `at_least` is what is paid even so (homeowners: the actual cash value of the damage), less what of it `less` says is
    borne already. Where the limits are the items' own, each item has its own proportion; where one limit is for all
    items, what all of them are worth counts, damaged or not. Agreed value suspends it.
    """
    rule = terms.coverage.coinsurance
    if rule is None:
        raise FactError("coinsurance", "is not among the terms of the coverage", missing=True)
    clause = rule.clause_id or operation.clause_id
    if rule.agreed_value or not _effective(position, clause):
        return Applied(position.amounts, clause_id=clause)
    if terms.coverage.limit_basis is LimitBasis.item:
        return _proportion_of_items(position, operation, terms, places, rule)
    one = places[0] if len(places) == 1 else None
    worth = _worth_of_all(terms)
    worth = terms.not_negative(rule.value, position, one) if worth is None else worth
    required, carried = Fraction(rule.required_rate) * worth, terms.not_negative(rule.carried, position, one)
    ratio = _ratio(carried, required)
    total = position.total(places) * ratio
    least = None if operation.at_least is None else terms.figure(operation.at_least, position, one)
    if least is not None:
        borne = ZERO if operation.less is None else terms.not_negative(operation.less, position, one)
        total = max(total, min(least - borne, position.total(places)))
    params = _proportion_told(carried, required)
    return Applied(position.with_amounts(spread(position, places, total)), params=params, clause_id=clause)


def _proportion_of_items(
    position: Position, operation: Operation, terms: Terms, places: Sequence[int], rule: CoinsuranceClause
) -> Applied:
    if operation.at_least is not None or operation.less is not None:
        raise FactError("proportion", "of each item by itself takes neither at_least nor less")
    changed: dict[int, Fraction] = {}
    own: dict[int, Own] = {}
    for group in by_item(terms, places):
        item = terms.lines[group[0]].item
        if item is None or item.limit is None:
            raise FactError("limit", "is not among the terms of the item", missing=True)
        required = Fraction(rule.required_rate) * _of_one_item(rule.value, position, terms, group)
        carried = item.limit.as_fraction()
        changed |= spread(position, group, position.total(group) * _ratio(carried, required))
        own |= dict.fromkeys(group, Own(_proportion_told(carried, required), rule.clause_id or operation.clause_id))
    return Applied(position.with_amounts(changed), own=own)


def _proportion_told(carried: Fraction, required: Fraction) -> dict[str, str]:
    ratio = _ratio(carried, required)
    return {"ratio": exact_text(ratio), "carried": exact_text(carried), "required": exact_text(required)}


def _of_one_item(source: str, position: Position, terms: Terms, group: Sequence[int]) -> Fraction:
    found = {terms.not_negative(source, position, place) for place in group}
    if len(found) > 1:
        raise FactError(source.partition(":")[2], "is not the same on all lines of one item")
    return found.pop()


def _worth_of_all(terms: Terms) -> Fraction | None:
    if terms.coverage.limit_basis is not LimitBasis.blanket or not terms.coverage.items:
        return None
    values = [one.insured_value for one in terms.coverage.items]
    if None in values:
        raise FactError("insured_value", "is needed of every item under one limit", missing=True)
    return sum((one.as_fraction() for one in values if one is not None), ZERO)


def _ratio(carried: Fraction, required: Fraction) -> Fraction:
    return min(ONE, carried / required) if required else ONE


def member_coinsurance(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Less the percentage the member pays."""
    if operation.of is None and terms.coverage.member_coinsurance is None:
        raise FactError("member_coinsurance", "is not among the terms of the coverage", missing=True)
    if not _effective(position, operation.clause_id):
        return Applied(position.amounts)
    own = terms.coverage.member_coinsurance
    rate = Fraction(own) if operation.of is None and own is not None else _rate(operation, position, terms, places)
    changed = {place: position.amounts[place] * (ONE - rate) for place in places}
    member = sum((position.within_limits(place) - changed[place] for place in places), ZERO)
    return Applied(position.with_amounts(changed), params={"rate": exact_text(rate)}, results={"member": member})


def deductible(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Less what the policyholder bears: of the deductibles that apply, by the selection the terms make.

    `less` is what of it has been borne already, by what a special limit cut or by what another payer paid. Taken in
    order where the limits are the items' own, losses are not added up against it: an item whose loss is no more than
    the deductible gets nothing; one whose loss reaches limit and deductible together gets its limit; of the others only
    the first bears it (ISO builders risk coverage form, deductible clause and its examples).
    """
    kinds = operation.kinds
    candidates = [one for one in terms.coverage.deductibles if kinds is None or one.kind in kinds]
    if not candidates:
        none = position.results.get("deductible_applied", ZERO)
        return Applied(position.amounts, params={"amount": "0"}, results={"deductible_applied": none})
    if any(one.per is DeductiblePer.item for one in candidates):
        if operation.less is not None:
            raise FactError("deductible", "per item cannot have been borne already by the loss as a whole")
        return _per_item(position, operation, terms, places, candidates)
    chosen = _chosen(candidates, position, operation, terms, places)
    return _borne(position, operation, terms, places, chosen)


Chosen = list[tuple[Deductible, Fraction]]


def _chosen(
    candidates: Sequence[Deductible], position: Position, operation: Operation, terms: Terms, places: Sequence[int]
) -> Chosen:
    found = [
        (one, _size(one, position, terms, places))
        for one in candidates
        if _effective(position, one.clause_id or operation.clause_id) and _applies(one, terms, places)
    ]
    if len(found) < 2 or terms.coverage.selection in (None, Selection.sum):
        return found
    if terms.coverage.selection is Selection.first:
        return found[:1]
    largest = max(size for _, size in found)
    return [next(one for one in found if one[1] == largest)]


def _applies(one: Deductible, terms: Terms, places: Sequence[int]) -> bool:
    held = {hold(one.when, terms.lines[place].facts) for place in places}
    if len(held) > 1:
        raise FactError("deductible", "applies to some lines and not to others: those need a coverage of their own")
    return held.pop()


def _size(one: Deductible, position: Position, terms: Terms, places: Sequence[int]) -> Fraction:
    place = places[0] if len(places) == 1 else None
    match one.kind:
        case DeductibleKind.flat:
            size = _whole(one, position, terms, place)
        case DeductibleKind.annual:
            size = left = _left(one, position, terms, place)
            if one.at_least is not None and left < _whole(one, position, terms, place):
                size = max(left, terms.not_negative(one.at_least, position, place))
        case DeductibleKind.pct_of_limit:
            size = terms.not_negative(one.of, position, place) if one.of else _limits(terms, position, places)
        case DeductibleKind.pct_of_value:
            size = terms.not_negative(one.of, position, place) if one.of else _values(terms, position, places)
        case DeductibleKind.pct_of_loss:
            size = terms.not_negative(one.of, position, place) if one.of else position.base_total(places)
        case DeductibleKind.rate:
            size = position.total(places)
    rate = _rate_of(one, position, terms, place)
    size = size if rate is None else size * rate
    size = size if one.min is None else max(size, one.min.as_fraction())
    size = size if one.max is None else min(size, one.max.as_fraction())
    return ZERO if one.franchise and position.total(places) > size else size


def _rate_of(one: Deductible, position: Position, terms: Terms, place: int | None) -> Fraction | None:
    if one.rate is not None:
        return Fraction(one.rate)
    return None if one.rate_of is None else _part(one.rate_of, position, terms, place)


def _told(chosen: Chosen, position: Position, terms: Terms, places: Sequence[int], borne: Fraction) -> dict[str, str]:
    """A deductible as it is told: with its rate and what that is taken of, unless a bound of its own sets it."""
    told = {"amount": exact_text(_whole_of(chosen))}
    if len(chosen) == 1:
        one, size = chosen[0]
        rate = _rate_of(one, position, terms, places[0] if len(places) == 1 else None)
        bounds = [bound.as_fraction() for bound in (one.min, one.max) if bound is not None]
        if rate and size and size not in bounds:
            told |= {"rate": exact_text(rate), "base": exact_text(size / rate)}
    return told | ({"borne": exact_text(borne)} if borne else {})


def _and_before(position: Position, taken: Fraction) -> Fraction:
    """What deductibles have taken so far, and this."""
    before = position.results.get("deductible_applied")
    return taken if before is None else before + taken


def _whole_of(chosen: Chosen) -> Fraction:
    # Nearly all terms have one deductible, which needs no adding.
    return chosen[0][1] if len(chosen) == 1 else sum((size for _, size in chosen), ZERO)


def _limits(terms: Terms, position: Position, places: Sequence[int]) -> Fraction:
    """The limits of the items these lines are about, each item once; the coverage's where an item has none."""
    items = {line.item_id: line.item for place in places if (line := terms.lines[place]).item is not None}
    if not any(item is not None and item.limit is not None for item in items.values()):
        return terms.needed("term:limit", position)
    return sum(
        (
            item.limit.as_fraction() if item is not None and item.limit is not None else terms.term("limit")
            for item in items.values()
        ),
        ZERO,
    )


def _values(terms: Terms, position: Position, places: Sequence[int]) -> Fraction:
    """What the things these lines are about are worth, each item once; the claim's own figure if no line states it."""
    if not any(terms.lines[place].facts.own("insured_value") for place in places):
        return terms.needed("fact:insured_value", position)
    things = by_item(terms, places)
    return sum((_of_one_item("fact:insured_value", position, terms, group) for group in things), ZERO)


def _borne(position: Position, operation: Operation, terms: Terms, places: Sequence[int], chosen: Chosen) -> Applied:
    before, size = position.total(places), _whole_of(chosen)
    borne = ZERO if operation.less is None else min(size, terms.not_negative(operation.less, position))
    left = size - borne if borne else size
    taken = min(left, before)
    if operation.share is Sharing.in_order and terms.coverage.limit_basis is LimitBasis.item:
        changed = _by_one_item(position, terms, places, left)
        taken = sum((position.amounts[place] - amount for place, amount in changed.items()), ZERO)
    elif operation.share is Sharing.in_order:
        changed = take_in_order(position, places, taken)
    else:
        changed = spread(position, places, before - taken)
    return Applied(
        position.with_amounts(changed),
        params=_told(chosen, position, terms, places, borne) | shared_by(places),
        results={"deductible_applied": _and_before(position, borne + taken if borne else taken)},
        clause_id=chosen[0][0].clause_id if len(chosen) == 1 else None,
        reason=BELOW_DEDUCTIBLE if borne < size and taken == before else None,
        uses=_uses(chosen, taken, position, terms),
    )


def _by_one_item(position: Position, terms: Terms, places: Sequence[int], size: Fraction) -> dict[int, Fraction]:
    changed: dict[int, Fraction] = {}
    still = size
    for group in by_item(terms, places):
        loss, limit = position.total(group), terms.limit_of(group[0])
        if limit is not None and loss >= limit + size:
            continue
        left, still = (ZERO, still) if loss <= size else (loss - still, ZERO)
        changed |= spread(position, group, left)
    return changed


def _per_item(
    position: Position, operation: Operation, terms: Terms, places: Sequence[int], candidates: Sequence[Deductible]
) -> Applied:
    """Each item bears its own."""
    changed: dict[int, Fraction] = {}
    own: dict[int, Own] = {}
    taken, size = ZERO, ZERO
    uses: list[Use] = []
    for group in by_item(terms, places):
        chosen = _chosen(candidates, position, operation, terms, group[:1] if len(group) == 1 else group)
        part = _whole_of(chosen)
        before = position.total(group)
        changed |= spread(position, group, max(ZERO, before - part))
        taken, size = taken + min(part, before), size + part
        uses += _uses(chosen, min(part, before), position, terms)
        told = _told(chosen, position, terms, group, ZERO) | shared_by(group)
        own |= dict.fromkeys(group, Own(told, chosen[0][0].clause_id if len(chosen) == 1 else None))
    return Applied(
        position.with_amounts(changed),
        own=own,
        results={"deductible_applied": _and_before(position, taken)},
        reason=BELOW_DEDUCTIBLE if size and taken == position.total(places) else None,
        uses=tuple(uses),
    )


def _uses(chosen: Chosen, taken: Fraction, position: Position, terms: Terms) -> tuple[Use, ...]:
    """What of the yearly deductibles is used up by this loss: what was borne, as far as the year's still goes."""
    return tuple(
        Use(one.aggregate_id, _period(one, terms), used, borne=True)
        for one, _ in chosen
        if one.aggregate_id is not None and (used := min(taken, _left(one, position, terms, None)))
    )


def _left(one: Deductible, position: Position, terms: Terms, place: int | None) -> Fraction:
    used = terms.used(one.aggregate_id or "", _period(one, terms))
    return max(ZERO, _whole(one, position, terms, place) - used)


def _whole(one: Deductible, position: Position, terms: Terms, place: int | None) -> Fraction:
    return one.amount.as_fraction() if one.amount is not None else terms.not_negative(one.of or "", position, place)


def _period(one: Deductible, terms: Terms) -> str:
    return period_of(one.period or Period.calendar_year, terms.policy, terms.loss_at, terms.loss_zone)


def _rate(operation: Operation, position: Position, terms: Terms, places: Sequence[int]) -> Fraction:
    """The part of the whole: from a source, or looked up in a table of the terms by a fact's code."""
    source = operation.of or ""
    name = source.partition(":")[2]
    if operation.table is not None:
        code = (terms.lines[places[0]].facts if len(places) == 1 else terms.facts).find(name)
        if code is None:
            raise FactError(name, "is needed by the terms and was not stated", missing=True)
        rates = (terms.coverage.tables or {}).get(operation.table, {})
        if not isinstance(code, str) or code not in rates:
            raise FactError(name, f"is not in the table {operation.table} of the terms")
        return Fraction(rates[code])
    return _part(source, position, terms, places[0] if len(places) == 1 else None)


def _part(source: str, position: Position, terms: Terms, place: int | None) -> Fraction:
    rate = terms.needed(source, position, place)
    if not 0 <= rate <= 1:
        raise FactError(source.partition(":")[2] or "rate", "is not a part of the whole from 0 to 1")
    return rate


def _named(operation: Operation) -> dict[str, str]:
    name = operation.name or (operation.of or "").partition(":")[2]
    return {"name": name} if name else {}


def _effective(position: Position, clause: str | None) -> bool:
    return position.ineffective is None or clause not in position.ineffective
