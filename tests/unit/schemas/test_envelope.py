"""Headers: strict about ours, silent about foreign ones, and no error repeats a value."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, EnvelopeError, after_text, parse_after
from schemas.ids import ClaimId

writers = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)


def an_envelope() -> Envelope:
    return Envelope(
        id=UUID(int=1),
        type="claimflow.ClaimApproved.v1",
        writer="assessment",
        subject=ClaimId(UUID(int=2)),
        time=datetime(2026, 1, 2, tzinfo=UTC),
        cause_id=UUID(int=3),
        sequence=4,
        after={"payment": 2, "intake": 1},
    )


def headers_with(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [(key, value if key == name else old) for key, old in an_envelope().to_headers()]


def test_an_envelope_comes_back_as_it_was_sent() -> None:
    sent = an_envelope()

    assert Envelope.from_headers([*sent.to_headers(), ("x-foreign", b"\xff")]) == sent


@given(st.dictionaries(writers, st.integers(1, 2**63 - 1), min_size=1, max_size=8))
def test_after_round_trips_sorted(after: dict[str, int]) -> None:
    assert parse_after(after_text(after)) == after
    assert list(parse_after(after_text(after))) == sorted(after)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"not-an-id"),
        ("ce_subject", str(UUID(int=2**127 - 1)).upper().encode()),
        ("ce_sequence", b"0"),
        ("ce_sequence", b"-1"),
        ("ce_sequence", b"1e3"),
        ("ce_sequence", b"9" * 19),
        ("ce_source", b"elsewhere/assessment"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-01-02T00:00:00"),
        ("ce_after", b"payment:2,intake:1"),
        ("ce_after", b"intake:1,intake:2"),
        ("ce_type", b"claimflow.claimApproved.v1"),
        ("ce_specversion", b"0.3"),
        ("content-type", b"text/plain"),
        ("ce_id", None),
        ("ce_id", b"x" * 2000),
    ],
)
def test_a_wrong_header_is_named_and_not_repeated(name: str, value: bytes | None) -> None:
    with pytest.raises(EnvelopeError) as refused:
        Envelope.from_headers(headers_with(name, value))

    assert refused.value.field == name
    assert value is None or value.decode() not in str(refused.value)


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_sequence", "content-type"])
def test_a_missing_or_doubled_header_is_named(name: str) -> None:
    headers = an_envelope().to_headers()

    with pytest.raises(EnvelopeError, match=f"missing-header: {name}"):
        Envelope.from_headers([pair for pair in headers if pair[0] != name])
    with pytest.raises(EnvelopeError, match=f"duplicate-header: {name}"):
        Envelope.from_headers([*headers, (name, b"1")])
