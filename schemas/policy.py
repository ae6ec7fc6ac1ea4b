"""Policy terms as data: the version in force at the date of loss, kept on the claim and hashed.

Enough for flood (per coverage a limit, flat deductibles, a valuation, ordered operations); new terms are added as
optional fields, absent ones do not enter the hash, so old snapshots keep theirs.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.ids import SubjectId
from schemas.model import Code, Instant, Jurisdiction, Model, PolicyNumber, Privacy, ShortText, canonical_json
from schemas.money import Currency, NonNegativeMoney


class PolicyStatus(StrEnum):
    in_force = "in_force"
    pending = "pending"
    cancelled = "cancelled"
    lapsed = "lapsed"
    void = "void"


class LimitBasis(StrEnum):
    occurrence = "occurrence"
    aggregate_annual = "aggregate_annual"
    item = "item"
    lifetime = "lifetime"
    blanket = "blanket"


class Valuation(StrEnum):
    """RCV: replacement cost value. ACV: actual cash value, RCV less depreciation."""

    RCV = "RCV"
    ACV = "ACV"


class DeductibleKind(StrEnum):
    flat = "flat"


class DeductiblePer(StrEnum):
    occurrence = "occurrence"
    item = "item"
    year = "year"


class Deductible(Model):
    kind: Annotated[DeductibleKind, Privacy.internal] = DeductibleKind.flat
    amount: Annotated[NonNegativeMoney, Privacy.internal]
    per: Annotated[DeductiblePer, Privacy.internal] = DeductiblePer.occurrence


class Operation(Model):
    """One step of the arithmetic of a coverage, run in the order given: order differs by form, so it is data."""

    op: Annotated[Code, Privacy.internal]
    clause_id: Annotated[Code | None, Privacy.internal] = None
    params: Annotated[dict[Code, ShortText] | None, Field(max_length=20), Privacy.internal] = None


class Coverage(Model):
    """One promise of the policy. `code` as the form names it: building, contents."""

    code: Annotated[Code, Privacy.internal]
    clause_version: Annotated[Code, Privacy.internal]
    limit: Annotated[NonNegativeMoney, Privacy.internal]
    limit_basis: Annotated[LimitBasis, Privacy.internal] = LimitBasis.occurrence
    deductibles: Annotated[tuple[Deductible, ...], Field(max_length=20), Privacy.internal] = ()
    valuation: Annotated[Valuation | None, Privacy.internal] = None
    insured_value: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    operations: Annotated[tuple[Operation, ...], Field(max_length=40), Privacy.internal] = ()


class PolicySnapshot(Model):
    """One version of a policy, in force from `effective_from` up to, but not at, `effective_to` (None: open end)."""

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

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        if len({coverage.code for coverage in self.coverages}) != len(self.coverages):
            raise ValueError("each coverage code stands once")
        amounts = [coverage.limit for coverage in self.coverages]
        amounts += [coverage.insured_value for coverage in self.coverages if coverage.insured_value is not None]
        amounts += [one.amount for coverage in self.coverages for one in coverage.deductibles]
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
        terms = self.model_dump(mode="json", exclude={"retrieved_at"}, exclude_none=True)
        return sha256(canonical_json(terms)).hexdigest()
