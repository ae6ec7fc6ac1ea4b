"""Documents of a translated case as what the engine takes: snapshots filled from the forms, and reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from schemas.conditions import FactValue
from schemas.intake import OtherPolicy, ReportedLine
from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.adapters.policy_terms import PolicyTerms, filled
from services.assessment.domain.claim import Report
from services.assessment.domain.contradictions import passed_over
from tests.golden.translate import CaseError, Document, Task

POLICY_FROM = "2000-01-01T00:00:00+00:00"
LOSS_AT = "2025-06-15T12:00:00+00:00"
READ_AT = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS = tuple(f"{month:02d}" for month in range(1, 13))
YEARS = tuple(str(year) for year in range(2026, 2126))
ZONES = {f"{sign}{hour:02d}:00": f"Etc/GMT{back}{hour}" for sign, back in ("+-", "-+") for hour in range(1, 13)}
DAYS = tuple(f"{YEARS[0]}-{month}-{day:02d}T12:00:00+00:00" for day in range(1, 29) for month in MONTHS)


def policies_of(task: Task, terms: PolicyTerms) -> tuple[PolicySnapshot, ...]:
    """Every policy or version of the case; versions end where the next begins."""
    if task.plan != "versions":
        return tuple(_policy(task, one, terms, f"P-{number}") for number, one in enumerate(task.policies))
    begun = sorted(task.policies, key=lambda one: _instant(one.get("effective_from", POLICY_FROM), task))
    following = [one.get("effective_from") for one in begun[1:]]
    return tuple(
        _policy(task, one | {"effective_to": one.get("effective_to") or ends}, terms, "P-0")
        for one, ends in zip(begun, [*following, begun[-1].get("effective_to")], strict=True)
    )


def reports_of(task: Task) -> tuple[Report, ...]:
    """Every claim, or every stage of the claim, in order. Claims of one year fall into its months."""
    years = task.run.get("same_calendar_year", True)
    reports = []
    for number, claim in enumerate(task.claims):
        loss_at = claim.get("loss_at", LOSS_AT)
        if task.plan == "series":
            loss_at = DAYS[number] if years else f"{YEARS[number]}-06-15T12:00:00+00:00"
        reports.append(_report(task, claim, loss_at))
    return tuple(reports)


def others_of(policies: Sequence[PolicySnapshot], own: int) -> tuple[OtherPolicy, ...]:
    """The limits of all policies but one."""
    found = []
    for number, policy in enumerate(policies):
        limit = policy.coverages[0].limit
        if number != own and limit is not None:
            found.append(OtherPolicy(policy=policy.policy_number, limit=limit))
    return tuple(found)


def ledgers_of(task: Task) -> Mapping[str, Money]:
    """What was paid out of each aggregate before."""
    return {name: Money.of_text(one["amount"], one["currency"]) for name, one in task.ledgers.items()}


def _policy(task: Task, document: Document, terms: PolicyTerms, number: str) -> PolicySnapshot:
    begins = document.get("effective_from", POLICY_FROM)
    version = document["own"].get("clause_version")
    form = terms.coverage(task.form, task.coverage, _instant(begins, task), version)
    if form is None and version is not None:
        raise CaseError(f"inputs.clause_version: {task.form} is not known in this version")
    if form is None:
        raise CaseError(f"form {task.form}: has no coverage {task.coverage}")
    named = {one.name for one in form.deductibles}
    for one in document["own"].get("deductibles", ()):
        if "name" in one and one["name"] not in named:
            raise CaseError(f"inputs.deductibles.{one['name']}: no form knows it")
    _replaces_nothing_stated(form, document["own"], task.claims)
    own = {"code": task.coverage, "clause_version": form.clause_version} | _with_form(document["own"], form)
    line = next(held[0].line for name, held in terms.forms.items() if name == task.form)
    try:
        whole = filled(form, Coverage.model_validate_json(_json(own)))
        for place, rule in passed_over(whole):
            if place.partition(" ")[0] in own:
                raise CaseError(f"terms.{place}: {rule}")
        return PolicySnapshot.model_validate(
            {
                "policy_number": number,
                "version_id": begins[:10],
                "effective_from": _instant(begins, task),
                "effective_to": _instant(document["effective_to"], task) if document.get("effective_to") else None,
                "status": "in_force",
                "currency": task.currency,
                "line": line,
                "jurisdiction": document.get("jurisdiction", "US"),
                "coverages": (whole,),
                "source_system": "golden",
                "retrieved_at": READ_AT,
                "disclosure_evidence": _evidence(document),
            },
            strict=False,
        )
    except ValidationError as error:
        raise CaseError(_said(error)) from None


def _replaces_nothing_stated(form: Coverage, own: Document, claims: Sequence[Document]) -> None:
    """A policy's own deductibles stand in place of the form's: a fact the form takes one from would be passed over."""
    if all("name" in one for one in own.get("deductibles", ())):
        return
    for one in form.deductibles:
        fact = (one.of or "").removeprefix("fact:")
        if any(fact in claim["facts"] for claim in claims):
            raise CaseError(f"inputs.{fact}: another deductible stands in its place")


def _with_form(own: Document, form: Coverage) -> Document:
    """A rule the policy fills in part still has to be whole to be read: the form's figures stand in for the rest."""
    whole = dict(own)
    for name in ("coinsurance", "waiting", "frequency"):
        if name in own:
            rule = getattr(form, name)
            held = rule.model_dump(mode="json", exclude_none=True) if rule is not None else {}
            whole[name] = held | own[name]
    return whole


def _evidence(document: Document) -> Any:
    return document.get("disclosure_evidence") or None


def _report(task: Task, claim: Document, loss_at: str) -> Report:
    lines = claim.get("lines") or [{"line_id": "loss"}]
    lost, reported = _instant(loss_at, task), claim.get("reported_at")
    if reported is not None and _instant(reported, task).date() < lost.date():
        raise CaseError("inputs.reported: lies before the loss")
    try:
        return Report(
            policy_number="P-0",
            line=task.form,
            loss_at=lost,
            currency=task.currency,
            lines=tuple(
                ReportedLine.model_validate_json(_json(one | {"coverage_code": task.coverage})) for one in lines
            ),
            loss_zone=ZONES.get(task.offset, "UTC"),
            peril=claim.get("peril", "unknown"),
            reported_at=_instant(reported, task) if reported is not None else None,
            facts={name: _fact(value) for name, value in claim["facts"].items()} or None,
        )
    except ValidationError as error:
        raise CaseError(_said(error)) from None


def _fact(value: FactValue | list[str]) -> FactValue:
    return tuple(value) if isinstance(value, list) else value


def _instant(text: str, task: Task) -> datetime:
    """An instant as it is written, a date as the beginning of that day."""
    is_date = len(text) == len("2000-01-01")
    return datetime.fromisoformat(f"{text}T00:00:00{task.offset}" if is_date else text)


def _json(document: Document) -> str:
    return json.dumps(document)


def _said(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
