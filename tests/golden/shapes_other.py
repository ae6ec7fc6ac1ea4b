"""Health, travel, parametric and plain property forms, and the inputs each knows."""

from __future__ import annotations

from tests.golden.parts import aggregates, deductibles, excess, schedule
from tests.golden.tables import (
    DEDUCTIBLE,
    EVERYWHERE,
    HEALTH,
    HEALTH_COVERAGES,
    LIMIT,
    LOSS,
    ONE_EXPENSE,
    VALUE,
    WEAR,
    at,
    needs,
)
from tests.golden.translate import Shape, flag, instant, money, text, whole


def _health(expense: str) -> Shape:
    """Health expense stated as one amount by this name."""
    return Shape(
        form="health-plan",
        needs=needs(expense),
        places=EVERYWHERE | DEDUCTIBLE | HEALTH | ONE_EXPENSE | {expense: at(text, "fact.price")},
        coverage=HEALTH_COVERAGES,
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
                "to": at(instant, "policy.effective_to"),
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
