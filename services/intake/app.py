"""Puts intake together: the same `Intake` over PostgreSQL and Kafka, or over memory for tests and the simulation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from zoneinfo import available_timezones

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.process import leave
from hosting.settings import load_settings
from hosting.web import ProblemError, health_routes, http_server, problem, problem_answer
from messaging.ports import Clock, Store
from messaging.process import StageProcess, open_stage, open_store
from messaging.stage import Stage
from messaging.tables import Tables
from privacy.errors import MasterKeyError, SealError
from privacy.migrate import migrate_key_ring
from privacy.sealing import Sealer
from privacy.wiring import open_sealer
from schemas.ids import ClaimId, DocumentId
from services.intake.adapters.backlog import TablesBacklog
from services.intake.adapters.drafts_memory import MemoryDraftRows
from services.intake.adapters.drafts_sql import SqlDraftRows
from services.intake.adapters.keys_memory import MemoryKeyRows
from services.intake.adapters.keys_sql import SqlKeyRows
from services.intake.adapters.paper_store import ObjectPaperStore, PaperPlaceError, memory_paper_store, open_paper_store
from services.intake.adapters.papers_memory import MemoryPaperRows, MemoryRequestKeys, MemoryWithdrawals
from services.intake.adapters.papers_sql import SqlPaperRows, SqlRequestKeys, SqlWithdrawals
from services.intake.domain.papers import object_name
from services.intake.domain.telling import reporter_of
from services.intake.handlers.drafts import Drafts
from services.intake.handlers.papers import Papers
from services.intake.handlers.posting import Posting
from services.intake.handlers.reports import Intake, Limits, ReadsNothing
from services.intake.ports import PaperStore, PapersUnavailable, Publishing, Recording, Sealing
from services.intake.routes.admission import Admission
from services.intake.routes.claims import ClaimRoutes
from services.intake.routes.drafts import DraftRoutes
from services.intake.routes.openapi import document
from services.intake.routes.papers import PaperLimits, PaperRoutes
from services.intake.settings import IntakeSettings

MIGRATIONS = Path(__file__).parent / "migrations"
Health = Callable[[], Mapping[str, Any]]
log = structlog.get_logger("intake")


def intake_stage() -> Stage:
    """The stage: it reads nothing and writes `claims.intake.v1`."""
    return Stage("intake", "intake", (), {}, ReadsNothing())


def memory_intake(
    store: Store,
    tables: Tables,
    sealing: Sealing,
    recording: Recording,
    publishing: Publishing,
    clock: Clock,
    limits: Limits | None = None,
    status_url: str = "http://127.0.0.1:8105",
) -> Intake:
    """The real thing over a store in memory. It waits for no company: a group is what is there."""
    limits = limits or Limits(group_seconds=0)
    backlog = TablesBacklog(store, tables, clock)
    return Intake(store, MemoryKeyRows(), sealing, recording, publishing, backlog, clock, status_url, limits)


@dataclass(frozen=True, slots=True)
class Desks:
    """Everything intake takes in: reports; papers and withdrawals; drafts."""

    intake: Intake
    posting: Posting
    papers: Papers
    drafts: Drafts

    async def close(self) -> None:
        """Waits for what is under way."""
        await self.posting.close()
        await self.intake.close()


def memory_desks(
    intake: Intake,
    store: Store,
    sealing: Sealing,
    recording: Recording,
    publishing: Publishing,
    clock: Clock,
    place: PaperStore | None = None,
    answer_seconds: float = 5.0,
    papers_max: int = 200,
) -> Desks:
    """The real things over a store in memory; papers stay in memory too unless a place is given."""
    posting = Posting(store, MemoryKeyRows(), MemoryRequestKeys(), recording, publishing, answer_seconds)
    place = place or memory_paper_store()
    papers = Papers(posting, MemoryPaperRows(), MemoryWithdrawals(), sealing, place, clock, papers_max)
    return Desks(intake, posting, papers, Drafts(posting, MemoryDraftRows(), sealing, intake, clock, _zones()))


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """See `IntakeSettings`."""

    requests_max: int = 512
    bulk_requests_max: int = 8
    uploads_max: int = 8
    papers: PaperLimits = field(default_factory=PaperLimits)


def create_app(
    desks: Desks, now: Callable[[], datetime], live: Health, ready: Health, limits: HttpLimits | None = None
) -> Starlette:
    """The HTTP side. Every error of it is a problem document."""
    limits, intake = limits or HttpLimits(), desks.intake
    singles = Admission(limits.requests_max)
    claims = ClaimRoutes(intake, now, _zones(), singles, Admission(limits.bulk_requests_max))
    papers = PaperRoutes(desks.papers, intake, singles, Admission(limits.uploads_max), limits.papers)
    drafts = DraftRoutes(desks.drafts, intake, singles)

    async def openapi(request: Request) -> Response:
        return Response(_described(), media_type="application/json")

    return Starlette(
        routes=[
            Route("/v1/claims", claims.submit, methods=["POST"]),
            Route("/v1/claims:bulk", claims.submit_bulk, methods=["POST"]),
            Route("/v1/claims/{claim}/documents", papers.add, methods=["POST"]),
            Route("/v1/claims/{claim}/documents", papers.list, methods=["GET"]),
            Route("/v1/claims/{claim}:withdraw", papers.withdraw, methods=["POST"]),
            Route("/v1/drafts", drafts.create, methods=["POST"]),
            Route("/v1/drafts/{draft}:submit", drafts.submit, methods=["POST"]),
            Route("/v1/drafts/{draft}", drafts.show, methods=["GET"]),
            Route("/v1/drafts/{draft}", drafts.patch, methods=["PATCH"]),
            Route("/openapi.json", openapi),
            *health_routes(live, ready),
        ],
        exception_handlers={
            ProblemError: problem_answer,
            HTTPException: _no_such_route,
            Exception: _fault,
        },
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _described() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


async def _no_such_route(request: Request, raised: Exception) -> Response:
    if not isinstance(raised, HTTPException):
        raise raised
    code = {404: "not-found", 405: "method-not-allowed"}.get(raised.status_code, "bad-request")
    return problem(raised.status_code, code, "there is nothing here for this method and path", headers=raised.headers)


async def _fault(request: Request, raised: Exception) -> Response:
    return problem(500, "internal-fault", "the request met a fault of ours")


@asynccontextmanager
async def serve(settings: IntakeSettings) -> AsyncIterator[str]:
    """Intake on PostgreSQL and Kafka; gives its base URL."""
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(open_store(settings, "intake", MIGRATIONS))
        sealer = await opened.enter_async_context(_sealing(settings))
        process = await opened.enter_async_context(open_stage(intake_stage(), store, settings))
        desks = _sql_desks(settings, process, sealer, _place(settings))
        opened.push_async_callback(desks.close)
        for watch in (desks.intake.watch_backlog, desks.drafts.watch_expiry):
            opened.push_async_callback(_cancelled, asyncio.create_task(_watch(watch)))
        limits = HttpLimits(
            settings.requests_max,
            settings.bulk_requests_max,
            settings.uploads_max,
            PaperLimits(settings.paper_bytes_max, settings.upload_seconds),
        )
        app = create_app(desks, process.clock.now, process.live, process.ready, limits)
        yield await opened.enter_async_context(http_server(app, settings.host, settings.port))


def _sql_desks(settings: IntakeSettings, process: StageProcess, sealer: Sealing, place: PaperStore) -> Desks:
    store, clock, seconds = process.store, process.clock, settings.answer_seconds
    intake = Intake(
        store,
        SqlKeyRows(),
        sealer,
        process.recorder,
        process.publisher,
        TablesBacklog(store, process.tables, clock),
        clock,
        settings.status_url,
        Limits(settings.unpublished_max, seconds, settings.group_rows, settings.group_ms / 1000),
    )
    posting = Posting(store, SqlKeyRows(), SqlRequestKeys(), process.recorder, process.publisher, seconds)
    papers = Papers(posting, SqlPaperRows(), SqlWithdrawals(), sealer, place, clock, settings.papers_max)
    kept = timedelta(days=settings.draft_days)
    return Desks(intake, posting, papers, Drafts(posting, SqlDraftRows(), sealer, intake, clock, _zones(), kept))


async def open_paper(settings: IntakeSettings, claim: ClaimId, paper: DocumentId, target: IO[bytes]) -> None:
    """Writes one paper in the clear; CannotStartError in one line where it cannot be, such as for the erased.

    For who runs the service and may read its master key; no request gets a paper's content.
    """
    name = object_name(claim, paper)
    with TemporaryFile() as sealed:
        try:
            await _place(settings).fetch(name, sealed)
        except FileNotFoundError:
            raise CannotStartError("no sealed paper of this claim and id lies in CLAIMFLOW_INTAKE_PAPERS") from None
        except PapersUnavailable:
            raise CannotStartError("CLAIMFLOW_INTAKE_PAPERS cannot be read; repeat later", Exit.try_again) from None
        async with _sealing(settings) as sealer:
            try:
                erased = await sealer.open_file(reporter_of(claim), name.encode(), sealed, target)
            except SealError as forged:
                raise CannotStartError(str(forged), Exit.internal) from None
    if erased is not None:
        raise CannotStartError("the claim's reporter was erased: nobody can read this paper any more")


def _place(settings: IntakeSettings) -> ObjectPaperStore:
    try:
        return open_paper_store(settings.papers)
    except PaperPlaceError as wrong:
        raise CannotStartError(f"CLAIMFLOW_INTAKE_PAPERS: {wrong}", Exit.usage) from None


@asynccontextmanager
async def start() -> AsyncIterator[str]:
    """What `python -m services.intake` runs."""
    settings = load_settings(IntakeSettings, "intake")
    configure_logs(settings, "intake")
    async with serve(settings) as address:
        yield address


@asynccontextmanager
async def _sealing(settings: IntakeSettings) -> AsyncIterator[Sealer]:
    try:
        await migrate_key_ring(settings.keys_database)
    except (OSError, DBAPIError):
        raise CannotStartError(
            "the key ring's database (CLAIMFLOW_KEYS_DATABASE) cannot be reached; start it or correct the address"
        ) from None
    try:
        async with open_sealer(settings.keys_database, settings.master_key_file) as sealer:
            yield sealer
    except MasterKeyError as wrong:
        raise CannotStartError(str(wrong), Exit.usage) from None


async def _watch(part: Callable[[], Awaitable[None]]) -> None:
    try:
        await part()
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        leave("intake: its backlog or its drafts could not be watched", error)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
