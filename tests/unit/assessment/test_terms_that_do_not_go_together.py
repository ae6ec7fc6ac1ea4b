"""Terms that do not go together are refused or asked about: they never give a wrong amount in silence."""

from __future__ import annotations

from typing import Any

import pytest

from services.assessment.adapters.adjudication_document import read_case
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import Simulated, simulate
from services.assessment.domain.documents import DocumentError

TERMS = load_terms()
LIMIT = {"op": "limit"}


def what_comes_of(
    operations: list[dict[str, Any]],
    *lines: dict[str, Any],
    stated: dict[str, str] | None = None,
    used: list[dict[str, Any]] | None = None,
    others: list[dict[str, Any]] | None = None,
    **terms: Any,
) -> Simulated:
    coverage = {"code": "all", "clause_version": "1", "limit": 600, "operations": operations} | terms
    named = [{"line_id": f"line-{number}"} | line for number, line in enumerate(lines or ({"asked": 1000},))]
    document: dict[str, Any] = {
        "policy": {"currency": "USD", "effective_from": "2026-01-01", "coverages": [coverage]},
        "claim": {"loss_at": "2026-06-01", "lines": named} | ({"facts": stated} if stated else {}),
    }
    if others:
        document["claim"]["other_policies"] = others
    return simulate(read_case(document | ({"used": used} if used else {}), TERMS))


def the_fault(operations: list[dict[str, Any]], **terms: Any) -> tuple[str, str]:
    with pytest.raises(DocumentError) as refused:
        what_comes_of(operations, **terms)
    path, rule = refused.value.faults[0]
    return "/".join(map(str, path[3:])), rule


@pytest.mark.parametrize(
    ("operations", "own"),
    [
        (["limit", "member_coinsurance", "oop_max"], {}),
        (["sublimit", "member_coinsurance", "oop_max", "limit"], {"limit": 5000, "sublimits": [{"limit": 600}]}),
    ],
)
def test_a_members_maximum_gives_back_nothing_that_lay_above_a_limit(
    operations: list[str], own: dict[str, Any]
) -> None:
    found = what_comes_of([{"op": one} for one in operations], member_coinsurance="0.2", oop_max=100, **own)

    assert found.computed.to_text() == "500.00"
    assert (found.coverages[0].results or {})["member"] == "100"


def test_a_limit_between_what_the_member_bears_and_the_maximum_is_refused() -> None:
    operations = [{"op": "member_coinsurance"}, LIMIT, {"op": "oop_max"}]

    fault = the_fault(operations, member_coinsurance="0.2", oop_max=100)

    assert fault == ("operations/2", "limits stand behind oop_max, or before all that the member bears")


def test_lines_of_one_item_share_its_sublimit() -> None:
    lines = ({"asked": 400, "item_id": "ring"}, {"asked": 400, "item_id": "ring"}, {"asked": 400, "item_id": "watch"})

    found = what_comes_of([{"op": "sublimit"}, LIMIT], *lines, sublimits=[{"limit": 500, "per": "item"}], limit=5000)

    assert found.computed.to_text() == "900.00"


def test_yearly_sublimits_of_one_ledger_share_it() -> None:
    both = [{"category": one, "limit": 500, "per": "year", "aggregate_id": "teeth"} for one in ("dental", "braces")]
    lines = ({"asked": 400, "category": "dental"}, {"asked": 400, "category": "braces"})

    found = what_comes_of([{"op": "sublimit"}, LIMIT], *lines, sublimits=both, limit=5000)

    assert found.computed.to_text() == "500.00"
    assert [(one.aggregate_id, one.amount.to_text()) for one in found.uses] == [("teeth", "500.00")]


@pytest.mark.parametrize("op", ["value", "advance"])
def test_one_figure_of_the_terms_is_not_paid_once_for_every_line(op: str) -> None:
    found = what_comes_of([{"op": op, "of": "term:insured_value"}, LIMIT], {}, {}, insured_value=200)

    assert found.computed.to_text() == "0.00"
    assert found.problems[0].endswith(
        "insured_value is one figure for several lines: state it on each line, or ask in one line"
    )


