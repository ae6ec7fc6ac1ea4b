"""A claim's turn: whatever order events arrive in, and however often, each is applied once, after what caused it."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from messaging.rows import Block, ClaimRow, Turn, claim_columns, claim_row, headers_of, headers_text
from schemas.envelope import Envelope
from tests.builders.events import a_claim_closed, a_claim_id, an_envelope, an_id

WRITERS = ("intake", "ops", "payment")


def a_history(seed: int, length: int) -> list[Envelope]:
    """Events of three writers, each naming what its writer had seen of the others when it was stored."""
    chance = random.Random(seed)
    told = dict.fromkeys(WRITERS, 0)
    known: dict[str, dict[str, int]] = {writer: {} for writer in WRITERS}
    history = []
    for _ in range(length):
        writer = chance.choice(WRITERS)
        for other in WRITERS:
            if other != writer and told[other] and chance.random() < 0.6:
                known[writer][other] = chance.randint(max(1, known[writer].get(other, 1)), told[other])
        told[writer] += 1
        after = dict(known[writer])
        envelope = an_envelope(a_claim_closed(), sequence=told[writer], writer=writer, after=after)
        history.append(envelope)
    return history


@given(seed=st.integers(0, 10_000), length=st.integers(1, 25), order=st.randoms(use_true_random=False))
def test_any_order_of_arrival_applies_each_event_once_after_its_causes(
    seed: int, length: int, order: random.Random
) -> None:
    history = a_history(seed, length)
    arrivals = [*history, *history[: length // 2]]
    order.shuffle(arrivals)
    row, applied, waiting = ClaimRow(a_claim_id(), 0), list[Envelope](), list[Envelope]()

    for arrival in arrivals:
        waiting.append(arrival)
        while ready := next((one for one in waiting if row.turn_of(one, WRITERS) is not Turn.WAIT), None):
            waiting.remove(ready)
            if row.turn_of(ready, WRITERS) is Turn.NEXT:
                row.apply(ready)
                applied.append(ready)

    assert waiting == [] and len(applied) == length
    done = dict.fromkeys(WRITERS, 0)
    for envelope in applied:
        assert envelope.sequence == done[envelope.writer] + 1
        assert all(done[writer] >= number for writer, number in envelope.after.items())
        done[envelope.writer] += 1


def test_what_a_writer_knew_of_others_this_stage_does_not_read_holds_nothing_up() -> None:
    row = ClaimRow(a_claim_id(), 0)

    turn = row.turn_of(an_envelope(a_claim_closed(), writer="ops", after={"notify": 3}), WRITERS)

    assert turn is Turn.NEXT


def test_another_event_under_an_applied_number_is_told_from_a_copy() -> None:
    row, event = ClaimRow(a_claim_id(), 0), an_envelope(a_claim_closed(), writer="ops")
    row.apply(event)

    assert row.turn_of(event, WRITERS) is Turn.SEEN
    assert row.turn_of(an_envelope(a_claim_closed(), writer="ops", id=an_id("x")), WRITERS) is Turn.REUSED


def test_only_the_next_number_can_be_skipped_and_then_counts_as_seen() -> None:
    row = ClaimRow(a_claim_id(), 0)

    assert not row.skip("ops", 2)
    assert row.skip("ops", 1)
    assert row.turn_of(an_envelope(a_claim_closed(), writer="ops"), WRITERS) is Turn.SEEN
    assert row.after == {"ops": 1}


@given(
    counts=st.dictionaries(st.sampled_from(WRITERS), st.integers(1, 40), max_size=3),
    queued=st.booleans(),
    code=st.none() | st.text(max_size=60),
    due=st.booleans(),
)
def test_a_row_is_the_same_after_it_was_written(
    counts: dict[str, int], queued: bool, code: str | None, due: bool
) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    row = ClaimRow(a_claim_id(), 3, 7, queued=queued)
    row.applied = {writer: [f"{number:016x}" for number in range(count)] for writer, count in counts.items()}
    row.after = dict(counts)
    if code is not None:
        row.blocked = Block(code, now, now if due else None, 2, "f", None if due else an_id("letter"))

    assert claim_row(row.claim_id, row.partition, claim_columns(row)) == row


@given(st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40))))
def test_headers_of_strangers_are_kept_bit_by_bit(headers: list[tuple[str, bytes]]) -> None:
    assert headers_of(headers_text(headers)) == headers
