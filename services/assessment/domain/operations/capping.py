"""What the terms pay at most: limits, sublimits, what a year still has, the member's maximum, other insurers, steps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.money import exact_text
from schemas.terms import ContributionMethod, DeductiblePer, LimitBasis, Operation, Period, Sharing, Sublimit
from services.assessment.domain.conditions import hold
from services.assessment.domain.facts import FactError
from services.assessment.domain.periods import SHARED_BASES, limit_ledger, period_of
from services.assessment.domain.position import (
    ZERO,
    Applied,
    Own,
    Position,
    Terms,
    Use,
    by_item,
    keep_in_order,
    shared_by,
    spread,
)

AGGREGATE_EXHAUSTED = "AGGREGATE_EXHAUSTED"
TRIGGER_NOT_MET = "TRIGGER_NOT_MET"


def limit(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """No more than the limit (or `of`), less `less`: per occurrence, per item, or what other claims have left of it."""
    basis = terms.coverage.limit_basis
    if operation.of is None and basis is LimitBasis.item:
        return _limit_per_item(position, operation, terms, places)
    whole = terms.not_negative(operation.of or "term:limit", position)
    if operation.less is not None:
        whole = max(ZERO, whole - terms.not_negative(operation.less, position))
    if operation.of is None and basis in SHARED_BASES:
        ledger = limit_ledger(terms.coverage)
        return _shared(position, operation, terms, places, whole, ledger, SHARED_BASES[basis], operation.clause_id)
    return _capped(position, operation, places, whole)


def unlimited(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """States that this coverage has no limit, so that none was forgotten."""
    return Applied(position.amounts)


def sublimit(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """No more than a category's own limit, for the perils it names: each sublimit over the lines it concerns.

    Notes what all of them together cut, as `above_sublimits`.
    """
    reached, own = position, dict.fromkeys(places, Own({}))
    taken: dict[tuple[str, str], Fraction] = {}
    for one in terms.coverage.sublimits or ():
        concerned = [place for place in places if _concerns(one, terms, place)]
        if not concerned:
            continue
        cap = one.limit.as_fraction()
        if one.per is DeductiblePer.year:
            period = period_of(Period.policy_year, terms.policy, terms.loss_at, terms.loss_zone)
            ledger = (one.aggregate_id or "", period)
            cap = max(ZERO, cap - terms.used(*ledger) - taken.get(ledger, ZERO))
        groups = by_item(terms, concerned) if one.per is DeductiblePer.item else [concerned]
        for group in groups:
            changed = _cap(reached, operation, group, cap)
            told = Own({"amount": exact_text(cap)} | shared_by(group), one.clause_id)
            own.update((place, told) for place in group if place in changed or not own[place].params)
            reached = Position(reached.with_amounts(changed), reached.base, reached.results)
        if one.per is DeductiblePer.year:
            taken[ledger] = taken.get(ledger, ZERO) + reached.total(concerned)
    cut = position.total(places) - reached.total(places)
    uses = tuple(Use(*ledger, amount) for ledger, amount in taken.items())
    return Applied(reached.amounts, results={"above_sublimits": cut}, uses=uses, capped=True, own=own)


def aggregate(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """No more than what other claims of the period have left of each shared limit."""
    if not terms.coverage.aggregates:
        raise FactError("aggregates", "are not among the terms of the coverage", missing=True)
    reached, result = position, Applied(position.amounts)
    for one in terms.coverage.aggregates:
        clause = one.clause_id or operation.clause_id
        step = _shared(reached, operation, terms, places, one.limit.as_fraction(), one.aggregate_id, one.period, clause)
        reached = Position(step.amounts, reached.base, step.results)
        result = Applied(
            step.amounts,
            params=step.params,
            results={**result.results, **step.results},
            clause_id=clause,
            reason=step.reason or result.reason,
            reduction=step.reduction or result.reduction,
            uses=(*result.uses, *step.uses),
            capped=True,
        )
    return result


def oop_max(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """The member bears no more than is left of the yearly maximum; the plan pays the rest, nothing above its limits."""
    coverage = terms.coverage
    before, base = position.total(places), sum((position.within_limits(place) for place in places), ZERO)
    member = base - before
    if coverage.oop_max is None:
        return Applied(position.amounts, results={"member": member})
    left, uses = coverage.oop_max.as_fraction(), ()
    if coverage.oop_aggregate_id is not None:
        period = period_of(Period.policy_year, terms.policy, terms.loss_at, terms.loss_zone)
        left = max(ZERO, left - terms.used(coverage.oop_aggregate_id, period))
    member = min(member, left)
    if coverage.oop_aggregate_id is not None and member:
        uses = (Use(coverage.oop_aggregate_id, period, member, borne=True),)  # type: ignore[assignment]
    changed = _raised(position, places, base - member)
    params = {"amount": exact_text(left)}
    return Applied(position.with_amounts(changed), params=params, results={"member": member}, uses=uses)


def contribute(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Our part where several policies cover the same loss, by the method of the terms.

    `by_sums_insured`: what the thing is worth beyond all sums insured is borne by nobody, so its owner bears that part.
    """
    method = terms.coverage.other_insurance
    if method is None:
        raise FactError("other_insurance", "is not among the terms of the coverage", missing=True)
    loss, limits = position.total(places), [terms.needed("term:limit", position)]
    limits.extend(one.limit.as_fraction() for one in terms.other_policies)
    many, uninsured = len(limits), ZERO
    if method is ContributionMethod.by_sums_insured:
        value = terms.figure("fact:insured_value", position, places[0] if len(places) == 1 else None)
        if value is not None:
            loss, uninsured = min(loss, value), max(ZERO, value - sum(limits, ZERO))
    if many == 1 and not uninsured:
        return Applied(position.amounts)
    shares = _SHARES[method](loss, [*limits, uninsured] if uninsured else limits)[:many]
    return Applied(
        position.with_amounts(spread(position, places, shares[0])),
        params={"amount": exact_text(shares[0]), "policies": str(many)},
        results={"contribution_total": sum(shares, ZERO)},
        capped=True,
    )


