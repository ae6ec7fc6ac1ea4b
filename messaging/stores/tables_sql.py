"""The runner's tables on PostgreSQL. Rows travel as arrays, one a column, so a statement costs the same for any number.

Two transactions of one stage lock claims in id order. Reads after a lock are statements of their own: under read
committed a statement that waited for a lock would see the other tables as they were before.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from messaging.ports import Tx
from messaging.record import Record, TopicPartition
from messaging.rows import (
    Answer,
    ClaimRow,
    DeadLetter,
    Position,
    QueueEntry,
    WorkRow,
    claim_columns,
    claim_row,
    headers_of,
    headers_text,
)
from messaging.tables import EXPIRE_MAX, Fenced
from schemas.ids import ClaimId

_NUMBER = attrgetter("int")
"""UUIDs sort by it many times faster than by themselves."""
_OF_ANSWER = attrgetter("event_id", "claim_id", "topic", "partition", "sequence", "cause_id", "key", "value")
_OF_LETTER = attrgetter("code", "error_class", "fingerprint", "attempts", "first_at", "last_at", "state")


def _rows(columns: str) -> str:
    """`unnest` over the columns given as "name type, name type"; their values are bound as c0, c1, ..."""
    names, types = zip(*(column.split() for column in columns.split(",")), strict=True)
    arrays = ", ".join(f"CAST(:c{number} AS {kind}[])" for number, kind in enumerate(types))
    return f"unnest({arrays}) AS r ({', '.join(names)})"


def _insert(table: str, columns: str, conflict: str = "") -> TextClause:
    names = ", ".join(column.split()[0] for column in columns.split(","))
    return text(f"INSERT INTO {table} (stage, {names}) SELECT :stage, {names} FROM {_rows(columns)} {conflict}")


_RECORD = "topic text, partition int, log_offset bigint, timestamp_ms bigint, key bytea, value bytea, headers text"
_RECORD_NAMES = "topic, partition, log_offset, timestamp_ms, key, value, headers"
_ANSWER = "event_id, claim_id, topic, partition, sequence, cause_id, key, value, headers, stored_at"
_CLAIM = "claim_id, partition, next_sequence, applied, after, queued, blocked, due_at"
_WORK = "work_id, kind, claim_id, payload, due_at, event_id, attempt, token"
_STANDING = "stage = :stage AND (queued OR blocked IS NOT NULL)"

_POSITIONS = text(
    "SELECT topic, partition, next_offset, topic_id, starts, attempts FROM runner_positions WHERE stage = :stage"
)
_CREATE_POSITIONS = _insert(
    "runner_positions", "topic text, partition int, next_offset bigint, topic_id text", "ON CONFLICT DO NOTHING"
)
_ADVANCE = text(
    f"""UPDATE runner_positions p SET next_offset = r.after, attempts = 0,
    starts = CASE WHEN r.cautious THEN p.starts ELSE 0 END
    FROM {_rows("topic text, partition int, expected bigint, after bigint, cautious boolean")}
    WHERE p.stage = :stage AND p.topic = r.topic AND p.partition = r.partition AND p.next_offset = r.expected"""
)
_COUNT_START = text(
    f"""UPDATE runner_positions p SET starts = p.starts + 1 FROM {_rows("topic text, partition int")}
    WHERE p.stage = :stage AND p.topic = r.topic AND p.partition = r.partition"""
)
_COUNT_ATTEMPT = text(
    """UPDATE runner_positions SET attempts = attempts + 1
    WHERE stage = :stage AND topic = :topic AND partition = :partition RETURNING attempts"""
)
_LOCK_CLAIMS = text(
    f"""INSERT INTO runner_claims (stage, claim_id, partition, next_sequence, applied, after, queued)
    SELECT :stage, claim_id, partition, 1, '', '', false FROM {_rows("claim_id uuid, partition int")}
    ON CONFLICT (stage, claim_id) DO UPDATE SET queued = runner_claims.queued WHERE false"""
)
_CLAIMS = text(
    f"""SELECT {_CLAIM}, (SELECT true FROM runner_unmarked u
    WHERE u.stage = c.stage AND u.claim_id = c.claim_id LIMIT 1) IS TRUE FROM runner_claims c
    WHERE stage = :stage AND claim_id = ANY(CAST(:ids AS uuid[])) ORDER BY claim_id"""
)
_SAVE_CLAIMS = text(
    f"""UPDATE runner_claims c SET next_sequence = r.next_sequence, applied = r.applied, after = r.after,
    queued = r.queued, blocked = r.blocked, due_at = r.due_at FROM {
        _rows(
            "claim_id uuid, next_sequence bigint, applied text, after text, queued boolean, blocked text, "
            "due_at timestamptz"
        )
    } WHERE c.stage = :stage AND c.claim_id = r.claim_id"""
)
_DUE_CLAIMS = text(
    f"""SELECT claim_id FROM runner_claims WHERE {_STANDING} AND partition = ANY(CAST(:partitions AS int[]))
    AND due_at <= :now ORDER BY due_at, claim_id LIMIT :limit"""
)
_QUEUED_CLAIMS = text(
    f"""SELECT claim_id FROM runner_claims WHERE {_STANDING} AND partition = ANY(CAST(:partitions AS int[]))
    AND queued AND blocked IS NULL AND claim_id > :past ORDER BY claim_id LIMIT :limit"""
)
_STANDING_CLAIMS = text(
    f"""SELECT {_CLAIM}, (SELECT count(*) FROM runner_queue q WHERE q.stage = c.stage AND q.claim_id = c.claim_id)
    FROM runner_claims c WHERE {_STANDING} ORDER BY claim_id LIMIT :limit"""
)
_ENQUEUE = _insert("runner_queue", f"claim_id uuid, {_RECORD}", "ON CONFLICT DO NOTHING")
_QUEUE = text(
    f"""SELECT number, ids.claim_id, {_RECORD_NAMES} FROM unnest(CAST(:ids AS uuid[])) AS ids (claim_id),
    LATERAL (SELECT * FROM runner_queue WHERE stage = :stage AND claim_id = ids.claim_id
    ORDER BY number LIMIT :limit) q ORDER BY number"""
)
_DEQUEUE = text("DELETE FROM runner_queue WHERE stage = :stage AND number = ANY(CAST(:numbers AS bigint[]))")
_ANSWER_TYPES = (
    "event_id uuid, claim_id uuid, topic text, partition int, sequence bigint, cause_id uuid, key bytea, value bytea, "
    "headers text, stored_at timestamptz"
)
_ADD_ANSWERS = text(
    f"""WITH added AS (INSERT INTO runner_answers (stage, {_ANSWER})
    SELECT :stage, {_ANSWER} FROM {_rows(_ANSWER_TYPES)}
    RETURNING stage, event_id, claim_id, partition)
    INSERT INTO runner_unmarked SELECT * FROM added"""
)
# The answer of each unmarked row is looked up by its key, whatever the statistics say of the two tables.
_OF_UNMARKED = f"""CROSS JOIN LATERAL
    (SELECT {_ANSWER} FROM runner_answers WHERE stage = :stage AND event_id = u.event_id LIMIT 1) a"""
_UNMARKED = text(
    f"""SELECT a.* FROM (SELECT event_id FROM runner_unmarked WHERE stage = :stage
    AND claim_id = ANY(CAST(:ids AS uuid[]))) u {_OF_UNMARKED} ORDER BY a.claim_id, a.sequence"""
)
# Clocks may step back, so the sequence gives the order inside a claim, and its oldest event the order of claims.
_UNMARKED_OF = text(
    f"""SELECT {_ANSWER} FROM
    (SELECT a.*, min(a.stored_at) OVER (PARTITION BY coalesce(a.claim_id, a.event_id)) AS oldest FROM
    (SELECT event_id FROM runner_unmarked WHERE stage = :stage AND (CAST(:partitions AS int[]) IS NULL
    OR partition = ANY(CAST(:partitions AS int[])))) u {_OF_UNMARKED}) held
    WHERE oldest < :before ORDER BY oldest, coalesce(claim_id, event_id), sequence LIMIT :limit"""
)
_MARK = text(
    """WITH marked AS (DELETE FROM runner_unmarked WHERE stage = :stage
    AND event_id = ANY(CAST(:ids AS uuid[])) RETURNING event_id),
    ready AS (UPDATE runner_work w SET event_id = NULL FROM marked m
    WHERE w.stage = :stage AND w.event_id = m.event_id RETURNING 1) SELECT count(*) FROM ready"""
)
_EXPIRE_ANSWERS = text(
    """DELETE FROM runner_answers WHERE ctid = ANY(ARRAY(SELECT ctid FROM runner_answers a
    WHERE stage = :stage AND stored_at < :before AND NOT EXISTS (SELECT FROM runner_unmarked u
    WHERE u.stage = a.stage AND u.event_id = a.event_id) LIMIT :limit))"""
)
_ADD_WORK = _insert(
    "runner_work", "work_id uuid, kind text, claim_id uuid, payload text, due_at timestamptz, event_id uuid"
)
_LEASE_WORK = text(
    f"""WITH leased AS (UPDATE runner_work SET token = :token, leased_until = :until, attempt = attempt + 1
    WHERE stage = :stage AND work_id IN (SELECT work_id FROM runner_work WHERE stage = :stage AND kind = :kind
    AND event_id IS NULL AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
    ORDER BY due_at, work_id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING {_WORK})
    SELECT * FROM leased ORDER BY due_at, work_id"""
)
_RELEASE_LEASES = text(
    """UPDATE runner_work SET token = NULL, leased_until = NULL
    WHERE stage = :stage AND token BETWEEN :first AND :last"""
)
_HOLD_WORK = text(
    """SELECT work_id FROM runner_work WHERE stage = :stage AND token = :token
    AND work_id = ANY(CAST(:ids AS uuid[])) ORDER BY work_id FOR UPDATE"""
)
_FINISH_WORK = text("DELETE FROM runner_work WHERE stage = :stage AND work_id = ANY(CAST(:ids AS uuid[]))")
_POSTPONE_WORK = text(
    f"""UPDATE runner_work w SET due_at = r.due_at, token = NULL, leased_until = NULL
    FROM {_rows("work_id uuid, due_at timestamptz")} WHERE w.stage = :stage AND w.work_id = r.work_id"""
)
_KNOWN_COMMANDS = text(
    "SELECT command_id FROM runner_commands WHERE stage = :stage AND command_id = ANY(CAST(:ids AS uuid[]))"
)
_TAKE_COMMAND = text(
    """INSERT INTO runner_commands (stage, command_id, taken_at) VALUES (:stage, :command_id, :now)
    ON CONFLICT DO NOTHING RETURNING command_id"""
)
_SETTLE_COMMAND = text(
    """UPDATE runner_commands SET outcome = :outcome, detail = :detail
    WHERE stage = :stage AND command_id = :command_id AND outcome IS NULL"""
)
_COMMAND_OUTCOMES = text(
    """SELECT command_id, outcome, detail, taken_at FROM runner_commands
    WHERE stage = :stage AND outcome IS NOT NULL AND taken_at >= :since ORDER BY taken_at, command_id"""
)
_ADD_DEAD_LETTERS = _insert(
    "runner_dead_letters",
    f"dead_letter_id uuid, claim_id uuid, {_RECORD}, code text, error_class text, fingerprint text, attempts int, "
    "first_at timestamptz, last_at timestamptz, state text",
    """ON CONFLICT (stage, topic, partition, log_offset) DO UPDATE SET dead_letter_id = excluded.dead_letter_id,
    code = excluded.code, error_class = excluded.error_class, fingerprint = excluded.fingerprint,
    attempts = excluded.attempts, last_at = excluded.last_at, state = excluded.state""",
)
_DEAD_LETTER = text(
    f"""SELECT claim_id, {_RECORD_NAMES}, code, error_class, fingerprint, attempts, first_at, last_at, state
    FROM runner_dead_letters WHERE stage = :stage AND dead_letter_id = :dead_letter_id FOR UPDATE"""
)
_CLOSE_DEAD_LETTER = text(
    "UPDATE runner_dead_letters SET state = :state WHERE stage = :stage AND dead_letter_id = :dead_letter_id"
)
_OPEN_DEAD_LETTERS = text("SELECT count(*) FROM runner_dead_letters WHERE stage = :stage AND state = 'open'")


class SqlTables:
    """See `messaging.tables.Tables`."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    async def _run(self, tx: Tx, statement: TextClause, **values: Any) -> Any:
        return await tx.connection.execute(statement, {"stage": self.stage, **values})

    async def _many(self, tx: Tx, statement: TextClause, rows: Iterable[Sequence[Any]]) -> int:
        columns = {f"c{number}": list(column) for number, column in enumerate(zip(*rows, strict=True))}
        return int((await self._run(tx, statement, **columns)).rowcount) if columns else 0

    async def positions(self, tx: Tx) -> dict[TopicPartition, Position]:
        found: dict[TopicPartition, Position] = {}
        for topic, partition, *rest in await self._run(tx, _POSITIONS):
            place = TopicPartition(topic, partition)
            found[place] = Position(place, *rest)
        return found

    async def create_positions(self, tx: Tx, positions: Sequence[Position]) -> None:
        await self._many(tx, _CREATE_POSITIONS, [(*p.place, p.next_offset, p.topic_id) for p in positions])

    async def advance(
        self, tx: Tx, moves: Mapping[TopicPartition, tuple[int, int]], cautious: Collection[TopicPartition] = ()
    ) -> None:
        rows = [(*place, *moves[place], place in cautious) for place in sorted(moves)]
        if await self._many(tx, _ADVANCE, rows) != len(rows):
            raise Fenced("a position is not where this process left it")

    async def count_start(self, tx: Tx, places: Collection[TopicPartition]) -> None:
        await self._many(tx, _COUNT_START, sorted(places))

    async def count_attempt(self, tx: Tx, place: TopicPartition) -> int:
        result = await self._run(tx, _COUNT_ATTEMPT, topic=place.topic, partition=place.partition)
        return int(result.scalar_one())

    async def lock_claims(self, tx: Tx, partitions: Mapping[ClaimId, int]) -> dict[ClaimId, ClaimRow]:
        if not partitions:
            return {}
        ids = sorted(partitions, key=_NUMBER)
        await self._many(tx, _LOCK_CLAIMS, [(claim_id, partitions[claim_id]) for claim_id in ids])
        found = await self._run(tx, _CLAIMS, ids=ids)
        rows = (claim_row(ClaimId(row[0]), row[1], tuple(row[2:8]), row[8]) for row in found)
        return {row.claim_id: row for row in rows}

    async def save_claims(self, tx: Tx, rows: Sequence[ClaimRow]) -> None:
        changed = [(row, columns) for row in rows if (columns := claim_columns(row)) != row.stored]
        await self._many(tx, _SAVE_CLAIMS, [(row.claim_id, *columns) for row, columns in changed])
        for row, columns in changed:
            row.stored = columns

    async def due_claims(self, tx: Tx, now: datetime, partitions: Collection[int], limit: int) -> list[ClaimId]:
        found = await self._run(tx, _DUE_CLAIMS, now=now, partitions=sorted(partitions), limit=limit)
        return [ClaimId(claim_id) for (claim_id,) in found]

    async def queued_claims(
        self, tx: Tx, partitions: Collection[int], limit: int, past: ClaimId | None = None
    ) -> list[ClaimId]:
        past = past or ClaimId(UUID(int=0))
        found = await self._run(tx, _QUEUED_CLAIMS, partitions=sorted(partitions), limit=limit, past=past)
        return [ClaimId(claim_id) for (claim_id,) in found]

    async def standing_claims(self, tx: Tx, limit: int) -> list[tuple[ClaimRow, int]]:
        found = await self._run(tx, _STANDING_CLAIMS, limit=limit)
        return [(claim_row(ClaimId(row[0]), row[1], tuple(row[2:8])), row[8]) for row in found]

    async def enqueue(self, tx: Tx, entries: Sequence[tuple[ClaimId, Record]]) -> None:
        await self._many(tx, _ENQUEUE, [(claim_id, *_columns(record)) for claim_id, record in entries])

    async def queue(self, tx: Tx, claim_ids: Collection[ClaimId], limit: int) -> dict[ClaimId, list[QueueEntry]]:
        found: dict[ClaimId, list[QueueEntry]] = {}
        for number, held, *record in await self._run(tx, _QUEUE, ids=sorted(claim_ids), limit=limit):
            claim_id = ClaimId(held)
            found.setdefault(claim_id, []).append(QueueEntry(number, claim_id, _record(record)))
        return found

    async def dequeue(self, tx: Tx, numbers: Collection[int]) -> None:
        if numbers:
            await self._run(tx, _DEQUEUE, numbers=sorted(numbers))

    async def add_answers(self, tx: Tx, answers: Sequence[Answer]) -> None:
        rows = ((*_OF_ANSWER(one), headers_text(one.headers), one.stored_at) for one in answers)
        await self._many(tx, _ADD_ANSWERS, rows)

    async def unmarked(self, tx: Tx, claim_ids: Collection[ClaimId]) -> list[Answer]:
        return [_answer(row) for row in await self._run(tx, _UNMARKED, ids=sorted(claim_ids))]

    async def unmarked_of(
        self, tx: Tx, partitions: Collection[int] | None, before: datetime, limit: int
    ) -> list[Answer]:
        numbers = None if partitions is None else sorted(partitions)
        found = await self._run(tx, _UNMARKED_OF, partitions=numbers, before=before, limit=limit)
        return [_answer(row) for row in found]

    async def expire_answers(self, tx: Tx, before: datetime) -> None:
        await self._run(tx, _EXPIRE_ANSWERS, before=before, limit=EXPIRE_MAX)

    async def mark(self, tx: Tx, event_ids: Collection[UUID]) -> int:
        return int((await self._run(tx, _MARK, ids=list(event_ids))).scalar_one()) if event_ids else 0

    async def add_work(self, tx: Tx, rows: Sequence[WorkRow]) -> None:
        written = [(w.work_id, w.kind, w.claim_id, json.dumps(w.payload), w.due_at, w.event_id) for w in rows]
        await self._many(tx, _ADD_WORK, written)

    async def lease_work(
        self, tx: Tx, kind: str, now: datetime, until: datetime, token: UUID, limit: int
    ) -> list[WorkRow]:
        found = await self._run(tx, _LEASE_WORK, kind=kind, now=now, until=until, token=token, limit=limit)
        return [
            WorkRow(
                UUID(int=work_id.int), kind, ClaimId(claim_id), json.loads(payload), due_at, event_id, attempt, token
            )
            for work_id, kind, claim_id, payload, due_at, event_id, attempt, _ in found
        ]

    async def release_leases(self, tx: Tx, first: UUID, last: UUID) -> None:
        await self._run(tx, _RELEASE_LEASES, first=first, last=last)

    async def hold_work(self, tx: Tx, work_ids: Collection[UUID], token: UUID) -> set[UUID]:
        found = await self._run(tx, _HOLD_WORK, ids=sorted(work_ids), token=token)
        return {UUID(int=work_id.int) for (work_id,) in found}

    async def finish_work(self, tx: Tx, work_ids: Collection[UUID]) -> None:
        await self._run(tx, _FINISH_WORK, ids=sorted(work_ids))

    async def postpone_work(self, tx: Tx, due: Mapping[UUID, datetime]) -> None:
        await self._many(tx, _POSTPONE_WORK, sorted(due.items()))

    async def new_commands(self, tx: Tx, command_ids: Collection[UUID]) -> set[UUID]:
        found = await self._run(tx, _KNOWN_COMMANDS, ids=sorted(command_ids))
        return set(command_ids) - {UUID(int=known.int) for (known,) in found}

    async def take_command(self, tx: Tx, command_id: UUID, now: datetime) -> bool:
        return (await self._run(tx, _TAKE_COMMAND, command_id=command_id, now=now)).first() is not None

    async def settle_command(self, tx: Tx, command_id: UUID, outcome: str, detail: str) -> None:
        await self._run(tx, _SETTLE_COMMAND, command_id=command_id, outcome=outcome, detail=detail)

    async def command_outcomes(self, tx: Tx, since: datetime) -> list[tuple[UUID, str, str, datetime]]:
        found = await self._run(tx, _COMMAND_OUTCOMES, since=since)
        return [(UUID(int=command_id.int), *rest) for command_id, *rest in found]

    async def add_dead_letters(self, tx: Tx, letters: Sequence[DeadLetter]) -> None:
        rows = ((one.dead_letter_id, one.claim_id, *_columns(one.record), *_OF_LETTER(one)) for one in letters)
        await self._many(tx, _ADD_DEAD_LETTERS, rows)

    async def dead_letter(self, tx: Tx, dead_letter_id: UUID) -> DeadLetter | None:
        row = (await self._run(tx, _DEAD_LETTER, dead_letter_id=dead_letter_id)).first()
        if row is None:
            return None
        claim_id = ClaimId(row[0]) if row[0] else None
        return DeadLetter(dead_letter_id, claim_id, _record(row[1:8]), *tuple[Any, ...](row[8:]))

    async def close_dead_letter(self, tx: Tx, dead_letter_id: UUID, state: str) -> None:
        await self._run(tx, _CLOSE_DEAD_LETTER, dead_letter_id=dead_letter_id, state=state)

    async def open_dead_letters(self, tx: Tx) -> int:
        return int((await self._run(tx, _OPEN_DEAD_LETTERS)).scalar_one())


def _columns(record: Record) -> tuple[Any, ...]:
    return (*record[:6], headers_text(record.headers))


def _record(columns: Sequence[Any]) -> Record:
    topic, partition, offset, timestamp_ms, key, value, headers = columns
    return Record(topic, partition, offset, timestamp_ms, key, value, headers_of(headers))


def _answer(row: Sequence[Any]) -> Answer:
    event_id, claim_id, topic, partition, sequence, cause_id, key, value, headers, stored_at = row
    claim = ClaimId(claim_id) if claim_id else None
    event_id, cause_id = UUID(int=event_id.int), UUID(int=cause_id.int)
    return Answer(event_id, claim, topic, partition, sequence, cause_id, key, value, headers_of(headers), stored_at)
