"""Papers and withdrawals over HTTP: /v1/claims/{claim}/documents and /v1/claims/{claim}:withdraw. No rule lives here.

Neither the content nor the name of a file is logged or told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter
from pydantic import ConfigDict, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from hosting.web import ProblemError, read_body
from schemas.ids import claim_reference
from schemas.model import Code, Model
from services.intake.domain.papers import SIGNATURES, Paper, StoredPaper, begins_as, is_taken
from services.intake.domain.reading import RefusedBody, parsed_freely, validated
from services.intake.domain.telling import Refusal
from services.intake.handlers.papers import Asked, Papers
from services.intake.handlers.reports import Intake
from services.intake.ports import KeyRow
from services.intake.routes.admission import Admission, overloaded
from services.intake.routes.requests import (
    answer,
    check_content,
    check_parameters,
    client_of,
    code_parameter,
    key_of,
    media_type,
    refused,
    refused_body,
    traceparent_of,
)
from services.intake.routes.uploads import received

WITHDRAWAL_BYTES_MAX = 4 * 1024
_ANSWERS = Counter("claimflow_intake_requests", "Requests about known claims, by kind and status.", ("kind", "status"))


class WithdrawClaim(Model):
    """Why a claim is no longer wanted, as a code of the client's own."""

    model_config = ConfigDict(extra="forbid")

    reason: Code | None = None


_WITHDRAWAL: TypeAdapter[WithdrawClaim] = TypeAdapter(WithdrawClaim)


@dataclass(frozen=True, slots=True)
class PaperLimits:
    """See `IntakeSettings`."""

    paper_bytes_max: int = 20 * 1024 * 1024
    upload_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class PaperRoutes:
    """The three routes over one `Papers`."""

    papers: Papers
    intake: Intake
    singles: Admission
    uploads: Admission
    limits: PaperLimits

    async def add(self, request: Request) -> Response:
        """POST /v1/claims/{claim}/documents: one paper, its bytes the body."""
        with self.uploads.admitted():
            self._check_backlog()
            kind = media_type(request)
            if not is_taken(kind):
                raise ProblemError(415, "unsupported-media-type", f"a document is one of {', '.join(SIGNATURES)}")
            client, key = client_of(request), key_of(request)
            check_parameters(request, ("kind", "line_id"))
            named = code_parameter(request, "kind", required=True) or ""
            line_id = code_parameter(request, "line_id", required=False)
            claim = await self._claim(request)
            if isinstance(claim, Refusal):
                return _counted("paper", claim)
            async with received(request, self.limits.paper_bytes_max, self.limits.upload_seconds) as upload:
                if not begins_as(kind, upload.head):
                    raise ProblemError(422, "content-mismatch", "the document does not begin as its media type says")
                paper = Paper(named, kind, upload.sha256, upload.size_bytes, line_id)
                asked = Asked(client, key, claim, traceparent_of(request))
                stored = await self.papers.take(asked, paper, upload.content)
        return _counted("paper", stored) if isinstance(stored, Refusal) else _taken("paper", _told(stored))

    async def list(self, request: Request) -> Response:
        """GET /v1/claims/{claim}/documents."""
        with self.singles.admitted():
            check_parameters(request, ())
            claim = await self._claim(request)
            if isinstance(claim, Refusal):
                return refused(claim)
            found = await self.papers.of_claim(claim)
        if isinstance(found, Refusal):
            return refused(found)
        return answer(200, {**_claim(claim), "documents": [_told(stored) for stored in found]})

    async def withdraw(self, request: Request) -> Response:
        """POST /v1/claims/{claim}:withdraw."""
        with self.singles.admitted():
            self._check_backlog()
            check_content(request, ("application/json",))
            client, key = client_of(request), key_of(request)
            check_parameters(request, ())
            raw = await read_body(request, WITHDRAWAL_BYTES_MAX)
            try:
                parsed_freely(raw)
                said: WithdrawClaim = validated(_WITHDRAWAL, raw)
            except RefusedBody as wrong:
                raise refused_body(wrong) from None
            claim = await self._claim(request)
            if isinstance(claim, Refusal):
                return _counted("withdrawal", claim)
            done = await self.papers.withdraw(Asked(client, key, claim, traceparent_of(request)), said.reason)
        if isinstance(done, Refusal):
            return _counted("withdrawal", done)
        told = {"status_url": claim.status_url, "withdrawn_at": done.withdrawn_at.isoformat()}
        return _taken("withdrawal", {**_claim(claim), **told})

    async def _claim(self, request: Request) -> KeyRow | Refusal:
        return await self.papers.claim_named(request.path_params["claim"])

    def _check_backlog(self) -> None:
        if self.intake.overloaded():
            raise overloaded()


def _claim(claim: KeyRow) -> dict[str, Any]:
    return {"claim_id": str(claim.claim_id), "reference": claim_reference(claim.claim_id)}


def _told(stored: StoredPaper) -> dict[str, Any]:
    paper = stored.paper
    told: dict[str, Any] = {
        "document_id": str(stored.document_id),
        "kind": paper.kind,
        "media_type": paper.media_type,
        "sha256": paper.sha256,
        "size_bytes": paper.size_bytes,
        "received_at": stored.received_at.isoformat(),
    }
    return told if paper.line_id is None else told | {"line_id": paper.line_id}


def _taken(kind: str, body: dict[str, Any]) -> Response:
    _ANSWERS.labels(kind, 202).inc()
    return answer(202, body)


def _counted(kind: str, refusal: Refusal) -> Response:
    _ANSWERS.labels(kind, refusal.status).inc()
    return refused(refusal)
