"""Carries out the work rows of a stage: lease in a short transaction, act outside any, record the outcomes in groups.

An effect may act twice for one row (a lease ran out, a process died), never be recorded twice: outcomes are stored
only under the token of the lease. No lock is held during a call, so a slow other side never blocks a partition.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import structlog

from messaging import crash_points
from messaging.deciding import WORK_RETRY_SECONDS, HandlerFault, Working, backoff, claims_of_ids
from messaging.ports import Clock, Store
from messaging.publishing import Publisher
from messaging.rows import WorkRow
from messaging.stage import Effect, Stage, WorkDone, WorkItem
from messaging.tables import Tables
from messaging.transacting import Transactor
from schemas.ids import work_cause
from schemas.outcomes import Emit, Nothing, Outcome, RetryLater

log = structlog.get_logger("work")
LEASE_MARGIN = 1.0


class Tokens:
    """Lease tokens of one process: the upper half says who leases, so that its next life can end its old leases."""

    def __init__(self, stage: str, instance: str, random_bytes: Callable[[int], bytes]) -> None:
        self._owner = sha256(f"{stage}:{instance}".encode()).digest()[:8]
        self._random_bytes = random_bytes

    def __call__(self) -> UUID:
        return UUID(bytes=self._owner + self._random_bytes(8))

    @property
    def range(self) -> tuple[UUID, UUID]:
        return UUID(bytes=self._owner + bytes(8)), UUID(bytes=self._owner + b"\xff" * 8)


class Dispatcher:
    """The work of one stage in one process. `poke` wakes it: rows may have become ready."""

    def __init__(
        self,
        stage: Stage,
        tables: Tables,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        partitions: int,
        new_token: Callable[[], UUID],
        release: str = "dev",
        idle_seconds: float = 1.0,
    ) -> None:
        self.stage, self.tables, self.store, self.publisher, self._clock = stage, tables, store, publisher, clock
        self._partitions, self._new_token, self._release = partitions, new_token, release
        self._idle_seconds = idle_seconds
        self._transactor = Transactor(stage.name, tables, store)
        self._ready = {effect.kind: asyncio.Event() for effect in stage.effects}

    def poke(self) -> None:
        for event in self._ready.values():
            event.set()

    async def run(self, effect: Effect, held: Callable[[], bool] = lambda: False) -> None:
        """Until cancelled: leases group after group, as many at a time as the effect allows, then waits until poked or
        until rows may have come due."""
        ready, slots = self._ready[effect.kind], asyncio.Semaphore(effect.concurrency)
        async with asyncio.TaskGroup() as groups:
            while True:
                ready.clear()
                await slots.acquire()
                leased = None if held() else await self._lease(effect)
                if leased is not None:
                    groups.create_task(self._carry(effect, *leased)).add_done_callback(lambda _: slots.release())
                    continue
                slots.release()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ready.wait(), self._idle_seconds)

    async def step(self, effect: Effect) -> int:
        """Takes one group through; the number of rows taken."""
        leased = await self._lease(effect)
        if leased is None:
            return 0
        await self._carry(effect, *leased)
        return len(leased[0])

    async def _lease(self, effect: Effect) -> tuple[list[WorkRow], UUID] | None:
        now, token = self._clock.now(), self._new_token()
        until = now + timedelta(seconds=effect.lease_seconds)
        async with self.store.begin() as tx:
            rows = await self.tables.lease_work(tx, effect.kind, now, until, token, effect.batch_max)
        return (rows, token) if rows else None

    async def _carry(self, effect: Effect, rows: Sequence[WorkRow], token: UUID) -> None:
        crash_points.reach("dispatch.claimed")
        items = [WorkItem(r.work_id, r.kind, r.claim_id, r.payload, r.attempt, r.due_at) for r in rows]
        try:
            async with asyncio.timeout(max(effect.lease_seconds - LEASE_MARGIN, LEASE_MARGIN)):
                results = await effect.act(items)
        except Exception as error:
            log.warning("an effect failed", stage=self.stage.name, kind=effect.kind, count=len(rows), exc_info=error)
            await self._postpone(rows, token)
            return
        if len(results) != len(items):
            raise ValueError(f"the effect {effect.kind} answered {len(results)} results for {len(items)} items")
        done = [WorkDone(item, result) for item, result in zip(items, results, strict=True)]
        await self._conclude(effect, done, rows, token)

    async def _conclude(self, effect: Effect, done: Sequence[WorkDone], rows: Sequence[WorkRow], token: UUID) -> None:
        """Records a group; when a conclusion raises, each alone, and the culprit waits longer and longer."""
        try:
            working = await self._transactor.repeated(lambda: self._record(effect, done, token))
        except HandlerFault as fault:
            if len(done) == 1:
                log.error("a conclusion failed", stage=self.stage.name, kind=effect.kind, code=fault.code)
                await self._postpone(rows, token)
                return
            for one, row in zip(done, rows, strict=True):
                await self._conclude(effect, [one], [row], token)
            return
        crash_points.reach("outcome.recorded")
        await self.publisher.publish_working(working)
        crash_points.reach("outcome.marked")

    async def _record(self, effect: Effect, done: Sequence[WorkDone], token: UUID) -> Working:
        async with self.store.begin() as tx:
            held = await self.tables.hold_work(tx, [one.item.work_id for one in done], token)
            mine = [one for one in done if one.item.work_id in held]
            claim_ids = sorted({one.item.claim_id for one in mine})
            rows = await self.tables.lock_claims(tx, claims_of_ids(claim_ids, self._partitions))
            working = Working(self.stage, self._partitions, self._release, self._clock.now(), rows)
            if claim_ids:
                working.states = dict(await self._transactor.guarded(self.stage.handler.load(claim_ids, tx, None)))
            later, finished = {}, []
            for one in mine:
                outcome = self._ask(effect, working, one)
                if isinstance(outcome, Emit | Nothing):
                    cause = work_cause(one.item.work_id, one.item.attempt)
                    working.emit(rows[one.item.claim_id], cause, outcome)
                    finished.append(one.item.work_id)
                elif isinstance(outcome, RetryLater):
                    later[one.item.work_id] = outcome.when
                else:
                    log.error("work was rejected", stage=self.stage.name, kind=effect.kind, code=outcome.code)
                    later[one.item.work_id] = backoff(working.now, 99, WORK_RETRY_SECONDS)
            await self._transactor.keep(working, tx)
            await self.tables.finish_work(tx, finished)
            await self.tables.postpone_work(tx, later)
        return working

    def _ask(self, effect: Effect, working: Working, one: WorkDone) -> Outcome:
        claim_id = one.item.claim_id
        before = working.states[claim_id]
        try:
            outcome, after = effect.conclude(before, one, working.now)
        except Exception as error:
            raise HandlerFault(self.stage.name, error) from error
        if after is not before:
            working.states[claim_id] = after
            working.changed.add(claim_id)
        return outcome

    async def _postpone(self, rows: Sequence[WorkRow], token: UUID) -> None:
        now = self._clock.now()
        async with self.store.begin() as tx:
            held = await self.tables.hold_work(tx, [row.work_id for row in rows], token)
            due = {row.work_id: backoff(now, row.attempt, WORK_RETRY_SECONDS) for row in rows if row.work_id in held}
            await self.tables.postpone_work(tx, due)
