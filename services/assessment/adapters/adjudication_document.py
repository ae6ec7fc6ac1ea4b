"""One document with a policy and a claim, made to be written by hand, turned into what the engine takes.

Names and rules are those of the events; what an adjudication does not need has a default. What is wrong is named by
its place and the rule it breaks, never by its value; a name nobody knows, with those there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from schemas.conditions import DECIMAL_PATTERN, NAME_PATTERN, RATE_PATTERN, SOURCE_PATTERN, Facts
from schemas.currencies import CURRENCY_DECIMALS
from schemas.intake import LINES_MAX, OtherPolicy, ReportedLine
from schemas.model import CODE_PATTERN, Code, Instant, Jurisdiction, PolicyNumber, ShortText, Zone
from schemas.money import Currency, NonNegativeMoney
from schemas.policy import DisclosureEvidence, PolicySnapshot, PolicyStatus
from schemas.terms import Coverage, Period
from services.assessment.adapters.adjudication_names import (
    facts_not_asked_for,
    listed,
    unknown_coverages,
    unknown_ledgers,
    unknown_terms,
)
from services.assessment.adapters.field_names import did_you_mean, unknown_field
from services.assessment.adapters.plain_values import ShapeError, as_texts, in_full
from services.assessment.adapters.policy_terms import PolicyTerms, filled
from services.assessment.adapters.yaml_files import FileModel
from services.assessment.domain.adjudicate import Used
from services.assessment.domain.claim import Report
from services.assessment.domain.contradictions import passed_over
from services.assessment.domain.documents import DocumentError, Fault
from services.assessment.domain.periods import period_of
from services.assessment.domain.vocabulary import flaws

SOURCE_SYSTEM = "document"
UNVERSIONED = "unversioned"
OTHER_LINE = "other"


class PolicyPart(FileModel):
    """The policy. A coverage names a shipped `form` (`form:version` for a certain one), or has its own operations.

    What a coverage says stands in place of what its form says.
    """

    currency: Currency
    effective_from: Instant
    coverages: Annotated[tuple[Coverage, ...], Field(min_length=1, max_length=50)]
    effective_to: Instant | None = None
    inception: Instant | None = None
    status: PolicyStatus = PolicyStatus.in_force
    line: Code | None = None
    jurisdiction: Jurisdiction = "ZZ"
    policy_number: PolicyNumber = "DOCUMENT"
    version_id: Code = "1"
    disclosure_evidence: Annotated[tuple[DisclosureEvidence, ...], Field(max_length=200)] | None = None


class ClaimPart(FileModel):
    """The claim. A line of a policy with one coverage need not name it."""

    loss_at: Instant
    lines: Annotated[tuple[ReportedLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    loss_zone: Zone = "UTC"
    peril: Code = "unknown"
    cause_code: Code | None = None
    reported_at: Instant | None = None
    facts: Facts | None = None
    other_policies: Annotated[tuple[OtherPolicy, ...], Field(min_length=1, max_length=20)] | None = None


class UsedPart(FileModel):
    """What other claims used of a shared ledger; without a `period`, of whichever period the loss falls into."""

    aggregate_id: Code
    amount: NonNegativeMoney
    period: ShortText | None = None


class AdjudicationDocument(FileModel):
    """A policy and a claim to be adjudicated, and what other claims have used of what they share."""

    policy: PolicyPart
    claim: ClaimPart
    used: Annotated[tuple[UsedPart, ...], Field(max_length=200)] = ()


_SAID = {
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "instant_text": "must be a day there is (2026-06-15), a time in claim.loss_zone (2026-06-15T10:20) or an instant "
    "with its offset",
}
_PATTERNS = {
    RATE_PATTERN: "must be a part of the whole from 0 to 1, 20 % being 0.2",
    CODE_PATTERN: "must be one word of letters, digits and _ . : / - that begins with a letter or digit, at most 64",
    NAME_PATTERN: "must be a name of small letters, digits and _ that begins with a letter, at most 50",
    DECIMAL_PATTERN: "must be a figure in plain decimals",
    SOURCE_PATTERN: "must be fact:name, term:name, result:name or a figure in plain decimals",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What the engine takes."""

    report: Report
    policy: PolicySnapshot
    used: Used


def read_case(content: Any, terms: PolicyTerms) -> Case:
    """The document's case; DocumentError if it is none."""
    try:
        content = as_texts(content)
    except ShapeError as wrong:
        raise DocumentError([Fault((), str(wrong))]) from None
    content = _completed(_demanded(content))
    try:
        read = AdjudicationDocument.model_validate(content, strict=False, extra="forbid")
    except ValidationError as wrong:
        raise DocumentError(_faults(wrong, content)) from None
    policy = _policy(read, terms)
    report = _report(read, policy)
    faults = [
        *_reported_before_the_loss(read.claim),
        *_named_twice(read.claim),
        *unknown_coverages(read.claim.lines, policy),
        *_foreign_amounts(read, policy.currency),
        *facts_not_asked_for(report, policy),
        *unknown_ledgers([one.aggregate_id for one in read.used], policy),
    ]
    if faults:
        raise DocumentError(faults)
    return Case(report, policy, _used(read, report, policy))


