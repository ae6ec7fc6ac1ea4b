"""The payment stage on a real PostgreSQL database: the same story as in memory, with the database's own checks on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from hosting.database import open_engine
from hosting.migrate import migrate
from messaging.stores.store_sql import SqlStore
from schemas.party import Account
from schemas.payment import PaymentConfirmed, PaymentRejected
from services.payment.app import MIGRATIONS
from tests.builders.payments import Fate, PaymentHouse, a_party

pytestmark = [pytest.mark.asyncio, pytest.mark.database]


@asynccontextmanager
async def a_house_on(url: str) -> AsyncIterator[PaymentHouse]:
    engine = open_engine(url, "payment-test")
    try:
        await migrate(engine, MIGRATIONS, "payment_version")
        house = PaymentHouse(database=SqlStore(engine))
        await house.restart()
        yield house
        await house.engine.stop()
    finally:
        await engine.dispose()


async def test_every_payment_is_executed_once_whatever_becomes_of_requests(database_url: str) -> None:
    chance = random.Random(1)
    fates: list[Fate] = ["answered", "lost before", "lost after", "busy"]
    async with a_house_on(database_url) as house:
        house.bank.fate = lambda: chance.choice(fates)
        await house.report_and_approve(count=30, payable="0.10")

        await house.settle()

        assert len(house.bank.executed) == len(set(house.bank.executed)) == len(house.told(PaymentConfirmed)) == 30
        assert await house.totals() == {("claims-incurred", "USD"): 300, ("bank", "USD"): -300}
        async with house.store.begin() as tx:
            assert await house.ledger.unbalanced(tx) == []


async def test_the_whole_log_delivered_again_after_a_restart_posts_nothing(database_url: str) -> None:
    async with a_house_on(database_url) as house:
        await house.report_and_approve(count=5)
        await house.settle()

        await house.restart()
        for place in house.engine.next:
            house.engine.next[place] = 0
        await house.settle()

        assert len(house.bank.executed) == 5
        async with house.store.begin() as tx:
            assert await tx.connection.scalar(text("SELECT count(*) FROM ledger_transfers")) == 20


async def test_a_rejected_payment_is_posted_back(database_url: str) -> None:
    closed = Account(holder="Ada Example", account_number="0009990004", country="US")
    async with a_house_on(database_url) as house:
        await house.report_and_approve(party=a_party(account=closed))

        await house.settle()

        assert [event.code for event in house.told(PaymentRejected)] == ["AC04"]
        assert await house.totals() == {("claims-incurred", "USD"): 120_000, ("claims-payable", "USD"): -120_000}
