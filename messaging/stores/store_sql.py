"""A service's PostgreSQL database as a store: transactions, and what an error of it means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from messaging.ports import Tx, Verdict

_REPEAT = ("40001", "40P01")
_DATA = ("22", "23", "54")
"""Classes of SQLSTATE that speak of what was written: data exception, integrity violation, limit exceeded."""


class StoreUnavailable(Exception):
    """No connection to the database could be had."""


@dataclass(frozen=True, slots=True)
class SqlTx:
    connection: AsyncConnection

    def table(self, name: str) -> Any:
        raise TypeError("a SQL transaction has no tables in memory")


class SqlStore:
    """Read committed; the rows a transaction relies on are locked or updated under a condition."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[Tx]:
        try:
            connection = await self.engine.connect()
        except OSError as error:
            raise StoreUnavailable("the database cannot be reached") from error
        try:
            async with connection.begin():
                yield SqlTx(connection)
        finally:
            await connection.close()

    def verdict(self, error: BaseException) -> Verdict:
        if isinstance(error, StoreUnavailable | PoolTimeout):
            return "fault"
        if not isinstance(error, DBAPIError):
            return "other"
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state in _REPEAT:
            return "repeat"
        return "data" if state[:2] in _DATA and not error.connection_invalidated else "fault"