def test_a_percentage_of_the_insured_value_of_the_coverage_counts_it_once_for_all_lines() -> None:
    deductibles = [{"kind": "pct_of_value", "rate": "0.1"}]

    found = what_comes_of(
        [{"op": "deductible"}, LIMIT], {"asked": 200}, {"asked": 200}, deductibles=deductibles, insured_value=1000
    )

    assert found.computed.to_text() == "300.00"


@pytest.mark.parametrize(
    ("operations", "terms"),
    [
        ([{"op": "subtract", "of": "fact:paid"}, LIMIT], {}),
        ([{"op": "value", "less": "fact:paid"}, LIMIT], {}),
        ([{"op": "limit", "less": "fact:paid"}], {}),
        ([{"op": "deductible"}, LIMIT], {"deductibles": [{"of": "fact:paid"}]}),
        ([{"op": "depreciate"}, LIMIT], {"depreciation": {"method": "stated", "of": "fact:paid"}}),
    ],
)
def test_what_is_taken_off_never_turns_into_a_gain(operations: list[dict[str, Any]], terms: dict[str, Any]) -> None:
    found = what_comes_of(operations, stated={"paid": "-200"}, facts={"paid": {"kind": "number"}}, **terms)

    assert found.computed.to_text() == "0.00"
    assert found.problems == ("coverage all: paid must not be less than nothing",)


def test_one_count_for_more_lines_than_are_left_is_a_question() -> None:
    terms: dict[str, Any] = {"frequency": {"count": "before", "count_max": 2}, "facts": {"before": {"kind": "number"}}}
    operations = [{"op": "frequency"}, LIMIT]

    one = what_comes_of(operations, {"asked": 100}, stated={"before": "1"}, **terms)
    two = what_comes_of(operations, {"asked": 100}, {"asked": 100}, stated={"before": "1"}, **terms)
    none_left = what_comes_of(operations, {"asked": 100}, {"asked": 100}, stated={"before": "2"}, **terms)

    assert one.computed.to_text() == "100.00"
    assert two.problems[0].endswith("before is stated once for more lines than are left: state it on each line")
    assert none_left.coverages[0].reasons == ("COUNT_LIMIT",)


@pytest.mark.parametrize(
    ("terms", "place"),
    [
        ({"sublimits": [{"limit": 50}]}, "sublimits"),
        ({"deductibles": [{"amount": 50}]}, "deductibles/0"),
        ({"aggregates": [{"aggregate_id": "all", "limit": 50}]}, "aggregates"),
        ({"coinsurance": {"required_rate": "0.8"}}, "coinsurance"),
        ({"waiting": {"days": 30}}, "waiting"),
        ({"member_coinsurance": "0.2"}, "member_coinsurance"),
        ({"extensions": [{"name": "debris", "category": "debris"}]}, "extensions/0"),
        ({"items": [{"item_id": "ring", "limit": 50}]}, "items/0"),
    ],
)
def test_a_term_that_no_operation_takes_is_refused(terms: dict[str, Any], place: str) -> None:
    assert the_fault([LIMIT], **terms)[0] == place


def test_a_limit_that_no_operation_takes_is_refused() -> None:
    assert the_fault([{"op": "unlimited"}]) == ("limit", "no operation takes it")


def test_an_extension_without_end_is_refused() -> None:
    extensions = [{"name": "debris", "category": "debris", "additional_limit": 50}]

    assert the_fault([LIMIT, {"op": "extension", "name": "debris"}], extensions=extensions)[0] == "extensions/0"


YEARLY = {"kind": "annual", "amount": 50, "aggregate_id": "year"}
ALL = {"aggregate_id": "all", "limit": 50}


