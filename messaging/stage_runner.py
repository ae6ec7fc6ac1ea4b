"""The loop of all stages on all engines: store the answer, the state and the position in one transaction; then
publish, mark, and only then acknowledge.

A skipped record is a gap in the position and ends the process; a second owner of a partition is fenced by the
conditional update; an exception in a decision is halved down to its culprit, which blocks only its own claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from messaging import crash_points
from messaging.arrival import Arrival, Decoder
from messaging.deciding import HandlerFault, Working, backoff, claim_of, claims_of, to_load
from messaging.ports import Clock, Fatal, LogInfo, Store, Tx
from messaging.publishing import Publisher
from messaging.record import Record, TopicPartition
from messaging.rows import Position
from messaging.stage import Stage
from messaging.tables import Tables
from messaging.transacting import Transactor
from schemas.ids import ClaimId
from schemas.topics import topic_of

TRIES = 3
TRY_PAUSES_SECONDS = (0.1, 0.4)
CAUTIOUS_STARTS = 2
CAUTIOUS_RECORDS = 500
DRAIN_MAX = 500
DUE_MAX = 200


class StageRunner:
    """A Feed. One lock around batches, assignments and the draining of queues; row locks for everything else."""

    def __init__(
        self,
        stage: Stage,
        tables: Tables,
        store: Store,
        publisher: Publisher,
        log_info: LogInfo,
        decoder: Decoder,
        clock: Clock,
        partitions: int,
        release: str = "dev",
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self.stage, self.tables, self.store, self.publisher = stage, tables, store, publisher
        self.group = stage.name
        self.topics = tuple(topic_of(writer) for writer in stage.reads)
        self._log_info, self._decoder, self._clock = log_info, decoder, clock
        self._partitions, self._release = partitions, release
        self.paused = paused
        self._transactor = Transactor(stage.name, tables, store)
        self._lock = asyncio.Lock()
        self._next: dict[TopicPartition, int] = {}
        self._cautious: dict[TopicPartition, int] = {}
        self.owned: frozenset[int] = frozenset()
        self.records_done = 0
        self.busy_since: float | None = None

    def position(self, place: TopicPartition) -> int | None:
        return self._next.get(place)

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self._next)

    # ---- assignment

    async def assigned(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        async with self._lock:
            ids = await self._log_info.topic_ids(self.topics)
            limits = await self._log_info.offsets(list(places))
            async with self.store.begin() as tx:
                held = await self.tables.positions(tx)
                if not held:
                    counts = await self._log_info.partitions(self.topics)
                    first = [
                        Position(TopicPartition(topic, number), 0, ids[topic])
                        for topic in self.topics
                        for number in range(counts[topic])
                    ]
                    await self.tables.create_positions(tx, first)
                    held = await self.tables.positions(tx)
                for place in places:
                    self._check(place, held.get(place), ids[place.topic], limits[place])
                await self.tables.count_start(tx, list(places))
            numbers = frozenset(place.partition for place in places)
            await self.publisher.sweep(numbers, everything=True)
            self._next = {place: held[place].next_offset for place in places}
            self._cautious = {place: CAUTIOUS_RECORDS for place in places if held[place].starts + 1 >= CAUTIOUS_STARTS}
            self.owned = numbers
            return dict(self._next)

    def _check(self, place: TopicPartition, held: Position | None, topic_id: str, limits: tuple[int, int]) -> None:
        name = f"{self.stage.name}: {place.topic}-{place.partition}"
        if held is None:
            raise Fatal(
                f"{name} has no position: a topic or partition added later needs a migration that states its start"
            )
        if held.topic_id != topic_id:
            raise Fatal(f"{name} is not the topic this position was made for: the topic was deleted and made again")
        first, end = limits
        if not first <= held.next_offset <= end:
            raise Fatal(f"{name}: position {held.next_offset} lies outside the log [{first}, {end}]: records are gone")

    async def revoked(self, places: Collection[TopicPartition]) -> None:
        async with self._lock:
            for place in places:
                self._next.pop(place, None)
            self.owned = frozenset(place.partition for place in self._next)

    # ---- batches

    async def batch(self, records: Sequence[Record]) -> None:
        async with self._lock:
            fresh = self._fresh(records)
            if not fresh:
                return
            crash_points.reach("batch.received")
            self.busy_since = self._clock.now().timestamp()
            try:
                careful = [record for record in fresh if record.place in self._cautious]
                await self._run([record for record in fresh if record.place not in self._cautious])
                for record in careful:
                    await self._run_carefully(record)
            finally:
                self.busy_since = None
            crash_points.reach("input.ack")

    def _fresh(self, records: Sequence[Record]) -> list[Record]:
        """The records at and after our positions, without a gap, by log-append time across topics."""
        expected = dict(self._next)
        newest: dict[TopicPartition, int] = {}
        fresh = []
        for record in records:
            place = record.place
            if place not in expected:
                raise Fatal(f"{self.stage.name}: {place.topic}-{place.partition} delivered without a loaded position")
            if record.offset < expected[place]:
                continue
            if record.offset > expected[place]:
                raise Fatal(
                    f"{self.stage.name}: gap in {place.topic}-{place.partition}: "
                    f"expected offset {expected[place]}, got {record.offset}"
                )
            expected[place] = record.offset + 1
            newest[place] = max(newest.get(place, 0), record.timestamp_ms)
            fresh.append((newest[place], len(fresh), record))
        fresh.sort(key=lambda item: item[:2])
        return [record for _, _, record in fresh]

    async def _run(self, records: Sequence[Record]) -> None:
        """Halves on a handler's exception until the culprit stands alone; everybody else goes on, in order."""
        if not records:
            return
        try:
            await self._finish(await self._transactor.repeated(lambda: self._transact(records)), records)
        except HandlerFault as fault:
            if len(records) == 1:
                await self._try_again(records[0], fault)
                return
            middle = len(records) // 2
            await self._run(records[:middle])
            await self._run(records[middle:])

    async def _try_again(self, record: Record, fault: HandlerFault) -> None:
        for pause in TRY_PAUSES_SECONDS[: TRIES - 1]:
            await self._clock.sleep(pause)
            try:
                working = await self._transactor.repeated(lambda: self._transact([record]))
            except HandlerFault as again:
                fault = again
                continue
            await self._finish(working, [record])
            return
        await self._park(record, fault.code, fault.fingerprint)

    async def _run_carefully(self, record: Record) -> None:
        """Records the attempt first, so that a record that ends the process is isolated at the third start."""
        async with self.store.begin() as tx:
            attempts = await self.tables.count_attempt(tx, record.place)
        if attempts >= TRIES - 1:
            await self._park(record, "process-ended", "process-ended")
        else:
            await self._run([record])
        self._cautious[record.place] -= 1
        if not self._cautious[record.place]:
            del self._cautious[record.place]

    async def _park(self, record: Record, code: str, fingerprint: str) -> None:
        crash_points.reach("park.commit")
        working = await self._transactor.repeated(lambda: self._transact([record], park=(code, fingerprint)))
        crash_points.reach("park.committed")
        await self._finish(working, [record])

    async def _transact(self, records: Sequence[Record], park: tuple[str, str] | None = None) -> Working:
        arrivals = [self._decoder.decode(record) for record in records]
        crash_points.reach("decoded")
        facts = await self._prepare(arrivals) if park is None else None
        moves: dict[TopicPartition, tuple[int, int]] = {}
        for record in records:
            start = moves[record.place][0] if record.place in moves else record.offset
            moves[record.place] = (start, record.offset + 1)
        async with self.store.begin() as tx:
            await self.tables.advance(tx, moves, self._cautious)
            rows = await self.tables.lock_claims(tx, claims_of(arrivals, self._partitions))
            working = Working(self.stage, self._partitions, self._release, self._clock.now(), rows, facts=facts)
            if park is not None:
                working.park(arrivals[0], *park, backoff(working.now, 1), 1)
            else:
                await self._load(working, arrivals, tx)
                for arrival in arrivals:
                    working.take(arrival)
            await self._transactor.keep(working, tx)
        crash_points.reach("answer.committed")
        return working

    async def _prepare(self, arrivals: Sequence[Arrival]) -> Any:
        now = self._clock.now()
        inputs = [arrival.as_input(now) for arrival in arrivals if arrival.handled and arrival.fault is None]
        return await self._transactor.guarded(self.stage.handler.prepare(inputs)) if inputs else None

    async def _load(self, working: Working, arrivals: Sequence[Arrival], tx: Tx) -> None:
        wanted = to_load(arrivals, working.rows, self.stage.reads)
        if wanted:
            working.states = dict(await self._transactor.guarded(self.stage.handler.load(wanted, tx)))

    async def _finish(self, working: Working, records: Sequence[Record]) -> None:
        """After the commit: publish, mark, move on in memory, then look at the queues of the claims touched."""
        await self.publisher.publish_working(working)
        for record in records:
            self._next[record.place] = record.offset + 1
        self.records_done += len(records)
        for claim_id in sorted(claim_id for claim_id, row in working.rows.items() if row.queued and not row.blocked):
            await self._drain(claim_id)

    # ---- the claim's queue

    async def resume_due(self) -> int:
        """Takes up blocked claims whose time has come and queues left behind by a crash; the number taken up."""
        async with self.store.begin() as tx:
            due = await self.tables.due_claims(tx, self._clock.now(), self.owned, DUE_MAX)
            left = await self.tables.queued_claims(tx, self.owned, DUE_MAX)
        for claim_id in sorted({*due, *left}):
            async with self._lock:
                await self._drain(claim_id, unblock=claim_id in due)
        return len(due)

    async def unblock(self, claim_id: ClaimId) -> str:
        async with self._lock:
            crash_points.reach("unpark.read")
            await self._drain(claim_id, unblock=True)
        return "succeeded"

    async def missing(self, claim_id: ClaimId) -> str:
        """The event a waiting claim waits for, as writer:number."""
        async with self.store.begin() as tx:
            row = (await self.tables.lock_claims(tx, claim_of(claim_id, self._partitions)))[claim_id]
            entries = (await self.tables.queue(tx, [claim_id], DRAIN_MAX)).get(claim_id, [])
        for entry in entries:
            envelope = self._decoder.decode(entry.record).envelope
            if envelope is not None and (missing := row.missing(envelope, self.stage.reads)):
                return missing
        return "nothing"

    async def _drain(self, claim_id: ClaimId, unblock: bool = False) -> None:
        """Takes the earliest queued record whose turn has come, repeatedly, like a batch without offsets."""
        limit = DRAIN_MAX
        for attempt in range(TRIES + 1):
            try:
                working = await self._transactor.repeated(lambda: self._drain_once(claim_id, unblock, limit))
            except HandlerFault as fault:
                limit = 1
                if attempt < TRIES:
                    continue
                code, fingerprint = fault.code, fault.fingerprint
                working = await self._transactor.repeated(
                    lambda: self._drain_once(claim_id, unblock, 1, (code, fingerprint))
                )
            await self.publisher.publish_working(working)
            row = working.rows[claim_id]
            if limit == DRAIN_MAX or row.blocked or not working.done:
                return
            return await self._drain(claim_id)

    async def _drain_once(
        self, claim_id: ClaimId, unblock: bool, limit: int, park: tuple[str, str] | None = None
    ) -> Working:
        async with self.store.begin() as tx:
            entries = (await self.tables.queue(tx, [claim_id], DRAIN_MAX)).get(claim_id, [])
        waiting = []
        for entry in entries:
            arrival = self._decoder.decode(entry.record)
            arrival.number = entry.number
            waiting.append(arrival)
        facts = await self._prepare(waiting)
        async with self.store.begin() as tx:
            rows = await self.tables.lock_claims(tx, claim_of(claim_id, self._partitions))
            row = rows[claim_id]
            working = Working(self.stage, self._partitions, self._release, self._clock.now(), rows, facts=facts)
            still = {entry.number for entry in (await self.tables.queue(tx, [claim_id], DRAIN_MAX)).get(claim_id, [])}
            waiting = [arrival for arrival in waiting if arrival.number in still]
            blocked, attempts = row.blocked, row.blocked.attempts if row.blocked else 0
            if blocked and not (unblock and blocked.dead_letter_id is None):
                return working
            row.blocked = None
            await self._load(working, waiting, tx)
            while limit and row.blocked is None:
                ready = next((arrival for arrival in waiting if working.place(arrival).name != "WAIT"), None)
                if ready is None:
                    break
                crash_points.reach("unpark.each")
                waiting.remove(ready)
                if park is not None:
                    working.park(ready, *park, backoff(working.now, attempts + 1), attempts + 1)
                else:
                    working.take(ready)
                limit -= 1
            row.queued = bool(still - set(working.done))
            await self._transactor.keep(working, tx)
        return working

    # ---- commands

    async def redrive(self, dead_letter_id: UUID, tx_first: Callable[[Tx], Awaitable[bool]]) -> str:
        """Takes a dead-lettered original up again; `tx_first` runs first in the same transaction and may refuse."""
        async with self._lock:
            try:
                working, outcome = await self._transactor.repeated(lambda: self._redrive(dead_letter_id, tx_first))
            except HandlerFault as fault:
                return f"failed again: {fault.code}"
            await self.publisher.publish_working(working)
            for claim_id in sorted(working.rows):
                await self._drain(claim_id)
            return outcome

    async def _redrive(self, dead_letter_id: UUID, tx_first: Callable[[Tx], Awaitable[bool]]) -> tuple[Working, str]:
        async with self.store.begin() as tx:
            letter = await self.tables.dead_letter(tx, dead_letter_id)
        arrival = self._decoder.decode(letter.record) if letter else None
        facts = await self._prepare([arrival]) if arrival else None
        async with self.store.begin() as tx:
            first = await tx_first(tx)
            letter = await self.tables.dead_letter(tx, dead_letter_id)
            rows = {}
            if arrival is not None and letter is not None:
                rows = await self.tables.lock_claims(tx, claims_of([arrival], self._partitions))
            working = Working(self.stage, self._partitions, self._release, self._clock.now(), rows, facts=facts)
            if not first or letter is None or arrival is None or letter.state != "open":
                return working, "nothing to redrive"
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
        tx_first: Callable[[Tx], Awaitable[bool]],
        claim_id: ClaimId | None = None,
        writer: str | None = None,
        sequence: int | None = None,
        dead_letter_id: UUID | None = None,
    ) -> str:
        """Accepts a hole in a claim's events, or gives a dead letter up; its later events go on."""
        async with self._lock:
            async with self.store.begin() as tx:
                if not await tx_first(tx):
                    return "nothing to skip"
                if dead_letter_id is not None:
                    letter = await self.tables.dead_letter(tx, dead_letter_id)
                    if letter is None or letter.state != "open":
                        return "nothing to skip"
                    claim_id = letter.claim_id
                    envelope = self._decoder.decode(letter.record).envelope
                    if envelope is not None:
                        writer, sequence = envelope.writer, envelope.sequence
                    await self.tables.close_dead_letter(tx, dead_letter_id, "skipped")
                if claim_id is None:
                    return "succeeded"
                rows = await self.tables.lock_claims(tx, claim_of(claim_id, self._partitions))
                row = rows[claim_id]
                moved = writer is not None and sequence is not None and row.skip(writer, sequence)
                if not moved and dead_letter_id is None:
                    return "failed: the event named is not the next one missing"
                row.blocked = None
                await self.tables.save_claims(tx, [row])
            await self._drain(claim_id)
            return "succeeded"
