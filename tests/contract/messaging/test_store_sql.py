"""What the database's errors mean to the runner, asked of a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import create_async_engine

from messaging.stores.store_sql import SqlStore, StoreUnavailable
from tests.builders.events import an_id
from tests.builders.stages import sql_store

pytestmark = pytest.mark.database
ONE, TWO = an_id("one"), an_id("two")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    async with sql_store(database_url) as made:
        async with made.begin() as tx:
            for key in (ONE, TWO):
                await tx.connection.execute(text("INSERT INTO toy VALUES (:key, 0)"), {"key": key})
        yield made


async def error_of(store: SqlStore, *statements: str) -> BaseException:
    with pytest.raises(Exception) as caught:
        async with store.begin() as tx:
            for statement in statements:
                await tx.connection.execute(text(statement))
    return caught.value


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", "repeat"),
        (f"INSERT INTO toy VALUES ('{ONE}', 1)", "data"),
        ("INSERT INTO toy (decided) VALUES (1)", "data"),
        ("SELECT 1 / 0", "data"),
        ("SELECT no_such_column FROM toy", "fault"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "fault"),
    ],
)
async def test_an_error_of_the_database_gets_its_verdict(store: SqlStore, statement: str, verdict: str) -> None:
    error = await error_of(store, statement)

    assert store.verdict(error) == verdict


async def test_a_deadlock_is_repeated(store: SqlStore) -> None:
    both = asyncio.Barrier(2)

    async def cross(first: object, second: object) -> str:
        try:
            async with store.begin() as tx:
                await tx.connection.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                update = text("UPDATE toy SET decided = decided + 1 WHERE claim_id = :key")
                await tx.connection.execute(update, {"key": first})
                await both.wait()
                await tx.connection.execute(update, {"key": second})
        except Exception as error:
            return store.verdict(error)
        return "committed"

    verdicts = await asyncio.gather(cross(ONE, TWO), cross(TWO, ONE))

    assert sorted(verdicts) == ["committed", "repeat"]


async def test_a_killed_connection_does_not_hurt_the_next_transaction(store: SqlStore) -> None:
    await error_of(store, "UPDATE toy SET decided = 9", "SELECT pg_terminate_backend(pg_backend_pid())")

    async with store.begin() as tx:
        assert (await tx.connection.execute(text("SELECT sum(decided) FROM toy"))).scalar_one() == 0


async def test_no_database_at_all_is_a_fault() -> None:
    store = SqlStore(create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none"))

    with pytest.raises(StoreUnavailable) as caught:
        async with store.begin():
            pytest.fail("there is no database")

    assert store.verdict(caught.value) == "fault"
    await store.engine.dispose()


@pytest.mark.parametrize("error", [ValueError(), OSError(), NoResultFound()])
async def test_what_is_not_the_databases_is_other(store: SqlStore, error: Exception) -> None:
    assert store.verdict(error) == "other"