@pytest.mark.parametrize(
    ("operations", "terms", "rule"),
    [
        (["limit", "limit"], {"limit_basis": "aggregate_annual"}, "limit takes from the same ledger once"),
        (["aggregate", "aggregate", "limit"], {"aggregates": [ALL]}, "aggregate takes from the same ledger once"),
        (
            ["deductible", "deductible", "limit"],
            {"deductibles": [YEARLY]},
            "deductible takes from the same ledger once",
        ),
        (["aggregate", "limit"], {"aggregates": [ALL, ALL]}, "each aggregate_id stands once"),
        (
            ["aggregate", "deductible", "limit"],
            {"aggregates": [ALL | {"aggregate_id": "year"}], "deductibles": [YEARLY]},
            "its ledger is one of something else",
        ),
        (
            ["deductible", "limit"],
            {"deductibles": [YEARLY, YEARLY]},
            "two annual deductibles that both apply have ledgers of their own",
        ),
        (
            ["deductible", "limit"],
            {"deductibles": [YEARLY | {"per": "item"}]},
            "an annual deductible is not borne per item",
        ),
        (
            ["limit"],
            {"limit_basis": "item", "items": [{"item_id": "ring"}, {"item_id": "ring"}]},
            "each item_id stands once",
        ),
    ],
)
def test_nothing_is_taken_from_a_ledger_twice(operations: list[str], terms: dict[str, Any], rule: str) -> None:
    assert the_fault([{"op": one} for one in operations], **terms)[1] == rule


def test_a_limit_of_each_item_takes_nothing_off() -> None:
    facts = {"paid": {"kind": "money"}}

    fault = the_fault([{"op": "limit", "less": "fact:paid"}], limit_basis="item", facts=facts)

    assert fault == ("operations/0", "limit of each item takes no less")


WITHIN = [{"of": "result:limit_left"}]


def test_extensions_within_a_limit_share_what_is_left_of_it() -> None:
    extensions = [{"name": one, "category": one, "caps": WITHIN} for one in ("debris", "pollutants")]
    lines = ({"asked": 500}, {"asked": 80, "category": "debris"}, {"asked": 80, "category": "pollutants"})
    operations = [LIMIT, *({"op": "extension", "name": one} for one in ("debris", "pollutants"))]

    found = what_comes_of(operations, *lines, extensions=extensions)

    assert [line.payable.to_text() for line in found.lines] == ["500.00", "80.00", "20.00"]


def test_an_extension_within_a_yearly_limit_takes_from_what_other_claims_left() -> None:
    extensions = [{"name": "debris", "category": "debris", "caps": WITHIN}]
    lines = ({"asked": 100}, {"asked": 900, "category": "debris"})
    used = [{"aggregate_id": "all.limit", "amount": 450}]

    found = what_comes_of(
        [LIMIT, {"op": "extension", "name": "debris"}],
        *lines,
        used=used,
        extensions=extensions,
        limit_basis="aggregate_annual",
    )

    assert [line.payable.to_text() for line in found.lines] == ["100.00", "50.00"]
    assert sum(one.amount.amount_minor for one in found.uses) == 150_00


@pytest.mark.parametrize(
    ("operation", "terms"),
    [
        ("proportion", {"coinsurance": {"required_rate": "1"}}),
        ("deductible", {"deductibles": [{"kind": "pct_of_value", "rate": "0.1"}]}),
    ],
)
def test_lines_of_one_item_that_say_it_is_worth_different_amounts_are_a_question(
    operation: str, terms: dict[str, Any]
) -> None:
    lines = [{"asked": 100, "item_id": "shed", "insured_value": worth} for worth in (500, 1000)]
    items = [{"item_id": "shed", "limit": 500}]

    found = what_comes_of([{"op": operation}, LIMIT], *lines, limit_basis="item", items=items, **terms)

    assert found.problems == ("coverage all: insured_value is not the same on all lines of one item",)


def test_a_frequency_without_a_figure_is_refused() -> None:
    assert the_fault([{"op": "frequency"}, LIMIT], frequency={}) == ("frequency", "has days, count_max or both")


def test_another_policy_that_is_named_twice_is_refused() -> None:
    other = {"policy": "B", "limit": {"amount": "500.00", "currency": "USD"}}

    with pytest.raises(DocumentError) as refused:
        what_comes_of([{"op": "contribute"}], others=[other, other], other_insurance="equal_shares")

    assert refused.value.faults[0].path == ("claim", "other_policies", 1, "policy")
