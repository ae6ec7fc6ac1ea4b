"""The runner's tables in memory, behind the same port, for the simulation and the fast tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.ports import Tx
from messaging.record import Record, TopicPartition
from messaging.rows import Answer, ClaimRow, DeadLetter, Position, QueueEntry, WorkRow, claim_columns, claim_row
from messaging.tables import EXPIRE_MAX, Fenced
from schemas.ids import ClaimId


class DuplicateKey(ValueError):
    """A row of this key exists already."""


class MemoryTables:
    """See `messaging.tables.Tables`. Unmarked answers and standing claims are kept apart, as by partial indexes."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def _table(self, tx: Tx, name: str) -> Any:
        return tx.table(f"runner_{name}:{self.stage}")

    def _add(self, tx: Tx, name: str, key: Any, row: Any) -> None:
        table = self._table(tx, name)
        if key in table:
            raise DuplicateKey(f"runner_{name}")
        table[key] = row

    async def positions(self, tx: Tx) -> dict[TopicPartition, Position]:
        return dict(self._table(tx, "positions"))

    async def create_positions(self, tx: Tx, positions: Sequence[Position]) -> None:
        table = self._table(tx, "positions")
        for position in positions:
            if position.place not in table:
                table[position.place] = position

    async def advance(
        self, tx: Tx, moves: Mapping[TopicPartition, tuple[int, int]], cautious: Collection[TopicPartition] = ()
    ) -> None:
        table = self._table(tx, "positions")
        for place, (expected, after) in moves.items():
            held = table.get(place)
            if held is None or held.next_offset != expected:
                raise Fenced("a position is not where this process left it")
            starts = held.starts if place in cautious else 0
            table[place] = replace(held, next_offset=after, attempts=0, starts=starts)

    async def count_start(self, tx: Tx, places: Collection[TopicPartition]) -> None:
        table = self._table(tx, "positions")
        for place in places:
            table[place] = replace(table[place], starts=table[place].starts + 1)

    async def count_attempt(self, tx: Tx, place: TopicPartition) -> int:
        table = self._table(tx, "positions")
        table[place] = replace(table[place], attempts=table[place].attempts + 1)
        return int(table[place].attempts)

    async def lock_claims(self, tx: Tx, partitions: Mapping[ClaimId, int]) -> dict[ClaimId, ClaimRow]:
        table = self._table(tx, "claims")
        unmarked = {answer.claim_id for answer in self._table(tx, "unmarked").values()}
        found = {}
        for claim_id in sorted(partitions):
            if claim_id not in table:
                table[claim_id] = (partitions[claim_id], (1, "", "", False, None, None))
            partition, columns = table[claim_id]
            found[claim_id] = claim_row(claim_id, partition, columns, claim_id in unmarked)
        return found

    async def save_claims(self, tx: Tx, rows: Sequence[ClaimRow]) -> None:
        table, standing = self._table(tx, "claims"), self._table(tx, "standing")
        for row in rows:
            table[row.claim_id] = (row.partition, claim_columns(row))
            if row.queued or row.blocked:
                standing[row.claim_id] = row.partition
            elif row.claim_id in standing:
                del standing[row.claim_id]

    def _standing(
        self, tx: Tx, partitions: Collection[int] | None, limit: int, fits: Callable[[ClaimRow], bool]
    ) -> list[ClaimRow]:
        table = self._table(tx, "claims")
        ids = sorted(self._table(tx, "standing"))
        rows = (claim_row(claim_id, *table[claim_id]) for claim_id in ids)
        return [row for row in rows if (partitions is None or row.partition in partitions) and fits(row)][:limit]

    async def due_claims(self, tx: Tx, now: datetime, partitions: Collection[int], limit: int) -> list[ClaimId]:
        def due(row: ClaimRow) -> bool:
            return row.blocked is not None and row.blocked.due_at is not None and row.blocked.due_at <= now

        return [row.claim_id for row in self._standing(tx, partitions, limit, due)]

    async def queued_claims(
        self, tx: Tx, partitions: Collection[int], limit: int, past: ClaimId | None = None
    ) -> list[ClaimId]:
        def left(row: ClaimRow) -> bool:
            return row.queued and row.blocked is None and (past is None or row.claim_id > past)

        return [row.claim_id for row in self._standing(tx, partitions, limit, left)]

    async def standing_claims(self, tx: Tx, limit: int) -> list[tuple[ClaimRow, int]]:
        queue = self._table(tx, "queue")
        rows = self._standing(tx, None, limit, lambda row: True)
        return [(row, sum(entry.claim_id == row.claim_id for entry in queue.values())) for row in rows]

    async def enqueue(self, tx: Tx, entries: Sequence[tuple[ClaimId, Record]]) -> None:
        queue, numbers = self._table(tx, "queue"), self._table(tx, "numbers")
        held = {entry.record[:3] for entry in queue.values()} if entries else set()
        for claim_id, record in entries:
            if record[:3] not in held:
                numbers["queue"] = number = numbers.get("queue", 0) + 1
                queue[number] = QueueEntry(number, claim_id, record)
                held.add(record[:3])

    async def queue(self, tx: Tx, claim_ids: Collection[ClaimId], limit: int) -> dict[ClaimId, list[QueueEntry]]:
        found: dict[ClaimId, list[QueueEntry]] = {}
        for _, entry in sorted(self._table(tx, "queue").items()):
            if entry.claim_id in claim_ids and len(found.setdefault(entry.claim_id, [])) < limit:
                found[entry.claim_id].append(entry)
        return found

    async def dequeue(self, tx: Tx, numbers: Collection[int]) -> None:
        self._remove(self._table(tx, "queue"), numbers)

    async def add_answers(self, tx: Tx, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._add(tx, "answers", answer.event_id, answer)
            self._table(tx, "unmarked")[answer.event_id] = answer

    async def unmarked(self, tx: Tx, claim_ids: Collection[ClaimId]) -> list[Answer]:
        return sorted(
            (answer for answer in self._table(tx, "unmarked").values() if answer.claim_id in claim_ids), key=_in_turn
        )

    async def unmarked_of(
        self, tx: Tx, partitions: Collection[int] | None, before: datetime, limit: int
    ) -> list[Answer]:
        oldest: dict[Any, datetime] = {}
        fitting = [
            answer
            for answer in self._table(tx, "unmarked").values()
            if partitions is None or answer.partition in partitions
        ]
        for answer in fitting:
            group = answer.claim_id or answer.event_id
            oldest[group] = min(answer.stored_at, oldest.get(group, answer.stored_at))
        due = [answer for answer in fitting if oldest[answer.claim_id or answer.event_id] < before]
        return sorted(due, key=lambda one: (oldest[one.claim_id or one.event_id], *_in_turn(one)))[:limit]

    async def expire_answers(self, tx: Tx, before: datetime) -> None:
        answers, unmarked = self._table(tx, "answers"), self._table(tx, "unmarked")
        old = sorted(name for name, answer in answers.items() if answer.stored_at < before and name not in unmarked)
        self._remove(answers, old[:EXPIRE_MAX])

    async def mark(self, tx: Tx, event_ids: Collection[UUID]) -> int:
        self._remove(self._table(tx, "unmarked"), event_ids)
        work, wanted = self._table(tx, "work"), set(event_ids)
        ready = [work_id for work_id, (row, _) in work.items() if row.event_id in wanted]
        for work_id in ready:
            work[work_id] = (replace(work[work_id][0], event_id=None), None)
        return len(ready)

    async def add_work(self, tx: Tx, rows: Sequence[WorkRow]) -> None:
        for row in rows:
            self._add(tx, "work", row.work_id, (replace(row, payload=json.loads(json.dumps(row.payload))), None))

    async def lease_work(
        self, tx: Tx, kind: str, now: datetime, until: datetime, token: UUID, limit: int
    ) -> list[WorkRow]:
        work = self._table(tx, "work")
        due = [
            row
            for row, leased in work.values()
            if row.kind == kind and row.event_id is None and row.due_at <= now and (leased is None or leased <= now)
        ]
        due = sorted(due, key=lambda row: (row.due_at, row.work_id))[:limit]
        taken = [replace(row, token=token, attempt=row.attempt + 1) for row in due]
        for row in taken:
            work[row.work_id] = (row, until)
        return taken

    async def release_leases(self, tx: Tx, first: UUID, last: UUID) -> None:
        work = self._table(tx, "work")
        for row, _ in list(work.values()):
            if row.token is not None and first <= row.token <= last:
                work[row.work_id] = (replace(row, token=None), None)

    async def hold_work(self, tx: Tx, work_ids: Collection[UUID], token: UUID) -> set[UUID]:
        work = self._table(tx, "work")
        return {work_id for work_id in work_ids if work_id in work and work[work_id][0].token == token}

    async def finish_work(self, tx: Tx, work_ids: Collection[UUID]) -> None:
        self._remove(self._table(tx, "work"), work_ids)

    async def postpone_work(self, tx: Tx, due: Mapping[UUID, datetime]) -> None:
        work = self._table(tx, "work")
        for work_id in due.keys() & set(work):
            work[work_id] = (replace(work[work_id][0], due_at=due[work_id], token=None), None)

    async def new_commands(self, tx: Tx, command_ids: Collection[UUID]) -> set[UUID]:
        return set(command_ids) - set(self._table(tx, "commands"))

    async def take_command(self, tx: Tx, command_id: UUID, now: datetime) -> bool:
        commands = self._table(tx, "commands")
        fresh = command_id not in commands
        if fresh:
            commands[command_id] = (None, None, now)
        return fresh

    async def settle_command(self, tx: Tx, command_id: UUID, outcome: str, detail: str) -> None:
        commands = self._table(tx, "commands")
        if command_id in commands and commands[command_id][0] is None:
            commands[command_id] = (outcome, detail, commands[command_id][2])

    async def command_outcomes(self, tx: Tx, since: datetime) -> list[tuple[UUID, str, str, datetime]]:
        settled = [
            (command_id, *rest) for command_id, rest in self._table(tx, "commands").items() if rest[0] is not None
        ]
        return sorted((one for one in settled if one[3] >= since), key=lambda one: (one[3], one[0]))

    async def add_dead_letters(self, tx: Tx, letters: Sequence[DeadLetter]) -> None:
        table = self._table(tx, "dead_letters")
        for letter in letters:
            for key, held in list(table.items()):
                if held.record[:3] == letter.record[:3]:
                    letter = replace(letter, first_at=held.first_at)
                    del table[key]
            table[letter.dead_letter_id] = letter

    async def dead_letter(self, tx: Tx, dead_letter_id: UUID) -> DeadLetter | None:
        found: DeadLetter | None = self._table(tx, "dead_letters").get(dead_letter_id)
        return found

    async def close_dead_letter(self, tx: Tx, dead_letter_id: UUID, state: str) -> None:
        table = self._table(tx, "dead_letters")
        if dead_letter_id in table:
            table[dead_letter_id] = replace(table[dead_letter_id], state=state)

    async def open_dead_letters(self, tx: Tx) -> int:
        return sum(letter.state == "open" for letter in self._table(tx, "dead_letters").values())

    def _remove(self, table: Any, keys: Collection[Any]) -> None:
        for key in keys:
            if key in table:
                del table[key]


def _in_turn(answer: Answer) -> tuple[Any, ...]:
    """By claim and sequence; a dead letter, without a sequence, comes last."""
    return (answer.claim_id or answer.event_id, answer.sequence is None, answer.sequence or 0)
