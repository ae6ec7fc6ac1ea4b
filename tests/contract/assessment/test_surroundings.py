"""One suite for what stands around claims, in memory and on PostgreSQL: near claims, counts, and shared ledgers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction

import pytest

from hosting.database import open_engine
from hosting.migrate import migrate
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from schemas.assessment import ClaimOutcome
from schemas.decision import LedgerUse
from schemas.ids import ClaimId
from schemas.intake import Place
from schemas.money import Money
from services.assessment.adapters.claims_memory import MemoryClaims
from services.assessment.adapters.claims_sql import SqlClaims
from services.assessment.adapters.surroundings_memory import MemorySurroundings
from services.assessment.adapters.surroundings_sql import SqlSurroundings
from services.assessment.app import MIGRATIONS
from services.assessment.domain.around import NEAR_DAYS, NEAR_MAX, Around, Wanted
from services.assessment.domain.claim import ClaimState, Status, fold, neighbour_of
from services.assessment.ports import Claims, Surroundings
from tests.builders.assessment import a_cause
from tests.builders.events import a_claim_closed, a_claim_id, a_claim_registered, a_claim_reported, usd
from tests.builders.ledgers import FIRST_LOSS, a_years_loss, an_aggregate_policy

pytestmark = pytest.mark.asyncio

POLICY = "FL-000001"
KEY = ("all-losses", "2012")


@dataclass
class Neighbourhood:
    """Claims with what stands around them, as a stage saves and reads both."""

    claims: Claims
    surroundings: Surroundings
    store: Store

    async def save(self, *states: ClaimState) -> None:
        async with self.store.begin() as tx:
            saved = {state.claim_id: state for state in states}
            await self.claims.save(saved, tx)
            await self.surroundings.keep(saved, tx)

    async def around(self, state: ClaimState, *others: ClaimState, stored: bool = True, ledgers: bool = True) -> Around:
        """What stands around the state, read together with others of its batch."""
        wanted: dict[ClaimId, Wanted] = {}
        for one in (state, *others):
            assert one.report is not None
            wanted[one.claim_id] = Wanted(one.report.policy_number, one.report.loss_at, ledgers)
        async with self.store.begin() as tx:
            vicinity = await self.surroundings.read(wanted, tx)
        assert state.report is not None
        return vicinity.around(state.report.policy_number, state.claim_id, stored, state.report.loss_at)


@asynccontextmanager
async def a_sql_neighbourhood(url: str) -> AsyncIterator[Neighbourhood]:
    engine = open_engine(url, "test")
    try:
        await migrate(engine, MIGRATIONS, "assessment_version")
        yield Neighbourhood(SqlClaims(), SqlSurroundings(), SqlStore(engine))
    finally:
        await engine.dispose()


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Neighbourhood]:
    if request.param == "memory":
        yield Neighbourhood(MemoryClaims(), MemorySurroundings(), MemoryStore())
        return
    async with a_sql_neighbourhood(request.getfixturevalue("database_url")) as opened:
        yield opened


def a_claim(number: int = 1, days: float = 0, policy_number: str = POLICY, *uses: LedgerUse) -> ClaimState:
    """A registered claim whose loss lies so many days after the first one, with what it has used."""
    report = a_claim_reported(
        a_claim_id(number), policy_number=policy_number, loss_at=FIRST_LOSS + timedelta(days=days)
    )
    state = fold(ClaimState(a_claim_id(number)), report, a_cause())
    registered = a_claim_registered(an_aggregate_policy(number=policy_number))
    return replace(fold(state, registered, a_cause("registered")), uses=uses)


def a_use(amount: str, currency: str = "USD", borne: bool = False) -> LedgerUse:
    return LedgerUse(aggregate_id=KEY[0], period=KEY[1], amount=Money.of_text(amount, currency), borne=borne)


async def test_a_claim_alone_has_nothing_around_it(here: Neighbourhood) -> None:
    state = a_claim()
    await here.save(state)

    found = await here.around(state)

    assert found == Around(claims_on_policy=0, near=(), used={})


async def test_neighbours_come_with_all_that_makes_two_claims_alike(here: Neighbourhood) -> None:
    bare = fold(ClaimState(a_claim_id(3)), a_years_loss(1, None, place=Place(country="US", admin="36081")), a_cause())
    unplaced = fold(ClaimState(a_claim_id(4)), a_years_loss(2, "10.00", place=None), a_cause())
    others = [a_claim(2, 3), bare, unplaced]
    await here.save(a_claim(), *others)

    found = await here.around(a_claim())

    assert list(found.near) == sorted(
        (neighbour_of(one) for one in others), key=lambda one: one is not None and one.loss_at
    )
    assert [one.place for one in found.near] == ["US:11694", "US/36081", None]


async def test_neighbours_are_those_of_thirty_days_both_ways_and_of_the_policy(here: Neighbourhood) -> None:
    within = [a_claim(2, 30), a_claim(3, -30), a_claim(4, 0)]
    beyond = [a_claim(5, 30.001), a_claim(6, -31), a_claim(7, 0, "FL-2")]
    await here.save(a_claim(), *within, *beyond)

    found = await here.around(a_claim())

    assert [one.claim_id for one in found.near] == [a_claim_id(3), a_claim_id(4), a_claim_id(2)]
    assert timedelta(days=30) == NEAR_DAYS


async def test_of_many_neighbours_the_nearest_are_looked_at_and_all_are_counted(here: Neighbourhood) -> None:
    crowd = [a_claim(number, (number - 1) / 10 * (-1) ** number) for number in range(2, NEAR_MAX + 12)]
    await here.save(a_claim(), *crowd)

    found = await here.around(a_claim())
    new = await here.around(a_claim(999), stored=False)

    assert {one.claim_id for one in found.near} == {a_claim_id(number) for number in range(2, NEAR_MAX + 2)}
    assert found.claims_on_policy == len(crowd) and new.claims_on_policy == len(crowd) + 1
    assert {one.claim_id for one in new.near} == {a_claim_id(number) for number in range(1, NEAR_MAX + 1)}


async def test_a_claim_sees_the_same_whoever_is_in_its_batch(here: Neighbourhood) -> None:
    far, farther = a_claim(2, 40), a_claim(3, 60)
    await here.save(a_claim(), far, farther, a_claim(4, 10, POLICY, a_use("5.00")))

    alone = await here.around(a_claim())
    with_others = await here.around(a_claim(), far, farther, a_claim(5, 0, "FL-9"))

    assert with_others == alone
    assert [one.claim_id for one in alone.near] == [a_claim_id(4)]


async def test_claims_that_are_over_without_payment_are_not_in_play(here: Neighbourhood) -> None:
    outcomes = list(ClaimOutcome)
    closed = [
        fold(a_claim(2 + place, 1 + place), a_claim_closed(outcome=outcome, paid=None), a_cause("closed"))
        for place, outcome in enumerate(outcomes)
    ]
    kept_on_file = replace(a_claim(20, 20), withdrawn=True, status=Status.approved)
    await here.save(*closed, kept_on_file)

    found = await here.around(a_claim())

    assert {one.claim_id for one in found.near if one.open_or_paid} == {
        a_claim_id(2 + outcomes.index(ClaimOutcome.paid)),
        a_claim_id(2 + outcomes.index(ClaimOutcome.nil)),
        a_claim_id(20),
    }


async def test_what_others_used_is_told_without_what_the_claim_itself_used(here: Neighbourhood) -> None:
    own, other = a_claim(1, 0, POLICY, a_use("10.00")), a_claim(2, 9, POLICY, a_use("2.50"), a_use("0.25", borne=True))
    await here.save(own, other, a_claim(3, 300, POLICY, a_use("4.00")), a_claim(4, 0, "FL-2", a_use("99.00")))

    assert (await here.around(own)).used == {KEY: Fraction("6.75")}
    assert (await here.around(other, own)).used == {KEY: Fraction(14)}
    assert (await here.around(a_claim(9), stored=False)).used == {KEY: Fraction("16.75")}
    assert (await here.around(own, ledgers=False)).used == {}


@pytest.mark.parametrize("amount, currency", [("1234", "JPY"), ("12.345", "KWD"), ("12.34", "CNY")])
async def test_uses_are_counted_in_the_decimals_of_their_currency(
    here: Neighbourhood, amount: str, currency: str
) -> None:
    await here.save(a_claim(2, 1, POLICY, a_use(amount, currency)))

    assert (await here.around(a_claim(), stored=False)).used == {KEY: Fraction(amount)}


async def test_what_is_kept_replaces_what_was_kept(here: Neighbourhood) -> None:
    await here.save(
        a_claim(1, 0, POLICY, a_use("10.00"), a_use("1.00", borne=True)), a_claim(2, 5, POLICY, a_use("7.00"))
    )

    await here.save(a_claim(1, 0, POLICY, a_use("3.00")))

    assert (await here.around(a_claim(9), stored=False)).used == {KEY: Fraction(10)}


async def test_a_claim_that_uses_nothing_any_more_leaves_nothing(here: Neighbourhood) -> None:
    await here.save(a_claim(1, 0, POLICY, a_use("10.00")))

    await here.save(a_claim(1, 0, POLICY))

    assert (await here.around(a_claim(9), stored=False)).used == {}


async def test_a_failed_transaction_keeps_what_was_there(here: Neighbourhood) -> None:
    await here.save(a_claim(1, 0, POLICY, a_use("10.00")))

    with pytest.raises(RuntimeError, match="cut"):
        async with here.store.begin() as tx:
            states = {a_claim_id(1): a_claim(1, 0, POLICY, a_use("3.00"))}
            await here.claims.save(states, tx)
            await here.surroundings.keep(states, tx)
            raise RuntimeError("cut")

    assert (await here.around(a_claim(9), stored=False)).used == {KEY: Fraction(10)}


async def test_nothing_wanted_reads_nothing(here: Neighbourhood) -> None:
    async with here.store.begin() as tx:
        vicinity = await here.surroundings.read({}, tx)

    assert list(vicinity.policies) == []
    assert vicinity.around(POLICY, a_claim_id(), False) == Around()


async def test_what_the_batch_decides_is_seen_by_its_next_decision(here: Neighbourhood) -> None:
    first, second = a_claim(1, 0, POLICY, a_use("10.00")), a_claim(2, 4)
    await here.save(a_claim(3, 8, POLICY, a_use("1.00")))
    wanted = {
        one.claim_id: Wanted(POLICY, one.report.loss_at, ledgers=True)
        for one in (first, second)
        if one.report is not None
    }
    async with here.store.begin() as tx:
        vicinity = await here.surroundings.read(wanted, tx)

    noted = neighbour_of(first)
    assert noted is not None and second.report is not None
    vicinity.note(POLICY, noted, first.uses, is_new=True)
    vicinity.note(POLICY, noted, (a_use("6.00"),), is_new=False)
    found = vicinity.around(POLICY, second.claim_id, False, second.report.loss_at)

    assert (found.claims_on_policy, found.used) == (2, {KEY: Fraction(7)})
    assert found.near[0] == noted and usd("6.00") == a_use("6.00").amount
