"""The policy system's HTTP side.

PUT  /policies             rows of `terms`, as a JSON list or as NDJSON (content type application/x-ndjson), up to
                           10,000 and 32 MiB; {"stored": n, "refused": [{"row": i, "field", "reason"}]}; rows fail alone
POST /policies:lookup      {"queries": [{"policy_number", "as_of"}]}, up to 1,000; {"results": [...]} in order, each
                           {"policy_number", "as_of", "found": true, "policy": {row}} or {.., "found": false, "reason"}
                           with reason unknown, not_in_force (and "nearest": versions around) or invalid (and "field")
GET  /policies/{number}    {"number", "versions": [rows, oldest first]} or 404
GET  /policies             {"versions": count}
Modes of /faults: see `MODES`; they strike look-ups and GETs, not PUT."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.faults import FaultSwitch
from simulators.policy_system.store import PolicyStore, StoredVersion
from simulators.policy_system.terms import PolicyRow, RowRefusedError, instant_text, policy_row
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
    "hang": "keeps the client waiting `seconds`, then cuts the connection",
    "down": "cuts the connection at once",
    "error429": "429 with Retry-After of `seconds`",
    "error500": "500",
    "error503": "503 with Retry-After of `seconds`",
}
ROWS_MAX, PUT_BYTES_MAX = 10_000, 32 * 1024 * 1024
QUERIES_MAX, LOOKUP_BYTES_MAX = 1_000, 1024 * 1024


class PolicySystem:
    """Endpoints over one store."""

    def __init__(self, store: PolicyStore, faults: FaultSwitch) -> None:
        self._store = store
        self._faults = faults
        self._writing = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Every route of the policy system."""
        return [
            Route("/policies", self.put_many, methods=["PUT"]),
            Route("/policies", self.count, methods=["GET"]),
            Route("/policies:lookup", self.look_up, methods=["POST"]),
            Route("/policies/{number:path}", self.show, methods=["GET"]),
        ]

    async def put_many(self, request: Request) -> Response:
        """PUT /policies: store versions, on disk before the answer; bad rows are named and fail alone."""
        items = _rows(await read_body(request, PUT_BYTES_MAX), request.headers.get("content-type", ""))
        taken: list[tuple[int, PolicyRow]] = []
        refused: list[tuple[int, RowRefusedError]] = []
        for place, item in enumerate(items):
            try:
                taken.append((place, policy_row(item)))
            except RowRefusedError as problem_found:
                refused.append((place, problem_found))
        async with self._writing:
            refused += await asyncio.to_thread(self._store.put, taken)
        refused.sort(key=_place)
        answers = [{"row": place, "field": why.field, "reason": why.reason} for place, why in refused]
        return JSONResponse({"stored": len(items) - len(answers), "refused": answers})

    async def look_up(self, request: Request) -> Response:
        """POST /policies:lookup: for each query the version in force at the instant, or the reason why none is."""
        body = parse_json(await read_body(request, LOOKUP_BYTES_MAX))
        queries = body.get("queries") if isinstance(body, dict) else None
        if not isinstance(queries, list) or not 1 <= len(queries) <= QUERIES_MAX:
            raise BadRequestError(422, f"the body must be an object with 1 to {QUERIES_MAX} queries")
        struck = await self._fault(request, [number for query in queries if (number := _number(query))])
        if struck is not None:
            return struck
        versions = self._store.versions_of([number for query in queries if (number := _number(query))])
        answers = ",".join(_answer(query, versions) for query in queries)
        return Response('{"results":[' + answers + "]}", media_type="application/json")

    async def show(self, request: Request) -> Response:
        """GET /policies/{number}: every version of one policy."""
        number = request.path_params["number"]
        struck = await self._fault(request, [number])
        if struck is not None:
            return struck
        versions = self._store.versions_of([number]).get(number)
        if versions is None:
            return problem(404, "no policy has this number")
        bodies = ",".join(version.body for version in versions)
        return Response(f'{{"number":{json.dumps(number)},"versions":[{bodies}]}}', media_type="application/json")

    async def count(self, request: Request) -> Response:
        """GET /policies: how many versions are stored."""
        return JSONResponse({"versions": self._store.count()})

    async def _fault(self, request: Request, numbers: Sequence[str]) -> Response | None:
        fault = self._faults.draw(numbers)
        if fault is None:
            return None
        retry_after = {"retry-after": f"{max(1, round(fault.seconds))}"}
        match fault.mode:
            case "slow":
                await asyncio.sleep(fault.seconds)
                return None
            case "hang":
                await wait_or_leave(request, fault.seconds)
                return CutReply()
            case "error429":
                return problem(429, "too many requests", retry_after)
            case "error500":
                return problem(500, "the policy system failed")
            case "error503":
                return problem(503, "the policy system is closed", retry_after)
        return CutReply()


