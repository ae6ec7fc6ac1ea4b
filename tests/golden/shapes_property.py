"""The forms for property in the United States: commercial property and homeowners, and the inputs each knows."""

from __future__ import annotations

from tests.golden.parts import amount, debris, living_costs, special_limits, sublimits
from tests.golden.tables import BY_NAME, DEDUCTIBLE, EVERYWHERE, LIMIT, LOSS, VALUE, WEAR, at, needs
from tests.golden.translate import Shape, always, flag, instant, money, text

VALUED_ITEMS = {
    "id": at(text, "line.item_id", "item.item_id"),
    "value": at(money, "item.insured_value"),
    "limit": at(money, "item.limit"),
    "loss": at(money, "line.asked"),
}
"""The fields of one insured item whose worth is stated."""

COMMERCIAL: tuple[Shape, ...] = (
    Shape(
        form="cp-00-10",
        needs=needs("coinsurance_rate", "loss"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | LOSS
        | {
            "coinsurance_rate": at(text, "own.coinsurance.required_rate"),
            "agreed_value": at(flag, "own.coinsurance.agreed_value"),
            "deductible_order": at(always("after_proportion", "before_proportion")),
            "debris_expense": at(money, "extra.debris_removal"),
            "additional_debris_limit": at(debris, "own.extensions"),
        },
        coverage=(("building_deductible_first", {"deductible_order": "before_proportion"}), ("building", {})),
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
        needs=needs("agreed_value", "loss"),
        places=EVERYWHERE | DEDUCTIBLE | LIMIT | LOSS | {"agreed_value": at(flag)},
        coverage=(("building_without_coinsurance", {}),),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("items", "items.value", "coinsurance_rate"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | {
            "blanket_limit": at(money, "own.limit"),
            "limit": at(money, "own.limit"),
            "coinsurance_rate": at(text, "own.coinsurance.required_rate"),
            "agreed_value": at(flag, "own.coinsurance.agreed_value"),
        },
        rows={"items": VALUED_ITEMS},
        coverage=(
            ("building_blanket", {"blanket_limit": ..., "items.limit": None}),
            ("building_blanket", {"limit": ..., "items.limit": None}),
            ("scheduled_items_with_coinsurance", {"items.limit": ..., "limit": None, "blanket_limit": None}),
        ),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("items", "items.value"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | {"blanket_limit": at(money, "own.limit"), "coinsurance_penalty": at(always(False))},
        rows={"items": VALUED_ITEMS},
        coverage=(
            ("windstorm_blanket", {"blanket_limit": ...}),
            ("windstorm_items", {"items.limit": ...}),
            ("windstorm", {}),
        ),
    ),
    Shape(
        form="cp-00-10",
        needs=needs("items", "items.limit"),
        exclude=needs("special_limits", "items.category"),
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
        needs=needs("last_watch_or_warning_ended", "deductibles", "loss", "loss_at"),
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
            "acv_of_damage": at(amount, "fact.acv_of_damage"),
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
            "rcv": at(amount, "fact.rcv"),
            "repairs_completed": at(flag, "fact.repairs_completed"),
            "actual_cost": at(amount, "fact.actual_cost"),
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
        needs=needs("items", "items.category"),
        places=EVERYWHERE
        | DEDUCTIBLE
        | LIMIT
        | {
            "special_limits": at(special_limits, "own.sublimits"),
            "sublimits": at(sublimits, "own.sublimits"),
            "coverage_a": at(money, "own.amounts.coverage_a"),
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
            "already_paid": at(amount, "fact.already_paid"),
            "deductible_applies": at(flag),
        },
        coverage=(
            ("living_expense_with_deductible", {"deductible_applies": True, "deductible": ..., "limit": ...}),
            ("living_expense_with_deductible", {"deductible_applies": None, "deductible": ..., "limit": ...}),
            ("living_expense", {"deductible_applies": False, "limit": ...}),
            ("living_expense", {"deductible_applies": None, "limit": ...}),
            ("living_expense_unlimited", {"deductible_applies": False}),
            ("living_expense_unlimited", {"deductible_applies": None, "deductible": None}),
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
            "monthly_ale": at(amount, "fact.monthly_ale"),
            "proven_total_after_advance_period": at(amount, "fact.proven_total"),
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
        wording={
            "equal shares": "shared_equally",
            "equal until": "shared_equally",
            "by limits": "shared_by_limits",
            "pro rata": "shared_by_limits",
            "sum of limits": "shared_by_limits",
        },
    ),
    Shape(
        form="ho-3",
        needs=needs("coverage_a", "loss"),
        places=EVERYWHERE | DEDUCTIBLE | LIMIT | LOSS | VALUE,
        coverage=(("dwelling_windstorm", {}),),
    ),
)
