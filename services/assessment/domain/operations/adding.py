"""What is paid beside the loss or noted for later: extensions, depreciation held back, the right against others."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.money import exact_text
from schemas.terms import Extension, LimitBasis, Operation
from services.assessment.domain.facts import FactError
from services.assessment.domain.periods import SHARED_BASES, limit_ledger, period_of
from services.assessment.domain.position import ZERO, Applied, Position, Terms, Use, spread

LIMIT_LEFT = "result:limit_left"


def extension(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """The lines of an extension, up to the lowest of its caps, then up to its additional limit.

    Its caps may use `result:direct` (what the other lines came to), `result:direct_and_deductible` and
    `result:limit_left`, which extensions within the limit take in turn.
    """
    rule = next((one for one in terms.coverage.extensions or () if one.name == operation.name), None)
    if rule is None:
        raise FactError(operation.name or "extension", "is not among the extensions of the coverage", missing=True)
    main = [place for place, line in enumerate(terms.lines) if line.extension is None]
    direct = position.total(main)
    known = dict(position.results)
    known["direct"] = direct
    known["direct_and_deductible"] = direct + position.results.get("deductible_applied", ZERO)
    ledger = _ledger_of_limit(terms)
    if terms.coverage.limit is not None and terms.coverage.limit_basis is not LimitBasis.item:
        used = ZERO if ledger is None else terms.used(*ledger)
        whole = terms.coverage.limit.as_fraction() - used
        known["limit_left"] = max(ZERO, whole - direct - _within_limit_before(position, terms))
    seen = Position(position.amounts, position.base, known)
    asked = position.total(places)
    caps = [Fraction(cap.rate) * terms.not_negative(cap.of, seen) for cap in rule.caps]
    basic = min([asked, *caps])
    most = ZERO if rule.additional_limit is None else rule.additional_limit.as_fraction()
    additional = min(asked - basic, most)
    payable = basic + additional
    results = {
        "direct": direct,
        f"{rule.name}_basic": basic,
        f"{rule.name}_additional": additional,
        f"{rule.name}_not_covered": asked - payable,
    }
    if rule.expense:
        results |= {"indemnity": direct, "expense": position.results.get("expense", ZERO) + payable}
    params = {"amount": exact_text(payable), "name": rule.name}
    return Applied(
        position.with_amounts(spread(position, places, payable)),
        params=params,
        results=results,
        clause_id=rule.clause_id,
        uses=(Use(*ledger, basic),) if ledger is not None and basic and _is_within_limit(rule) else (),
    )


def _is_within_limit(rule: Extension) -> bool:
    return any(cap.of == LIMIT_LEFT for cap in rule.caps)


def _within_limit_before(position: Position, terms: Terms) -> Fraction:
    """What other extensions have taken of the limit already."""
    inside = (one for one in terms.coverage.extensions or () if _is_within_limit(one))
    return sum((position.results.get(f"{one.name}_basic", ZERO) for one in inside), ZERO)


def _ledger_of_limit(terms: Terms) -> tuple[str, str] | None:
    """The ledger and its span, where claims share the limit."""
    period = SHARED_BASES.get(terms.coverage.limit_basis)
    if period is None:
        return None
    return limit_ledger(terms.coverage), period_of(period, terms.policy, terms.loss_at, terms.loss_zone)


def holdback(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Notes what would be paid besides on proof of repair: the terms run again as if the fact `name` were true."""
    if operation.name is None:
        raise FactError("name", "is needed by the operation holdback", missing=True)
    repaired = terms.as_if({operation.name: True})
    held = max(ZERO, repaired - position.total(places))
    return Applied(position.amounts, params={"amount": exact_text(held)}, results={"holdback": held})


def subrogation(position: Position, operation: Operation, terms: Terms, places: Sequence[int]) -> Applied:
    """Notes the insurer's right against whoever caused the loss: as much as it pays, no more."""
    due = position.total(places)
    return Applied(position.amounts, params={"amount": exact_text(due)}, results={"subrogation_right": due})
