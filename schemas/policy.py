"""A policy version as data: in force at the date of loss, kept on the claim for good, hashed.

The terms of its coverages are in `schemas.terms`. Absent ones do not enter the hash, so old snapshots keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.ids import SubjectId
from schemas.model import ClauseId, Code, Instant, Jurisdiction, Model, PolicyNumber, Privacy, canonical_bytes
from schemas.money import Currency, Money
from schemas.terms import Coverage


class PolicyStatus(StrEnum):
    in_force = "in_force"
    pending = "pending"
    cancelled = "cancelled"
    lapsed = "lapsed"
    void = "void"


class DisclosureEvidence(Model):
    """Proof that a clause was pointed out and explained at sale (PRC Insurance Law art. 17)."""

    clause_id: Annotated[ClauseId, Privacy.internal]
    method: Annotated[Code, Privacy.internal]
    at: Annotated[Instant, Privacy.internal]


class PolicySnapshot(Model):
    """One version of a policy, in force from `effective_from` up to, but not at, `effective_to` (None: open end).

    `inception` is when the contract began, if that was before this version: policy years are counted from there.
    """

    policy_number: Annotated[PolicyNumber, Privacy.internal]
    version_id: Annotated[Code, Privacy.internal]
    effective_from: Annotated[Instant, Privacy.internal]
    effective_to: Annotated[Instant | None, Privacy.internal] = None
    status: Annotated[PolicyStatus, Privacy.internal]
    currency: Annotated[Currency, Privacy.internal]
    line: Annotated[Code, Privacy.internal]
    jurisdiction: Annotated[Jurisdiction, Privacy.internal]
    coverages: Annotated[tuple[Coverage, ...], Field(min_length=1, max_length=50), Privacy.internal]
    source_system: Annotated[Code, Privacy.internal]
    retrieved_at: Annotated[Instant, Privacy.internal]
    holder_subject: Annotated[SubjectId | None, Privacy.internal] = None
    inception: Annotated[Instant | None, Privacy.internal] = None
    disclosure_evidence: Annotated[
        Annotated[tuple[DisclosureEvidence, ...], Field(max_length=200)] | None, Privacy.internal
    ] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        if len({coverage.code for coverage in self.coverages}) != len(self.coverages):
            raise ValueError("each coverage code stands once")
        amounts = [amount for coverage in self.coverages for amount in amounts_of(coverage)]
        if any(amount.currency != self.currency for amount in amounts):
            raise ValueError("all amounts are in the policy's currency")
        return self

    def in_force_at(self, instant: Instant) -> bool:
        """Half-open: a loss at effective_to belongs to the next version."""
        started = self.effective_from <= instant
        return started and (self.effective_to is None or instant < self.effective_to)

    def coverage(self, code: str) -> Coverage | None:
        return next((one for one in self.coverages if one.code == code), None)

    def snapshot_hash(self) -> str:
        """SHA-256 over the canonical JSON of the terms, without `retrieved_at`: the same terms hash the same."""
        return sha256(canonical_bytes(self, exclude={"retrieved_at"})).hexdigest()


def amounts_of(coverage: Coverage) -> Iterator[Money]:
    """Every amount of money the terms name."""
    parts = (
        *coverage.deductibles,
        *(coverage.sublimits or ()),
        *(coverage.aggregates or ()),
        *(coverage.extensions or ()),
        *(coverage.schedule or ()),
        *(coverage.items or ()),
    )
    for part in (coverage, *parts):
        yield from (value for value in vars(part).values() if isinstance(value, Money))
    yield from (coverage.amounts or {}).values()
