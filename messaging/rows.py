"""The runner's rows as values, and the pure rules of a claim's turn.

A reader has applied each writer's events of a claim up to a number. A record is *seen* at or below it, *in turn* when
it is the next and everything its `after` names from writers this stage reads has been applied; else it *waits*.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from messaging.record import Headers, Record, TopicPartition
from schemas.envelope import Envelope
from schemas.ids import ClaimId

SKIPPED = "-" * 16


class Turn(Enum):
    SEEN = "seen"
    REUSED = "sequence-reused"
    NEXT = "next"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Block:
    """Why a claim stands still. `due_at` None means: until a person's command."""

    code: str
    since: datetime
    due_at: datetime | None
    attempts: int
    fingerprint: str
    dead_letter_id: UUID | None = None


@dataclass(slots=True)
class ClaimRow:
    """One claim as one stage sees it. `applied` holds, per writer, 16 hex digits of each applied event's id.

    `stored` is what the tables last held, so that an unchanged row costs no write.
    """

    claim_id: ClaimId
    partition: int
    next_sequence: int = 1
    applied: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    queued: bool = False
    blocked: Block | None = None
    unmarked: bool = False
    stored: tuple[Any, ...] | None = field(default=None, compare=False, repr=False)

    def turn_of(self, envelope: Envelope, reads: Collection[str]) -> Turn:
        seen = self.applied.get(envelope.writer, ())
        if envelope.sequence <= len(seen):
            same = seen[envelope.sequence - 1] in (envelope.id.hex[:16], SKIPPED)
            return Turn.SEEN if same else Turn.REUSED
        return Turn.WAIT if self.missing(envelope, reads) else Turn.NEXT

    def missing(self, envelope: Envelope, reads: Collection[str]) -> str | None:
        """The first event, as writer:number, that must be applied before this one; None if it is in turn or seen."""
        needed = {**envelope.after, envelope.writer: envelope.sequence - 1}
        for writer, number in needed.items():
            seen = len(self.applied.get(writer, ()))
            if number > seen and writer in reads:
                return f"{writer}:{seen + 1}"
        return None

    def apply(self, envelope: Envelope) -> None:
        """Counts the event as applied and learns what its writer had applied."""
        self.applied.setdefault(envelope.writer, []).append(envelope.id.hex[:16])
        self.learn({**envelope.after, envelope.writer: envelope.sequence})

    def skip(self, writer: str, sequence: int) -> bool:
        """Accepts a hole: the applied number moves over the missing event."""
        seen = self.applied.setdefault(writer, [])
        if sequence != len(seen) + 1:
            return False
        seen.append(SKIPPED)
        self.learn({writer: sequence})
        return True

    def learn(self, after: Mapping[str, int]) -> None:
        for writer, number in after.items():
            self.after[writer] = max(number, self.after.get(writer, 0))


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored event or dead letter on its way to the log. Dead letters carry no sequence."""

    event_id: UUID
    claim_id: ClaimId | None
    topic: str
    partition: int
    sequence: int | None
    cause_id: UUID
    key: bytes | None
    value: bytes | None
    headers: Headers
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A record that waits behind its claim's head, bytes untouched; `number` gives the order of arrival."""

    number: int
    claim_id: ClaimId
    record: Record


@dataclass(frozen=True, slots=True)
class WorkRow:
    work_id: UUID
    kind: str
    claim_id: ClaimId
    payload: Mapping[str, Any]
    due_at: datetime
    event_id: UUID | None
    attempt: int = 0
    token: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be taken, original untouched, with why and how often."""

    dead_letter_id: UUID
    claim_id: ClaimId | None
    record: Record
    code: str
    error_class: str
    fingerprint: str
    attempts: int
    first_at: datetime
    last_at: datetime
    state: str = "open"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stage stands in one partition; `starts` counts starts without progress."""

    place: TopicPartition
    next_offset: int
    topic_id: str
    starts: int = 0
    attempts: int = 0


# ---- how rows are written; dead letters carry foreign headers, so names and values are kept bit by bit


def headers_text(headers: Headers) -> str:
    return json.dumps([(name, None if value is None else value.decode("latin-1")) for name, value in headers])


def headers_of(text: str) -> Headers:
    # Kafka allows a header without a value, whatever the type says.
    found: list[Any] = [(name, None if value is None else value.encode("latin-1")) for name, value in json.loads(text)]
    return found


def claim_columns(row: ClaimRow) -> tuple[int, str, str, bool, str | None, datetime | None]:
    """next_sequence, applied, after, queued, blocked, due_at."""
    applied = " ".join(f"{writer}:{''.join(ids)}" for writer, ids in row.applied.items())
    after = " ".join(f"{writer}:{number}" for writer, number in row.after.items())
    block = row.blocked
    if block is None:
        return row.next_sequence, applied, after, row.queued, None, None
    letter = str(block.dead_letter_id) if block.dead_letter_id else None
    blocked = json.dumps([block.code, block.since.isoformat(), block.attempts, block.fingerprint, letter])
    return row.next_sequence, applied, after, row.queued, blocked, block.due_at


def claim_row(claim_id: ClaimId, partition: int, columns: tuple[Any, ...], unmarked: bool = False) -> ClaimRow:
    """The reverse of `claim_columns`; the row remembers the columns."""
    next_sequence, applied, after, queued, blocked, due_at = columns
    row = ClaimRow(claim_id, partition, next_sequence, queued=queued, unmarked=unmarked, stored=columns)
    for part in applied.split():
        writer, _, ids = part.partition(":")
        row.applied[writer] = [ids[start : start + 16] for start in range(0, len(ids), 16)]
    for part in after.split():
        writer, _, number = part.partition(":")
        row.after[writer] = int(number)
    if blocked is not None:
        code, since, attempts, fingerprint, letter = json.loads(blocked)
        since = datetime.fromisoformat(since)
        row.blocked = Block(code, since, due_at, attempts, fingerprint, UUID(letter) if letter else None)
    return row
