"""The terms of a coverage as data: amounts, conditions, and the order of operations that turns a loss into money.

Every field is optional but what identifies the coverage; what is absent neither applies nor enters the snapshot's
hash. What an operation may use is written as a source: `fact:repair_cost`, `term:limit`, `result:deductible_applied`
or plain decimal text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.conditions import Conditions, Decimal, DeclaredFact, FactName, Rate, Source
from schemas.model import ClauseId, Code, Model, Privacy, ShortText
from schemas.money import NonNegativeMoney


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
    agreed = "agreed"
    first_loss = "first_loss"


class DeductibleKind(StrEnum):
    """`rate` is a part of what the step finds, `pct_of_loss` of the valued loss; `annual` is used up over a period."""

    flat = "flat"
    pct_of_limit = "pct_of_limit"
    pct_of_value = "pct_of_value"
    pct_of_loss = "pct_of_loss"
    rate = "rate"
    annual = "annual"


class DeductiblePer(StrEnum):
    occurrence = "occurrence"
    item = "item"
    year = "year"


class Selection(StrEnum):
    """Which of the deductibles that apply is taken: all together, the largest, or the first in the order written."""

    sum = "sum"
    largest = "largest"
    first = "first"


class Sharing(StrEnum):
    """How lines share what a step takes from all of them: in proportion, or each in turn as far as it goes."""

    proportional = "proportional"
    in_order = "in_order"


class Period(StrEnum):
    """What an aggregate counts over. Years begin where the loss happened, a policy year at the policy's own start."""

    calendar_year = "calendar_year"
    policy_year = "policy_year"
    policy_term = "policy_term"
    lifetime = "lifetime"


class Deductible(Model):
    """What the policyholder bears.

    flat and annual: `amount`, or the source `of`. All others: `rate`, or the source `rate_of`, of what the kind says or
    of the source `of`. `aggregate_id` is the yearly ledger of an annual one, and `at_least` what a later loss of the
    year bears even when that is used up. A `franchise` is borne only by a loss that is not more than it: a greater one
    is paid whole.
    """

    kind: Annotated[DeductibleKind, Privacy.internal] = DeductibleKind.flat
    amount: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    per: Annotated[DeductiblePer, Privacy.internal] = DeductiblePer.occurrence
    name: Annotated[FactName | None, Privacy.internal] = None
    rate: Annotated[Rate | None, Privacy.internal] = None
    rate_of: Annotated[Source | None, Privacy.internal] = None
    of: Annotated[Source | None, Privacy.internal] = None
    min: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    max: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    at_least: Annotated[Source | None, Privacy.internal] = None
    franchise: Annotated[bool | None, Privacy.internal] = None
    aggregate_id: Annotated[Code | None, Privacy.internal] = None
    period: Annotated[Period | None, Privacy.internal] = None
    when: Annotated[Conditions | None, Privacy.internal] = None
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _has_its_figure(self) -> Self:
        rates = (self.rate is not None) + (self.rate_of is not None)
        if self.kind in (DeductibleKind.flat, DeductibleKind.annual):
            if (self.amount is not None) + (self.of is not None) != 1 or rates:
                raise ValueError("flat and annual deductibles have either amount or of, and no rate")
        elif rates != 1 or self.amount is not None:
            raise ValueError("a deductible that is a percentage has either rate or rate_of, and no amount")
        if self.kind is DeductibleKind.annual and self.franchise:
            raise ValueError("an annual deductible is no franchise")
        if (self.kind is DeductibleKind.annual) != (self.aggregate_id is not None):
            raise ValueError("aggregate_id belongs to an annual deductible, and only to it")
        return self


class Sublimit(Model):
    """A lower limit for a category of things, under the conditions it names; `per` year and lifetime are shared."""

    limit: Annotated[NonNegativeMoney, Privacy.internal]
    category: Annotated[Code | None, Privacy.internal] = None
    when: Annotated[Conditions | None, Privacy.internal] = None
    per: Annotated[DeductiblePer, Privacy.internal] = DeductiblePer.occurrence
    aggregate_id: Annotated[Code | None, Privacy.internal] = None
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _is_shared_by_year(self) -> Self:
        if (self.per is DeductiblePer.year) != (self.aggregate_id is not None):
            raise ValueError("aggregate_id belongs to a sublimit per year, and only to it")
        return self


class CoinsuranceClause(Model):
    """Insured for less than `required_rate` of the value, the payment is cut in proportion, unless suspended."""

    required_rate: Annotated[Rate, Privacy.internal]
    value: Annotated[Source, Privacy.internal] = "fact:insured_value"
    carried: Annotated[Source, Privacy.internal] = "term:limit"
    agreed_value: Annotated[bool, Privacy.internal] = False
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None


