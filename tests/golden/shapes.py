"""The tables of the translation: which form knows which inputs, and where in a policy or a claim each of them goes.

Earlier shapes go before later ones. A new kind of case is a new row here, and a form if none has its order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.golden.parts import (
    aggregates,
    ceiling,
    debris,
    deductible_terms,
    deductibles,
    disclosure,
    excess,
    living_costs,
    named_deductible_terms,
    named_deductibles,
    schedule,
    special_limits,
)
from tests.golden.translate import Place, Shape, always, flag, instant, money, text, texts, whole

Table = Mapping[str, Place]
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
    "depreciation": at(text, "fact.depreciation", own__depreciation={"method": "stated", "of": "fact:depreciation"}),
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
    ("medical_with_ceiling", {"overall_ceiling": ...}),
    ("medical_with_ceiling", {"limit": ...}),
    ("medical_with_ceiling", {"sum_insured": ...}),
    ("medical", {}),
)


def _health(expense: str) -> Shape:
    """Health expense stated as one amount by this name."""
    return Shape(
        form="health-plan",
        needs=needs(expense),
        places=EVERYWHERE | DEDUCTIBLE | HEALTH | ONE_EXPENSE | {expense: at(text, "fact.price")},
        coverage=HEALTH_COVERAGES,
    )


COMMERCIAL: tuple[Shape, ...] = (
    Shape(
        form="cp-00-10",
        needs=needs("value_at_loss", "coinsurance_rate", "loss"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | {
            "coinsurance_rate": at(text, "own.coinsurance.required_rate"),
            "agreed_value": at(flag, "own.coinsurance.agreed_value"),
            "debris_expense": at(money, "extra.debris_removal"),
            "additional_debris_limit": at(debris, "own.extensions"),
        },
        coverage=(("building", {}),),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("loss", "debris_expense"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | {
            "debris_expense": at(money, "extra.debris_removal"),
            "additional_debris_limit": at(debris, "own.extensions"),
        },
        coverage=(("building_without_coinsurance", {}),),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("items", "items.value"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | {"blanket_limit": at(money, "own.limit"), "coinsurance_penalty": at(always(False))},
        rows={
            "items": {
                "id": at(text, "line.item_id", "item.item_id"),
                "value": at(money, "item.insured_value"),
                "limit": at(money, "item.limit"),
                "loss": at(money, "line.asked"),
            }
        },
        coverage=(
            ("windstorm_blanket", {"blanket_limit": ...}),
            ("windstorm_items", {"items.limit": ...}),
            ("windstorm", {}),
        ),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("items", "items.limit", "deductible"),
        exclude=needs("special_limits"),
        places=EVERYWHERE | DEDUCTIBLE,
        rows={
            "items": {
                "id": at(text, "line.item_id", "item.item_id"),
                "limit": at(money, "item.limit"),
                "loss": at(money, "line.asked"),
            }
        },
        coverage=(("scheduled_items", {}),),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("last_watch_or_warning_ended", "deductibles", "loss"),
        places=EVERYWHERE
        | BY_NAME
        | LIMIT
        | LOSS
        | {"last_watch_or_warning_ended": at(instant, "fact.last_watch_or_warning_ended")},
        defaults={"peril": "named_storm_wind"},
        coverage=(("named_storm", {}),),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("deductibles", "loss", "limit"),
        places=EVERYWHERE | BY_NAME | LIMIT | LOSS,
        coverage=(("named_storm", {}),),
    ),
)
HOME: tuple[Shape, ...] = (
    Shape(
        form="ho-3",
        needs=needs("replacement_cost", "coverage_a", "repair_cost"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {
            "replacement_cost": at(money, "line.replacement_cost", "line.insured_value"),
            "required_rate": at(text, "own.coinsurance.required_rate"),
            "repair_cost": at(money, "line.asked"),
            "acv_of_damage": at(text, "fact.acv_of_damage"),
            "deductible_order": at(always("after_proportion", "before_proportion")),
        },
        coverage=(("dwelling_deductible_first", {"deductible_order": "before_proportion"}), ("dwelling", {})),
    ),
    Shape(
        form="ho-3",
        needs=needs("rcv"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | WEAR
        | {
            "valuation": at(always("ACV", "RCV")),
            "rcv": at(text, "fact.rcv"),
            "repairs_completed": at(flag, "fact.repairs_completed"),
            "actual_cost": at(text, "fact.actual_cost"),
        },
        coverage=(
            ("rcv", {"valuation": "RCV", "limit": ...}),
            ("rcv", {"valuation": "RCV", "coverage_a": ...}),
            ("rcv_unlimited", {"valuation": "RCV"}),
            ("acv", {"limit": ...}),
            ("acv", {"coverage_a": ...}),
            ("acv_unlimited", {}),
        ),
        early=needs("repairs_completed", "actual_cost"),
        staged={"valuation": "RCV", "repairs_completed": True},
    ),
    Shape(
        form="ho-3",
        needs=needs("coverage_a", "deductibles", "loss"),
        places=EVERYWHERE | BY_NAME | LIMIT | LOSS,
        coverage=(("dwelling_by_peril", {}),),
    ),
    Shape(
        form="ho-3",
        needs=needs("annual_hurricane_deductible", "losses"),
        plan="series",
        places=EVERYWHERE
        | LIMIT
        | {
            "annual_hurricane_deductible": at(money, "own.amounts.annual_hurricane_deductible"),
            "all_other_perils_deductible": at(money, "own.amounts.all_other_perils_deductible"),
            "same_calendar_year": at(flag, "run.same_calendar_year"),
        },
        rows={"losses": {"": at(money, "line.asked")}},
        defaults={"all_other_perils_deductible": "0.00", "peril": "hurricane"},
        coverage=(
            ("dwelling_hurricane_year", {"coverage_a": ...}),
            ("dwelling_hurricane_year", {"limit": ...}),
            ("dwelling_hurricane_year_unlimited", {}),
        ),
    ),
    Shape(
        form="ho-3",
        needs=needs("items", "special_limits"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {
            "special_limits": at(special_limits, "own.sublimits"),
            "deductible_order": at(always("before_special_limit", "after_special_limit")),
        },
        rows={
            "items": {
                "id": at(text, "line.item_id"),
                "category": at(text, "line.category"),
                "loss": at(money, "line.asked"),
            }
        },
        coverage=(
            ("personal_property_deductible_last", {"deductible_order": "after_special_limit", "coverage_c": ...}),
            ("personal_property_deductible_last", {"deductible_order": "after_special_limit", "limit": ...}),
            ("personal_property_deductible_last_unlimited", {"deductible_order": "after_special_limit"}),
            ("personal_property", {"coverage_c": ...}),
            ("personal_property", {"limit": ...}),
            ("personal_property_unlimited", {}),
        ),
    ),
    Shape(
        form="ho-3",
        needs=needs("actual"),
        plan="costs",
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {
            "normal": at(living_costs("normal"), "run.costs.normal"),
            "actual": at(living_costs("actual"), "run.costs.actual"),
            "already_paid": at(text, "fact.already_paid"),
            "deductible_applies": at(flag),
        },
        coverage=(
            ("living_expense_with_deductible", {"deductible_applies": True, "limit": ...}),
            ("living_expense", {"limit": ...}),
            ("living_expense_unlimited", {"deductible_applies": False}),
            ("living_expense_unlimited", {"deductible_applies": None}),
        ),
    ),
    Shape(
        form="ho-3",
        needs=needs("monthly_ale"),
        places=EVERYWHERE
        | LIMIT
        | {
            "state_of_emergency": at(flag, "fact.state_of_emergency"),
            "total_loss": at(flag, "fact.total_loss"),
            "requested": at(flag, "fact.requested"),
            "monthly_ale": at(text, "fact.monthly_ale"),
            "proven_total_after_advance_period": at(text, "fact.proven_total"),
        },
        early=needs("proven_total_after_advance_period"),
        staged={"proven_total_after_advance_period": ...},
        coverage=(("living_expense_emergency_limited", {"limit": ...}), ("living_expense_emergency", {})),
    ),
    Shape(
        form="ho-3",
        needs=needs("policies.limit", "loss"),
        plan="policies",
        places=EVERYWHERE | DEDUCTIBLE | LOSS | VALUE | {"contribution": at(text), "method": at(text)},
        rows={"policies": {"id": at(text), "limit": at(money, "own.limit")}},
        coverage=(
            ("shared_equally", {"contribution": "equal_shares"}),
            ("shared_by_limits", {"contribution": "by_limits"}),
            ("shared_equally", {"method": "equal_shares"}),
            ("shared_by_limits", {"method": "by_limits"}),
        ),
        wording={"equal shares": "shared_equally", "by limits": "shared_by_limits", "pro rata": "shared_by_limits"},
    ),
    Shape(
        form="ho-3",
        needs=needs("coverage_a", "loss"),
        places=EVERYWHERE | DEDUCTIBLE | LIMIT | LOSS | VALUE,
        coverage=(("dwelling_windstorm", {}),),
    ),
)
PRC: tuple[Shape, ...] = (
    Shape(
        form="prc-property",
        needs=needs("policies.sum_insured", "loss"),
        plan="policies",
        places=EVERYWHERE | DEDUCTIBLE | LOSS | VALUE,
        rows={"policies": {"id": at(text), "sum_insured": at(money, "own.limit")}},
        coverage=(("shared", {}),),
    ),
    Shape(
        form="prc-property",
        needs=needs("ascertainable_at_day_60"),
        places=EVERYWHERE
        | {
            "claimed": at(money, "line.asked"),
            "ascertainable_at_day_60": at(text, "fact.ascertainable"),
            "final": at(text, "fact.final"),
        },
        early=needs("final"),
        staged={"final": ...},
        coverage=(("advanced", {}),),
    ),
    Shape(
        form="prc-property",
        needs=needs("claimed"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {
            "claimed": at(money, "line.asked"),
            "verified": at(text, "fact.verified"),
            "fabricated": at(text, "fact.fabricated"),
        },
        coverage=(
            ("verified_limited", {"sum_insured": ...}),
            ("verified_limited", {"limit": ...}),
            ("verified", {}),
        ),
    ),
    Shape(
        form="prc-property",
        needs=needs("sum_insured", "loss"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | VALUE
        | {
            "otherwise_agreed": at(flag),
            "received_from_third_party": at(text, "fact.received_from_third_party"),
            "mitigation_expense": at(money, "extra.mitigation_expense"),
        },
        coverage=(
            ("agreed", {"otherwise_agreed": True}),
            ("valued", {"insured_value": ...}),
            ("agreed", {}),
        ),
    ),
    Shape(
        form="prc-motor-2014",
        needs=needs("loss_type", "sum_insured"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | DRIVING
        | {
            "loss_type": at(text, "fact.loss_type"),
            "repair_cost": at(text, "fact.repair_cost"),
            "third_party_received": at(text, "fact.third_party_received"),
            "salvage_retained_value": at(text, "fact.salvage_retained_value"),
        },
        coverage=(("own_damage", {}),),
    ),
    Shape(
        form="prc-motor-2014",
        needs=needs("third_party_loss", "limit"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | DRIVING
        | {
            "third_party_loss": at(text, "fact.third_party_loss"),
            "compulsory_item_limit": at(text, "fact.compulsory_item_limit"),
            "fault_share": at(text, "fact.fault_share"),
        },
        coverage=(("third_party", {}),),
    ),
    Shape(
        form="prc-motor-2014",
        needs=needs("new_price", "months_used"),
        places=EVERYWHERE
        | {
            "new_price": at(text, "fact.new_price"),
            "months_used": at(text, "fact.months_used"),
            "extra_days": at(text, "fact.extra_days"),
            "monthly_rate": at(text, "fact.monthly_rate"),
        },
        coverage=(("actual_value", {}),),
    ),
    *(
        Shape(
            form="prc-medical",
            needs=needs("covered_expense", payer),
            places=EVERYWHERE
            | DEDUCTIBLE
            | LIMIT
            | SETTLED
            | {"covered_expense": at(text, "fact.covered_expense")},
            defaults={"disclosure_evidence": True},
            coverage=(
                ("hospital_offset_limited", {"social_insurance_offsets_deductible": True, "sum_insured": ...}),
                ("hospital_offset_limited", {"social_insurance_offsets_deductible": True, "limit": ...}),
                ("hospital_offset", {"social_insurance_offsets_deductible": True}),
                ("hospital_limited", {"sum_insured": ...}),
                ("hospital_limited", {"limit": ...}),
                ("hospital", {}),
            ),
        )
        for payer in ("social_insurance_paid", "disclosure_evidence", "annual_deductible_remaining", "ratio")
    ),
)
OTHER: tuple[Shape, ...] = (
    Shape(
        form="health-plan",
        needs=needs("lines"),
        places=EVERYWHERE | DEDUCTIBLE | HEALTH,
        rows={
            "lines": {
                "id": at(text, "line.item_id"),
                "code": at(text, "line.item_id"),
                "category": at(text, "line.category"),
                "qty": at(text, "line.facts.qty"),
                "price": at(text, "line.facts.price"),
                "limit": at(text, "line.facts.line_limit"),
                "line_limit": at(text, "line.facts.line_limit"),
                "ceiling": at(text, "line.facts.line_limit"),
            }
        },
        coverage=HEALTH_COVERAGES,
    ),
    *(_health(expense) for expense in ("allowed", "price", "covered_expense")),
    Shape(
        form="travel",
        needs=needs("purchase_price"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | WEAR
        | {
            "purchase_price": at(text, "fact.purchase_price"),
            "excess": at(excess, "own.deductibles"),
            "item_limit": at(money, "own.limit"),
        },
        coverage=(("article", {"limit": ...}), ("article", {"item_limit": ...}), ("article_unlimited", {})),
    ),
    Shape(
        form="parametric",
        needs=needs("observed", "schedule"),
        places=EVERYWHERE
        | LIMIT
        | {
            "index": at(text, "fact.index"),
            "source_id": at(text, "fact.source_id"),
            "observed": at(text, "fact.observed"),
            "inside_area": at(flag, "fact.inside_area"),
            "schedule": at(schedule, "own.schedule"),
        },
        coverage=(
            ("index_limited", {"sum_insured": ...}),
            ("index_limited", {"limit": ...}),
            ("index", {}),
        ),
    ),
    Shape(
        form="property",
        needs=needs("versions", "loss"),
        plan="versions",
        places=EVERYWHERE | DEDUCTIBLE | LOSS,
        rows={
            "versions": {
                "from": at(instant, "policy.effective_from"),
                "limit": at(money, "own.limit"),
                "deductible": at(deductibles, "own.deductibles"),
            }
        },
        coverage=(("loss", {"versions.limit": ...}), ("loss_unlimited", {})),
    ),
    Shape(
        form="property",
        needs=needs("aggregate_limit", "concurrent_claims"),
        plan="orders",
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {"aggregate_limit": at(aggregates, "own.aggregates"), "paid_before": at(money, "ledger.all_losses")},
        rows={"concurrent_claims": {"": at(money, "line.asked")}},
        coverage=(("loss_limit_and_aggregate", {"limit": ...}), ("loss_aggregate", {})),
    ),
    Shape(
        form="property",
        needs=needs("aggregate_limit", "loss"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | {"aggregate_limit": at(aggregates, "own.aggregates"), "paid_before": at(money, "ledger.all_losses")},
        coverage=(("loss_limit_and_aggregate", {"limit": ...}), ("loss_aggregate", {})),
    ),
    Shape(
        form="property",
        needs=needs("deliveries", "loss"),
        plan="deliveries",
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | {
            "deliveries": at(whole, "run.deliveries"),
            "same_idempotency_key": at(flag, "run.same_idempotency_key"),
        },
        coverage=(("loss", {"limit": ...}), ("loss_unlimited", {})),
    ),
    Shape(
        form="property",
        needs=needs("loss"),
        places=EVERYWHERE | DEDUCTIBLE | LIMIT | LOSS | VALUE,
        coverage=(("loss", {"limit": ...}), ("loss", {"sum_insured": ...}), ("loss_unlimited", {})),
    ),
)
SHAPES: tuple[Shape, ...] = (*COMMERCIAL, *HOME, *PRC, *OTHER)
