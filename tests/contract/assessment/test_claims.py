"""One suite for assessment's claims in memory and on PostgreSQL: what is saved is loaded, equal in every field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hosting.database import open_engine
from hosting.migrate import downgrade, migrate
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from schemas.ids import ClaimId
from schemas.outcomes import Outcome
from services.assessment.adapters.claims_memory import MemoryClaims
from services.assessment.adapters.claims_sql import SqlClaims
from services.assessment.app import MIGRATIONS
from services.assessment.domain.assess import take_report
from services.assessment.domain.claim import ClaimState, Status
from services.assessment.domain.payments import take_confirmed
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.review import take_review
from services.assessment.ports import Claims
from tests.builders.assessment import NOW, RULES, a_cause, an_asked_line
from tests.builders.events import (
    a_claim_id,
    a_claim_reported,
    a_payment_confirmed,
    a_policy_snapshot,
    a_review_recorded,
    usd,
)

pytestmark = pytest.mark.asyncio


@dataclass
class Shelf:
    """The claims with their store."""

    claims: Claims
    store: Store

    async def save(self, *states: ClaimState) -> None:
        async with self.store.begin() as tx:
            await self.claims.save({state.claim_id: state for state in states}, tx)

    async def load(self, *claim_ids: ClaimId) -> dict[ClaimId, ClaimState]:
        async with self.store.begin() as tx:
            return await self.claims.load(claim_ids, tx)


@asynccontextmanager
async def a_sql_shelf(url: str) -> AsyncIterator[Shelf]:
    engine = open_engine(url, "test")
    try:
        await migrate(engine, MIGRATIONS, "assessment_version")
        yield Shelf(SqlClaims(), SqlStore(engine))
    finally:
        await engine.dispose()


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    if request.param == "memory":
        yield Shelf(MemoryClaims(), MemoryStore())
        return
    async with a_sql_shelf(request.getfixturevalue("database_url")) as opened:
        yield opened


def reported(number: int = 1, finding: PolicyFinding | None = None, **changes: Any) -> ClaimState:
    claim = a_claim_id(number)
    report = a_claim_reported(claim, **changes)
    decided: tuple[Outcome, ClaimState] = take_report(
        ClaimState(claim), report, finding or a_policy_snapshot(), RULES, a_cause(), NOW
    )
    return decided[1]


def every_kind_of_state() -> list[ClaimState]:
    """Approved, waiting, referred with and without a proposal, partly approved, closed."""
    referred = reported(4, lines=(an_asked_line("500.00"), an_asked_line(None, line_id="later")))
    assert referred.referral is not None
    reduced = reported(5, lines=(an_asked_line("5000.00"), an_asked_line("9.00", "garden")))
    assert reduced.referral is not None
    verdict = a_review_recorded(referral_event_id=reduced.referral.event_id)
    _, partly = take_review(reduced, verdict, RULES, a_cause("review"), NOW)
    _, closed = take_confirmed(reported(6), a_payment_confirmed(amount=usd("1200.00")), a_cause("paid"))
    assert closed.status is Status.closed
    return [
        reported(1),
        reported(2, PolicyMissing.unavailable),
        reported(3, PolicyMissing.not_in_force),
        referred,
        partly,
        closed,
        ClaimState(a_claim_id(7)),
    ]


async def test_every_kind_of_state_comes_back_equal(shelf: Shelf) -> None:
    states = {state.claim_id: state for state in every_kind_of_state()}

    await shelf.save(*states.values())

    assert await shelf.load(*states) == states


async def test_claims_that_are_not_there_are_left_out(shelf: Shelf) -> None:
    state = reported()
    await shelf.save(state)

    assert await shelf.load(a_claim_id(1), a_claim_id(2)) == {a_claim_id(1): state}
    assert await shelf.load() == {}


async def test_a_later_state_replaces_the_earlier_one(shelf: Shelf) -> None:
    before = reported(finding=PolicyMissing.unavailable)
    await shelf.save(before)
    after = reported()

    await shelf.save(after, reported(2))

    assert await shelf.load(a_claim_id(1)) == {a_claim_id(1): after}


async def test_saving_nothing_changes_nothing(shelf: Shelf) -> None:
    await shelf.save()

    assert await shelf.load(a_claim_id()) == {}


async def test_a_transaction_that_fails_leaves_the_state_as_it_was(shelf: Shelf) -> None:
    before = reported(finding=PolicyMissing.unavailable)
    await shelf.save(before)

    with pytest.raises(RuntimeError, match="cut"):
        async with shelf.store.begin() as tx:
            await shelf.claims.save({before.claim_id: reported()}, tx)
            raise RuntimeError("cut")

    assert await shelf.load(a_claim_id()) == {a_claim_id(): before}


@pytest.mark.database
async def test_the_migration_can_be_taken_back_and_made_again(database_url: str) -> None:
    engine = open_engine(database_url, "test")
    try:
        await migrate(engine, MIGRATIONS, "assessment_version")
        async with engine.begin() as connection:
            await connection.run_sync(downgrade, MIGRATIONS, "assessment_version")
        await migrate(engine, MIGRATIONS, "assessment_version")
    finally:
        await engine.dispose()
