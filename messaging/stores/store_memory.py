"""A service's store in memory, behind the same port: transactions one at a time, undone whole if cut at any point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from messaging.ports import Tx, Verdict

_ABSENT = object()


class CommitUnknown(Exception):
    """The connection broke while committing: the transaction may have happened or not."""


class Conflict(Exception):
    """Two transactions could not both commit: this one may be repeated."""


class MemoryTable(MutableMapping[Any, Any]):
    """One table within one transaction: writes are noted, so that they can be undone. Replace values, never mutate."""

    def __init__(self, rows: dict[Any, Any], tx: MemoryTx) -> None:
        self._rows, self._tx = rows, tx

    def __getitem__(self, key: Any) -> Any:
        return self._rows[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._note(key)
        self._rows[key] = value

    def __delitem__(self, key: Any) -> None:
        self._note(key)
        del self._rows[key]

    def _note(self, key: Any) -> None:
        if not self._tx.open:
            raise RuntimeError("the transaction is over")
        self._tx.undo.append((self._rows, key, self._rows.get(key, _ABSENT)))


class MemoryTx:
    def __init__(self, tables: dict[str, dict[Any, Any]]) -> None:
        self._tables = tables
        self.undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self.open = True

    @property
    def connection(self) -> Any:
        raise TypeError("a transaction in memory has no connection")

    def table(self, name: str) -> MemoryTable:
        return MemoryTable(self._tables.setdefault(name, {}), self)

    def roll_back(self) -> None:
        for rows, key, value in reversed(self.undo):
            if value is _ABSENT:
                rows.pop(key, None)
            else:
                rows[key] = value


class MemoryStore:
    """`at_commit` is called with "before" and "after" each commit: raising before it rolls back; raising after it
    leaves the commit done and its outcome unknown to the caller."""

    def __init__(self, at_commit: Callable[[Literal["before", "after"]], None] = lambda _: None) -> None:
        self.at_commit = at_commit
        self._tables: dict[str, dict[Any, Any]] = {}
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[Tx]:
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("a transaction is open already in this task")
        async with self._lock:
            self._holder = asyncio.current_task()
            tx = MemoryTx(self._tables)
            try:
                yield tx
                self.at_commit("before")
            except BaseException:
                tx.roll_back()
                raise
            finally:
                tx.open, self._holder = False, None
        self.at_commit("after")

    def verdict(self, error: BaseException) -> Verdict:
        if isinstance(error, Conflict):
            return "repeat"
        return "fault" if isinstance(error, CommitUnknown) else "other"
