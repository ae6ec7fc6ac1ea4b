"""A decision with its working: what the terms gave, step by step, what a person set instead, what is set aside for it.

Software may pay; only a person may refuse or reduce.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.conditions import FactName
from schemas.ids import DecisionId
from schemas.model import ClauseId, Code, LongText, Model, Privacy, Sha256, ShortText
from schemas.money import ExactAmount, Money, NonNegativeMoney


class DecisionKind(StrEnum):
    """`partial` means less than claimed for another reason than the claim's own terms."""

    pay = "pay"
    partial = "partial"
    nil = "nil"
    deny = "deny"
    refer = "refer"
    value = "value"


class CostType(StrEnum):
    indemnity = "indemnity"
    expense = "expense"


class Person(Model):
    """A member of staff who decided. `authority` is the most they may decide alone, as it stood then."""

    person_id: Annotated[Code, Privacy.internal]
    role: Annotated[Code, Privacy.internal]
    authority: Annotated[NonNegativeMoney | None, Privacy.internal] = None


class Step(Model):
    """One operation as it ran; amounts are exact, in major units. Rounding happens once, after the last step."""

    op: Annotated[Code, Privacy.internal]
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None
    amount_in: Annotated[ExactAmount, Privacy.internal]
    amount_out: Annotated[ExactAmount, Privacy.internal]
    params: Annotated[dict[Code, ShortText] | None, Field(max_length=20), Privacy.internal] = None
    reason: Annotated[Code | None, Privacy.internal] = None


class Refusal(Model):
    """A line the terms do not cover, as proposed to a person: the clause and the fact it would rest on."""

    line_id: Annotated[Code, Privacy.internal]
    reason: Annotated[Code, Privacy.internal]
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None
    fact: Annotated[Annotated[str, Field(max_length=500)], Privacy.internal]


class CoverageResult(Model):
    """What one coverage's terms came to: exact and rounded, with its named figures (deductible_applied, holdback)."""

    coverage_code: Annotated[Code, Privacy.internal]
    exact: Annotated[ExactAmount, Privacy.internal]
    payable: Annotated[NonNegativeMoney, Privacy.internal]
    results: Annotated[Annotated[dict[FactName, ExactAmount], Field(max_length=30)] | None, Privacy.internal] = None
    reasons: Annotated[Annotated[tuple[Code, ...], Field(max_length=20)] | None, Privacy.internal] = None
    refusals: Annotated[Annotated[tuple[Refusal, ...], Field(max_length=100)] | None, Privacy.internal] = None


class DecisionLine(Model):
    """One line's way from what was asked to what is payable."""

    line_id: Annotated[Code, Privacy.internal]
    coverage_code: Annotated[Code, Privacy.internal]
    asked: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    payable: Annotated[NonNegativeMoney, Privacy.internal]
    steps: Annotated[tuple[Step, ...], Field(max_length=60), Privacy.internal] = ()


class Rule(Model):
    id: Annotated[Code, Privacy.internal]
    version: Annotated[Code, Privacy.internal]


class Override(Model):
    """A person set another amount than the terms gave."""

    computed: Annotated[NonNegativeMoney, Privacy.internal]
    final: Annotated[NonNegativeMoney, Privacy.internal]
    reason: Annotated[LongText, Privacy.internal]
    person: Annotated[Person, Privacy.internal]


class LedgerUse(Model):
    """What a claim takes from a limit or deductible it shares with other claims, in the period it falls into.

    `borne`: taken by what the policyholder bears (a yearly deductible), not by what is paid.
    """

    aggregate_id: Annotated[Code, Privacy.internal]
    period: Annotated[ShortText, Privacy.internal]
    amount: Annotated[NonNegativeMoney, Privacy.internal]
    borne: Annotated[bool, Privacy.internal] = False


class Decision(Model):
    """A decision with its working, so that any reader can recompute it: the lines sum to what was computed.

    `proposed` is what the terms propose where a person has to decide. `advanced` was approved for payment before and
    is part of `payable`.
    """

    decision_id: Annotated[DecisionId, Privacy.internal]
    kind: Annotated[DecisionKind, Privacy.internal]
    computed: Annotated[NonNegativeMoney, Privacy.internal]
    payable: Annotated[NonNegativeMoney, Privacy.internal]
    lines: Annotated[tuple[DecisionLine, ...], Field(max_length=100), Privacy.internal]
    rules: Annotated[tuple[Rule, ...], Field(max_length=100), Privacy.internal] = ()
    input_hash: Annotated[Sha256, Privacy.internal]
    override: Annotated[Override | None, Privacy.internal] = None
    proposed: Annotated[DecisionKind | None, Privacy.internal] = None
    coverages: Annotated[Annotated[tuple[CoverageResult, ...], Field(max_length=50)] | None, Privacy.internal] = None
    uses: Annotated[Annotated[tuple[LedgerUse, ...], Field(max_length=50)] | None, Privacy.internal] = None
    advanced: Annotated[NonNegativeMoney | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if Money.total((line.payable for line in self.lines), self.computed.currency) != self.computed:
            raise ValueError("the lines must sum to the computed amount")
        final = self.computed if self.override is None else self.override.final
        if self.payable != final:
            raise ValueError("payable is the computed amount, or the override's final amount")
        if self.override is not None and self.override.computed != self.computed:
            raise ValueError("the override must name the computed amount it replaces")
        return self


class ReserveLine(Model):
    """Money set aside for one coverage; an approval uses it."""

    coverage_code: Annotated[Code, Privacy.internal]
    cost_type: Annotated[CostType, Privacy.internal] = CostType.indemnity
    amount: Annotated[NonNegativeMoney, Privacy.internal]


Reserves = Annotated[tuple[ReserveLine, ...], Field(min_length=1, max_length=100)]