def equal_shares(loss: Fraction, limits: Sequence[Fraction]) -> list[Fraction]:
    """Each the same, until a limit is reached; the others share the rest."""
    shares = [ZERO] * len(limits)
    open_places, left = list(range(len(limits))), loss
    while open_places and left:
        part = left / len(open_places)
        full = [place for place in open_places if limits[place] - shares[place] <= part]
        if not full:
            for place in open_places:
                shares[place] += part
            break
        for place in full:
            left -= limits[place] - shares[place]
            shares[place] = limits[place]
        open_places = [place for place in open_places if place not in full]
    return shares


def by_limits(loss: Fraction, limits: Sequence[Fraction]) -> list[Fraction]:
    """Each in the proportion of its limit to all limits, none beyond its own."""
    whole = sum(limits, ZERO)
    return [min(loss, whole) * one / whole if whole else ZERO for one in limits]


def excess(loss: Fraction, limits: Sequence[Fraction]) -> list[Fraction]:
    """The first one pays only what the others' limits leave over, up to its own limit."""
    own, others = limits[0], list(limits[1:])
    first = min(own, max(ZERO, loss - sum(others, ZERO)))
    return [first, *by_limits(loss - first, others)]


_SHARES = {
    ContributionMethod.equal_shares: equal_shares,
    ContributionMethod.by_limits: by_limits,
    ContributionMethod.by_sums_insured: by_limits,
    ContributionMethod.excess: excess,
}


def step_schedule(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Pays by a measured index: the highest step it reaches. Below the first step, or outside, nothing is due."""
    steps = terms.coverage.schedule
    if steps is None:
        raise FactError("schedule", "is not among the terms of the coverage", missing=True)
    observed = terms.needed(operation.of or "fact:observed", position)
    reached = [one for one in steps if Fraction(one.at_least) <= observed]
    if not reached or not hold(operation.when, terms.facts_of(places[0] if len(places) == 1 else None)):
        changed = dict.fromkeys(places, ZERO)
        return Applied(position.with_amounts(changed), reason=TRIGGER_NOT_MET, revalues=True)
    best = max(reached, key=lambda one: Fraction(one.at_least))
    if best.pay is not None:
        due = best.pay.as_fraction()
    else:
        due = Fraction(best.share or "0") * terms.needed("term:limit", position)
    changed = {place: due if number == 0 else ZERO for number, place in enumerate(places)}
    params = {"observed": exact_text(observed), "at_least": best.at_least, "amount": exact_text(due)}
    return Applied(position.with_amounts(changed), params=params, revalues=True)


def _concerns(one: Sublimit, terms: Terms, place: int) -> bool:
    line = terms.lines[place]
    return (one.category is None or one.category == line.category) and hold(one.when, line.facts)


def _limit_per_item(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    changed: dict[int, Fraction] = {}
    told: dict[int, Own] = {}
    for group in by_item(terms, places):
        cap = terms.limit_of(group[0])
        if cap is None:
            raise FactError("limit", "is neither among the terms of the item nor of the coverage", missing=True)
        changed |= _cap(position, operation, group, cap)
        told |= dict.fromkeys(group, Own({"amount": exact_text(cap)} | shared_by(group)))
    return Applied(position.with_amounts(changed), capped=True, own=told)


def _shared(
    position: Position,
    operation: Operation,
    terms: Terms,
    places: Sequence[int],
    whole: Fraction,
    ledger: str,
    period: Period,
    clause: str | None,
) -> Applied:
    """Capped at what the ledger's period still has. A cut because of other claims is a reduction."""
    name = period_of(period, terms.policy, terms.loss_at, terms.loss_zone)
    left = max(ZERO, whole - terms.used(ledger, name))
    before = position.total(places)
    kept = min(before, left)
    cut = kept < min(before, whole)
    return Applied(
        position.with_amounts(_cap(position, operation, places, left)),
        params={"amount": exact_text(left)} | shared_by(places),
        results={"aggregate_remaining_after": left - kept},
        clause_id=clause,
        reason=AGGREGATE_EXHAUSTED if cut else None,
        reduction=cut,
        uses=(Use(ledger, name, kept),) if kept else (),
        capped=True,
    )


def _capped(position: Position, operation: Operation, places: Sequence[int], cap: Fraction) -> Applied:
    changed = _cap(position, operation, places, cap)
    params = {"amount": exact_text(cap)} | shared_by(places)
    return Applied(position.with_amounts(changed), params=params, capped=True)


def _cap(position: Position, operation: Operation, places: Sequence[int], cap: Fraction) -> dict[int, Fraction]:
    if position.total(places) <= cap:
        return {}
    if operation.share is Sharing.in_order:
        return keep_in_order(position, places, cap)
    return spread(position, places, cap)


def _raised(position: Position, places: Sequence[int], total: Fraction) -> dict[int, Fraction]:
    """A new, higher total over the lines: what each is given back is in the proportion of what it bore itself."""
    bore = {place: position.within_limits(place) - position.amounts[place] for place in places}
    more, borne = total - position.total(places), sum(bore.values(), ZERO)
    if not more or not borne:
        return {}
    return {place: position.amounts[place] + more * part / borne for place, part in bore.items()}
