"""The HTTP shell of every process: a server inside our own loop, problem+json answers, bounded bodies.

Errors carry a stable code and JSON pointers (RFC 9457, RFC 6901) and never repeat a rejected value.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hosting.exits import CannotStartError

PROBLEM_TYPE = "application/problem+json"
SHUTDOWN_SECONDS = 5


class _QuietServer(uvicorn.Server):
    """Signals belong to `hosting.process`, or to the test that hosts the server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def http_server(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve `app` and give its base URL once it answers; port 0 takes a free one; CannotStartError if it is busy."""
    listener = listen(host, port)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32 * 1024,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
                raise RuntimeError("the HTTP server ended before it was ready")
            await asyncio.sleep(0.005)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; CannotStartError in one line when the port is taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on accepted sockets; without it answers wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as busy:
        listener.close()
        raise CannotStartError(f"cannot listen on {host}:{port}: {busy.strerror}; choose another port") from None
    return listener


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An RFC 9457 answer; each of `errors` is {"pointer", "code", "detail"} with a JSON pointer into the body."""
    return JSONResponse(problem_body(status, code, detail, errors), status, headers, media_type=PROBLEM_TYPE)


def problem_body(status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The members of a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:claimflow:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return body


class ProblemError(Exception):
    """Raised inside a route to answer with a problem document."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = tuple(errors), headers

    def answer(self) -> JSONResponse:
        """The response it stands for."""
        return problem(self.status, self.code, self.detail, self.errors, self.headers)


async def problem_answer(request: Request, raised: Exception) -> Response:
    """Exception handler for `ProblemError`."""
    if not isinstance(raised, ProblemError):
        raise raised
    return raised.answer()


async def read_body(request: Request, bytes_max: int, seconds: float = 30.0) -> bytes:
    """The whole body; 413 as soon as it passes the limit, 408 when it takes longer than `seconds`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > bytes_max:
                    raise too_large(bytes_max)
                parts.append(part)
    except TimeoutError:
        raise ProblemError(408, "body-too-slow", f"the body did not arrive within {seconds:g} s") from None
    return b"".join(parts)


def too_large(bytes_max: int) -> ProblemError:
    """413, with the limit in words."""
    return ProblemError(413, "body-too-large", f"the body is larger than {bytes_max} bytes")


def pointer(parts: Sequence[str | int]) -> str:
    """An RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


Health = Callable[[], Awaitable[Mapping[str, Any]] | Mapping[str, Any]]


def health_routes(live: Callable[[], Mapping[str, Any]], ready: Callable[[], Mapping[str, Any]]) -> list[Route]:
    """GET /livez and /readyz: 200 when the mapping's "status" is "ok", else 503 with the same JSON; and /metrics."""

    def answer(found: Mapping[str, Any]) -> JSONResponse:
        return JSONResponse(dict(found), 200 if found.get("status") == "ok" else 503)

    async def livez(request: Request) -> Response:
        return answer(live())

    async def readyz(request: Request) -> Response:
        return answer(ready())

    async def metrics(request: Request) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
