"""The bank's HTTP side.

POST /v1/instructions {"instructions": [...]}         up to 100; {"results": [...]}, one answer each, in order
POST /v1/instructions:inquire {"end_to_end_ids": []}  up to 1,000; {"results": [...]}
GET  /v1/instructions/{end_to_end_id}                 one answer; 404 with status `unknown`
Statuses: executed, rejected (final, with ISO code), conflict (id used for other content), error (not understood,
nothing remembered), unknown (inquiries only). Modes of /faults: see `MODES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.bank.book import INSTRUCTIONS_MAX, Book
from simulators.bank.record import FILE_NAME, read_entries
from simulators.faults import Fault, FaultSwitch
from simulators.journal import Journal, JournalBrokenError
from simulators.serving import http_server
from simulators.web import (
    BadRequestError,
    CutReply,
    bad_request_answer,
    fault_routes,
    health_routes,
    parse_json,
    problem,
    read_body,
    wait_or_leave,
)

MODES = {
    "slow": "answers after `seconds`",
    "hang": "does nothing, keeps the client waiting `seconds`, then cuts the connection",
    "timeout_before": "as hang: not executed, no answer",
    "timeout_after": "executes, keeps the client waiting `seconds`, then cuts the connection",
    "error500": "500 without executing; with once_per_id each id fails once and works then",
    "error500_after": "executes, answers 500",
    "error429": "429 with Retry-After of `seconds`",
    "down": "cuts every connection, inquiries too",
}
BODY_BYTES_MAX = 1024 * 1024
INQUIRIES_MAX = 1_000


class Bank:
    """The bank's state and endpoints over one folder."""

    def __init__(self, book: Book, journal: Journal, faults: FaultSwitch, now: Callable[[], datetime]) -> None:
        self._book = book
        self._journal = journal
        self._faults = faults
        self._now = now

    def routes(self) -> list[Route]:
        """Every route of the bank."""
        return [
            Route("/v1/instructions", self.instruct, methods=["POST"]),
            Route("/v1/instructions:inquire", self.inquire_many, methods=["POST"]),
            Route("/v1/instructions/{end_to_end_id}", self.inquire_one, methods=["GET"]),
        ]

    async def instruct(self, request: Request) -> Response:
        """POST /v1/instructions: execute or reject each, on disk before the answer leaves."""
        orders = _bounded_list(parse_json(await read_body(request, BODY_BYTES_MAX)), "instructions", INSTRUCTIONS_MAX)
        fault = self._faults.draw([order["end_to_end_id"] for order in orders if _has_text_id(order)])
        if fault is not None:
            refused = await _fault_before(request, fault)
            if refused is not None:
                return refused
        answers, fresh = self._book.execute(orders, self._now())
        await self._durable([entry.record() for entry in fresh])
        if fault is not None and fault.mode == "timeout_after":
            await wait_or_leave(request, fault.seconds)
            return CutReply()
        if fault is not None and fault.mode == "error500_after":
            return problem(500, "the bank failed after it took the instructions")
        return JSONResponse({"results": answers})

    async def inquire_many(self, request: Request) -> Response:
        """POST /v1/instructions:inquire: what the bank knows of each id."""
        ids = _bounded_list(parse_json(await read_body(request, BODY_BYTES_MAX)), "end_to_end_ids", INQUIRIES_MAX)
        if not all(isinstance(one, str) for one in ids):
            raise BadRequestError(422, "end_to_end_ids must be texts")
        if self._faults.draw(ids, among=("down",)):
            return CutReply()
        await self._durable([])
        return JSONResponse({"results": [self._book.inquire(one) for one in ids]})

    async def inquire_one(self, request: Request) -> Response:
        """GET /v1/instructions/{end_to_end_id}: 200 with the answer, or 404 with status unknown."""
        end_to_end_id = request.path_params["end_to_end_id"]
        if self._faults.draw([end_to_end_id], among=("down",)):
            return CutReply()
        await self._durable([])
        answer = self._book.inquire(end_to_end_id)
        return JSONResponse(answer, 404 if answer["status"] == "unknown" else 200)

    async def _durable(self, records: list[dict[str, Any]]) -> None:
        # Also with no records: an answer may rest on an entry whose line another request is still writing.
        try:
            await self._journal.append(records)
        except JournalBrokenError:
            raise BadRequestError(503, "the bank cannot write its journal") from None


@asynccontextmanager
async def serve(
    folder: Path, port: int = 0, seed: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[str]:
    """Run the bank over `folder` on loopback; gives its base URL. An earlier journal there is taken up."""
    journal = Journal(folder / FILE_NAME)
    journal.open()
    faults = FaultSwitch(MODES, seed)
    bank = Bank(Book(read_entries(journal.path)), journal, faults, now)
    app = Starlette(
        routes=[*bank.routes(), *fault_routes(faults), *health_routes()],
        exception_handlers={BadRequestError: bad_request_answer},
    )
    try:
        async with http_server(app, port) as address:
            yield address
    finally:
        await journal.close()


async def _fault_before(request: Request, fault: Fault) -> Response | None:
    match fault.mode:
        case "slow":
            await asyncio.sleep(fault.seconds)
        case "hang" | "timeout_before":
            await wait_or_leave(request, fault.seconds)
            return CutReply()
        case "error500":
            return problem(500, "the bank failed before it took the instructions")
        case "error429":
            return problem(429, "too many requests", {"retry-after": f"{max(1, round(fault.seconds))}"})
        case "down":
            return CutReply()
    return None


def _bounded_list(body: object, name: str, most: int) -> list[Any]:
    if not isinstance(body, dict) or not isinstance(body.get(name), list):
        raise BadRequestError(422, f"the body must be an object with a list {name}")
    items: list[Any] = body[name]
    if not 1 <= len(items) <= most:
        raise BadRequestError(422, f"{name} must hold 1 to {most}")
    return items


def _has_text_id(order: object) -> bool:
    return isinstance(order, dict) and isinstance(order.get("end_to_end_id"), str)