def _demanded(content: Any) -> dict[str, Any]:
    """The document, if it has what everything else in it is read by; DocumentError otherwise."""
    if not isinstance(content, dict):
        raise DocumentError([Fault((), "must be an object with policy and claim")])
    missing = [part for part in ("policy", "claim") if not _is(content.get(part))]
    faults = [Fault((part,), "is required, and an object") for part in missing]
    if faults:
        raise DocumentError(faults)
    currency = content["policy"].get("currency")
    if not isinstance(currency, str) or currency not in CURRENCY_DECIMALS:
        faults.append(Fault(("policy", "currency"), "is required, an ISO 4217 code in use"))
    zone = content["claim"].get("loss_zone", "UTC")
    if _zone(zone) is None:
        near = did_you_mean(zone, frozenset(available_timezones())) if isinstance(zone, str) else ""
        faults.append(Fault(("claim", "loss_zone"), f"is no time zone of the IANA list{near}"))
    if faults:
        raise DocumentError(faults)
    return content


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    """The document in full form: with what it leaves out, amounts in the policy's currency, days in the loss's zone."""
    policy, claim = content["policy"], content["claim"]
    coverages, lines = policy.get("coverages"), claim.get("lines")
    policy, claim = dict(policy), dict(claim)
    if isinstance(coverages, list):
        policy["coverages"] = [{"clause_version": UNVERSIONED} | one if _is(one) else one for one in coverages]
    if isinstance(lines, list):
        first = coverages[0] if isinstance(coverages, list) and len(coverages) == 1 else None
        given = {"coverage_code": first["code"]} if isinstance(first, dict) and "code" in first else {}
        claim["lines"] = [
            {"line_id": str(number), **given} | one if _is(one) else one for number, one in enumerate(lines, start=1)
        ]
    shown, since = policy.get("disclosure_evidence"), policy.get("effective_from")
    if isinstance(shown, list):
        policy["disclosure_evidence"] = [
            {"clause_id": one, "method": "stated", "at": since} if isinstance(one, str) else one for one in shown
        ]
    full = {**content, "policy": policy, "claim": claim}
    whole: dict[str, Any] = in_full(
        AdjudicationDocument, full, policy["currency"], _zone(claim.get("loss_zone", "UTC"))
    )
    return whole


def _policy(read: AdjudicationDocument, terms: PolicyTerms) -> PolicySnapshot:
    found = [_coverage(one, ("policy", "coverages", row), read, terms) for row, one in enumerate(read.policy.coverages)]
    lines = {terms.forms[one.form.partition(":")[0]][0].line for one in read.policy.coverages if one.form}
    part = read.policy
    try:
        return PolicySnapshot(
            policy_number=part.policy_number,
            version_id=part.version_id,
            effective_from=part.effective_from,
            effective_to=part.effective_to,
            inception=part.inception,
            status=part.status,
            currency=part.currency,
            line=part.line or (lines.pop() if len(lines) == 1 else OTHER_LINE),
            jurisdiction=part.jurisdiction,
            coverages=tuple(found),
            disclosure_evidence=part.disclosure_evidence,
            source_system=SOURCE_SYSTEM,
            retrieved_at=read.claim.loss_at,
        )
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        raise DocumentError([Fault(("policy", *first["loc"]), _said(first))]) from None


def _coverage(own: Coverage, place: tuple[str | int, ...], read: AdjudicationDocument, terms: PolicyTerms) -> Coverage:
    """The coverage with its form behind it, if it names one; whole, or a DocumentError."""
    whole = own
    if own.form is not None:
        form = _form(own, own.form, place, read, terms)
        if own.clause_version == UNVERSIONED:
            own = own.model_copy(update={"clause_version": form.clause_version})
        whole = filled(form, own)
    faults = [Fault((*place, *_row(flaw.place)), flaw.rule) for flaw in flaws(whole)]
    said = own.model_fields_set
    faults += [Fault((*place, *_row(at)), rule) for at, rule in passed_over(whole) if at.partition(" ")[0] in said]
    faults += [Fault(place, rule) for rule in unknown_terms(whole)]
    if faults:
        raise DocumentError(faults)
    return whole


