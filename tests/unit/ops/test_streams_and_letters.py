"""What ops keeps of status topics and dead letters stays within bounds and believes nothing it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import CommandId
from schemas.status import CommandOutcome, CommandState, PartitionStatus, encode_status, status_key
from services.ops.domain import letters, streams
from services.ops.domain.letters import LetterShelf
from services.ops.domain.streams import StageBoard
from tests.builders.events import REPORTED_AT, an_id


def a_partition(number: int) -> PartitionStatus:
    return PartitionStatus(
        stage="payment", topic="claims.intake.v1", partition=number, next_offset=0, backlog=1, instance="1",
        at=REPORTED_AT,
    )  # fmt: skip


def an_outcome(number: int) -> CommandOutcome:
    return CommandOutcome(
        stage="payment", command_id=CommandId(an_id(f"c{number}")), state=CommandState.applied, at=REPORTED_AT
    )


def put(shelf: LetterShelf, number: int, value: bytes = b"x") -> None:
    headers = [("dead-letter-id", f"letter-{number}".encode()), ("dead-letter-stage", b"payment"), ("ce_id", b"\xff")]
    shelf.take("claims.payment.dead-letter.v1", 0, number, 1_767_323_045_000, b"key", value, headers)


def test_the_board_stops_taking_new_things_at_its_bound_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RECORDS_MAX", 3)
    board = StageBoard()

    for number in range(5):
        board.take(status_key(a_partition(number)), encode_status(a_partition(number)))
    board.take(status_key(a_partition(0)), encode_status(a_partition(0)))

    assert board.stage("payment").backlog == 3
    assert board.left_out == 2


def test_old_outcomes_make_room_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "OUTCOMES_MAX", 2)
    board = StageBoard()

    for number in range(3):
        board.take(status_key(an_outcome(number)), encode_status(an_outcome(number)))

    assert board.outcome("payment", an_id("c0")) is None
    assert board.outcome("payment", an_id("c2")) == an_outcome(2)


def test_a_record_under_another_things_key_is_not_believed() -> None:
    board = StageBoard()

    board.take(status_key(a_partition(1)), encode_status(a_partition(2)))
    board.take(None, encode_status(a_partition(2)))

    assert board.stage("payment").partitions == ()
    assert board.unreadable == 2


def test_the_oldest_letters_fall_off_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "LETTERS_MAX", 3)
    monkeypatch.setattr(letters, "BYTES_MAX", 1000)
    shelf = LetterShelf()

    for number in range(4):
        put(shelf, number)
    by_number = [letter.dead_letter_id for letter in shelf.newest(None, 10)]
    put(shelf, 9, b"x" * 990)

    assert by_number == ["letter-3", "letter-2", "letter-1"]
    assert [letter.dead_letter_id for letter in shelf.newest(None, 10)] == ["letter-9"]
    assert shelf.fallen_off == 4


def test_a_second_copy_of_a_letter_takes_no_second_place() -> None:
    shelf = LetterShelf()

    put(shelf, 1)
    put(shelf, 1)

    assert len(shelf) == 1 and shelf.fallen_off == 0


@given(
    st.none() | st.binary(max_size=60),
    st.none() | st.binary(max_size=60),
    st.lists(st.tuples(st.sampled_from(["dead-letter-code", "x", "dead-letter-id"]), st.binary(max_size=20))),
)
def test_whatever_lies_on_a_dead_letter_topic_is_shown(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    shelf = LetterShelf()

    shelf.take("claims.notify.dead-letter.v1", 1, 2, 0, key, value, headers)

    [letter] = shelf.newest(None, 5)
    assert (letter.key, letter.value) == (key, value)
    assert letter.stage == "notify"
    assert all(text.isprintable() for text in letter.why.values())