class DepreciationMethod(StrEnum):
    stated = "stated"
    rate = "rate"
    straight_line = "straight_line"
    monthly = "monthly"


class Depreciation(Model):
    """How much value age and wear have taken, never more than `cap` of the new price.

    stated: the amount `of`. rate: `of` is the part. straight_line: `age` in `life`. monthly: whole months `age`
    times the rate `of`.
    """

    method: Annotated[DepreciationMethod, Privacy.internal]
    of: Annotated[Source | None, Privacy.internal] = None
    age: Annotated[Source | None, Privacy.internal] = None
    life: Annotated[Source | None, Privacy.internal] = None
    cap: Annotated[Rate, Privacy.internal] = "1"
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _has_its_figures(self) -> Self:
        needed = {
            DepreciationMethod.stated: {"of"},
            DepreciationMethod.rate: {"of"},
            DepreciationMethod.straight_line: {"age", "life"},
            DepreciationMethod.monthly: {"age", "of"},
        }[self.method]
        given = {name for name in ("of", "age", "life") if getattr(self, name) is not None}
        if needed != given:
            raise ValueError(f"depreciation by {self.method.value} needs {' and '.join(sorted(needed))}, nothing else")
        return self


class WaitingPeriod(Model):
    """A loss before `days` have gone since the start is not covered yet. `since` and `at` are dates or instants."""

    days: Annotated[int, Field(ge=1, le=36_500), Privacy.internal]
    since: Annotated[FactName, Privacy.internal] = "effective_from"
    at: Annotated[FactName, Privacy.internal] = "loss_at"
    when: Annotated[Conditions | None, Privacy.internal] = None
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None


class Frequency(Model):
    """Not again within `days` of the last time, that day included; not more than `count_max` times."""

    days: Annotated[Annotated[int, Field(ge=1, le=36_500)] | None, Privacy.internal] = None
    count_max: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Privacy.internal] = None
    previous: Annotated[FactName, Privacy.internal] = "previous_passed"
    at: Annotated[FactName, Privacy.internal] = "loss_at"
    count: Annotated[FactName, Privacy.internal] = "count_before"
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None


class Exclusion(Model):
    """A clause that takes a loss out of cover when its conditions hold: for the lines whose facts fulfil them."""

    clause_id: Annotated[ClauseId, Privacy.internal]
    text_version: Annotated[Code, Privacy.internal]
    reason: Annotated[Code, Privacy.internal]
    when: Annotated[Conditions, Privacy.internal]


class Aggregate(Model):
    """A limit all claims of one period share; `aggregate_id` names the ledger, in which several coverages may meet."""

    aggregate_id: Annotated[Code, Privacy.internal]
    limit: Annotated[NonNegativeMoney, Privacy.internal]
    period: Annotated[Period, Privacy.internal] = Period.policy_year
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None


class ContributionMethod(StrEnum):
    """`by_sums_insured` is by limits with the loss no more than the insured value, and what no limit reaches of that
    value borne by the insured (PRC Insurance Law arts. 55 and 56).
    """

    equal_shares = "equal_shares"
    by_limits = "by_limits"
    by_sums_insured = "by_sums_insured"
    excess = "excess"


class ExtensionCap(Model):
    """No more than `rate` of a source."""

    of: Annotated[Source, Privacy.internal]
    rate: Annotated[Rate, Privacy.internal] = "1"


class Extension(Model):
    """Something paid beside the loss itself, with its own formula: debris removal, loss-mitigation expense.

    It takes the lines of its category, up to the lowest of its caps, and then up to the additional limit.
    """

    name: Annotated[FactName, Privacy.internal]
    category: Annotated[Code, Privacy.internal]
    caps: Annotated[tuple[ExtensionCap, ...], Field(max_length=10), Privacy.internal] = ()
    additional_limit: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    expense: Annotated[bool, Privacy.internal] = False
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None


