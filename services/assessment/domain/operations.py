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
    """How an operation runs, whether it understands the coverage's terms, and the amount an explanation names."""

    run: Callable[[Fraction, Coverage], Fraction]
    understands: Callable[[Coverage], bool]
    amount: Callable[[Coverage], Money]


def subtract_deductible(amount: Fraction, coverage: Coverage) -> Fraction:
    """The loss less what the policyholder bears, never below zero."""
    return max(ZERO, amount - _deductible(coverage).as_fraction())


def cap_at_limit(amount: Fraction, coverage: Coverage) -> Fraction:
    """No more than the coverage pays for one occurrence."""
    return min(amount, coverage.limit.as_fraction())


def _deductible(coverage: Coverage) -> Money:
    return Money.total((one.amount for one in coverage.deductibles), coverage.limit.currency)


def _flat_per_occurrence(coverage: Coverage) -> bool:
    return all(one.kind is DeductibleKind.flat and one.per is DeductiblePer.occurrence for one in coverage.deductibles)


def _per_occurrence(coverage: Coverage) -> bool:
    return coverage.limit_basis is LimitBasis.occurrence


def _limit(coverage: Coverage) -> Money:
    return coverage.limit


OPERATIONS: Mapping[str, OperationSpec] = MappingProxyType(
    {
        "deductible": OperationSpec(subtract_deductible, _flat_per_occurrence, _deductible),
        "limit": OperationSpec(cap_at_limit, _per_occurrence, _limit),
    }
)


def understood(operation: Operation, coverage: Coverage) -> bool:
    """Whether this operation can be run on these terms without guessing."""
    spec = OPERATIONS.get(operation.op)
    return spec is not None and not operation.params and spec.understands(coverage)
