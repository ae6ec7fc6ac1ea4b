"""One suite for both repositories of notify: what is saved is loaded, within the transaction that saved it or none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hosting.database import open_engine
from hosting.migrate import downgrade, migrate
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from schemas.ids import PaymentId
from schemas.notify import NoticeKind
from services.notify.adapters.memory_repository import MemoryClaimRepository
from services.notify.adapters.sql_repository import SqlClaimRepository
from services.notify.app import MIGRATIONS
from services.notify.domain.notices import ClaimNotices
from services.notify.ports import ClaimRepository
from tests.builders.events import a_claim_id, a_claim_reported, an_id
from tests.builders.notices import STORIES, followed

Opened = tuple[ClaimRepository, Store]


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    if request.param == "memory":
        yield MemoryClaimRepository(), MemoryStore()
        return
    engine = open_engine(request.getfixturevalue("database_url"), "notify-test", 2)
    try:
        await migrate(engine, MIGRATIONS, "notify_version")
        yield SqlClaimRepository(), SqlStore(engine)
    finally:
        await engine.dispose()


def a_paid_claim() -> ClaimNotices:
    return followed((a_claim_reported(), *STORIES[NoticeKind.paid]))[0]


def a_reported_claim() -> ClaimNotices:
    return followed((a_claim_reported(language="zh-CN"),))[0]


async def test_claims_are_loaded_as_they_were_saved(opened: Opened) -> None:
    repository, store = opened
    saved = {a_claim_id(1): a_paid_claim(), a_claim_id(2): a_reported_claim(), a_claim_id(3): ClaimNotices()}

    async with store.begin() as tx:
        await repository.save(saved, tx)
    async with store.begin() as tx:
        loaded = await repository.load([*saved, a_claim_id(4)], tx)

    assert loaded == saved


async def test_a_later_save_replaces_an_earlier_one(opened: Opened) -> None:
    repository, store = opened

    for claim in (a_reported_claim(), a_paid_claim()):
        async with store.begin() as tx:
            await repository.save({a_claim_id(): claim}, tx)

    async with store.begin() as tx:
        assert await repository.load([a_claim_id()], tx) == {a_claim_id(): a_paid_claim()}


async def test_what_was_rolled_back_is_not_there(opened: Opened) -> None:
    repository, store = opened

    with pytest.raises(ZeroDivisionError):
        async with store.begin() as tx:
            await repository.save({a_claim_id(): a_paid_claim()}, tx)
            raise ZeroDivisionError

    async with store.begin() as tx:
        assert await repository.load([a_claim_id()], tx) == {}
        assert await repository.confirmed([a_claim_id()], tx) == frozenset()


async def test_confirmed_names_the_payments_the_bank_carried_out(opened: Opened) -> None:
    repository, store = opened
    instructed = followed((a_claim_reported(), *STORIES[NoticeKind.approved]))[0]

    async with store.begin() as tx:
        await repository.save({a_claim_id(1): a_paid_claim(), a_claim_id(2): instructed}, tx)
    async with store.begin() as tx:
        both = await repository.confirmed([a_claim_id(1), a_claim_id(2), a_claim_id(9)], tx)
        open_one = await repository.confirmed([a_claim_id(2)], tx)

    assert both == {PaymentId(an_id("payment"))}
    assert open_one == frozenset()


async def test_nothing_asked_for_is_nothing_found(opened: Opened) -> None:
    repository, store = opened

    async with store.begin() as tx:
        await repository.save({}, tx)

        assert await repository.load([], tx) == {}
        assert await repository.confirmed([], tx) == frozenset()


@pytest.mark.database
async def test_the_migration_goes_back_and_forth(database_url: str) -> None:
    engine = open_engine(database_url, "notify-test", 2)
    try:
        await migrate(engine, MIGRATIONS, "notify_version")
        async with engine.begin() as connection:
            await connection.run_sync(downgrade, Path(MIGRATIONS), "notify_version")
            left = await connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'notify_version'")
            )
            assert left.all() == []
        await migrate(engine, MIGRATIONS, "notify_version")
    finally:
        await engine.dispose()
