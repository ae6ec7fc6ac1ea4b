"""What batches, queues and work share around a transaction: repeats, whose fault an exception is, and the storing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from messaging import crash_points
from messaging.deciding import HandlerFault, Working
from messaging.ports import Fatal, Store, Tx
from messaging.tables import Fenced, Tables

T = TypeVar("T")
REPEATS_MAX = 3


class Transactor:
    """One stage's way of running transactions on one store."""

    def __init__(self, stage_name: str, tables: Tables, store: Store) -> None:
        self._stage_name, self._tables, self._store = stage_name, tables, store

    async def repeated(self, run: Callable[[], Awaitable[T]]) -> T:
        """Runs a transaction again up to three times on a serialization failure or a deadlock."""
        for _ in range(REPEATS_MAX):
            try:
                return await run()
            except (Fatal, HandlerFault):
                raise
            except Fenced as fence:
                raise Fatal(f"{self._stage_name}: fenced: {fence}") from fence
            except Exception as error:
                if self._store.verdict(error) != "repeat":
                    raise
        return await run()

    async def guarded(self, part: Awaitable[T]) -> T:
        """A service's part: its own exception is a handler's fault, the database's is a fault of the process."""
        try:
            return await part
        except Exception as error:
            if self._store.verdict(error) in ("repeat", "fault"):
                raise
            raise HandlerFault(self._stage_name, error) from error

    async def keep(self, working: Working, tx: Tx) -> None:
        """Stores all that a working set holds: changed states, queue, answers, work, dead letters, claim rows."""
        crash_points.reach("handler.returned")
        if working.changed:
            changed = {claim_id: working.states[claim_id] for claim_id in sorted(working.changed)}
            await self.guarded(working.stage.handler.save(changed, tx))
        await self._tables.enqueue(tx, working.queued)
        await self._tables.dequeue(tx, working.done)
        await self._tables.add_answers(tx, working.answers)
        await self._tables.add_work(tx, working.work)
        await self._tables.add_dead_letters(tx, working.letters)
        await self._tables.save_claims(tx, list(working.rows.values()))
        crash_points.reach("answer.commit")
