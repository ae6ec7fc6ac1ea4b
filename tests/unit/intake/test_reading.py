"""The hash of a body, the depth of its JSON, and the rules beyond its shape."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import encode
from schemas.ids import SubjectId, claim_id, claim_reference
from schemas.model import canonical_json
from services.intake.domain.checks import FUTURE_TOLERANCE
from services.intake.domain.reading import RefusedBody, Submission, read_claim, read_row
from services.intake.domain.telling import cause_of, claim_reported, people_of
from tests.builders.events import a_sealed_party
from tests.builders.reports import a_party_in_clear, a_report, a_report_body, bulk_body

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ZONES = frozenset({"America/New_York", "Etc/UTC"})


def read(report: dict[str, Any], now: datetime = NOW) -> Submission:
    return read_claim(json.dumps(report).encode(), "default", "key-1", now, ZONES)


def test_the_hash_is_of_the_canonical_json_as_sent() -> None:
    report = a_report()

    submission = read(report)

    assert submission.body_sha256 == hashlib.sha256(canonical_json(report)).digest()


@given(st.randoms(use_true_random=False), st.integers(0, 4))
def test_members_in_any_order_and_any_spacing_give_one_hash(source: random.Random, indent: int) -> None:
    report = a_report(payee=a_party_in_clear("Grace"))

    turned = json.dumps(_shuffled(report, source), indent=indent, ensure_ascii=bool(indent % 2)).encode()

    assert read_claim(turned, "default", "key-1", NOW, ZONES).body_sha256 == read(report).body_sha256


def _shuffled(value: Any, source: random.Random) -> Any:
    if isinstance(value, list):
        return [_shuffled(part, source) for part in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    source.shuffle(names)
    return {name: _shuffled(value[name], source) for name in names}


def test_an_instant_written_otherwise_is_another_body() -> None:
    first = read(a_report(loss_at="2012-10-29T22:30:00-04:00"))
    second = read(a_report(loss_at="2012-10-30T02:30:00Z"))

    assert first.claim.loss_at == second.claim.loss_at
    assert first.body_sha256 != second.body_sha256


def test_a_row_hashes_its_claim_alone() -> None:
    row = read_row(bulk_body([("key-1", a_report())]).strip(), "default", NOW, ZONES)

    assert row == read(a_report())
    assert row.claim_id == claim_id("default", "key-1")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_without_another_fault(raw: bytes) -> None:
    with pytest.raises(RefusedBody):
        read_claim(raw, "default", "key-1", NOW, ZONES)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(a_report())), _JSON)
def test_any_json_in_any_field_is_read_or_refused_without_another_fault(name: str, value: Any) -> None:
    raw = json.dumps({**a_report(), name: value}).encode()

    fault = None
    try:
        read_claim(raw, "default", "key-1", NOW, ZONES)
    except RefusedBody as refused:
        fault = refused

    assert fault is None or fault.status == 400 or (fault.status == 422 and fault.faults)


@pytest.mark.parametrize("ahead, taken", [(FUTURE_TOLERANCE, True), (FUTURE_TOLERANCE + timedelta(seconds=1), False)])
def test_the_future_begins_after_the_tolerance(ahead: timedelta, taken: bool) -> None:
    report = a_report(loss_at=(NOW + ahead).isoformat())

    if taken:
        read(report)
    else:
        with pytest.raises(RefusedBody) as refused:
            read(report)
        assert [fault.code for fault in refused.value.faults] == ["in-the-future"]


def test_brackets_inside_texts_are_no_depth() -> None:
    deep_looking = "[{" * 40

    submission = read(a_report(reporter=a_party_in_clear(deep_looking)))

    assert submission.claim.reporter.name == deep_looking


def test_a_name_that_looks_like_no_field_is_not_repeated() -> None:
    with pytest.raises(RefusedBody) as refused:
        read(a_report() | {"Ada Example lives here": 1})

    assert [fault.pointer for fault in refused.value.faults] == [""]


def test_people_are_subjects_of_their_claim_reporter_first() -> None:
    submission = read(a_report(payee=a_party_in_clear("Grace")))

    people = people_of(submission)

    assert [subject for subject, _ in people] == [
        SubjectId.of(submission.claim_id, "reporter"),
        SubjectId.of(submission.claim_id, "payee"),
    ]
    assert [person.name for _, person in people] == ["Ada Example", "Grace"]


def test_the_event_says_what_the_report_said() -> None:
    submission = read(a_report(language=None, reporter=a_party_in_clear(language="zh-CN")))

    event = claim_reported(submission, [a_sealed_party()], NOW)

    assert event.language == "zh-CN"
    assert event.payee is None
    assert event.reference == claim_reference(submission.claim_id)
    assert event.lines == submission.claim.lines
    assert event.reported_at == NOW
    assert event.channel == "api"


def test_the_longest_people_still_fit_a_box_and_an_event() -> None:
    wide = "\U0001f300"
    party = {
        "name": wide * 200,
        "email": wide * 64 + "@" + wide * 189,
        "account": {"holder": wide * 200, "account_number": "9" * 34, "country": "US"},
        "address": {"lines": [wide * 200] * 5, "city": wide * 200, "admin": wide * 200, "country": "US"},
    }

    submission = read(a_report(reporter=party))

    plain = submission.claim.reporter.model_dump_json(exclude_none=True).encode()
    assert (len(plain) + 28) * 4 / 3 < 16_000


def test_the_largest_report_is_far_below_the_size_of_an_event() -> None:
    lines = [
        {"line_id": f"{number:064d}", "coverage_code": "c" * 64}
        | {
            name: {"amount": "92233720368547758.07", "currency": "USD"}
            for name in ("asked", "insured_value", "replacement_cost")
        }
        for number in range(100)
    ]
    submission = read(a_report(lines=lines))

    event = claim_reported(submission, [a_sealed_party(box="A" * 16_380)] * 2, NOW)

    assert len(encode(event)) < 128 * 1024


def test_the_cause_follows_from_the_claim() -> None:
    claim = claim_id("default", "key-1")

    assert cause_of(claim) == cause_of(claim)
    assert cause_of(claim) != claim


def test_a_report_without_lines_or_place_is_a_first_notice() -> None:
    submission = read(a_report(lines=[], place=None, cause_code=None))

    assert submission.claim.lines == ()


def test_the_builder_gives_bytes_that_are_read() -> None:
    assert read_claim(a_report_body(7), "default", "key-1", NOW, ZONES).claim.policy_number == "FL-000007"