@asynccontextmanager
async def serve(folder: Path, port: int = 0, seed: int = 0) -> AsyncIterator[str]:
    """Run the policy system over `folder` on loopback; gives its base URL. Policies stored there earlier are kept."""
    store = PolicyStore(folder)
    faults = FaultSwitch(MODES, seed)
    app = Starlette(
        routes=[*PolicySystem(store, faults).routes(), *fault_routes(faults), *health_routes()],
        exception_handlers={BadRequestError: bad_request_answer},
    )
    try:
        async with http_server(app, port) as address:
            yield address
    finally:
        store.close()


def _rows(body: bytes, content_type: str) -> list[Any]:
    if "ndjson" in content_type:
        lines = [line for line in body.split(b"\n") if line.strip()]
        if len(lines) > ROWS_MAX:
            raise BadRequestError(413, f"at most {ROWS_MAX} rows a request")
        return [parse_json(line) for line in lines]
    rows = parse_json(body)
    if not isinstance(rows, list):
        raise BadRequestError(422, "the body must be a list of policy versions")
    if len(rows) > ROWS_MAX:
        raise BadRequestError(413, f"at most {ROWS_MAX} rows a request")
    return rows


def _number(query: object) -> str | None:
    number = query.get("policy_number") if isinstance(query, dict) else None
    return number if isinstance(number, str) and len(number) <= 64 else None


def _answer(query: object, versions: dict[str, list[StoredVersion]]) -> str:
    number = _number(query)
    as_of = query.get("as_of") if isinstance(query, dict) else None
    asked = {"policy_number": number, "as_of": as_of if isinstance(as_of, str) and len(as_of) <= 40 else None}
    if number is None:
        return json.dumps({**asked, "found": False, "reason": "invalid", "field": "policy_number"})
    try:
        instant = instant_text(as_of, "as_of")
    except RowRefusedError:
        return json.dumps({**asked, "found": False, "reason": "invalid", "field": "as_of"})
    held = versions.get(number)
    if held is None:
        return json.dumps({**asked, "found": False, "reason": "unknown"})
    for version in held:
        if version.starts <= instant < version.ends and version.status == "in_force":
            return json.dumps({**asked, "found": True})[:-1] + ',"policy":' + version.body + "}"
    nearest = ",".join(_outline(version) for version in _nearest(held, instant))
    return json.dumps({**asked, "found": False, "reason": "not_in_force"})[:-1] + ',"nearest":[' + nearest + "]}"


def _nearest(held: Sequence[StoredVersion], instant: str) -> list[StoredVersion]:
    """The last version that ended by then, the one that holds the instant but is not in force, the next to start."""
    before = [version for version in held if version.ends <= instant][-1:]
    at = [version for version in held if version.starts <= instant < version.ends]
    after = [version for version in held if version.starts > instant][:1]
    return before + at + after


def _outline(version: StoredVersion) -> str:
    body = json.loads(version.body)
    names = ("number", "version", "effective_from", "effective_to", "status")
    return json.dumps({name: body.get(name) for name in names})


def _place(refused: tuple[int, RowRefusedError]) -> int:
    return refused[0]