def _form(
    own: Coverage, named: str, place: tuple[str | int, ...], read: AdjudicationDocument, terms: PolicyTerms
) -> Coverage:
    form, _, version = named.partition(":")
    version = version.partition(":")[0]
    if form not in terms.forms:
        raise DocumentError([Fault((*place, "form"), f"is none of the forms: {listed(terms.forms)}")])
    versions = terms.forms[form]
    if version and version not in {one.version for one in versions}:
        said = listed([f"{form}:{one.version}" for one in versions])
        raise DocumentError([Fault((*place, "form"), f"is no version of the form: {said}")])
    found = terms.coverage(form, own.code, read.policy.effective_from, version or None)
    if found is None:
        codes = listed({code: None for one in versions for code in one.coverages})
        raise DocumentError([Fault((*place, "code"), f"is no coverage of the form at effective_from: {codes}")])
    return found


def _report(read: AdjudicationDocument, policy: PolicySnapshot) -> Report:
    claim = read.claim
    return Report(
        policy_number=policy.policy_number,
        line=policy.line,
        loss_at=claim.loss_at,
        currency=policy.currency,
        lines=claim.lines,
        loss_zone=claim.loss_zone,
        peril=claim.peril,
        cause_code=claim.cause_code,
        reported_at=claim.reported_at,
        facts=claim.facts,
        other_policies=claim.other_policies,
    )


def _used(read: AdjudicationDocument, report: Report, policy: PolicySnapshot) -> Used:
    found: dict[tuple[str, str], Fraction] = {}
    for one in read.used:
        spans = [period_of(period, policy, report.loss_at, report.loss_zone) for period in Period]
        for span in spans if one.period is None else [one.period]:
            found[one.aggregate_id, span] = found.get((one.aggregate_id, span), Fraction(0)) + one.amount.as_fraction()
    return found


def _foreign_amounts(read: AdjudicationDocument, currency: str) -> Iterator[Fault]:
    rule = "is in the policy's currency"
    for row, line in enumerate(read.claim.lines):
        for name in ("asked", "insured_value", "replacement_cost"):
            amount = getattr(line, name)
            if amount is not None and amount.currency != currency:
                yield Fault(("claim", "lines", row, name), rule)
    for row, other in enumerate(read.claim.other_policies or ()):
        if other.limit.currency != currency:
            yield Fault(("claim", "other_policies", row, "limit"), rule)
    for row, used in enumerate(read.used):
        if used.amount.currency != currency:
            yield Fault(("used", row, "amount"), rule)


def _named_twice(claim: ClaimPart) -> Iterator[Fault]:
    names = [one.policy for one in claim.other_policies or ()]
    for row, name in enumerate(names):
        if name in names[:row]:
            yield Fault(("claim", "other_policies", row, "policy"), "stands once")


def _reported_before_the_loss(claim: ClaimPart) -> Iterator[Fault]:
    """By the day at the place of the loss: of either the hour may not be known."""
    zone = ZoneInfo(claim.loss_zone)
    if (
        claim.reported_at is not None
        and claim.reported_at.astimezone(zone).date() < claim.loss_at.astimezone(zone).date()
    ):
        yield Fault(("claim", "reported_at"), "is not before the day of loss_at")


def _row(place: str) -> tuple[str | int, ...]:
    """`operations row 2` as a path."""
    name, _, row = place.partition(" row ")
    return (name, int(row) - 1) if row else (name,)


def _place(loc: Sequence[str | int], content: Any) -> tuple[str | int, ...]:
    """Only what stands in the document, or would have to: pydantic names alternatives and keys besides."""
    path: list[str | int] = []
    for number, part in enumerate(loc):
        there = (isinstance(content, dict) and part in content) or (
            isinstance(content, list) and isinstance(part, int) and part < len(content)
        )
        if there:
            content = content[part]
            path.append(part)
            continue
        if number == len(loc) - 1 and isinstance(content, dict) and isinstance(part, str) and part.isidentifier():
            path.append(part)
        break
    return tuple(path)


def _faults(wrong: ValidationError, content: Any) -> list[Fault]:
    """In the document's own places: without the alternatives pydantic tried, and what only follows from another."""
    found = wrong.errors(include_input=False, include_url=False)
    told = [(one, _place(one["loc"], content)) for one in found if one["type"] != "is_instance_of"]
    inner = {path[:length] for _, path in told for length in range(len(path))}
    return list(
        dict.fromkeys(Fault(path, _said(one)) for one, path in told if one["type"] != "too_short" or path not in inner)
    )


def _said(error: ErrorDetails) -> str:
    if error["type"] == "dict_type" and "typed-dict" in str(error["loc"]):
        return "must be an amount of nothing or more in plain decimals, or one with its currency"
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        return unknown_field(str(error["loc"][-1]), AdjudicationDocument)
    if error["type"] in _SAID:
        return _SAID[error["type"]]
    if error["type"] == "enum":
        return f"must be one of {error['ctx']['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(error.get("ctx", {}).get("pattern", ""), error["msg"])
    return error["msg"].removeprefix("Value error, ")


def _is(one: Any) -> bool:
    return isinstance(one, dict)


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (KeyError, ValueError, OSError):
        # One that is not there is a KeyError, a strange form a ValueError, and a folder of zones is no file.
        return None
