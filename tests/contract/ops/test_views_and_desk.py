"""One suite for ops' views and desk, in memory and on PostgreSQL; and the rebuild of the views from the topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import make_url, text

from hosting.database import open_engine
from hosting.migrate import downgrade, migrate, upgrade
from messaging.ports import Fatal
from messaging.stores.store_sql import SqlStore
from schemas.ids import ClaimId, CommandId, EventId, ReviewId, SubjectId
from services.ops.app import MIGRATIONS, create_app, drop_views
from services.ops.domain.claim_view import ClaimView, Told, fold, fresh_view
from services.ops.domain.timeline import KnownId, TimelineEntry
from services.ops.handlers.reading import ClaimReader
from services.ops.ports import AuditRow, OrderRow, PartyRow, ReviewRow, ViewChanges
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_payment_confirmed,
    a_payment_instructed,
    a_sealed_party,
    an_id,
)
from tests.builders.ops import OK, World, all_rows

VERSIONS = "ops_version"
InWorld = Callable[[Callable[[World], Awaitable[None]]], None]


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
def in_world(request: pytest.FixtureRequest) -> InWorld:
    """Runs a scene over a fresh store."""
    if request.param == "memory":

        async def over_memory(scene: Callable[[World], Awaitable[None]]) -> None:
            await scene(World())

        return lambda scene: asyncio.run(over_memory(scene))
    url: str = request.getfixturevalue("database_url")

    async def over_sql(scene: Callable[[World], Awaitable[None]]) -> None:
        async with sql_world(url) as world:
            await scene(world)

    return lambda scene: asyncio.run(over_sql(scene))


@asynccontextmanager
async def sql_world(url: str) -> AsyncIterator[World]:
    engine = open_engine(url, "test-ops", 5)
    try:
        await migrate(engine, MIGRATIONS, VERSIONS)
        yield World(SqlStore(engine))
    finally:
        await engine.dispose()


def a_view(number: int = 1) -> ClaimView:
    claim = a_claim_id(number)
    reported = a_claim_reported(claim, policy_number=f"FL-{number:06d}")
    return fold(fresh_view(claim), Told(an_id(f"event-{number}"), "intake", 1, REPORTED_AT, reported))


def an_entry(number: int = 1, claim: ClaimId | None = None) -> TimelineEntry:
    appended = REPORTED_AT + timedelta(seconds=number)
    return TimelineEntry(
        an_id(f"event-{number}"), claim or a_claim_id(), "claimflow.ClaimReported.v1", "intake", number,
        an_id("cause"), REPORTED_AT, "claims.intake.v1", 3, 41 + number, appended, "0" * 31 + "1", {"lines": number},
    )  # fmt: skip


def test_views_are_kept_replaced_and_found(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        views, first, second = world.views(), a_view(1), a_view(2)
        changed = fold(first, Told(an_id("e2"), "assessment", 1, REPORTED_AT, a_claim_referred()))
        async with world.store.begin() as tx:
            await views.save(tx, ViewChanges(claims=[first, second]))
            await views.save(tx, ViewChanges(claims=[changed]))
        async with world.store.begin() as tx:
            loaded = await views.load(tx, [first.claim_id, second.claim_id, a_claim_id(3)])
            assert loaded == {first.claim_id: changed, second.claim_id: second}
            assert await views.by_reference(tx, first.reference) == [changed]
            assert await views.counts(tx) == {"REFERRED": 1, "RECEIVED": 1}
            assert await views.listed(tx, "RECEIVED", None, 10) == [second]
            in_order = sorted([changed, second], key=lambda view: view.claim_id)
            assert await views.listed(tx, None, None, 1) == in_order[:1]
            assert await views.listed(tx, None, in_order[0].claim_id, 5) == in_order[1:]
            assert await views.load(tx, []) == {}

    in_world(scene)


def test_a_timeline_keeps_each_event_once_in_the_order_of_the_log(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        views, entries = world.views(), [an_entry(3), an_entry(1), an_entry(2)]
        async with world.store.begin() as tx:
            await views.save(tx, ViewChanges(entries=entries))
            await views.save(tx, ViewChanges(entries=[replace(an_entry(2), facts={"lines": 99})]))
        async with world.store.begin() as tx:
            assert await views.timeline(tx, a_claim_id(), 0, 10) == [an_entry(1), an_entry(2), an_entry(3)]
            assert await views.timeline(tx, a_claim_id(), 1, 1) == [an_entry(2)]
            assert await views.timeline(tx, a_claim_id(2), 0, 10) == []

    in_world(scene)


def test_ids_and_parties_lead_to_their_claims(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        views, claim, sealed = world.views(), a_claim_id(), a_sealed_party()
        rows = [PartyRow(claim, "payee", a_sealed_party("payee")), PartyRow(claim, "reporter", sealed)]
        known = [KnownId(str(an_id("p")), "payment", claim), KnownId(str(an_id("p")), "payment", claim)]
        changes = ViewChanges(claims=[a_view()], entries=[an_entry()], ids=known, parties=rows)
        async with world.store.begin() as tx:
            await views.save(tx, changes)
            await views.save(tx, changes)
        async with world.store.begin() as tx:
            assert await views.parties(tx, claim) == [rows[1], rows[0]]
            for name, kind in (
                (an_id("p"), "payment"),
                (an_id("event-1"), "event"),
                (claim, "claim"),
                ("FL-000001", "policy"),
                (sealed.subject_id, "subject"),
            ):
                assert await views.look_up(tx, str(name), 5) == [KnownId(str(name), kind, claim)], kind
            assert await views.look_up(tx, "nothing", 5) == []

    in_world(scene)


def test_a_referral_takes_one_review_row(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        desk = world.desk()
        first = ReviewRow(
            ReviewId(an_id("r1")), a_claim_id(), EventId(an_id("referral")), "ada", "h" * 64, "{}", REPORTED_AT
        )
        async with world.store.begin() as tx:
            assert await desk.add_review(tx, first)
            assert not await desk.add_review(tx, replace(first, review_id=ReviewId(an_id("r2"))))
            assert not await desk.add_review(tx, first)
            await desk.mark_review(tx, first.review_id)
        async with world.store.begin() as tx:
            assert await desk.review(tx, first.review_id) == replace(first, published=True)
            assert await desk.review(tx, ReviewId(an_id("r2"))) is None

    in_world(scene)


def test_orders_wait_in_the_sequence_they_were_given(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        desk = world.desk()
        rows = [OrderRow(0, CommandId(an_id(f"c{n}")), "h", b"{}", REPORTED_AT) for n in range(3)]
        async with world.store.begin() as tx:
            for row in rows:
                await desk.add_order(tx, row)
        async with world.store.begin() as tx:
            await desk.mark_orders(tx, [rows[1].command_id])
            unsent = await desk.unsent_orders(tx, 10)
            assert [row.command_id for row in unsent] == [rows[0].command_id, rows[2].command_id]
            assert [row.number for row in unsent] == sorted(row.number for row in unsent)
            found = await desk.order(tx, rows[1].command_id)
            assert found is not None and found.sent
            assert await desk.order(tx, CommandId(an_id("other"))) is None

    in_world(scene)


def test_the_audit_keeps_what_was_done_to_a_person(in_world: InWorld) -> None:
    async def scene(world: World) -> None:
        desk, subject = world.desk(), SubjectId(an_id("subject"))
        rows = [
            AuditRow(UUID(int=n), "unmask", a_claim_id(), subject, "pia", "why", REPORTED_AT + timedelta(seconds=n))
            for n in (2, 1)
        ]
        async with world.store.begin() as tx:
            await desk.add_audit(tx, rows)
            await desk.add_audit(tx, [])
        async with world.store.begin() as tx:
            assert await desk.audit_of(tx, subject, 10) == [rows[1], rows[0]]

    in_world(scene)


def tell_everything(world: World, claims: int) -> None:
    for number in range(1, claims + 1):
        claim = a_claim_id(number)
        world.tell(a_claim_reported(claim), claim)
        world.tell(a_claim_registered(), claim, after={"intake": 1})
        world.tell(a_claim_referred(), claim, after={"intake": 1})
        if number % 2:
            world.tell(a_claim_approved(), claim, after={"intake": 1})
            world.tell(a_payment_instructed(f"p{number}"), claim, after={"assessment": 3})
            world.tell(a_payment_confirmed(f"p{number}"), claim)
            world.tell(a_claim_closed(), claim, after={"payment": 2})


@pytest.mark.database
async def test_views_dropped_and_built_again_are_equal_and_the_desk_is_kept(database_url: str) -> None:
    async with sql_world(database_url) as world:
        tell_everything(world, 6)
        async with world.new_life() as life:
            await life.follow()
            referral = (await life.get(f"/v1/claims/{a_claim_id(2)}")).json()["referral_event_id"]
            said = {"referral_event_id": referral, "verdict": "approve"}
            answer = await life.post(f"/v1/claims/{a_claim_id(2)}/reviews", said, key="click")
            assert answer.status_code == 201, answer.text
            await life.follow()
        before = await all_rows(world)

        async with world.store.begin() as tx:
            await drop_views(tx.connection, world.views(), tx)
        dropped = await all_rows(world)
        async with world.new_life() as life:
            await life.engine.run_dry(limit=3)
            again = await life.post(f"/v1/claims/{a_claim_id(2)}/reviews", said, key="click")

        assert all(not rows for rows in dropped.values())
        assert await all_rows(world) == before
        assert again.content == answer.content
        assert len(world.reviews()) == 1


@pytest.mark.database
async def test_strange_texts_reach_the_database_as_refusals_or_as_nothing_found(database_url: str) -> None:
    async with sql_world(database_url) as world, world.new_life() as life:
        tell_everything(world, 1)
        await life.follow()
        strange = ["%00", "a%00", "%ff", "%F0%9F%92%A7", "'%3B--"]
        asked = [await life.get(f"/v1/look-up?id={text}") for text in strange]
        named = [await life.get(f"/v1/claims/{text}") for text in strange]
        reasons = [await life.get(f"/v1/claims/{a_claim_id()}/parties?reason={text}", "pia") for text in strange]
        erase = await life.post("/v1/persons:erase", {"subject_id": str(an_id("x")), "reason": "a\0"}, "pia")

    assert {answer.status_code for answer in asked} == {200, 422}
    assert {answer.status_code for answer in named} == {400}
    assert [answer.status_code for answer in reasons] == [422, 422, 200, 200, 200]
    assert erase.status_code == 422


@pytest.mark.database
async def test_a_database_that_is_gone_is_a_503_with_retry_after(database_url: str) -> None:
    async with sql_world(database_url) as world:
        url = make_url(database_url).set(port=1)
        gone = World(SqlStore(open_engine(url.render_as_string(hide_password=False), "test-ops-gone", 2)))
        async with world.new_life() as life:
            cut_off = replace(life.ops, reader=ClaimReader(gone.store, gone.views(), None, gone.clock))
            transport = httpx2.ASGITransport(app=create_app(cut_off, lambda: OK, lambda: OK))
            async with httpx2.AsyncClient(transport=transport, base_url="http://ops") as client:
                answer = await client.get("/v1/summary")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["code"] == "database-unavailable"


@pytest.mark.database
async def test_a_running_process_is_fenced_by_a_rebuild(database_url: str) -> None:
    async with sql_world(database_url) as world, world.new_life() as life:
        tell_everything(world, 1)
        await life.follow()
        async with world.store.begin() as tx:
            await drop_views(tx.connection, world.views(), tx)
        tell_everything(world, 1)

        with pytest.raises(Fatal, match="fenced"):
            await life.follow()


@pytest.mark.database
async def test_the_migration_goes_down_and_up_again(database_url: str) -> None:
    engine = open_engine(database_url, "test-ops", 3)
    try:
        await migrate(engine, MIGRATIONS, VERSIONS)
        await migrate(engine, MIGRATIONS, VERSIONS)
        async with engine.begin() as connection:
            await connection.run_sync(downgrade, MIGRATIONS, VERSIONS)
            left = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
            assert {row.tablename for row in left} == {VERSIONS}
            await connection.run_sync(upgrade, MIGRATIONS, VERSIONS)
    finally:
        await engine.dispose()
