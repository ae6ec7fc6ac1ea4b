"""Policies under the shipped forms: every coverage with figures for whatever its operations ask, and losses under it.

`COVERAGES` names all of them. Figures are in whole cents of US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.conditions import FactKind, FactValue
from schemas.intake import ReportedLine
from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.adapters.policy_terms import PolicyTerms, filled, load_terms
from services.assessment.domain.claim import Report
from tests.builders.assessment import a_loss
from tests.builders.events import a_policy_snapshot

TERMS: PolicyTerms = load_terms()
COVERAGES: tuple[tuple[str, str], ...] = tuple(
    (form, code) for form, versions in sorted(TERMS.forms.items()) for code in versions[-1].coverages
)
LOSS_FACTS = frozenset("rcv price repair_cost third_party_loss new_price covered_expense purchase_price actual".split())
"""Facts that are the loss itself; the others stand still when a loss grows."""


@dataclass(frozen=True)
class Figures:
    """What a policy and a claim say, in minor units; rates are hundredths."""

    limit: int = 25_000_000
    deductible: int = 100_000
    rate: int = 20
    other: int = 50_000


def cents(amount: int) -> dict[str, str]:
    return {"amount": Money(amount, "USD").to_text(), "currency": "USD"}


def a_form_coverage(form: str, code: str) -> Coverage:
    """The form's own text of the coverage."""
    found = TERMS.forms[form][-1].coverages[code]
    assert isinstance(found, Coverage)
    return found


def a_filled_coverage(form: str, code: str, figures: Figures = Figures()) -> Coverage:
    """The coverage with a policy's figures wherever its operations need some."""
    text = a_form_coverage(form, code)
    rate = f"0.{figures.rate:02d}"
    own: dict[str, Any] = {"code": code, "clause_version": text.clause_version, "limit": cents(figures.limit)}
    sources = [one.of for one in text.deductibles] + [one.rate_of for one in text.deductibles]
    sources += [one.at_least for one in text.deductibles] + [one.of for one in text.operations]
    terms = {source.removeprefix("term:") for source in sources if source is not None and source.startswith("term:")}
    rates = {name: rate for name in terms if name.endswith("_rate") or name == "ratio"}
    amounts = {name: cents(figures.deductible) for name in terms - set(rates) - {"limit"}}
    own |= {"rates": rates} if rates else {}
    own |= {"amounts": amounts} if amounts else {}
    names = {one.op for one in text.operations}
    if "deductible" in names and not text.deductibles:
        own["deductibles"] = [{"amount": cents(figures.deductible)}]
    if "proportion" in names:
        own["coinsurance"] = {"required_rate": "0.80"} if text.coinsurance is None else None
    if "aggregate" in names:
        own["aggregates"] = [{"aggregate_id": "all", "limit": cents(figures.limit)}]
    if "sublimit" in names:
        own["sublimits"] = [{"category": "jewelry", "limit": cents(figures.other)}]
    if "depreciate" in names and text.depreciation is None:
        own["depreciation"] = {"method": "rate", "of": "fact:depreciation_rate"}
    if "step_schedule" in names:
        own["schedule"] = [{"at_least": "5", "share": "0.5"}, {"at_least": "7", "share": "1"}]
    if text.limit_basis.value == "item":
        own["items"] = [{"item_id": "B1", "limit": cents(figures.limit), "insured_value": cents(figures.limit)}]
    stated = {name: value for name, value in own.items() if value is not None}
    return filled(text, Coverage.model_validate(stated, strict=False))


def a_policy_under(form: str, code: str, figures: Figures = Figures()) -> PolicySnapshot:
    """A policy of one coverage, in force at the default loss, with every clause shown at sale."""
    coverage = a_filled_coverage(form, code, figures)
    clauses = {one.clause_id for one in coverage.operations} | {one.clause_id for one in coverage.deductibles}
    evidence = [
        {"clause_id": clause, "method": "signed", "at": "2011-01-01T00:00:00+00:00"}
        for clause in sorted(one for one in clauses if one is not None)
    ]
    policy = a_policy_snapshot(coverages=(coverage,))
    return PolicySnapshot.model_validate(
        policy.model_dump(mode="json", exclude_none=True) | {"disclosure_evidence": evidence}, strict=False
    )


def a_loss_under(
    policy: PolicySnapshot, asked: int, figures: Figures = Figures(), category: str | None = None
) -> Report:
    """A loss of so many cents, whatever the coverage takes the loss from."""
    [coverage] = policy.coverages
    facts: dict[str, FactValue] = {}
    for name, fact in (coverage.facts or {}).items():
        if name in LOSS_FACTS:
            facts[name] = Money(asked, "USD").to_text()
        elif name == "observed":
            facts[name] = str(asked // 1_000_000)
        elif name not in ("driver_bac_mg_per_100ml", "acv_of_damage", "line_limit", "actual_cost", "qty"):
            facts |= _plain(name, fact.kind, figures)
    line = ReportedLine(
        line_id="loss",
        coverage_code=coverage.code,
        asked=Money(asked, "USD"),
        insured_value=Money(figures.limit, "USD"),
        replacement_cost=Money(figures.limit, "USD"),
        category=category,
        item_id="B1" if coverage.items else None,
    )
    return a_loss([line], facts=facts or None)


def _plain(name: str, kind: FactKind, figures: Figures) -> dict[str, FactValue]:
    if kind is FactKind.money:
        return {name: Money(figures.other, "USD").to_text()}
    if kind is FactKind.rate:
        return {name: f"0.{figures.rate:02d}"}
    if kind is FactKind.rates:
        return {name: (f"0.{figures.rate:02d}", "0.05")}
    if kind is FactKind.number:
        return {name: "7"}
    if name in ("onset", "service_date"):
        return {name: "2012-10-29"}
    return {}
