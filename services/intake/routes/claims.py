"""POST /v1/claims and /v1/claims:bulk: from bytes to submissions, and from results to bytes. No rule lives here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response

from hosting.web import ProblemError, problem_body, read_body
from services.intake.domain.reading import RefusedBody, Submission, read_claim, read_row
from services.intake.domain.telling import Receipt, Refusal
from services.intake.handlers.reports import Intake, Result
from services.intake.routes.admission import Admission, overloaded
from services.intake.routes.requests import (
    Answer,
    answer,
    check_content,
    client_of,
    errors_of,
    json_bytes,
    key_of,
    refused,
    refused_body,
    traceparent_of,
)

CLAIM_BYTES_MAX = 256 * 1024
BULK_BYTES_MAX = 4 * 1024 * 1024
BULK_ROWS_MAX = 1_000
NDJSON = "application/x-ndjson"
NDJSON_NAMES = (NDJSON, "application/ndjson", "application/jsonl")
_READ_AT_ONCE = 50
_SLICE_ROWS = 250
# A thousand rows queue behind each other and behind other requests: their answer may take longer than a single one.
_BULK_PATIENCE = 3.0

_ANSWERS = Counter("claimflow_intake_reports", "Reports answered, by route and status.", ("route", "status"))
_SECONDS = Histogram("claimflow_intake_answer_seconds", "From a request's first byte to its answer.", ("route",))


@dataclass(frozen=True, slots=True)
class ClaimRoutes:
    """The two routes over one `Intake`. `zones`: the names of all time zones there are."""

    intake: Intake
    now: Callable[[], datetime]
    zones: Collection[str]
    singles: Admission
    bulks: Admission

    async def submit(self, request: Request) -> Response:
        """POST /v1/claims."""
        began = time.perf_counter()
        with self.singles.admitted():
            self._check_backlog()
            check_content(request, ("application/json",))
            client, key = client_of(request), key_of(request)
            raw = await read_body(request, CLAIM_BYTES_MAX)
            try:
                submission = read_claim(raw, client, key, self.now(), self.zones, traceparent_of(request))
            except RefusedBody as wrong:
                _ANSWERS.labels("single", wrong.status).inc()
                raise refused_body(wrong) from None
            [result] = await self.intake.submit([submission])
        _SECONDS.labels("single").observe(time.perf_counter() - began)
        status, body = _told(result)
        _ANSWERS.labels("single", status).inc()
        return refused(result) if isinstance(result, Refusal) else answer(status, body)

    async def submit_bulk(self, request: Request) -> Response:
        """POST /v1/claims:bulk: a result a row, in order; one bad row fails no other."""
        began = time.perf_counter()
        with self.bulks.admitted():
            self._check_backlog()
            check_content(request, NDJSON_NAMES)
            client = client_of(request)
            lines = _lines(await read_body(request, BULK_BYTES_MAX))
            # Taken in slices, so that the first are being stored while the last are being read.
            slices = [lines[start : start + _SLICE_ROWS] for start in range(0, len(lines), _SLICE_ROWS)]
            under_way = []
            for part in slices:
                rows = await self._read_rows(part, client)
                under_way.append(asyncio.create_task(self._take(rows)))
            answers = [one for part in await asyncio.gather(*under_way) for one in part]
            told = [_row(number, one) for number, one in enumerate(answers)]
        for _, status in told:
            _ANSWERS.labels("bulk", status).inc()
        _SECONDS.labels("bulk").observe(time.perf_counter() - began)
        body = b"".join(line for line, _ in told)
        return Answer(body, 200, {"Cache-Control": "no-store"}, NDJSON)

    async def _take(self, rows: Sequence[Submission | RefusedBody]) -> list[Result | RefusedBody]:
        """What becomes of each row, in order."""
        results = iter(await self.intake.submit([row for row in rows if isinstance(row, Submission)], _BULK_PATIENCE))
        return [row if isinstance(row, RefusedBody) else next(results) for row in rows]

    async def _read_rows(self, lines: Sequence[bytes], client: str) -> list[Submission | RefusedBody]:
        rows: list[Submission | RefusedBody] = []
        now = self.now()
        for number, line in enumerate(lines):
            # A full request is some 50 ms of reading: others get their turn in between.
            if number % _READ_AT_ONCE == _READ_AT_ONCE - 1:
                await asyncio.sleep(0)
            if len(line) > CLAIM_BYTES_MAX:
                rows.append(RefusedBody(413, "row-too-large", f"the row is larger than {CLAIM_BYTES_MAX} bytes"))
                continue
            try:
                rows.append(read_row(line, client, now, self.zones))
            except RefusedBody as wrong:
                rows.append(wrong)
        return rows

    def _check_backlog(self) -> None:
        if self.intake.overloaded():
            raise overloaded()


def _lines(raw: bytes) -> list[bytes]:
    if not raw.strip():
        raise ProblemError(400, "no-rows", "the body holds no row")
    lines = raw.split(b"\n")
    if not lines[-1].strip():
        lines.pop()
    if len(lines) > BULK_ROWS_MAX:
        raise ProblemError(413, "too-many-rows", f"the body holds more than {BULK_ROWS_MAX} rows")
    return lines


def _row(number: int, result: Result | RefusedBody) -> tuple[bytes, int]:
    if isinstance(result, RefusedBody):
        body: dict[str, Any] = problem_body(result.status, result.code, result.detail, errors_of(result.faults))
        status = result.status
    else:
        status, body = _told(result)
    if status == 202:
        return json_bytes({"row": number, "status": status, **body}) + b"\n", status
    return json_bytes({"row": number, "status": status, "problem": body}) + b"\n", status


def _told(result: Result) -> tuple[int, dict[str, Any]]:
    if isinstance(result, Receipt):
        claim = str(result.claim_id)
        return 202, {"claim_id": claim, "reference": result.reference, "status_url": result.status_url}
    return result.status, problem_body(result.status, result.code, result.detail)
