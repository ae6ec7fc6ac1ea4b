"""The loop of all stages on all engines: store the answer, the state and the position in one transaction; then
publish, mark, and only then acknowledge.

A skipped record is a gap in the position and ends the process; a second owner of a partition is fenced by the
conditional update; an exception in a decision is halved down to its culprit, which blocks only its own claim.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from messaging import crash_points
from messaging.arrival import Decoder
from messaging.claim_queues import TRIES, ClaimQueues
from messaging.deciding import PROCESS_ENDED, HandlerFault, Working, backoff, claims_of
from messaging.ports import Clock, Fatal, LogInfo, Store
from messaging.publishing import Publisher
from messaging.record import Record, TopicPartition
from messaging.rows import Position
from messaging.stage import Stage
from messaging.tables import Tables
from schemas.topics import topic_of

TRY_PAUSES_SECONDS = (0.1, 0.4)
CAUTIOUS_STARTS = 2
CAUTIOUS_RECORDS = 500


class StageRunner(ClaimQueues):
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
        super().__init__(stage, tables, store, publisher, decoder, clock, partitions, release, paused)
        self.group = stage.name
        self.topics = tuple(topic_of(writer) for writer in stage.reads)
        self._log_info = log_info
        self._next: dict[TopicPartition, int] = {}
        self._cautious: dict[TopicPartition, int] = {}
        self.records_done = 0
        self._batch: Sequence[Record] = ()

    def positions(self) -> dict[TopicPartition, int]:
        return dict(self._next)

    def undecided_ms(self, place: TopicPartition) -> int | None:
        """When the record at the position was appended, if it is in the batch under way."""
        here = (*place, self._next.get(place))
        return next((record.timestamp_ms for record in self._batch if record[:3] == here), None)

    # ---- assignment

    async def assigned(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        async with self._lock:
            ids = await self._log_info.topic_ids(self.topics)
            counts = await self._log_info.partitions(self.topics)
            limits = await self._log_info.offsets(list(places))
            for topic in self.topics:
                if counts.get(topic) != self._partitions:
                    raise Fatal(f"{self.stage.name}: {topic} has not the {self._partitions} partitions of the settings")
            async with self.store.begin() as tx:
                held = await self.tables.positions(tx)
                if not held:
                    first = [
                        Position(TopicPartition(topic, number), 0, ids[topic])
                        for topic in self.topics
                        for number in range(counts[topic])
                    ]
                    await self.tables.create_positions(tx, first)
                    held = await self.tables.positions(tx)
                for place in places:
                    self._check(place, held.get(place), ids[place.topic], limits[place])
                behind = [place for place in places if held[place].next_offset < limits[place][1]]
                await self.tables.count_start(tx, behind)
            numbers = frozenset(place.partition for place in places)
            await self.publisher.sweep(numbers, everything=True)
            self._next = {place: held[place].next_offset for place in places}
            self._cautious = {place: CAUTIOUS_RECORDS for place in behind if held[place].starts + 1 >= CAUTIOUS_STARTS}
            self.owned, self._leftovers = numbers, True
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
            self._batch = fresh
            careful = [record for record in fresh if record.place in self._cautious]
            await self._run([record for record in fresh if record.place not in self._cautious])
            for record in careful:
                await self._run_carefully(record)
            self._batch = ()
            crash_points.reach("input.ack")

    def _fresh(self, records: Sequence[Record]) -> list[Record]:
        """The records at and after our positions, without a gap, by log-append time across topics."""
        expected = dict(self._next)
        newest: dict[TopicPartition, int] = {}
        fresh: list[tuple[int, int, Record]] = []
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
            working = await self._transactor.repeated(partial(self._transact, records))
        except HandlerFault as fault:
            if len(records) == 1:
                await self._try_again(records, fault)
                return
            middle = len(records) // 2
            await self._run(records[:middle])
            await self._run(records[middle:])
            return
        await self._finish(working, records)

    async def _try_again(self, records: Sequence[Record], fault: HandlerFault) -> None:
        for pause in TRY_PAUSES_SECONDS[: TRIES - 1]:
            await self._clock.sleep(pause)
            try:
                working = await self._transactor.repeated(partial(self._transact, records))
            except HandlerFault as again:
                fault = again
                continue
            await self._finish(working, records)
            return
        await self._park(records, fault.code, fault.fingerprint)

    async def _run_carefully(self, record: Record) -> None:
        """Records the attempt first, so that a record that ends the process is isolated at the third start."""
        left = self._cautious.get(record.place, 0)
        if not left:
            await self._run([record])
            return
        async with self.store.begin() as tx:
            attempts = await self.tables.count_attempt(tx, record.place)
        if attempts >= TRIES - 1:
            await self._park([record], PROCESS_ENDED, PROCESS_ENDED)
        else:
            await self._run([record])
        if left > 1:
            self._cautious[record.place] = left - 1
        else:
            del self._cautious[record.place]

    async def _park(self, records: Sequence[Record], code: str, fingerprint: str) -> None:
        crash_points.reach("park.commit")
        working = await self._transactor.repeated(partial(self._transact, records, (code, fingerprint)))
        crash_points.reach("park.committed")
        await self._finish(working, records)

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
            working = self._working(await self.tables.lock_claims(tx, claims_of(arrivals, self._partitions)), facts)
            if park is not None:
                working.park(arrivals[0], *park, backoff(working.now, 1), 1)
            else:
                await self._load(working, arrivals, tx)
                for arrival in arrivals:
                    working.take(arrival)
            await self._transactor.keep(working, tx)
        crash_points.reach("answer.committed")
        return working

    async def _finish(self, working: Working, records: Sequence[Record]) -> None:
        """After the commit: publish, mark, move on in memory, then look at the queues of the claims touched."""
        await self.publisher.publish_working(working)
        for record in records:
            self._next[record.place] = record.offset + 1
        self.records_done += len(records)
        await self._drain([claim_id for claim_id, row in working.rows.items() if row.queued and not row.blocked])
