"""The claims of a load and the schedule they are sent on."""

from __future__ import annotations

from itertools import islice

import pytest

from benchmarks.claims import repeated, rows
from benchmarks.hop_events import answer, inputs
from benchmarks.load import due_at
from local.replay.nfip import claim_of, policy_number
from messaging.record import partition_of
from schemas.envelope import Envelope
from schemas.event import decode
from schemas.intake import ClaimReported


def test_repeated_rows_are_other_claims_with_the_same_facts() -> None:
    originals = [{"id": "a", "state": "NY"}, {"id": "b", "state": "FL"}]

    found = list(islice(repeated(originals), 5))

    assert [row["id"] for row in found] == ["a", "b", "a-2", "b-2", "a-3"]
    assert [row["state"] for row in found] == ["NY", "FL", "NY", "FL", "NY"]


def test_no_rows_repeated_are_no_rows() -> None:
    assert list(repeated([])) == []


def test_more_claims_than_are_shipped_all_have_policies_of_their_own() -> None:
    found = rows(2_001)

    assert len({policy_number(row) for row in found}) == 2_001
    assert claim_of(found[2_000])["lines"] == claim_of(found[0])["lines"]


@pytest.mark.parametrize("number, due", [(0, 0.0), (1, 0.02), (50, 1.0), (3_000, 60.0)])
def test_reports_are_due_by_the_schedule_and_not_by_the_answers_before(number: int, due: float) -> None:
    assert due_at(number, 50.0) == pytest.approx(due)


def test_the_input_of_a_hop_is_valid_and_about_one_event_a_claim() -> None:
    sends = list(inputs(20, 8))

    envelopes = [Envelope.from_headers(one.headers) for one in sends]
    assert len({envelope.subject for envelope in envelopes}) == len({envelope.id for envelope in envelopes}) == 20
    for one, envelope in zip(sends, envelopes, strict=True):
        assert one.key == str(envelope.subject).encode() and one.partition == partition_of(one.key, 8)
        assert isinstance(decode(envelope.type, one.value or b""), ClaimReported)


def test_the_input_of_a_hop_is_the_same_every_time() -> None:
    assert list(inputs(5, 8)) == list(inputs(5, 8))
    assert answer() == answer()