class ScheduleStep(Model):
    """Parametric: an index of at least this pays an amount, or a share of the limit."""

    at_least: Annotated[Decimal, Privacy.internal]
    pay: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    share: Annotated[Rate | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _pays_one_way(self) -> Self:
        if (self.pay is None) == (self.share is None):
            raise ValueError("a step has either pay or share")
        return self


class InsuredItem(Model):
    """A thing of the coverage with its own limit and value: a building, a vehicle. Lines name it by `item_id`."""

    item_id: Annotated[Code, Privacy.internal]
    limit: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    insured_value: Annotated[NonNegativeMoney | None, Privacy.internal] = None


class Operation(Model):
    """One step of the arithmetic of a coverage, run in the order given: order differs by form, so it is data.

    Which fields an operation takes is its own: see the vocabulary in docs/terms.md.
    """

    op: Annotated[Code, Privacy.internal]
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None
    params: Annotated[dict[Code, ShortText] | None, Field(max_length=20), Privacy.internal] = None
    of: Annotated[Source | None, Privacy.internal] = None
    less: Annotated[Source | None, Privacy.internal] = None
    times: Annotated[Source | None, Privacy.internal] = None
    at_least: Annotated[Source | None, Privacy.internal] = None
    at_most: Annotated[Source | None, Privacy.internal] = None
    table: Annotated[FactName | None, Privacy.internal] = None
    name: Annotated[FactName | None, Privacy.internal] = None
    kinds: Annotated[
        Annotated[tuple[DeductibleKind, ...], Field(min_length=1, max_length=6)] | None, Privacy.internal
    ] = None
    share: Annotated[Sharing | None, Privacy.internal] = None
    due_days: Annotated[Annotated[int, Field(ge=0, le=3650)] | None, Privacy.internal] = None
    reason: Annotated[Code | None, Privacy.internal] = None
    when: Annotated[Conditions | None, Privacy.internal] = None


class Coverage(Model):
    """One promise of the policy. `code` as the form names it: building, contents.

    `form` and `clause_version` name the text; `purpose` valuation means the result is a value, not a payment.
    """

    code: Annotated[Code, Privacy.internal]
    clause_version: Annotated[Code, Privacy.internal]
    limit: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    limit_basis: Annotated[LimitBasis, Privacy.internal] = LimitBasis.occurrence
    deductibles: Annotated[tuple[Deductible, ...], Field(max_length=20), Privacy.internal] = ()
    valuation: Annotated[Valuation | None, Privacy.internal] = None
    insured_value: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    operations: Annotated[tuple[Operation, ...], Field(max_length=40), Privacy.internal] = ()
    form: Annotated[Code | None, Privacy.internal] = None
    facts: Annotated[
        Annotated[dict[FactName, DeclaredFact], Field(min_length=1, max_length=100)] | None, Privacy.internal
    ] = None
    selection: Annotated[Selection | None, Privacy.internal] = None
    sublimits: Annotated[
        Annotated[tuple[Sublimit, ...], Field(min_length=1, max_length=50)] | None, Privacy.internal
    ] = None
    coinsurance: Annotated[CoinsuranceClause | None, Privacy.internal] = None
    member_coinsurance: Annotated[Rate | None, Privacy.internal] = None
    oop_max: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    oop_aggregate_id: Annotated[Code | None, Privacy.internal] = None
    depreciation: Annotated[Depreciation | None, Privacy.internal] = None
    waiting: Annotated[WaitingPeriod | None, Privacy.internal] = None
    frequency: Annotated[Frequency | None, Privacy.internal] = None
    exclusions: Annotated[
        Annotated[tuple[Exclusion, ...], Field(min_length=1, max_length=100)] | None, Privacy.internal
    ] = None
    aggregates: Annotated[
        Annotated[tuple[Aggregate, ...], Field(min_length=1, max_length=10)] | None, Privacy.internal
    ] = None
    other_insurance: Annotated[ContributionMethod | None, Privacy.internal] = None
    extensions: Annotated[
        Annotated[tuple[Extension, ...], Field(min_length=1, max_length=20)] | None, Privacy.internal
    ] = None
    schedule: Annotated[
        Annotated[tuple[ScheduleStep, ...], Field(min_length=1, max_length=50)] | None, Privacy.internal
    ] = None
    items: Annotated[
        Annotated[tuple[InsuredItem, ...], Field(min_length=1, max_length=100)] | None, Privacy.internal
    ] = None
    amounts: Annotated[
        Annotated[dict[FactName, NonNegativeMoney], Field(min_length=1, max_length=30)] | None, Privacy.internal
    ] = None
    rates: Annotated[Annotated[dict[FactName, Rate], Field(min_length=1, max_length=30)] | None, Privacy.internal] = (
        None
    )
    tables: Annotated[
        Annotated[dict[FactName, dict[Code, Rate]], Field(min_length=1, max_length=10)] | None, Privacy.internal
    ] = None
    purpose: Annotated[Annotated[str, Field(pattern="^valuation$")] | None, Privacy.internal] = None
