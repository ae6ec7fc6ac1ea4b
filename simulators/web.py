"""The little HTTP shell of the simulators: bounded bodies, plain problem answers, replies cut on purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulators.faults import FaultRefusedError, FaultSwitch

Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequestError(Exception):
    """The request is wrong; status and a sentence that never echoes it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class CutReply(Response):
    """A reply whose connection breaks before the body: the client cannot know what happened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        # Returning without a body makes the server close the connection.


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def bad_request_answer(request: Request, refused: Exception) -> Response:
    """Turns BadRequestError into its answer; registered with Starlette as an exception handler."""
    if not isinstance(refused, BadRequestError):
        raise refused
    return problem(refused.status, refused.detail)


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body, refused with 413 as soon as it passes the limit."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise BadRequestError(413, f"the body is larger than {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)


def parse_json(body: bytes) -> Any:
    """The JSON value of a body, or 400."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadRequestError(400, "the body is not JSON") from None


async def wait_or_leave(request: Request, seconds: float) -> None:
    """Wait so long, but no longer than the client stays: a hung client must not keep a handler for an hour."""
    try:
        async with asyncio.timeout(seconds):
            while not await request.is_disconnected():  # ASGI offers no event
                await asyncio.sleep(min(0.2, seconds))
    except (TimeoutError, ClientDisconnect):
        return


def fault_routes(faults: FaultSwitch) -> list[Route]:
    """GET, POST and DELETE /faults; never subject to the faults themselves."""

    async def show(request: Request) -> Response:
        return JSONResponse(faults.describe())

    async def order(request: Request) -> Response:
        try:
            faults.set(json.loads(await read_body(request, 64 * 1024)))
        except FaultRefusedError as refused:
            raise BadRequestError(422, str(refused)) from None
        except ValueError:
            raise BadRequestError(400, "the body is not JSON") from None
        return JSONResponse(faults.describe())

    async def end(request: Request) -> Response:
        faults.clear()
        return JSONResponse(faults.describe())

    return [
        Route("/faults", show, methods=["GET"]),
        Route("/faults", order, methods=["POST"]),
        Route("/faults", end, methods=["DELETE"]),
    ]


def health_routes() -> list[Route]:
    """GET /livez and /readyz: the listener is open only when everything behind it is loaded."""

    async def well(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [Route("/livez", well), Route("/readyz", well)]


def _refuse_constant(name: str) -> Any:
    raise ValueError("not a JSON number")
