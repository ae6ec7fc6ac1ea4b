"""One suite for the runner's tables, in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from local.database import PostgresServer
from messaging.ports import Store
from messaging.record import Record, TopicPartition
from messaging.rows import Answer, Block, ClaimRow, DeadLetter, Position, WorkRow
from messaging.stores.store_memory import MemoryStore
from messaging.stores.tables_memory import MemoryTables
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Fenced, Tables
from messaging.work import Tokens
from schemas.ids import ClaimId
from tests.builders.events import REPORTED_AT as NOW
from tests.builders.events import a_claim_id, an_id
from tests.builders.stages import sql_store

PLACE = TopicPartition("claims.intake.v1", 0)
OTHER = TopicPartition("claims.ops.v1", 3)
LATER = NOW + timedelta(hours=1)
CLAIM, NEIGHBOUR = sorted([a_claim_id(1), a_claim_id(2)])


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    """One database for the module; each test empties it."""
    yield postgres.create_database("tables_suite")
    postgres.drop_database("tables_suite")


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with sql_store(request.getfixturevalue("database")) as made:
        yield made


@pytest.fixture
def tables(store: Store) -> Tables:
    return MemoryTables("assessment") if isinstance(store, MemoryStore) else SqlTables("assessment")


def another_stage(tables: Tables) -> Tables:
    return MemoryTables("payment") if isinstance(tables, MemoryTables) else SqlTables("payment")


def a_record(offset: int = 0, place: TopicPartition = PLACE, **changes: Any) -> Record:
    headers = [("ce_id", b"1"), ("odd\x00name", b"\x00\xff\n")]
    return Record(*place, offset, 1_700_000_000_000, b"key\xff", b"\x00value", headers)._replace(**changes)


def an_answer(name: str = "1", claim: ClaimId | None = CLAIM, sequence: int | None = 1, **changes: Any) -> Answer:
    answer = Answer(
        event_id=an_id(f"event:{name}"),
        claim_id=claim,
        topic="claims.assessment.v1",
        partition=0,
        sequence=sequence,
        cause_id=an_id(f"cause:{name}"),
        key=b"k",
        value=b"v",
        headers=[("a", b"\xfe")],
        stored_at=NOW,
    )
    return replace(answer, **changes)


def a_work_row(name: str = "1", **changes: Any) -> WorkRow:
    return replace(WorkRow(an_id(f"work:{name}"), "look-up", CLAIM, {"n": [1, "é"]}, NOW, None), **changes)


def a_dead_letter(name: str = "1", offset: int = 0, **changes: Any) -> DeadLetter:
    letter = DeadLetter(an_id(f"letter:{name}"), CLAIM, a_record(offset), "undecodable", "DATA", "f", 1, NOW, NOW)
    return replace(letter, **changes)


# ---- positions


async def test_positions_start_once_and_keep_what_they_have(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.create_positions(tx, [Position(PLACE, 0, "id"), Position(OTHER, 5, "other")])
        await tables.advance(tx, {PLACE: (0, 7)})
        await tables.create_positions(tx, [Position(PLACE, 0, "new")])

        held = await tables.positions(tx)

    assert held == {PLACE: Position(PLACE, 7, "id"), OTHER: Position(OTHER, 5, "other")}


async def test_a_position_moved_by_another_is_fenced_and_nothing_moves(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.create_positions(tx, [Position(PLACE, 0, "id"), Position(OTHER, 5, "other")])

    with pytest.raises(Fenced):
        async with store.begin() as tx:
            await tables.advance(tx, {OTHER: (5, 6), PLACE: (1, 2)})

    async with store.begin() as tx:
        assert [held.next_offset for held in (await tables.positions(tx)).values()] == [0, 5]


async def test_an_unknown_position_is_fenced(store: Store, tables: Tables) -> None:
    with pytest.raises(Fenced):
        async with store.begin() as tx:
            await tables.advance(tx, {PLACE: (0, 1)})


async def test_progress_clears_attempts_and_all_but_cautious_starts(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.create_positions(tx, [Position(PLACE, 0, "id"), Position(OTHER, 0, "other")])
        await tables.count_start(tx, [PLACE, OTHER])
        await tables.count_start(tx, [PLACE])
        counted = [await tables.count_attempt(tx, PLACE), await tables.count_attempt(tx, PLACE)]
        before = await tables.positions(tx)
        await tables.advance(tx, {PLACE: (0, 1), OTHER: (0, 1)}, cautious={PLACE})

        after = await tables.positions(tx)

    assert counted == [1, 2]
    assert (before[PLACE].starts, before[PLACE].attempts, before[OTHER].starts) == (2, 2, 1)
    assert (after[PLACE].starts, after[PLACE].attempts, after[OTHER].starts) == (2, 0, 0)


# ---- claims and queues


async def test_a_claim_row_comes_back_as_it_was_saved(store: Store, tables: Tables) -> None:
    block = Block("undecodable", NOW, None, 3, "f00d", an_id("letter"))
    async with store.begin() as tx:
        rows = await tables.lock_claims(tx, {NEIGHBOUR: 2, CLAIM: 1})
        row = rows[CLAIM]
        fresh = ClaimRow(CLAIM, 1)
        assert list(rows) == [CLAIM, NEIGHBOUR] and row == fresh
        row.next_sequence, row.queued, row.blocked = 4, True, block
        row.applied = {"intake": ["0123456789abcdef", "-" * 16], "ops": ["fedcba9876543210"]}
        row.after = {"intake": 2, "payment": 7}
        await tables.save_claims(tx, list(rows.values()))

    async with store.begin() as tx:
        again = await tables.lock_claims(tx, {CLAIM: 1, NEIGHBOUR: 2})

    assert again[CLAIM] == row
    assert again[NEIGHBOUR] == ClaimRow(NEIGHBOUR, 2)


async def test_a_claim_row_says_whether_answers_are_unmarked(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.lock_claims(tx, {CLAIM: 1, NEIGHBOUR: 2})
        await tables.add_answers(tx, [an_answer("1"), an_answer("2", NEIGHBOUR)])
        await tables.mark(tx, [an_answer("2").event_id])

        rows = await tables.lock_claims(tx, {CLAIM: 1, NEIGHBOUR: 2})

    assert (rows[CLAIM].unmarked, rows[NEIGHBOUR].unmarked) == (True, False)


async def test_due_queued_and_standing_claims_are_told_apart(store: Store, tables: Tables) -> None:
    due, later, dead, waiting, quiet = (a_claim_id(number) for number in range(5))
    async with store.begin() as tx:
        rows = await tables.lock_claims(tx, dict.fromkeys((due, later, dead, waiting, quiet), 1))
        rows[due].blocked = Block("x", NOW, NOW, 1, "f")
        rows[later].blocked = Block("x", NOW, LATER, 1, "f")
        rows[dead].blocked = Block("x", NOW, None, 1, "f", an_id("letter"))
        rows[due].queued = rows[waiting].queued = True
        await tables.save_claims(tx, list(rows.values()))
        await tables.enqueue(tx, [(due, a_record(1)), (due, a_record(2))])

        assert await tables.due_claims(tx, NOW, [1], 9) == [due]
        assert await tables.due_claims(tx, LATER, [2], 9) == []
        assert await tables.queued_claims(tx, [1], 9) == [waiting]
        assert await tables.queued_claims(tx, [1], 9, past=waiting) == []
        standing = {row.claim_id: length for row, length in await tables.standing_claims(tx, 9)}
        assert standing == {due: 2, later: 0, dead: 0, waiting: 0}
        assert len(await tables.standing_claims(tx, 2)) == 2

        rows[due].blocked, rows[due].queued = None, False
        await tables.save_claims(tx, [rows[due]])
        assert await tables.due_claims(tx, LATER, [1], 9) == [later]


async def test_a_queue_keeps_arrival_order_and_bytes_and_takes_a_record_once(store: Store, tables: Tables) -> None:
    first, second = a_record(9, OTHER, key=None, value=None, headers=[("none", None)]), a_record(1)
    async with store.begin() as tx:
        await tables.enqueue(tx, [(CLAIM, first), (CLAIM, second), (NEIGHBOUR, a_record(2))])
        await tables.enqueue(tx, [(CLAIM, first)])

        queues = await tables.queue(tx, [CLAIM, NEIGHBOUR], 9)
        assert [entry.record for entry in queues[CLAIM]] == [first, second]
        assert len((await tables.queue(tx, [CLAIM], 1))[CLAIM]) == 1

        await tables.dequeue(tx, [queues[CLAIM][0].number])
        await tables.dequeue(tx, [])
        assert [entry.record for entry in (await tables.queue(tx, [CLAIM], 9))[CLAIM]] == [second]


# ---- answers


async def test_unmarked_answers_come_in_sequence_with_their_bytes_until_marked(store: Store, tables: Tables) -> None:
    answers = [an_answer(str(number), sequence=number) for number in (1, 2, 10)]
    async with store.begin() as tx:
        await tables.add_answers(tx, [answers[2], answers[0], answers[1], an_answer("x", NEIGHBOUR)])

        assert await tables.unmarked(tx, [CLAIM]) == answers
        await tables.mark(tx, [answers[0].event_id])
        assert await tables.unmarked(tx, [CLAIM]) == answers[1:]
        assert await tables.unmarked(tx, []) == []


async def test_unmarked_answers_of_partitions_come_oldest_claim_first_and_never_out_of_sequence(
    store: Store, tables: Tables
) -> None:
    stepped_back = [
        an_answer("1", NEIGHBOUR, 1, stored_at=NOW),
        an_answer("2", NEIGHBOUR, 2, stored_at=NOW - timedelta(9)),
    ]
    newer, letter = an_answer("3", stored_at=LATER), an_answer("4", None, None, stored_at=NOW + timedelta(seconds=1))
    elsewhere = an_answer("5", a_claim_id(7), partition=3)
    async with store.begin() as tx:
        await tables.add_answers(tx, [newer, letter, stepped_back[1], stepped_back[0], elsewhere])

        assert await tables.unmarked_of(tx, [0, 1], LATER, 9) == [*stepped_back, letter]
        assert await tables.unmarked_of(tx, [0], LATER + timedelta(1), 2) == stepped_back
        assert len(await tables.unmarked_of(tx, None, LATER + timedelta(1), 9)) == 5
        assert await tables.unmarked_of(tx, [], LATER, 9) == []


async def test_an_event_id_is_stored_once_for_ever(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.add_answers(tx, [an_answer("1")])
        await tables.mark(tx, [an_answer("1").event_id])

    with pytest.raises(Exception, match="runner_answers"):
        async with store.begin() as tx:
            await tables.add_answers(tx, [an_answer("1")])


async def test_only_marked_answers_expire(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        later = an_answer("2", sequence=2, stored_at=LATER)
        await tables.add_answers(tx, [an_answer("1"), later, an_answer("3", sequence=3)])
        await tables.mark(tx, [an_answer("1").event_id, later.event_id])
        await tables.expire_answers(tx, NOW + timedelta(seconds=1))

        await tables.add_answers(tx, [an_answer("1")])

    for kept in ("2", "3"):
        with pytest.raises(Exception, match="runner_answers"):
            async with store.begin() as tx:
                await tables.add_answers(tx, [an_answer(kept)])


# ---- work


async def test_work_is_leased_only_once_its_event_is_marked_and_it_is_due(store: Store, tables: Tables) -> None:
    event, token = an_answer("1"), an_id("token")
    tied, free = a_work_row("tied", event_id=event.event_id), a_work_row("free")
    later, other = a_work_row("later", due_at=LATER), a_work_row("other", kind="letter")
    async with store.begin() as tx:
        await tables.add_answers(tx, [event])
        await tables.add_work(tx, [tied, free, later, other])

        first = await tables.lease_work(tx, "look-up", NOW, LATER, token, 9)
        assert first == [replace(free, attempt=1, token=token)]
        assert await tables.mark(tx, [event.event_id]) == 1
        assert await tables.mark(tx, [event.event_id]) == 0
        second = await tables.lease_work(tx, "look-up", NOW, LATER, token, 9)
        assert second == [replace(tied, attempt=1, token=token, event_id=None)]


async def test_a_lease_holds_until_it_ends_and_only_under_its_token(store: Store, tables: Tables) -> None:
    old, new = an_id("old"), an_id("new")
    rows = [a_work_row("1"), a_work_row("2", due_at=NOW + timedelta(seconds=1))]
    ids = [row.work_id for row in rows]
    async with store.begin() as tx:
        await tables.add_work(tx, rows)
        await tables.lease_work(tx, "look-up", NOW, LATER, old, 1)
        assert await tables.lease_work(tx, "look-up", NOW, LATER, new, 9) == []
        assert await tables.hold_work(tx, ids, old) == {ids[0]}

        again = await tables.lease_work(tx, "look-up", LATER, LATER + timedelta(1), new, 9)

        assert [(row.work_id, row.attempt) for row in again] == [(ids[0], 2), (ids[1], 1)]
        assert await tables.hold_work(tx, ids, old) == set()
        assert await tables.hold_work(tx, ids, new) == set(ids)


async def test_the_next_life_of_a_process_ends_its_own_leases_only(tables: Tables, store: Store) -> None:
    mine, other = Tokens("assessment", "a", bytes), Tokens("assessment", "b", bytes)
    async with store.begin() as tx:
        await tables.add_work(tx, [a_work_row("1")])
        await tables.lease_work(tx, "look-up", NOW, LATER, mine(), 9)
        await tables.add_work(tx, [a_work_row("2")])
        await tables.lease_work(tx, "look-up", NOW, LATER, other(), 9)

    async with store.begin() as tx:
        await tables.release_leases(tx, *Tokens("assessment", "a", bytes).range)

    async with store.begin() as tx:
        (again,) = await tables.lease_work(tx, "look-up", NOW, LATER, mine(), 9)
        assert again.work_id == an_id("work:1")
        assert await tables.hold_work(tx, [an_id("work:2")], other()) == {an_id("work:2")}


async def test_finished_work_is_gone_and_postponed_work_waits_without_a_token(store: Store, tables: Tables) -> None:
    token, rows = an_id("token"), [a_work_row("1"), a_work_row("2")]
    async with store.begin() as tx:
        await tables.add_work(tx, rows)
        await tables.lease_work(tx, "look-up", NOW, LATER, token, 9)
        await tables.finish_work(tx, [rows[0].work_id])
        await tables.postpone_work(tx, {rows[1].work_id: LATER, rows[0].work_id: LATER})

        assert await tables.hold_work(tx, [row.work_id for row in rows], token) == set()
        assert await tables.lease_work(tx, "look-up", NOW, LATER, token, 9) == []
        (left,) = await tables.lease_work(tx, "look-up", LATER, LATER, token, 9)
        assert (left.work_id, left.attempt, left.due_at) == (rows[1].work_id, 2, LATER)


# ---- commands and dead letters


async def test_a_command_is_taken_once_and_its_outcome_kept(store: Store, tables: Tables) -> None:
    known, new = an_id("known"), an_id("new")
    async with store.begin() as tx:
        assert await tables.take_command(tx, known, NOW)
        assert not await tables.take_command(tx, known, NOW)
        assert await tables.new_commands(tx, [known, new]) == {new}
        assert await tables.command_outcomes(tx, NOW) == []
        await tables.settle_command(tx, known, "succeeded", "")
        await tables.settle_command(tx, known, "nothing to unpark", "")

        assert await tables.command_outcomes(tx, NOW) == [(known, "succeeded", "", NOW)]
        assert await tables.command_outcomes(tx, LATER) == []


async def test_a_later_attempt_replaces_the_dead_letter_and_keeps_its_first_failure(
    store: Store, tables: Tables
) -> None:
    first = a_dead_letter("1")
    second = a_dead_letter("2", attempts=2, code="unknown-type", first_at=LATER, last_at=LATER)
    async with store.begin() as tx:
        await tables.add_dead_letters(tx, [first, a_dead_letter("other", 1, claim_id=None)])
        assert await tables.dead_letter(tx, first.dead_letter_id) == first
        await tables.close_dead_letter(tx, first.dead_letter_id, "skipped")
        await tables.add_dead_letters(tx, [second])

        assert await tables.dead_letter(tx, first.dead_letter_id) is None
        assert await tables.dead_letter(tx, second.dead_letter_id) == replace(second, first_at=NOW)
        assert await tables.open_dead_letters(tx) == 2
        await tables.close_dead_letter(tx, second.dead_letter_id, "redriven")
        assert await tables.open_dead_letters(tx) == 1


# ---- all of them


async def test_stages_of_one_database_see_only_their_own(store: Store, tables: Tables) -> None:
    other = another_stage(tables)
    async with store.begin() as tx:
        await tables.create_positions(tx, [Position(PLACE, 0, "id")])
        rows = await tables.lock_claims(tx, {CLAIM: 0})
        rows[CLAIM].blocked, rows[CLAIM].queued = Block("x", NOW, NOW, 1, "f"), True
        await tables.save_claims(tx, list(rows.values()))
        await tables.enqueue(tx, [(CLAIM, a_record())])
        await tables.add_answers(tx, [an_answer()])
        await tables.add_work(tx, [a_work_row()])
        await tables.take_command(tx, an_id("command"), NOW)
        await tables.add_dead_letters(tx, [a_dead_letter()])

        assert await other.positions(tx) == {}
        assert await other.lock_claims(tx, {CLAIM: 0}) == {CLAIM: ClaimRow(CLAIM, 0)}
        assert await other.due_claims(tx, LATER, [0], 9) == []
        assert await other.queue(tx, [CLAIM], 9) == {}
        assert await other.unmarked_of(tx, None, LATER, 9) == []
        assert await other.mark(tx, [an_answer().event_id]) == 0
        assert await tables.unmarked(tx, [CLAIM]) == [an_answer()]
        assert await other.lease_work(tx, "look-up", NOW, LATER, UUID(int=1), 9) == []
        assert await other.take_command(tx, an_id("command"), NOW)
        assert await other.open_dead_letters(tx) == 0


async def test_an_exception_undoes_everything(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.create_positions(tx, [Position(PLACE, 0, "id")])

    with pytest.raises(ZeroDivisionError):
        async with store.begin() as tx:
            await tables.advance(tx, {PLACE: (0, 9)})
            await tables.add_answers(tx, [an_answer()])
            await tables.enqueue(tx, [(CLAIM, a_record())])
            raise ZeroDivisionError

    async with store.begin() as tx:
        assert (await tables.positions(tx))[PLACE].next_offset == 0
        assert await tables.unmarked(tx, [CLAIM]) == []
        assert await tables.queue(tx, [CLAIM], 9) == {}


async def test_the_statements_of_nothing_do_nothing(store: Store, tables: Tables) -> None:
    async with store.begin() as tx:
        await tables.create_positions(tx, [])
        await tables.advance(tx, {})
        await tables.enqueue(tx, [])
        await tables.add_answers(tx, [])
        await tables.add_work(tx, [])
        await tables.add_dead_letters(tx, [])
        await tables.save_claims(tx, [])
        await tables.finish_work(tx, [])
        await tables.postpone_work(tx, {})

        assert await tables.lock_claims(tx, {}) == {}
        assert await tables.mark(tx, []) == 0
        assert await tables.new_commands(tx, []) == set()
