"""The closed vocabulary of a coverage's arithmetic: each operation a pure function of an exact amount and the terms.

Which operations run, and in which order, is data on the coverage. What is not understood here, an operation, a
parameter, a kind of deductible or limit, is never guessed at: the coverage goes to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from schemas.money import Money
from schemas.policy import Coverage, DeductibleKind, DeductiblePer, LimitBasis, Operation

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """How an operation runs, on which amount of the coverage, and whether it understands the coverage's terms."""

    run: Callable[[Fraction, Fraction], Fraction]
    amount: Callable[[Coverage], Money]
    understands: Callable[[Coverage], bool]


def subtract_deductible(amount: Fraction, deductible: Fraction) -> Fraction:
    """The loss less what the policyholder bears, never below zero."""
    return amount - deductible if amount > deductible else ZERO


def cap_at_limit(amount: Fraction, limit: Fraction) -> Fraction:
    """No more than the coverage pays for one occurrence."""
    return limit if amount > limit else amount


def _deductible(coverage: Coverage) -> Money:
    if len(coverage.deductibles) == 1:
        return coverage.deductibles[0].amount
    return Money.total((one.amount for one in coverage.deductibles), coverage.limit.currency)


def _flat_per_occurrence(coverage: Coverage) -> bool:
    return all(one.kind is DeductibleKind.flat and one.per is DeductiblePer.occurrence for one in coverage.deductibles)


def _limit(coverage: Coverage) -> Money:
    return coverage.limit


def _per_occurrence(coverage: Coverage) -> bool:
    return coverage.limit_basis is LimitBasis.occurrence


OPERATIONS: Mapping[str, OperationSpec] = MappingProxyType(
    {
        "deductible": OperationSpec(subtract_deductible, _deductible, _flat_per_occurrence),
        "limit": OperationSpec(cap_at_limit, _limit, _per_occurrence),
    }
)


def understood(operation: Operation, coverage: Coverage) -> bool:
    """Whether this operation can be run on these terms without guessing."""
    spec = OPERATIONS.get(operation.op)
    return spec is not None and not operation.params and spec.understands(coverage)
