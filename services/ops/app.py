"""Puts ops together: the views stage, the desk and the API over one database; memory for tests and the simulation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.responses import JSONResponse, Response

from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.process import leave
from hosting.settings import load_settings
from hosting.web import health_routes, http_server, problem
from messaging.ports import Clock, Producer, Store
from messaging.process import StageProcess, health, open_stage, open_store
from messaging.publishing import Publisher, Recorder
from messaging.stage import Stage
from messaging.stores.store_sql import StoreUnavailable
from privacy.errors import MasterKeyError
from privacy.migrate import migrate_key_ring
from privacy.sealing import Sealer
from privacy.wiring import open_key_ring
from services.ops.adapters.desk_memory import MemoryDesk
from services.ops.adapters.desk_sql import SqlDesk
from services.ops.adapters.people_file import PeopleFile
from services.ops.adapters.persons_key_ring import KeyRingPersons
from services.ops.adapters.views_memory import MemoryViews
from services.ops.adapters.views_sql import SqlViews
from services.ops.handlers.erasing import PersonDesk
from services.ops.handlers.ordering import Orders
from services.ops.handlers.projection import views_stage
from services.ops.handlers.reading import ClaimReader
from services.ops.handlers.reviewing import Reviewer, desk_stage
from services.ops.handlers.watching import LETTER_TOPICS, STATUS_TOPICS, Watcher
from services.ops.ports import Desk, NewId, People, Persons, Views
from services.ops.routes.claims import claim_routes
from services.ops.routes.openapi import as_text, document
from services.ops.routes.persons import person_routes
from services.ops.routes.reviews import review_routes
from services.ops.routes.streams import command_routes, stream_routes
from services.ops.routes.web import handle_faults
from services.ops.settings import OpsSettings

MIGRATIONS = Path(__file__).parent / "migrations"
log = structlog.get_logger("ops")
Health = Callable[[], Mapping[str, Any]]
_RUNNER_ROWS = ("positions", "claims", "answers", "unmarked", "queue", "work", "dead_letters")


def ops_views_stage(views: Views) -> Stage:
    """The stage that projects every event of all five writers. It emits nothing."""
    return views_stage(views)


def ops_desk_stage() -> Stage:
    """The stage in whose name people's clicks are recorded. It reads nothing."""
    return desk_stage()


@dataclass(frozen=True, slots=True)
class Ops:
    """All that the API works with."""

    reader: ClaimReader
    reviewer: Reviewer
    orders: Orders
    persons: PersonDesk
    watcher: Watcher
    people: People
    clock: Clock


def make_ops(
    store: Store,
    views: Views,
    desk: Desk,
    people: People,
    persons: Persons | None,
    recorder: Recorder,
    publisher: Publisher,
    producer: Producer,
    watcher: Watcher,
    clock: Clock,
    new_id: NewId = uuid4,
) -> Ops:
    """The handlers over whatever adapters are given; the recorder and publisher are the desk's."""
    return Ops(
        reader=ClaimReader(store, views, persons, clock),
        reviewer=Reviewer(store, views, desk, recorder, publisher, clock, new_id),
        orders=Orders(store, desk, producer, clock, new_id),
        persons=PersonDesk(store, views, desk, persons, clock, new_id),
        watcher=watcher,
        people=people,
        clock=clock,
    )


def memory_ops(
    store: Store,
    people: People,
    persons: Persons | None,
    recorder: Recorder,
    publisher: Publisher,
    producer: Producer,
    watcher: Watcher,
    clock: Clock,
    new_id: NewId = uuid4,
) -> Ops:
    """The real handlers over a store in memory."""
    return make_ops(
        store, MemoryViews(), MemoryDesk(), people, persons, recorder, publisher, producer, watcher, clock, new_id
    )


def create_app(ops: Ops, live: Health, ready: Health) -> FastAPI:
    """The HTTP side. Every error of it is a problem document."""
    app = FastAPI(title="claimflow ops", docs_url=None, redoc_url=None, openapi_url=None)
    handle_faults(app)
    for kind in (StoreUnavailable, PoolTimeout, DBAPIError):
        app.add_exception_handler(kind, _database_fault)
    app.add_exception_handler(Exception, _fault)
    app.include_router(claim_routes(ops.reader))
    app.include_router(review_routes(ops.reader, ops.reviewer, ops.people))
    app.include_router(person_routes(ops.reader, ops.persons, ops.people))
    app.include_router(stream_routes(ops.watcher, ops.clock))
    app.include_router(command_routes(ops.orders, ops.watcher, ops.people))
    document_once = cache(partial(document, app))

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(document_once())

    app.router.routes.extend(health_routes(live, ready))
    return app


