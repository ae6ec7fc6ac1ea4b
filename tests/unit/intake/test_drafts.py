"""Merge patches, what a draft lacks at each level, and the instant a day stands for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import claim_id, parse_reference
from services.intake.domain.checks import Fault
from services.intake.domain.drafts import (
    Content,
    claim_of,
    draft_id,
    draft_number,
    loss_instant,
    merged,
    patched,
    read_draft,
    with_people,
)
from services.intake.domain.reading import RefusedBody
from tests.builders.drafts import a_draft_row
from tests.builders.reports import a_party_in_clear, a_report

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ZONES = frozenset({"America/New_York", "Etc/UTC", "Pacific/Auckland"})
BEGUN = {"policy_number": "FL-000001", "loss_date": "2012-10-29", "loss_zone": "America/New_York"}


def read(draft: Any) -> Content:
    return read_draft(json.dumps(draft).encode(), NOW, ZONES)[0]


def lacked(content: Content, level: str) -> set[str]:
    return {fault.pointer for fault in content.missing if fault.level == level}


# The table of RFC 7396, appendix A, where both sides are values of ours.
@pytest.mark.parametrize(
    "target, patch, outcome",
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_its_standard_says(target: Any, patch: Any, outcome: Any) -> None:
    assert merged(target, patch) == outcome


_JSON = st.recursive(
    st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=8
)


@given(_JSON, _JSON)
def test_the_same_patch_again_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merged(target, patch)

    assert merged(once, patch) == once


def test_a_policy_number_and_a_day_are_enough_to_begin_and_say_what_is_lacking() -> None:
    content = read(BEGUN)

    assert lacked(content, "submit") == {"/line", "/peril", "/currency", "/lines", "/reporter"}
    assert lacked(content, "pay") == {"/reporter/account"}


def test_a_whole_report_lacks_nothing() -> None:
    assert read(a_report()).missing == ()


def test_a_claim_that_can_be_made_and_not_be_paid_lacks_only_for_paying() -> None:
    content = read(a_report(payee=a_party_in_clear("Grace", account=None), lines=[]))

    assert lacked(content, "submit") == set()
    assert lacked(content, "pay") == {"/payee/account", "/lines"}


BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("no policy number", {"policy_number": None}, "/policy_number", "missing"),
    ("neither instant nor day", {"loss_date": None}, "/loss_at", "missing"),
    ("both instant and day", {"loss_at": "2012-10-29T22:30:00-04:00"}, "/loss_date", "rule-broken"),
    ("a day without its zone", {"loss_zone": None}, "/loss_zone", "missing"),
    ("a day that is none", {"loss_date": "2012-02-30"}, "/loss_date", "wrong-format"),
    ("a day of the year 1", {"loss_date": "0001-01-01"}, "/loss_date", "out-of-range"),
    ("a day to come", {"loss_date": "2026-01-03"}, "/loss_date", "in-the-future"),
    ("a zone that is none", {"loss_zone": "Mars/Olympus"}, "/loss_zone", "unknown-zone"),
    ("half a party", {"reporter": {"email": "ada@example.org"}}, "/reporter/name", "missing"),
    ("an unknown field", {"secret": "zq"}, "/secret", "unknown-field"),
    ("a line twice", {"lines": [{"line_id": "1", "coverage_code": "c"}] * 2}, "/lines/1/line_id", "repeated"),
]


@pytest.mark.parametrize("changes, pointer, code", [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_cannot_be_saved_is_refused_by_field_rule_and_level(
    changes: dict[str, Any], pointer: str, code: str
) -> None:
    draft = {name: value for name, value in (BEGUN | changes).items() if value is not None}

    with pytest.raises(RefusedBody) as refused:
        read(draft)

    found = {(fault.pointer, fault.code, fault.level) for fault in refused.value.faults}
    assert (pointer, code, "save") in found


def test_a_patch_reaches_into_a_person_and_takes_fields_away() -> None:
    first = read(BEGUN | {"reporter": a_party_in_clear()})

    second = patched(
        with_people(first.body, first.people),
        json.dumps({"reporter": {"email": None, "phone": "+1 555 0100"}}).encode(),
        NOW,
        ZONES,
    )

    assert second.people["reporter"].email is None
    assert second.people["reporter"].phone == "+1 555 0100"
    assert second.people["reporter"].name == first.people["reporter"].name
    assert "reporter" not in second.body


def test_a_patch_that_would_break_a_rule_is_refused() -> None:
    with pytest.raises(RefusedBody) as refused:
        patched(BEGUN, b'{"policy_number": null}', NOW, ZONES)

    assert refused.value.faults == (Fault("/policy_number", "missing", "Field required", "save"),)


@pytest.mark.parametrize("raw", [b"[]", b"1", b'{"a": 1.5}', b'{"policy_number": "\\ud800"}', b"{" * 99, b"nope"])
def test_bytes_that_are_no_draft_are_refused(raw: bytes) -> None:
    with pytest.raises(RefusedBody) as refused:
        read_draft(raw, NOW, ZONES)

    assert refused.value.status in (400, 422)


def test_a_day_stands_for_its_noon_there_unless_that_is_still_to_come() -> None:
    assert loss_instant(date(2012, 10, 29), "America/New_York", NOW) == datetime(2012, 10, 29, 16, tzinfo=UTC)
    assert loss_instant(date(2026, 1, 2), "Etc/UTC", NOW) == NOW


def test_numbers_and_claims_follow_from_client_and_key() -> None:
    draft = draft_id("default", "key-1")

    assert draft_number(draft).startswith("DR-")
    assert parse_reference("CF" + draft_number(draft)[2:])
    assert draft != draft_id("other", "key-1")
    assert claim_id("default", f"draft:{draft}") != claim_id("default", "key-1")


def test_the_draft_names_the_claim_it_will_be() -> None:
    row = a_draft_row()

    assert claim_of(row) == claim_id(row.client, f"draft:{row.draft_id}")
