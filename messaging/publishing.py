"""Publish by claim: one function for batch loop, requests, dispatchers, sweeper and take-over.

Whoever committed publishes, in sequence order, every unmarked event of the claims it touched, whoever stored it. An
event already in flight in this process is awaited, not sent again. A late second copy is harmless: same id, same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

from messaging import crash_points
from messaging.deciding import Working, claims_of_ids
from messaging.ports import Clock, Producer, PublishFailed, Store, Tx
from messaging.record import Outgoing
from messaging.rows import Answer
from messaging.stage import Recorded, Stage
from messaging.tables import Tables
from messaging.transacting import Transactor
from schemas.ids import ClaimId

SWEEP_AFTER = timedelta(seconds=5)
SWEEP_MAX = 2000


class Publisher:
    """Sends stored answers and marks them. `on_ready` is called when marks made work rows ready."""

    def __init__(
        self, tables: Tables, store: Store, producer: Producer, clock: Clock, timeout_seconds: float = 60.0
    ) -> None:
        self._tables, self._store, self._producer, self._clock = tables, store, producer, clock
        self._timeout_seconds = timeout_seconds
        self._transactor = Transactor(tables.stage, tables, store)
        self._in_flight: dict[UUID, asyncio.Future[None]] = {}
        self.on_ready: Callable[[], None] = lambda: None
        self.published = 0

    async def publish(self, claim_ids: Collection[ClaimId], timeout_seconds: float | None = None) -> None:
        """Every unmarked event of these claims, read from the store; raises PublishFailed past the deadline."""
        if not claim_ids:
            return
        async with self._store.begin() as tx:
            answers = await self._tables.unmarked(tx, claim_ids)
        await self.publish_answers(answers, timeout_seconds)

    async def publish_answers(self, answers: Sequence[Answer], timeout_seconds: float | None = None) -> None:
        """These answers, in the order given: sends, awaits every acknowledgement, marks."""
        timeout_seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        awaited = {self._in_flight[answer.event_id] for answer in answers if answer.event_id in self._in_flight}
        mine = [answer for answer in answers if answer.event_id not in self._in_flight]
        if mine:
            await self._send(mine, timeout_seconds)
        if awaited:
            done, late = await asyncio.wait(awaited, timeout=timeout_seconds)
            if late or any(future.cancelled() or future.exception() for future in done):
                raise PublishFailed("an event in flight was not acknowledged in time")

    async def publish_working(self, working: Working) -> None:
        """After a commit: every unmarked event of the claims touched, whoever stored it."""
        earlier = {claim_id for claim_id, row in working.rows.items() if row.unmarked}
        await self.publish(earlier)
        await self.publish_answers([answer for answer in working.answers if answer.claim_id not in earlier])
        if any(work.event_id is None for work in working.work):
            self.on_ready()

    async def _send(self, answers: Sequence[Answer], timeout_seconds: float) -> None:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_flight.update((answer.event_id, sent) for answer in answers)
        dead = any(answer.sequence is None for answer in answers)
        try:
            crash_points.reach("dead-letter.send" if dead else "publish.send")
            outgoing = [Outgoing(a.topic, a.partition, a.key, a.value, a.headers) for a in answers]
            await self._producer.send(outgoing, timeout_seconds)
            crash_points.reach("dead-letter.acked" if dead else "publish.acked")
            crash_points.reach("published.mark")
            ready = await self._transactor.repeated(lambda: self._mark(answers))
            crash_points.reach("published.marked")
            self.published += len(answers)
            sent.set_result(None)
            if ready:
                self.on_ready()
        finally:
            for answer in answers:
                self._in_flight.pop(answer.event_id, None)
            if not sent.done():
                sent.cancel()

    async def _mark(self, answers: Sequence[Answer]) -> int:
        async with self._store.begin() as tx:
            return await self._tables.mark(tx, [answer.event_id for answer in answers])

    async def sweep(self, partitions: Collection[int] | None, everything: bool = False) -> int:
        """Publishes what has been stored and unmarked for 5 s (at take-over: at all); the number sent."""
        now = self._clock.now()
        before = now + timedelta(days=1) if everything else now - SWEEP_AFTER
        total = 0
        while True:
            async with self._store.begin() as tx:
                answers = await self._tables.unmarked_of(tx, partitions, before, SWEEP_MAX)
            await self.publish_answers(answers)
            total += len(answers)
            if len(answers) < SWEEP_MAX:
                return total


class Recorder:
    """Stores events whose cause is no event, inside the service's own transaction, with the claim's row locked."""

    def __init__(self, stage: Stage, tables: Tables, clock: Clock, partitions: int, release: str = "dev") -> None:
        self._stage, self._tables, self._clock = stage, tables, clock
        self._partitions, self._release = partitions, release

    async def record(self, tx: Tx, recorded: Sequence[Recorded]) -> list[Answer]:
        """What is to be published after the commit: these answers, and what their claims had unmarked before."""
        rows = await self._tables.lock_claims(tx, claims_of_ids({one.claim_id for one in recorded}, self._partitions))
        working = Working(self._stage, self._partitions, self._release, self._clock.now(), rows)
        for one in recorded:
            working.record(one)
        await self._tables.add_answers(tx, working.answers)
        await self._tables.add_work(tx, working.work)
        await self._tables.save_claims(tx, list(rows.values()))
        earlier = {claim_id for claim_id, row in rows.items() if row.unmarked}
        answers = await self._tables.unmarked(tx, earlier) if earlier else []
        return answers + [answer for answer in working.answers if answer.claim_id not in earlier]
