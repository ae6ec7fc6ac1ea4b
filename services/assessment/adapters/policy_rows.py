"""The core policy system's rows as our terms. Pure, and strict: a row that is not surely this policy is unreadable.

A field we do not know is refused, for a term that is left out would be a guess at what is owed.
"""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money, MoneyError
from schemas.policy import PolicySnapshot, PolicyStatus
from schemas.terms import Coverage, Deductible, Valuation
from services.assessment.adapters.policy_terms import PolicyTerms, filled
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing

SOURCE_SYSTEM = "policy-system"
VALUATIONS = {"ACV": Valuation.ACV, "RC": Valuation.RCV}
_AMOUNT = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"

_Text = Annotated[str, Field(min_length=1, max_length=64)]
_Amount = Annotated[str, Field(pattern=_AMOUNT)]


def _text_only(value: Any) -> Any:
    """Pydantic alone would also take a number, as Unix time."""
    if not isinstance(value, str) or len(value) > 40 or "-" not in value:
        raise ValueError("an instant is RFC 3339 text")
    return value


_Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text_only)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _CoverageRow(_Strict):
    code: _Text
    limit: _Amount
    deductible: _Amount
    valuation: Literal["ACV", "RC"]
    insured_value: _Amount | None = None
    clause_version: _Text


class _PolicyRow(_Strict):
    number: _Text
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    effective_from: _Moment
    effective_to: _Moment | None = None
    status: Literal["in_force", "pending", "cancelled", "lapsed", "void"]
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    line: _Text
    jurisdiction: _Text
    coverages: Annotated[list[_CoverageRow], Field(min_length=1, max_length=50)]


class _Nearest(_Strict):
    number: _Text
    version: int
    effective_from: _Moment
    effective_to: _Moment | None = None
    status: str


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    policy_number: str
    as_of: _Moment
    found: bool
    reason: str | None = None
    policy: Any = None
    nearest: Annotated[list[_Nearest], Field(max_length=10)] = []


def finding_of(answer: object, key: PolicyKey, terms: PolicyTerms, retrieved_at: datetime) -> PolicyFinding:
    """What one result of a look-up says about the policy asked for."""
    try:
        read = _Answer.model_validate(answer)
        if read.policy_number != key.policy_number or read.as_of != key.as_of:
            return PolicyMissing.unreadable
        if read.found:
            return snapshot_of(read.policy, key, terms, retrieved_at)
    except (ValidationError, ValueError):
        # MoneyError is a ValueError; pydantic's messages hide the input, and nothing of the row is kept.
        return PolicyMissing.unreadable
    if read.reason == "unknown":
        return PolicyMissing.unknown
    if read.reason == "not_in_force":
        covered = any(_covers(one.effective_from, one.effective_to, key.as_of) for one in read.nearest)
        return PolicyMissing.not_in_force if covered else PolicyMissing.outside_period
    return PolicyMissing.unreadable


def snapshot_of(row: object, key: PolicyKey, terms: PolicyTerms, retrieved_at: datetime) -> PolicyFinding:
    """The version as a snapshot; unreadable if it is another policy's or does not hold at the instant asked for.

    ValueError for a row that is not in the policy system's form.
    """
    read = _PolicyRow.model_validate(row)
    if read.number != key.policy_number or not _covers(read.effective_from, read.effective_to, key.as_of):
        return PolicyMissing.unreadable
    if read.status != "in_force":
        return PolicyMissing.not_in_force
    coverages = tuple(
        _coverage(one, read.currency, terms.coverage(terms.form_of(read.line) or "", one.code, read.effective_from))
        for one in read.coverages
    )
    return PolicySnapshot(
        policy_number=read.number,
        version_id=str(read.version),
        effective_from=read.effective_from,
        effective_to=read.effective_to,
        status=PolicyStatus.in_force,
        currency=read.currency,
        line=read.line,
        jurisdiction=read.jurisdiction,
        coverages=coverages,
        source_system=SOURCE_SYSTEM,
        retrieved_at=retrieved_at,
    )


def _coverage(read: _CoverageRow, currency: str, form: Coverage | None) -> Coverage:
    """The form's coverage with the policy's own amounts; without a form it has no operations: a person looks at it."""
    own = Coverage(
        code=read.code,
        clause_version=read.clause_version,
        limit=money_of(read.limit, currency),
        deductibles=(Deductible(amount=money_of(read.deductible, currency)),),
        valuation=VALUATIONS[read.valuation],
        insured_value=None if read.insured_value is None else money_of(read.insured_value, currency),
    )
    return own if form is None else filled(form, own)


def money_of(amount: str, currency: str) -> Money:
    """Decimal text with any number of decimals that says whole minor units; MoneyError otherwise."""
    if currency not in CURRENCY_DECIMALS or not re.fullmatch(_AMOUNT, amount, re.ASCII):
        raise MoneyError("the policy system's amount is not decimal text of a known currency")
    whole, _, decimals = amount.partition(".")
    if len(decimals) == CURRENCY_DECIMALS[currency]:
        return Money(int(whole + decimals), currency)
    exact = Fraction(amount)
    money = Money.of_fraction(exact, currency)
    if money.as_fraction() != exact:
        raise MoneyError("the policy system's amount is finer than the currency")
    return money


def _covers(starts: datetime, ends: datetime | None, instant: datetime) -> bool:
    return starts <= instant and (ends is None or instant < ends)
