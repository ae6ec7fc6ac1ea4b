"""Runs a simulator: as a process with one ready line and clean stops, or inside a test on a free port."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from pydantic import ValidationError
from starlette.types import ASGIApp

from hosting import process, web
from hosting.exits import CannotStartError
from hosting.settings import SettingsError

LOOPBACK = "127.0.0.1"


def host() -> str:
    """Loopback unless a container says otherwise: these servers are not made for strangers."""
    return os.environ.get("CLAIMFLOW_SIM_HOST", LOOPBACK)


def http_server(app: ASGIApp, port: int = 0) -> AbstractAsyncContextManager[str]:
    """Serve `app` and give its base URL once it answers; port 0 takes a free one."""
    return web.http_server(app, host(), port)


def listen(port: int) -> socket.socket:
    """A listening socket; CannotStartError when the port is taken."""
    return web.listen(host(), port)


def run(name: str, start: Callable[[], AbstractAsyncContextManager[str]]) -> int:
    """Run one simulator until SIGTERM or SIGINT; prints `<name> ready <addresses>`; returns the exit code.

    `start` opens everything and gives the text of the addresses. Wrong settings are 2, a busy port or folder 69.
    """

    @asynccontextmanager
    async def started() -> AsyncIterator[str]:
        async with AsyncExitStack() as opened:
            try:
                addresses = await opened.enter_async_context(start())
            except ValidationError as refused:
                fields = ", ".join(".".join(str(part) for part in error["loc"]) for error in refused.errors())
                raise SettingsError(f"wrong settings: {fields}") from None
            except OSError as busy:
                raise CannotStartError(f"cannot start: {busy.strerror or type(busy).__name__}") from None
            yield addresses

    return process.run(name, started)
