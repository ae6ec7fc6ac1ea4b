"""The forms under the law of the PRC: property, motor and medical expense, and the inputs each knows."""

from __future__ import annotations

from tests.golden.tables import DEDUCTIBLE, DRIVING, EVERYWHERE, LIMIT, LOSS, SETTLED, VALUE, at, needs
from tests.golden.translate import Shape, always, flag, money, text

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
            "valuation": at(always("first_loss")),
            "received_from_third_party": at(text, "fact.received_from_third_party"),
            "mitigation_expense": at(money, "extra.mitigation_expense"),
        },
        coverage=(
            ("agreed", {"otherwise_agreed": True}),
            ("agreed", {"valuation": "first_loss"}),
            ("valued", {"insured_value": ...}),
            ("agreed", {}),
        ),
    ),
    *(
        Shape(
            form="prc-motor-2014",
            needs=needs("sum_insured", told),
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
        )
        for told in ("loss_type", "repair_cost")
    ),
    Shape(
        form="prc-motor-2014",
        needs=needs("third_party_loss"),
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
            places=EVERYWHERE | DEDUCTIBLE | LIMIT | SETTLED | {"covered_expense": at(text, "fact.covered_expense")},
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
