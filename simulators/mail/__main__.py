"""python -m simulators.mail [--smtp-port N] [--http-port N] [--folder PATH] [--seed N]: prints one ready line."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.mail.app import serve
from simulators.mail.settings import MailSettings
from simulators.serving import LOOPBACK, run


@asynccontextmanager
async def _start() -> AsyncIterator[str]:
    settings = MailSettings(_cli_parse_args=True)  # type: ignore[call-arg]
    async with serve(settings.folder, settings.smtp_port, settings.http_port, settings.seed) as addresses:
        yield f"smtp://{LOOPBACK}:{addresses.smtp_port} {addresses.http_url}"


sys.exit(run("simulators.mail", _start))
