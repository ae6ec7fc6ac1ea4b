"""How many stored events wait for the broker, asked of the runner's own table."""

from __future__ import annotations

from datetime import timedelta

from messaging.ports import Clock, Store
from messaging.tables import Tables


class TablesBacklog:
    """See `Backlog`. Counts every process's events of this stage."""

    def __init__(self, store: Store, tables: Tables, clock: Clock) -> None:
        self._store, self._tables, self._clock = store, tables, clock

    async def count(self, limit: int) -> int:
        before = self._clock.now() + timedelta(days=1)
        async with self._store.begin() as tx:
            return len(await self._tables.unmarked_of(tx, None, before, limit))
