"""What waits behind a claim's head: taken up in turn, when due, or by a person's command.

The row of the claim decides: everything here locks it first, so that a claim's events are never decided concurrently
or on stale state. A drain is a batch without offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from messaging import crash_points
from messaging.arrival import Arrival, Decoder
from messaging.deciding import (
    PROCESS_ENDED,
    HandlerFault,
    Working,
    backoff,
    claims_of,
    claims_of_ids,
    to_load,
)
from messaging.ports import Clock, Store, Tx
from messaging.publishing import Publisher
from messaging.rows import ClaimRow, Turn
from messaging.stage import Stage
from messaging.tables import Tables
from messaging.transacting import Transactor
from schemas.ids import ClaimId
from schemas.outcomes import ErrorClass

TRIES = 3
QUEUE_MAX = 500
DRAIN_CLAIMS = 100
DUE_MAX = 200
TAKEN = "taken already"
"""Another process of the stage has this command: its outcome is the other's to tell."""
TxFirst = Callable[[Tx], Awaitable[bool]]


class ClaimQueues:
    """The queues of one stage's claims. One lock in the process, row locks between processes."""

    def __init__(
        self,
        stage: Stage,
        tables: Tables,
        store: Store,
        publisher: Publisher,
        decoder: Decoder,
        clock: Clock,
        partitions: int,
        release: str = "dev",
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self.stage, self.tables, self.store, self.publisher = stage, tables, store, publisher
        self._decoder, self._clock = decoder, clock
        self._partitions, self._release = partitions, release
        self.paused = paused
        self._transactor = Transactor(stage.name, tables, store)
        self._lock = asyncio.Lock()
        self.owned: frozenset[int] = frozenset()
        self._leftovers = False

    def _working(self, rows: dict[ClaimId, ClaimRow], facts: Any = None) -> Working:
        return Working(self.stage, self._partitions, self._release, self._clock.now(), rows, facts=facts)

    async def _prepare(self, arrivals: Sequence[Arrival]) -> Any:
        now = self._clock.now()
        inputs = [arrival.as_input(now) for arrival in arrivals if arrival.handled and arrival.fault is None]
        return await self._transactor.guarded(self.stage.handler.prepare(inputs)) if inputs else None

    async def _load(self, working: Working, arrivals: Sequence[Arrival], tx: Tx) -> None:
        wanted = to_load(arrivals, working.rows, self.stage.reads)
        if wanted:
            working.states = dict(await self._transactor.guarded(self.stage.handler.load(wanted, tx, working.facts)))

    # ---- taking up

    async def resume_due(self) -> int:
        """Takes up blocked claims whose time has come and, after an assignment, what a crash left undrained."""
        if self.paused() or not self.owned:
            return 0
        past: ClaimId | None = None
        while self._leftovers:
            async with self.store.begin() as tx:
                left = await self.tables.queued_claims(tx, self.owned, DUE_MAX, past)
            async with self._lock:
                await self._drain(left)
            past, self._leftovers = left[-1] if left else None, len(left) == DUE_MAX
        async with self.store.begin() as tx:
            due = await self.tables.due_claims(tx, self._clock.now(), self.owned, DUE_MAX)
        if due:
            async with self._lock:
                await self._disarm(due)
                await self._drain(due, unblock=True)
        return len(due)

    async def unblock(self, claim_id: ClaimId, tx_first: TxFirst | None = None) -> str:
        """Tries a parked claim again now. `tx_first` is run before a try that may end the process, for good."""
        async with self._lock:
            crash_points.reach("unpark.read")
            row = (await self._disarm([claim_id], tx_first))[claim_id]
            if row.blocked is not None and row.blocked.dead_letter_id is not None:
                return "failed: a dead letter blocks the claim, which is redriven or skipped"
            await self._drain([claim_id], unblock=True)
        return "succeeded" if row.blocked or row.queued else "nothing to unpark"

    async def _disarm(
        self, claim_ids: Collection[ClaimId], tx_first: TxFirst | None = None
    ) -> Mapping[ClaimId, ClaimRow]:
        """Claims parked because a record ended the process: should it end again, they wait for a person."""
        async with self.store.begin() as tx:
            rows = await self.tables.lock_claims(tx, claims_of_ids(claim_ids, self._partitions))
            armed = [row for row in rows.values() if row.blocked is not None and row.blocked.code == PROCESS_ENDED]
            for row in armed:
                assert row.blocked is not None
                row.blocked = replace(row.blocked, due_at=None, attempts=row.blocked.attempts + 1)
            await self.tables.save_claims(tx, armed)
            if armed and tx_first is not None:
                await tx_first(tx)
        return rows

    async def missing(self, claim_id: ClaimId) -> str:
        """The event a waiting claim waits for, as writer:number."""
        async with self.store.begin() as tx:
            row = (await self.tables.lock_claims(tx, claims_of_ids([claim_id], self._partitions)))[claim_id]
            entries = (await self.tables.queue(tx, [claim_id], QUEUE_MAX)).get(claim_id, [])
        envelopes = [self._decoder.decode(entry.record).envelope for entry in entries]
        there = {f"{one.writer}:{one.sequence}" for one in envelopes if one is not None}
        needed = (row.missing(one, self.stage.reads) for one in envelopes if one is not None)
        return next((name for name in needed if name is not None and name not in there), "nothing")

    # ---- draining

    async def _drain(self, claim_ids: Collection[ClaimId], unblock: bool = False) -> None:
        """Takes queued records whose turn has come, many claims in one transaction; on a fault each claim alone."""
        ids = sorted(claim_ids)
        for start in range(0, len(ids), DRAIN_CLAIMS):
            await self._drain_group(ids[start : start + DRAIN_CLAIMS], unblock)

    async def _drain_group(self, ids: list[ClaimId], unblock: bool) -> None:
        limit, faults, park = QUEUE_MAX, 0, None
        while ids:
            once = partial(self._drain_once, ids, unblock, limit, park)
            try:
                working, more = await self._transactor.repeated(once)
            except HandlerFault as fault:
                if len(ids) > 1:
                    for claim_id in ids:
                        await self._drain_group([claim_id], unblock)
                    return
                faults, limit = faults + (limit == 1), 1
                park = (fault.code, fault.fingerprint) if faults == TRIES else None
                continue
            await self.publisher.publish_working(working)
            ids, unblock, faults = more, False, 0

    async def _drain_once(
        self, ids: Sequence[ClaimId], unblock: bool, limit: int, park: tuple[str, str] | None
    ) -> tuple[Working, list[ClaimId]]:
        """One transaction; also the claims in which the limit left something behind."""
        async with self.store.begin() as tx:
            queues = await self.tables.queue(tx, ids, QUEUE_MAX)
        waiting: dict[ClaimId, list[Arrival]] = {}
        for claim_id, entries in queues.items():
            waiting[claim_id] = [self._decoder.decode(entry.record) for entry in entries]
            for arrival, entry in zip(waiting[claim_id], entries, strict=True):
                arrival.number = entry.number
        everything = [arrival for arrivals in waiting.values() for arrival in arrivals]
        facts = await self._prepare(everything) if park is None else None
        more = []
        async with self.store.begin() as tx:
            working = self._working(await self.tables.lock_claims(tx, claims_of_ids(ids, self._partitions)), facts)
            queues = await self.tables.queue(tx, ids, QUEUE_MAX)
            if park is None:
                await self._load(working, everything, tx)
            for claim_id, row in working.rows.items():
                if row.blocked is not None and not (unblock and row.blocked.dead_letter_id is None):
                    continue
                working.tried[claim_id] = row.blocked.attempts if row.blocked else 0
                row.blocked = None
                numbers = {entry.number for entry in queues.get(claim_id, ())}
                still = [arrival for arrival in waiting.get(claim_id, ()) if arrival.number in numbers]
                if self._take_in_turn(working, row, still, limit, park) or len(numbers) == QUEUE_MAX > len(still):
                    more.append(claim_id)
                row.queued = bool(numbers - set(working.done)) or len(numbers) == QUEUE_MAX
            await self._transactor.keep(working, tx)
        return working, more

    def _take_in_turn(
        self, working: Working, row: ClaimRow, waiting: list[Arrival], limit: int, park: tuple[str, str] | None
    ) -> bool:
        """Takes the earliest record whose turn has come, repeatedly; True if it stopped at the limit."""
        for _ in range(limit):
            turns = (place for place, arrival in enumerate(waiting) if working.place(arrival) is not Turn.WAIT)
            place = next(turns, None)
            if place is None or row.blocked is not None:
                return False
            crash_points.reach("unpark.each")
            ready = waiting.pop(place)
            if park is None:
                working.take(ready)
            else:
                tried = working.tried[row.claim_id] + 1
                working.park(ready, *park, backoff(working.now, tried), tried)
        return row.blocked is None

    # ---- commands

    async def redrive(self, dead_letter_id: UUID, tx_first: TxFirst) -> str:
        """Takes a dead-lettered original up again; `tx_first` runs first in the same transaction and may refuse."""
        async with self._lock:
            try:
                working, outcome = await self._transactor.repeated(partial(self._redrive, dead_letter_id, tx_first))
            except HandlerFault as fault:
                async with self.store.begin() as tx:
                    await tx_first(tx)
                return f"failed again: {fault.code}"
            await self.publisher.publish_working(working)
            await self._drain(working.rows)
            return outcome

    async def _redrive(self, dead_letter_id: UUID, tx_first: TxFirst) -> tuple[Working, str]:
        async with self.store.begin() as tx:
            letter = await self.tables.dead_letter(tx, dead_letter_id)
        arrival = self._decoder.decode(letter.record) if letter else None
        facts = await self._prepare([arrival]) if arrival else None
        async with self.store.begin() as tx:
            if not await tx_first(tx):
                return self._working({}), TAKEN
            letter = await self.tables.dead_letter(tx, dead_letter_id)
            if letter is None or arrival is None or letter.state != "open":
                return self._working({}), "nothing to redrive"
            rows = await self.tables.lock_claims(tx, claims_of([arrival], self._partitions))
            working = self._working(rows, facts)
            for row in rows.values():
                if row.blocked and row.blocked.dead_letter_id == dead_letter_id:
                    row.blocked = None
            await self._load(working, [arrival], tx)
            working.take(arrival, attempts=letter.attempts, first_at=letter.first_at)
            if not working.letters:
                await self.tables.close_dead_letter(tx, dead_letter_id, "redriven")
            await self._transactor.keep(working, tx)
            return working, f"failed again: {working.letters[0].code}" if working.letters else "succeeded"

    async def skip(
        self,
        tx_first: TxFirst,
        claim_id: ClaimId | None = None,
        writer: str | None = None,
        sequence: int | None = None,
        dead_letter_id: UUID | None = None,
    ) -> str:
        """Accepts a hole in a claim's events, or gives a dead letter up; its later events go on."""
        async with self._lock:
            once = partial(self._skip, tx_first, claim_id, writer, sequence, dead_letter_id)
            outcome, moved = await self._transactor.repeated(once)
            await self._drain(moved)
            return outcome

    async def _skip(
        self,
        tx_first: TxFirst,
        claim_id: ClaimId | None,
        writer: str | None,
        sequence: int | None,
        dead_letter_id: UUID | None,
    ) -> tuple[str, list[ClaimId]]:
        async with self.store.begin() as tx:
            if not await tx_first(tx):
                return TAKEN, []
            if dead_letter_id is not None:
                letter = await self.tables.dead_letter(tx, dead_letter_id)
                if letter is None or letter.state != "open":
                    return "nothing to skip", []
                claim_id = letter.claim_id
                envelope = self._decoder.decode(letter.record).envelope
                # What a stranger wrote says nothing about the true writer's sequence: the claim only goes on.
                if envelope is not None and letter.error_class != ErrorClass.SECURITY:
                    writer, sequence = envelope.writer, envelope.sequence
                await self.tables.close_dead_letter(tx, dead_letter_id, "skipped")
            if claim_id is None:
                return "succeeded", []
            row = (await self.tables.lock_claims(tx, claims_of_ids([claim_id], self._partitions)))[claim_id]
            moved = writer is not None and sequence is not None and row.skip(writer, sequence)
            if not moved and dead_letter_id is None:
                return "failed: the event named is not the next one missing", []
            if row.blocked is not None and row.blocked.dead_letter_id == dead_letter_id:
                row.blocked = None
            await self.tables.save_claims(tx, [row])
            return "succeeded", [claim_id]