def described() -> str:
    """The OpenAPI document as it is committed: routes need no running parts to be described."""
    nothing: Any = None
    app = create_app(Ops(nothing, nothing, nothing, nothing, nothing, nothing, nothing), dict, dict)
    return as_text(app)


async def _database_fault(request: Request, raised: Exception) -> Response:
    """503 while the database cannot be reached; anything else it says is a fault of ours."""
    if isinstance(raised, DBAPIError) and not raised.connection_invalidated:
        raise raised
    log.error("the database cannot be reached", path=request.url.path)
    detail = "the database cannot be reached; repeat the request, a POST with its Idempotency-Key"
    return problem(503, "database-unavailable", detail, headers={"Retry-After": "2"})


async def _fault(request: Request, raised: Exception) -> Response:
    return problem(500, "internal-fault", "the request met a fault of ours")


@asynccontextmanager
async def serve(settings: OpsSettings) -> AsyncIterator[str]:
    """ops on PostgreSQL and Kafka; gives its base URL."""
    people = PeopleFile(settings.people_file)
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(open_store(settings, "ops", MIGRATIONS))
        persons = await opened.enter_async_context(_persons(settings))
        views, desk = SqlViews(), SqlDesk()
        clicks = await opened.enter_async_context(open_stage(ops_desk_stage(), store, settings))
        following = await opened.enter_async_context(open_stage(ops_views_stage(views), store, settings))
        producer = clicks.log.producer()
        await producer.start()
        opened.push_async_callback(producer.stop)
        watcher = Watcher(clicks.log.tail(STATUS_TOPICS), clicks.log.tail(LETTER_TOPICS), clicks.clock)
        await watcher.start()
        opened.push_async_callback(watcher.stop)
        ops = make_ops(
            store, views, desk, people, persons, clicks.recorder, clicks.publisher, producer, watcher, clicks.clock
        )
        for name, part in (
            ("status", watcher.follow_status()),
            ("dead letters", watcher.follow_letters()),
            ("orders", ops.orders.keep_sending()),
        ):
            opened.push_async_callback(_cancelled, asyncio.create_task(_guarded(name, part)))
        app = create_app(ops, *_health(clicks, following))
        yield await opened.enter_async_context(http_server(app, settings.host, settings.port))


@asynccontextmanager
async def start() -> AsyncIterator[str]:
    """What `python -m services.ops` runs."""
    settings = load_settings(OpsSettings, "ops")
    configure_logs(settings, "ops")
    async with serve(settings) as address:
        yield address


async def rebuild_views(settings: OpsSettings) -> None:
    """Deletes the views and their stage's place in the topics; the next start builds them again. The desk stays.

    A running process is fenced by it and starts anew. Commands stay too: what was applied once is not applied again.
    """
    async with open_store(settings, "ops", MIGRATIONS) as store, store.begin() as tx:
        await drop_views(tx.connection, SqlViews(), tx)


async def drop_views(connection: Any, views: Views, tx: Any) -> None:
    """The rows themselves, in the caller's transaction."""
    for name in _RUNNER_ROWS:
        await connection.execute(text(f"DELETE FROM runner_{name} WHERE stage = :stage"), {"stage": "ops-views"})
    await views.drop(tx)


def _health(*processes: StageProcess) -> tuple[Health, Health]:
    return (lambda: health(*processes)[0]), (lambda: health(*processes)[1])


@asynccontextmanager
async def _persons(settings: OpsSettings) -> AsyncIterator[Persons | None]:
    """The key ring, where one is configured; else persons can neither be erased nor opened here."""
    if settings.keys_database is None:
        yield None
        return
    try:
        await migrate_key_ring(settings.keys_database)
    except (OSError, DBAPIError):
        raise CannotStartError(
            "the key ring's database (CLAIMFLOW_KEYS_DATABASE) cannot be reached; start it or correct the address"
        ) from None
    try:
        async with open_key_ring(settings.keys_database, settings.master_key_file) as ring:
            yield KeyRingPersons(ring, Sealer(ring, _no_random_bytes))
    except MasterKeyError as wrong:
        raise CannotStartError(str(wrong), Exit.usage) from None


def _no_random_bytes(count: int) -> bytes:
    raise RuntimeError("ops opens parties and never seals one")


async def _guarded(name: str, part: Awaitable[None]) -> None:
    try:
        await part
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        leave(f"ops: {name} failed: {type(error).__name__}", error)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
