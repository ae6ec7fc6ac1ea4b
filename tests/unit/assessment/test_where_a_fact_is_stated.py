"""A fact counts wherever it is stated: of the claim or of its line; what the terms assume counts for every line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.assessment import in_usd, what_terms_give

SCHEDULE = [{"at_least": "120", "pay": in_usd("500.00")}]
INDEX = {"op": "step_schedule", "when": [{"fact": "inside", "equals": True}]}
INDEX_FACTS = {"observed": {"kind": "number"}, "inside": {"kind": "flag"}}


@pytest.mark.parametrize("of_claim, of_line", [(("observed", "inside"), ()), ((), ("observed", "inside"))])
def test_an_index_is_found_of_the_claim_as_of_its_only_line(
    of_claim: tuple[str, ...], of_line: tuple[str, ...]
) -> None:
    stated: dict[str, Any] = {"observed": "130", "inside": True}
    given = [{name: stated[name] for name in names} for names in (of_claim, of_line)]

    found = what_terms_give(
        [{"facts": given[1] or None}], INDEX, claim_facts=given[0] or None, schedule=SCHEDULE, facts=INDEX_FACTS
    )

    assert (found.computed.to_text(), found.problems) == ("500.00", ())


def test_a_cap_is_found_where_the_only_line_states_it() -> None:
    lines = [{"asked": in_usd("900.00"), "facts": {"sum_insured": "400.00"}}]

    found = what_terms_give(lines, {"op": "limit", "of": "fact:sum_insured"}, facts={"sum_insured": {"kind": "money"}})

    assert (found.computed.to_text(), found.problems) == ("400.00", ())


def test_what_several_lines_share_has_to_be_stated_of_the_claim_and_is_not_called_missing() -> None:
    lines = [{"asked": in_usd("900.00"), "facts": {"sum_insured": "400.00"}}, {"asked": in_usd("900.00")}]

    found = what_terms_give(lines, {"op": "limit", "of": "fact:sum_insured"}, facts={"sum_insured": {"kind": "money"}})

    assert found.problems == ("coverage contents: sum_insured is needed once for all lines: state it of the claim",)


def test_what_the_terms_assume_holds_for_each_of_several_lines_and_what_the_claim_states_does_not() -> None:
    lines = [{"asked": in_usd("900.00")}, {"asked": in_usd("100.00")}]
    terms = {
        "facts": {"wear": {"kind": "money", "default": "10.00"}},
        "depreciation": {"method": "stated", "of": "fact:wear"},
    }
    operations = ({"op": "depreciate"}, {"op": "unlimited"})

    assumed = what_terms_give(lines, *operations, **terms)
    stated = what_terms_give(lines, *operations, claim_facts={"wear": "10.00"}, **terms)

    assert (assumed.computed.to_text(), assumed.problems) == ("980.00", ())
    assert stated.problems == ("coverage contents: wear is stated once for several lines: state it on each line",)


def test_a_result_nobody_noted_is_told_with_those_there_are() -> None:
    operations = (
        {"op": "sublimit"},
        {"op": "deductible", "less": "result:above_sublimit"},
        {"op": "unlimited"},
    )

    found = what_terms_give(
        [{"asked": in_usd("900.00")}],
        *operations,
        sublimits=[{"limit": in_usd("500.00")}],
        deductibles=[{"amount": in_usd("100.00")}],
    )

    assert found.problems == (
        "coverage contents: above_sublimit is no result of an earlier operation; those noted: above_sublimits",
    )
