"""Runs a simulator: as a process with one ready line and clean stops, or inside a test on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import uvicorn
from pydantic import ValidationError
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"
EXIT_USAGE, EXIT_UNAVAILABLE = 2, 69
SHUTDOWN_SECONDS = 2


class _QuietServer(uvicorn.Server):
    """Signals belong to `run`, or to the test that hosts the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def http_server(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on loopback and give its base URL once it answers; port 0 takes a free one."""
    listener = listen(port)
    config = uvicorn.Config(
        app, access_log=False, log_config=None, lifespan="off", timeout_graceful_shutdown=SHUTDOWN_SECONDS
    )
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
                raise RuntimeError("the HTTP server ended before it was ready")
            await asyncio.sleep(0.005)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; OSError when the port is taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on accepted sockets; without it answers wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Loopback unless a container says otherwise: these servers are not made for strangers.
        listener.bind((os.environ.get("CLAIMFLOW_SIM_HOST", LOOPBACK), port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def run(name: str, start: Callable[[], AbstractAsyncContextManager[str]]) -> int:
    """Run one simulator until SIGTERM or SIGINT; prints `<name> ready <addresses>`; returns the exit code.

    `start` opens everything and gives the text of the addresses. Wrong settings are 2, a busy port or folder 69.
    """
    try:
        with contextlib.suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(_until_stopped(name, start))
    except ValidationError as refused:
        fields = ", ".join(".".join(str(part) for part in error["loc"]) for error in refused.errors())
        print(f"{name}: wrong settings: {fields}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as busy:
        print(f"{name}: cannot start: {busy.strerror or type(busy).__name__}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    return 0


async def _until_stopped(name: str, start: Callable[[], AbstractAsyncContextManager[str]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with start() as addresses:
        print(f"{name} ready {addresses}", flush=True)
        await stop.wait()
