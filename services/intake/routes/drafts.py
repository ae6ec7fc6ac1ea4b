"""Drafts over HTTP: /v1/drafts, /v1/drafts/{draft} and /v1/drafts/{draft}:submit. No rule lives here.

What a draft says of people goes in and never comes out: only which fields are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hosting.web import read_body
from schemas.ids import claim_reference
from services.intake.domain.checks import Fault
from services.intake.domain.drafts import DRAFT_BYTES_MAX, DraftRow, claim_of
from services.intake.domain.reading import RefusedBody
from services.intake.domain.telling import Refusal
from services.intake.handlers.drafts import Drafts
from services.intake.handlers.reports import Intake
from services.intake.routes.admission import Admission, overloaded
from services.intake.routes.requests import (
    answer,
    check_content,
    check_parameters,
    client_of,
    errors_of,
    key_of,
    refused,
    refused_body,
    traceparent_of,
)

MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class DraftRoutes:
    """The four routes over one `Drafts`."""

    drafts: Drafts
    intake: Intake
    singles: Admission

    async def create(self, request: Request) -> Response:
        """POST /v1/drafts."""
        with self.singles.admitted():
            check_content(request, ("application/json",))
            client, key = client_of(request), key_of(request)
            check_parameters(request, ())
            raw = await read_body(request, DRAFT_BYTES_MAX)
            try:
                row = await self.drafts.create(raw, client, key)
            except RefusedBody as wrong:
                raise refused_body(wrong) from None
        if isinstance(row, Refusal):
            return refused(row)
        return answer(201, {**_names(row), "missing": _missing(row.created_missing)})

    async def show(self, request: Request) -> Response:
        """GET /v1/drafts/{draft}."""
        with self.singles.admitted():
            check_parameters(request, ())
            row = await self.drafts.find(request.path_params["draft"], client_of(request))
        return refused(row) if isinstance(row, Refusal) else answer(200, _told(row))

    async def patch(self, request: Request) -> Response:
        """PATCH /v1/drafts/{draft}: a JSON merge patch."""
        with self.singles.admitted():
            check_content(request, (MERGE_PATCH, "application/json"))
            client = client_of(request)
            check_parameters(request, ())
            raw = await read_body(request, DRAFT_BYTES_MAX)
            try:
                row = await self.drafts.patch(request.path_params["draft"], client, raw)
            except RefusedBody as wrong:
                raise refused_body(wrong) from None
        return refused(row) if isinstance(row, Refusal) else answer(200, _told(row))

    async def submit(self, request: Request) -> Response:
        """POST /v1/drafts/{draft}:submit: one claim, answered as a report is, with what cannot be paid yet."""
        with self.singles.admitted():
            if self.intake.overloaded():
                raise overloaded()
            client = client_of(request)
            check_parameters(request, ())
            try:
                taken = await self.drafts.submit(request.path_params["draft"], client, traceparent_of(request))
            except RefusedBody as wrong:
                raise refused_body(wrong) from None
        if isinstance(taken, Refusal):
            return refused(taken)
        receipt = taken.receipt
        body = {
            "claim_id": str(receipt.claim_id),
            "reference": receipt.reference,
            "status_url": receipt.status_url,
            "warnings": errors_of(taken.warnings),
        }
        return answer(202, body)


def _names(row: DraftRow) -> dict[str, Any]:
    return {"draft_id": str(row.draft_id), "draft_number": row.number}


def _told(row: DraftRow) -> dict[str, Any]:
    people = {
        role: {"subject_id": str(row.people[role].subject_id), "given": list(row.given[role])} for role in row.people
    }
    told = {
        **_names(row),
        "expires_at": row.expires_at.isoformat(),
        "claim": dict(row.body),
        "people": people,
        "missing": _missing(row.missing),
    }
    if row.submitted is not None:
        claim = claim_of(row)
        told["submitted"] = {"claim_id": str(claim), "reference": claim_reference(claim)}
    return told


def _missing(faults: Sequence[Fault]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {"save": [], "submit": [], "pay": []}
    for error in errors_of(faults):
        found[error.pop("level")].append(error)
    return found
