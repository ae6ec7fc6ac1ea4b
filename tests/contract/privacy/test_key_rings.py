"""One suite for every key ring: one key per person, made once, destroyed for ever, wrapped by a master key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from privacy.erased import Erased
from privacy.errors import KeyRingError
from privacy.key_ring import BATCH_MAX, Destruction, KeyRing
from privacy.key_ring_memory import MemoryKeyRing
from privacy.key_ring_sql import SqlKeyRing
from privacy.master_key import MasterKeys
from privacy.migrate import downgrade, migrate_key_ring, upgrade
from privacy.wrapping import DataKey, KeyWrapper

RANDOM = random.Random(20260102)
MASTER = MasterKeys({1: b"m" * 32})
ROTATED = MasterKeys({1: b"m" * 32, 2: b"n" * 32})
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

OpenRing = Callable[[MasterKeys], AbstractAsyncContextManager[KeyRing]]


def some_subjects(count: int) -> list[UUID]:
    return [UUID(int=RANDOM.getrandbits(128), version=5) for _ in range(count)]


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
def open_ring(request: pytest.FixtureRequest) -> OpenRing:
    """Opens a ring over one store; opened again it is the same store, as after a restart."""
    if request.param == "memory":
        rows: dict[UUID, Any] = {}

        @asynccontextmanager
        async def over_memory(master: MasterKeys) -> AsyncIterator[KeyRing]:
            yield MemoryKeyRing(KeyWrapper(master, RANDOM.randbytes), rows)

        return over_memory

    url: str = request.getfixturevalue("database_url")
    asyncio.run(_empty_database(url))

    @asynccontextmanager
    async def over_sql(master: MasterKeys) -> AsyncIterator[KeyRing]:
        engine = create_async_engine(url)
        try:
            yield SqlKeyRing(engine, KeyWrapper(master, RANDOM.randbytes))
        finally:
            await engine.dispose()

    return over_sql


async def _empty_database(url: str) -> None:
    await migrate_key_ring(url)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE data_keys"))
    await engine.dispose()


def in_ring(open_ring: OpenRing, scene: Callable[[KeyRing], Awaitable[None]], master: MasterKeys = MASTER) -> None:
    async def play() -> None:
        async with open_ring(master) as ring:
            await scene(ring)

    asyncio.run(play())


def a_key(found: DataKey | Erased) -> DataKey:
    assert isinstance(found, DataKey)
    return found


def test_each_person_gets_one_key_and_keeps_it_over_a_restart(open_ring: OpenRing) -> None:
    subjects = some_subjects(300)
    made: dict[UUID, DataKey | Erased] = {}

    async def make(ring: KeyRing) -> None:
        made.update(await ring.create_many([*subjects, *subjects[:10]]))

    async def again(ring: KeyRing) -> None:
        assert await ring.create_many(subjects) == made
        assert await ring.get_many([a_key(key).key_id for key in made.values()]) == {
            a_key(key).key_id: key for key in made.values()
        }

    in_ring(open_ring, make)
    in_ring(open_ring, again)

    assert set(made) == set(subjects)
    assert {a_key(key).subject_id for key in made.values()} == set(subjects)
    assert len({a_key(key).material for key in made.values()}) == 300


def test_racing_writers_of_the_same_persons_get_the_same_keys(open_ring: OpenRing) -> None:
    subjects = some_subjects(50)

    async def scene(ring: KeyRing) -> None:
        orders = [RANDOM.sample(subjects, 50) for _ in range(8)]
        results = await asyncio.gather(*(ring.create_many(order) for order in orders))
        assert all(result == results[0] for result in results)

    in_ring(open_ring, scene)


def test_a_batch_of_old_and_new_persons_is_answered_whole(open_ring: OpenRing) -> None:
    old, new = some_subjects(3), some_subjects(3)

    async def scene(ring: KeyRing) -> None:
        first = await ring.create_many(old)
        both = await ring.create_many([*new, *old])
        assert {subject: both[subject] for subject in old} == first
        assert all(isinstance(both[subject], DataKey) for subject in new)

    in_ring(open_ring, scene)


def test_a_destroyed_key_is_gone_for_ever_and_never_made_again(open_ring: OpenRing) -> None:
    [gone, stays] = some_subjects(2)
    key_ids: list[UUID] = []

    async def destroy(ring: KeyRing) -> None:
        keys = await ring.create_many([gone, stays])
        key_ids.extend([a_key(keys[gone]).key_id, a_key(keys[stays]).key_id])
        assert await ring.destroy(gone, NOW) is Destruction.destroyed
        assert await ring.destroy(gone, NOW + timedelta(days=1)) is Destruction.already_destroyed

    async def look(ring: KeyRing) -> None:
        found = await ring.get_many(key_ids)
        assert found[key_ids[0]] == Erased(gone)
        assert isinstance(found[key_ids[1]], DataKey)
        assert (await ring.create_many([gone, stays]))[gone] == Erased(gone)

    in_ring(open_ring, destroy)
    in_ring(open_ring, look)


def test_destroying_an_unknown_person_says_so_and_leaves_nothing(open_ring: OpenRing) -> None:
    [subject] = some_subjects(1)

    async def scene(ring: KeyRing) -> None:
        assert await ring.destroy(subject, NOW) is Destruction.unknown
        assert isinstance((await ring.create_many([subject]))[subject], DataKey)

    in_ring(open_ring, scene)


def test_ids_that_were_never_made_are_left_out(open_ring: OpenRing) -> None:
    async def scene(ring: KeyRing) -> None:
        assert await ring.get_many(some_subjects(2)) == {}
        assert await ring.get_many([]) == {}
        assert await ring.create_many([]) == {}

    in_ring(open_ring, scene)


def test_a_batch_beyond_the_limit_is_refused(open_ring: OpenRing) -> None:
    async def scene(ring: KeyRing) -> None:
        subject = some_subjects(1) * (BATCH_MAX + 1)
        with pytest.raises(ValueError, match="at most"):
            await ring.create_many(subject)
        with pytest.raises(ValueError, match="at most"):
            await ring.get_many(subject)

    in_ring(open_ring, scene)


def test_a_new_master_key_version_takes_over_without_changing_any_data_key(open_ring: OpenRing) -> None:
    subjects = some_subjects(25)
    before: dict[UUID, DataKey | Erased] = {}

    async def make(ring: KeyRing) -> None:
        before.update(await ring.create_many(subjects))
        assert await ring.destroy(subjects[0], NOW) is Destruction.destroyed
        before[subjects[0]] = Erased(subjects[0])

    async def rotate(ring: KeyRing) -> None:
        assert await ring.create_many(subjects) == before
        counts = [await ring.rewrap_some(10) for _ in range(4)]
        assert counts == [10, 10, 4, 0]

    async def with_the_new_version_only(ring: KeyRing) -> None:
        assert await ring.create_many(subjects) == before

    in_ring(open_ring, make)
    in_ring(open_ring, rotate, ROTATED)
    in_ring(open_ring, with_the_new_version_only, MasterKeys({2: b"n" * 32}))


@pytest.mark.parametrize("other", [MasterKeys({1: b"x" * 32}), MasterKeys({2: b"m" * 32})])
def test_another_master_key_opens_nothing_and_says_so(open_ring: OpenRing, other: MasterKeys) -> None:
    subjects = some_subjects(1)

    async def make(ring: KeyRing) -> None:
        await ring.create_many(subjects)

    async def fail(ring: KeyRing) -> None:
        with pytest.raises(KeyRingError):
            await ring.create_many(subjects)

    in_ring(open_ring, make)
    in_ring(open_ring, fail, other)


@pytest.mark.database
def test_what_the_database_holds_is_wrapped_and_a_destroyed_key_holds_nothing(database_url: str) -> None:
    [subject] = some_subjects(1)

    async def scene() -> None:
        await _empty_database(database_url)
        engine = create_async_engine(database_url)
        ring = SqlKeyRing(engine, KeyWrapper(MASTER, RANDOM.randbytes))
        key = a_key((await ring.create_many([subject]))[subject])
        async with engine.connect() as connection:
            held = (await connection.execute(text("SELECT wrapped, wrapped_by FROM data_keys"))).one()
        assert key.material not in bytes(held.wrapped)
        assert (len(held.wrapped), held.wrapped_by) == (12 + 32 + 16, 1)

        await ring.destroy(subject, NOW)
        await ring.destroy(subject, NOW + timedelta(days=1))
        async with engine.connect() as connection:
            row = (await connection.execute(text("SELECT wrapped, destroyed_at FROM data_keys"))).one()
        assert (row.wrapped, row.destroyed_at) == (None, NOW)
        await engine.dispose()

    asyncio.run(scene())


@pytest.mark.database
def test_swapped_rows_do_not_unwrap(database_url: str) -> None:
    [mine, yours] = some_subjects(2)

    async def scene() -> None:
        await _empty_database(database_url)
        engine = create_async_engine(database_url)
        ring = SqlKeyRing(engine, KeyWrapper(MASTER, RANDOM.randbytes))
        await ring.create_many([mine, yours])
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE subject_id = :yours)"),
                {"yours": yours},
            )
        with pytest.raises(KeyRingError):
            await ring.create_many([mine])
        await engine.dispose()

    asyncio.run(scene())


@pytest.mark.database
def test_the_migration_goes_up_down_and_up_and_may_be_repeated_and_raced(database_url: str) -> None:
    async def scene() -> None:
        await asyncio.gather(*(migrate_key_ring(database_url) for _ in range(3)))
        engine = create_async_engine(database_url)
        async with engine.begin() as connection:
            await connection.run_sync(downgrade)
            assert await connection.scalar(text("SELECT to_regclass('data_keys')")) is None
            await connection.run_sync(upgrade)
            await connection.run_sync(upgrade)
            assert await connection.scalar(text("SELECT count(*) FROM data_keys")) == 0
        await engine.dispose()

    asyncio.run(scene())
