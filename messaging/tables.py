"""The runner's own tables behind a port: positions, claims, answers, the claim's queue, work, commands, dead letters.

Every method takes the open transaction, is bound to one stage, and costs one statement however many rows it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from messaging.ports import Tx
from messaging.record import Record, TopicPartition
from messaging.rows import Answer, ClaimRow, DeadLetter, Position, QueueEntry, WorkRow
from schemas.ids import ClaimId

EXPIRE_MAX = 5_000


class Fenced(Exception):
    """Another process has moved a position of ours: it owns the partition now."""


class Tables(Protocol):
    stage: str

    # positions
    async def positions(self, tx: Tx) -> dict[TopicPartition, Position]: ...
    async def create_positions(self, tx: Tx, positions: Sequence[Position]) -> None:
        """Existing rows stay as they are."""

    async def advance(
        self, tx: Tx, moves: Mapping[TopicPartition, tuple[int, int]], cautious: Collection[TopicPartition] = ()
    ) -> None:
        """Moves each position from the expected offset to the new one; Fenced if any is not there.

        Clears the attempts, and the starts without progress except of the cautious places.
        """

    async def count_start(self, tx: Tx, places: Collection[TopicPartition]) -> None: ...
    async def count_attempt(self, tx: Tx, place: TopicPartition) -> int:
        """Attempts at the position's next record, this one included."""

    # claims
    async def lock_claims(self, tx: Tx, partitions: Mapping[ClaimId, int]) -> dict[ClaimId, ClaimRow]:
        """Inserts the absent ones, locks all in id order; `unmarked` says whether unpublished answers exist."""

    async def save_claims(self, tx: Tx, rows: Sequence[ClaimRow]) -> None: ...
    async def due_claims(self, tx: Tx, now: datetime, partitions: Collection[int], limit: int) -> list[ClaimId]: ...
    async def queued_claims(
        self, tx: Tx, partitions: Collection[int], limit: int, past: ClaimId | None = None
    ) -> list[ClaimId]:
        """Claims with a queue and no block, in id order after `past`: what a crash left between commit and draining."""

    async def standing_claims(self, tx: Tx, limit: int) -> list[tuple[ClaimRow, int]]:
        """Blocked or queued claims with the length of their queues, for the status topic."""

    # the claim's queue
    async def enqueue(self, tx: Tx, entries: Sequence[tuple[ClaimId, Record]]) -> None:
        """A record already queued (same topic, partition, offset) is not queued twice."""

    async def queue(self, tx: Tx, claim_ids: Collection[ClaimId], limit: int) -> dict[ClaimId, list[QueueEntry]]:
        """The first entries of each claim, in order of arrival."""

    async def dequeue(self, tx: Tx, numbers: Collection[int]) -> None: ...

    # answers
    async def add_answers(self, tx: Tx, answers: Sequence[Answer]) -> None: ...
    async def unmarked(self, tx: Tx, claim_ids: Collection[ClaimId]) -> list[Answer]:
        """Unmarked answers of these claims in sequence order."""

    async def unmarked_of(
        self, tx: Tx, partitions: Collection[int] | None, before: datetime, limit: int
    ) -> list[Answer]:
        """Unmarked answers of these partition numbers (None: all) stored before an instant, oldest claims first."""

    async def expire_answers(self, tx: Tx, before: datetime) -> None:
        """Deletes marked answers stored before an instant, a bounded number at a time."""

    async def mark(self, tx: Tx, event_ids: Collection[UUID]) -> int:
        """Marks as published; work rows tied to them become ready; the number of these."""

    # work
    async def add_work(self, tx: Tx, rows: Sequence[WorkRow]) -> None: ...
    async def lease_work(
        self, tx: Tx, kind: str, now: datetime, until: datetime, token: UUID, limit: int
    ) -> list[WorkRow]: ...
    async def release_leases(self, tx: Tx, first: UUID, last: UUID) -> None:
        """Ends the leases under tokens of this range: an earlier life of the same process held them."""

    async def hold_work(self, tx: Tx, work_ids: Collection[UUID], token: UUID) -> set[UUID]:
        """Locks the rows and says which are still leased under this token."""

    async def finish_work(self, tx: Tx, work_ids: Collection[UUID]) -> None: ...
    async def postpone_work(self, tx: Tx, due: Mapping[UUID, datetime]) -> None: ...

    # commands and dead letters
    async def new_commands(self, tx: Tx, command_ids: Collection[UUID]) -> set[UUID]: ...
    async def take_command(self, tx: Tx, command_id: UUID, now: datetime) -> bool:
        """False if it was taken before: a command is applied once."""

    async def settle_command(self, tx: Tx, command_id: UUID, outcome: str, detail: str) -> None:
        """The first outcome stays."""

    async def command_outcomes(self, tx: Tx, since: datetime) -> list[tuple[UUID, str, str, datetime]]: ...
    async def add_dead_letters(self, tx: Tx, letters: Sequence[DeadLetter]) -> None:
        """A later attempt at the same record replaces the earlier row and keeps its first_at."""

    async def dead_letter(self, tx: Tx, dead_letter_id: UUID) -> DeadLetter | None: ...
    async def close_dead_letter(self, tx: Tx, dead_letter_id: UUID, state: str) -> None: ...
    async def open_dead_letters(self, tx: Tx) -> int: ...
