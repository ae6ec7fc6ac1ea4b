"""Every kind of term over many losses, against its formula: exact, within its limit, never less for more, all told."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from schemas.money import Money, exact_amount
from services.assessment.adapters.adjudication_document import read_case
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import Simulated, simulate

TERMS = load_terms()
Formula = Callable[[Fraction], Fraction]
Kind = tuple[str, dict[str, Any], dict[str, Any], Formula]
LOSSES = [Fraction(cents, 100) for cents in (0, 1, 9999, 10000, 10001, *range(40000, 2_000_000, 43_377))]


def some(amount: Fraction | int) -> Fraction:
    return max(Fraction(0), Fraction(amount))


def at_most(most: int | str, amount: Fraction) -> Fraction:
    return min(Fraction(most), amount)


def ops(*found: str | dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": one} if isinstance(one, str) else one for one in found]


PLAIN = ops("deductible", "limit")
ANNUAL = {"kind": "annual", "amount": 9000, "aggregate_id": "year", "at_least": "term:least"}
KINDS: list[Kind] = [
    ("flat", {"deductibles": [{"amount": 500}], "operations": PLAIN}, {}, lambda x: at_most(8000, some(x - 500))),
    (
        "limit first",
        {"deductibles": [{"amount": 500}], "operations": ops("limit", "deductible")},
        {},
        lambda x: some(at_most(8000, x) - 500),
    ),
    (
        "percentage of the limit, bounded",
        {"deductibles": [{"kind": "pct_of_limit", "rate": "0.2", "max": 1500}], "operations": PLAIN},
        {},
        lambda x: at_most(8000, some(x - 1500)),
    ),
    (
        "percentage of the value",
        {"deductibles": [{"kind": "pct_of_value", "rate": "0.05"}], "operations": PLAIN},
        {"insured_value": "12345.60"},
        lambda x: at_most(8000, some(x - Fraction("617.28"))),
    ),
    (
        "percentage of the loss, bounded",
        {"deductibles": [{"kind": "pct_of_loss", "rate": "0.1", "min": 300, "max": 900}], "operations": PLAIN},
        {},
        lambda x: at_most(8000, some(x - min(max(x / 10, Fraction(300)), Fraction(900)))),
    ),
    (
        "rate after a flat amount",
        {
            "deductibles": [{"amount": 1000}, {"kind": "rate", "rate": "0.15"}],
            "operations": ops(
                {"op": "deductible", "kinds": ["flat"]}, {"op": "deductible", "kinds": ["rate"]}, "limit"
            ),
        },
        {},
        lambda x: at_most(8000, some(x - 1000) * Fraction(85, 100)),
    ),
    (
        "largest",
        {
            "selection": "largest",
            "deductibles": [{"amount": 1000}, {"kind": "pct_of_loss", "rate": "0.1"}],
            "operations": PLAIN,
        },
        {},
        lambda x: at_most(8000, some(x - max(Fraction(1000), x / 10))),
    ),
    (
        "franchise",
        {"deductibles": [{"amount": 1000, "franchise": True}], "operations": PLAIN},
        {},
        lambda x: at_most(8000, x if x > 1000 else Fraction(0)),
    ),
    (
        "yearly, the least of a later loss",
        {"amounts": {"least": 700}, "deductibles": [ANNUAL], "operations": PLAIN},
        {"used": {"year": 8800}},
        lambda x: at_most(8000, some(x - 700)),
    ),
    (
        "yearly limit, earlier use",
        {"limit_basis": "aggregate_annual", "operations": ops("limit")},
        {"used": {"all.limit": "5432.10"}},
        lambda x: at_most("2567.90", x),
    ),
    (
        "two aggregates",
        {
            "aggregates": [{"aggregate_id": "wide", "limit": 9000}, {"aggregate_id": "narrow", "limit": 5000}],
            "operations": ops("aggregate", "limit"),
        },
        {"used": {"wide": 8000, "narrow": 100}},
        lambda x: at_most(1000, x),
    ),
    (
        "sublimit by category and peril",
        {
            "sublimits": [{"category": "jewelry", "limit": 1500, "when": [{"fact": "peril", "equals": "theft"}]}],
            "deductibles": [{"amount": 500}],
            "operations": ops("sublimit", *PLAIN),
        },
        {"category": "jewelry", "peril": "theft"},
        lambda x: some(at_most(1500, x) - 500),
    ),
    (
        "average",
        {
            "coinsurance": {"required_rate": "0.8"},
            "deductibles": [{"amount": 100}],
            "operations": ops("proportion", *PLAIN),
        },
        {"insured_value": 15000},
        lambda x: at_most(8000, some(x * Fraction(2, 3) - 100)),
    ),
    (
        "agreed value",
        {
            "coinsurance": {"required_rate": "0.8", "agreed_value": True},
            "operations": ops("proportion", "limit"),
        },
        {"insured_value": 15000},
        lambda x: at_most(8000, x),
    ),
    (
        "received from others, what remains",
        {
            "facts": {"others": {"kind": "money"}, "remains": {"kind": "money"}},
            "operations": ops(
                {"op": "subtract", "of": "fact:others"}, {"op": "subtract", "of": "fact:remains"}, "limit"
            ),
        },
        {"facts": {"others": "799.50", "remains": "1200.25"}},
        lambda x: at_most(8000, some(x - Fraction("1999.75"))),
    ),
    (
        "share, limit, several percentages, flat amount last",
        {
            "facts": {"fault": {"kind": "rate"}, "rates": {"kind": "rates"}},
            "deductibles": [{"amount": 100}],
            "operations": ops(
                {"op": "share", "of": "fact:fault"}, "limit", {"op": "percent_cut", "of": "fact:rates"}, "deductible"
            ),
        },
        {"facts": {"fault": "0.7", "rates": ["0.1", "0.05", "0.15"]}},
        lambda x: some(at_most(8000, x * Fraction(7, 10)) * Fraction(7, 10) - 100),
    ),
    (
        "member's part and maximum",
        {
            "member_coinsurance": "0.2",
            "oop_max": 900,
            "deductibles": [{"amount": 500}],
            "operations": ops("deductible", "member_coinsurance", "oop_max", "limit"),
        },
        {},
        lambda x: at_most(8000, x - min(min(x, Fraction(500)) + some(x - 500) / 5, Fraction(900))),
    ),
    (
        "limit before the member's part and maximum",
        {
            "member_coinsurance": "0.2",
            "oop_max": 900,
            "operations": ops("limit", "member_coinsurance", "oop_max"),
        },
        {},
        lambda x: at_most(8000, x) - min(at_most(8000, x) / 5, Fraction(900)),
    ),
    (
        "cost of living by the day, above the usual, less what is paid",
        {
            "facts": {"days": {"kind": "number"}, "paid": {"kind": "money"}},
            "amounts": {"usual": 35},
            "operations": ops(
                {"op": "value", "less": "term:usual", "times": "fact:days", "at_least": "0"},
                {"op": "limit", "less": "fact:paid"},
            ),
        },
        {"facts": {"days": "3", "paid": "2000"}},
        lambda x: at_most(6000, some(x - 35) * 3),
    ),
    (
        "age and wear, capped",
        {
            "facts": {"age": {"kind": "number"}, "life": {"kind": "number"}},
            "depreciation": {"method": "straight_line", "age": "fact:age", "life": "fact:life", "cap": "0.8"},
            "operations": ops("depreciate", "limit"),
        },
        {"facts": {"age": "29", "life": "30"}},
        lambda x: at_most(8000, x / 5),
    ),
    (
        "debris within the limit and beyond",
        {
            "deductibles": [{"amount": 500}],
            "extensions": [
                {
                    "name": "debris",
                    "category": "clearing",
                    "caps": [{"of": "result:direct_and_deductible", "rate": "0.25"}, {"of": "result:limit_left"}],
                    "additional_limit": 700,
                }
            ],
            "operations": ops(*PLAIN, {"op": "extension", "name": "debris"}),
        },
        {"more": {"category": "clearing", "asked": 2000}},
        lambda x: _with_debris(at_most(8000, some(x - 500)), min(x, Fraction(500))),
    ),
]


def _with_debris(direct: Fraction, borne: Fraction) -> Fraction:
    basic = min(Fraction(2000), (direct + borne) / 4, 8000 - direct)
    return direct + basic + min(2000 - basic, Fraction(700))


def what_comes_of(terms: dict[str, Any], claim: dict[str, Any], loss: Fraction) -> Simulated:
    line = {"line_id": "loss", "asked": Money.of_fraction(loss, "USD").to_text()}
    line |= {name: claim[name] for name in ("insured_value", "category") if name in claim}
    lines = [line, *([claim["more"] | {"line_id": "more"}] if "more" in claim else [])]
    stated = {name: claim[name] for name in ("facts", "peril") if name in claim}
    document = {
        "policy": {
            "currency": "USD",
            "effective_from": "2026-01-01",
            "coverages": [{"code": "all", "clause_version": "1", "limit": 8000} | terms],
        },
        "claim": {"loss_at": "2026-06-01", "lines": lines} | stated,
        "used": [{"aggregate_id": name, "amount": amount} for name, amount in claim.get("used", {}).items()],
    }
    return simulate(read_case(document, TERMS))


@pytest.mark.parametrize(("terms", "claim", "formula"), [one[1:] for one in KINDS], ids=[one[0] for one in KINDS])
def test_every_loss_comes_to_what_the_terms_say_and_its_steps_tell_it(
    terms: dict[str, Any], claim: dict[str, Any], formula: Formula
) -> None:
    paid_before = Money.zero("USD")

    for loss in LOSSES:
        found = what_comes_of(terms, claim, loss)

        assert found.problems == ()
        assert found.computed == Money.of_fraction(formula(loss), "USD")
        assert paid_before <= found.computed
        told = sum((exact_amount(line.steps[-1].amount_out) for line in found.lines), Fraction(0))
        assert Money.of_fraction(told, "USD") == found.computed
        assert all(text.strip() and "{" not in text for text in found.explanation.values())
        paid_before = found.computed
