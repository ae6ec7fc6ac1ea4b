"""The mail sink put together: SMTP, HTTP view and faults over one folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette

from simulators.faults import FaultSwitch
from simulators.journal import Journal
from simulators.mail.record import FILE_NAME
from simulators.mail.smtp import MODES, MailHandler, smtp_server
from simulators.mail.view import MailView
from simulators.serving import http_server
from simulators.web import BadRequestError, bad_request_answer, fault_routes, health_routes


@dataclass(frozen=True, slots=True)
class MailAddresses:
    """Where the sink listens: the SMTP port on 127.0.0.1 and the base URL of the view."""

    smtp_port: int
    http_url: str


@asynccontextmanager
async def serve(
    folder: Path,
    smtp_port: int = 0,
    http_port: int = 0,
    seed: int = 0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[MailAddresses]:
    """Run the sink over `folder` on loopback. Mails received there earlier are kept and shown."""
    journal = Journal(folder / FILE_NAME)
    journal.open()
    faults = FaultSwitch(MODES, seed)
    app = Starlette(
        routes=[*MailView(journal.path).routes(), *fault_routes(faults), *health_routes()],
        exception_handlers={BadRequestError: bad_request_answer},
    )
    handler = MailHandler(journal, faults, now)
    try:
        async with smtp_server(handler, smtp_port) as port, http_server(app, http_port) as url:
            yield MailAddresses(port, url)
    finally:
        await journal.close()
