"""One suite for both tables of idempotency keys: a key is stored once, waits for rivals, goes with a rollback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from hosting.database import open_engine
from hosting.migrate import downgrade, migrate
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_memory import MemoryTables
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Tables
from schemas.ids import claim_id
from services.intake.adapters.backlog import TablesBacklog
from services.intake.adapters.keys_memory import MemoryKeyRows
from services.intake.adapters.keys_sql import SqlKeyRows
from services.intake.app import MIGRATIONS
from services.intake.ports import KeyRow, KeyRows
from tests.builders.intake import SteppedClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Pair = tuple[Store, KeyRows, Tables]


def a_key_row(key: str = "key-1", **changes: Any) -> KeyRow:
    fields: dict[str, Any] = {
        "claim_id": claim_id("default", key),
        "client": "default",
        "key": key,
        "body_sha256": b"\x01" * 32,
        "status_url": "http://127.0.0.1:8105/v1/claims/x",
        "recorded_at": NOW,
    }
    return KeyRow(**fields | changes)


@asynccontextmanager
async def _over_sql(url: str) -> AsyncIterator[Pair]:
    engine = open_engine(url, "test")
    await migrate(engine, MIGRATIONS, "intake_version")
    yield SqlStore(engine), SqlKeyRows(), SqlTables("intake")
    await engine.dispose()


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        yield MemoryStore(), MemoryKeyRows(), MemoryTables("intake")
        return
    async with _over_sql(request.getfixturevalue("database_url")) as opened:
        yield opened


async def test_a_new_key_is_reserved_and_found(pair: Pair) -> None:
    store, keys, _ = pair
    row = a_key_row()

    async with store.begin() as tx:
        fresh = await keys.reserve(tx, [row])
    async with store.begin() as tx:
        found = await keys.find(tx, [row.claim_id, claim_id("default", "unknown")])

    assert fresh == {row.claim_id}
    assert found == {row.claim_id: row}


async def test_a_key_reserved_before_keeps_its_first_row(pair: Pair) -> None:
    store, keys, _ = pair
    first, rival, other = a_key_row(), a_key_row(body_sha256=b"\x02" * 32), a_key_row("key-2")
    async with store.begin() as tx:
        await keys.reserve(tx, [first])

    async with store.begin() as tx:
        fresh = await keys.reserve(tx, [rival, other])
        found = await keys.find(tx, [first.claim_id])

    assert fresh == {other.claim_id}
    assert found == {first.claim_id: first}


async def test_nothing_asked_is_nothing_done(pair: Pair) -> None:
    store, keys, _ = pair

    async with store.begin() as tx:
        assert await keys.reserve(tx, []) == set()
        assert await keys.find(tx, []) == {}


async def test_a_rollback_frees_the_key(pair: Pair) -> None:
    store, keys, _ = pair
    with pytest.raises(RuntimeError, match="cut"):
        async with store.begin() as tx:
            await keys.reserve(tx, [a_key_row()])
            raise RuntimeError("cut")

    async with store.begin() as tx:
        fresh = await keys.reserve(tx, [a_key_row()])

    assert len(fresh) == 1


async def test_two_transactions_under_one_key_give_it_to_one(pair: Pair) -> None:
    store, keys, _ = pair
    bodies = [bytes([number]) * 32 for number in range(1, 9)]

    async def race(body: bytes) -> tuple[int, bytes]:
        row = a_key_row(body_sha256=body)
        async with store.begin() as tx:
            fresh = await keys.reserve(tx, [row])
            found = await keys.find(tx, [row.claim_id])
        return len(fresh), found[row.claim_id].body_sha256

    results = await asyncio.gather(*(race(body) for body in bodies[:4]))

    assert sorted(won for won, _ in results) == [0, 0, 0, 1]
    assert len({body for _, body in results}) == 1


async def test_rows_reserved_in_opposite_orders_do_not_deadlock(pair: Pair) -> None:
    store, keys, _ = pair
    rows = [a_key_row(f"key-{number}") for number in range(200)]

    async def reserve(some: list[KeyRow]) -> int:
        async with store.begin() as tx:
            return len(await keys.reserve(tx, some))

    counts = await asyncio.gather(reserve(rows), reserve(rows[::-1]), reserve(rows[100:] + rows[:100]))

    assert sum(counts) == len(rows)


async def test_an_empty_backlog_counts_nothing(pair: Pair) -> None:
    store, _, tables = pair

    assert await TablesBacklog(store, tables, SteppedClock()).count(10) == 0


@pytest.mark.database
async def test_the_migration_can_be_undone_and_done_again(database_url: str) -> None:
    engine = open_engine(database_url, "test")
    await migrate(engine, MIGRATIONS, "intake_version")

    async with engine.begin() as connection:
        await connection.run_sync(downgrade, MIGRATIONS, "intake_version")
    await migrate(engine, MIGRATIONS, "intake_version")

    async with SqlStore(engine).begin() as tx:
        assert len(await SqlKeyRows().reserve(tx, [a_key_row()])) == 1
    await engine.dispose()
