"""Where each input that many forms know goes in a policy or a claim, and what kind of value it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.golden.parts import (
    amount,
    ceiling,
    deductible_terms,
    deductibles,
    disclosure,
    excess,
    named_deductible_terms,
    named_deductibles,
)
from tests.golden.translate import Place, flag, instant, money, text, texts, whole

Table = dict[str, Place]
Kind = Callable[[Any, str, str], Any]


def at(kind: Kind, *targets: str, **adds: Any) -> Place:
    """An input of this kind at these paths; `own__depreciation` is the path of something added."""
    return Place(targets, kind, {name.replace("__", "."): value for name, value in adds.items()})


def needs(*names: str) -> frozenset[str]:
    return frozenset(names)


EVERYWHERE: Table = {
    "jurisdiction": at(text, "policy.jurisdiction"),
    "clause_version": at(text, "own.clause_version"),
    "peril": at(text, "claim.peril"),
    "effective_from": at(instant, "policy.effective_from"),
    "effective_to": at(instant, "policy.effective_to"),
    "loss_at": at(instant, "claim.loss_at"),
    "loss_date": at(instant, "claim.loss_at"),
    "reported": at(instant, "claim.reported_at"),
    "reported_at": at(instant, "claim.reported_at"),
}
DEDUCTIBLE: Table = {
    "deductible": Place(("own.deductibles",), deductibles, also=(Place(("own.amounts",), deductible_terms),)),
}
BY_NAME: Table = {
    "deductibles": Place(
        ("own.deductibles",), named_deductibles, also=(Place(("own.amounts",), named_deductible_terms),)
    ),
}
LIMIT: Table = {
    "limit": at(money, "own.limit"),
    "coverage_a": at(money, "own.limit"),
    "coverage_c": at(money, "own.limit"),
    "sum_insured": at(money, "own.limit"),
}
LOSS: Table = {"loss": at(money, "line.asked"), "value_at_loss": at(money, "line.insured_value")}
VALUE: Table = {"insured_value": at(money, "line.insured_value")}
WEAR: Table = {
    "depreciation": at(amount, "fact.depreciation", own__depreciation={"method": "stated", "of": "fact:depreciation"}),
    "depreciation_rate": at(
        text, "fact.depreciation_rate", own__depreciation={"method": "rate", "of": "fact:depreciation_rate"}
    ),
    "age_years": at(
        text,
        "fact.age_years",
        own__depreciation={"method": "straight_line", "age": "fact:age_years", "life": "fact:life_years"},
    ),
    "life_years": at(text, "fact.life_years"),
}
DRIVING: Table = {
    "responsibility": at(text, "fact.responsibility"),
    "responsibility_rate": at(text, "fact.responsibility_rate"),
    "absolute_rates": at(texts, "fact.absolute_rates"),
    "absolute_amount": at(excess, "own.deductibles"),
    "driver_bac_mg_per_100ml": at(text, "fact.driver_bac_mg_per_100ml"),
}
HEALTH: Table = {
    "deductible_remaining": at(text, "fact.deductible_remaining"),
    "member_coinsurance": at(text, "own.member_coinsurance"),
    "oop_max_remaining": at(money, "own.oop_max"),
    "category_ceiling": at(ceiling, "own.sublimits"),
    "overall_ceiling": at(money, "own.limit"),
    "limit": at(money, "own.limit"),
    "sum_insured": at(money, "own.limit"),
    "waiting_period_days": at(whole, "own.waiting.days"),
    "onset": Place(("claim.loss_at",), instant, also=(at(text, "fact.onset"),)),
    "cause": at(text, "fact.cause"),
    "frequency_days": at(whole, "own.frequency.days"),
    "previous_passed": at(text, "fact.previous_passed"),
    "count_max": at(whole, "own.frequency.count_max"),
    "count_before": at(text, "fact.count_before"),
    "service_date": Place(("claim.loss_at",), instant, also=(at(text, "fact.service_date"),)),
}
SETTLED: Table = {
    "social_insurance_paid": at(text, "fact.social_insurance_paid"),
    "other_paid": at(text, "fact.other_paid"),
    "annual_deductible_remaining": at(text, "fact.annual_deductible_remaining"),
    "deductible_remaining": at(text, "fact.annual_deductible_remaining"),
    "ratio": at(text, "own.rates.ratio"),
    "social_insurance_offsets_deductible": at(flag),
    "disclosure_evidence": at(disclosure(("MM.5",)), "policy.disclosure_evidence"),
}
ONE_EXPENSE = {
    "qty": at(text, "fact.qty"),
    "line_limit": at(text, "fact.line_limit"),
}
HEALTH_COVERAGES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("medical_with_waiting_and_frequency", {"waiting_period_days": ..., "frequency_days": ...}),
    ("medical_after_waiting", {"waiting_period_days": ...}),
    ("medical_with_frequency", {"frequency_days": ...}),
    ("medical_with_frequency", {"count_max": ...}),
    ("medical_with_ceiling", {"overall_ceiling": ...}),
    ("medical_with_ceiling", {"limit": ...}),
    ("medical_with_ceiling", {"sum_insured": ...}),
    ("medical", {}),
)
