"""POST /v1/claims/{claim}/reviews: a person's verdict on a referral."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from hosting.web import ProblemError
from services.ops.domain.review import CONFLICT, NOT_ALLOWED
from services.ops.handlers.reading import ClaimReader
from services.ops.handlers.reviewing import NotAcknowledged, ReviewAnswer, Reviewer, ReviewRefused, ReviewRequest
from services.ops.ports import People
from services.ops.routes.claims import ClaimName, claim_named
from services.ops.routes.web import KEY_PARAMETER, PERSON_PARAMETER, body_of, key_of, person_of, problems, takes, unfit

_BODY = TypeAdapter(ReviewRequest)
_STATUS = {CONFLICT: 409, NOT_ALLOWED: 403}
_REFERRAL = "7c1c2a0e-2f77-5d0f-8c1e-3d2f9a6b5e01"
_EXAMPLES = {
    "approve": {"referral_event_id": _REFERRAL, "verdict": "approve"},
    "approve_amount": {
        "referral_event_id": _REFERRAL,
        "verdict": "approve_amount",
        "amount": {"amount": "900.00", "currency": "USD"},
        "reason": "The contractor's second estimate is lower.",
    },
    "deny": {
        "referral_event_id": _REFERRAL,
        "verdict": "deny",
        "reason": "The loss happened before the policy began.",
        "clause_id": "SFIP-VII-B",
        "fact": "The water entered two days before the effective date.",
    },
    "ask_documents": {
        "referral_event_id": _REFERRAL,
        "verdict": "ask_documents",
        "documents": [{"kind": "repair_invoice", "line_id": "1"}, {"kind": "photo"}],
        "reason": "The first invoice could not be read.",
    },
    "duplicate": {
        "referral_event_id": _REFERRAL,
        "verdict": "duplicate",
        "reason": "The linked claim tells of the same loss.",
    },
}


def not_acknowledged() -> ProblemError:
    """503: it is recorded, and goes out as soon as the broker answers."""
    return ProblemError(
        503,
        "not-acknowledged",
        "recorded, but the broker has not acknowledged it yet; it will be sent. Repeat with the same Idempotency-Key",
        headers={"Retry-After": "2"},
    )


def review_routes(reader: ClaimReader, reviewer: Reviewer, people: People) -> APIRouter:
    """The route that takes verdicts."""
    routes = APIRouter(tags=["reviews"])

    @routes.post(
        "/v1/claims/{claim}/reviews",
        status_code=201,
        response_model=ReviewAnswer,
        responses=problems(400, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=takes("ReviewRequest", _EXAMPLES, PERSON_PARAMETER, KEY_PARAMETER),
    )
    async def review_claim(request: Request, claim: ClaimName) -> Response:
        """Answer the referral a claim waits with. One referral takes one review."""
        staff, key = person_of(request, people), key_of(request)
        asked = await body_of(request, _BODY)
        view = await claim_named(reader, claim)
        try:
            answer = await reviewer.review(view.claim_id, staff, asked, key)
        except ValidationError as wrong:
            raise unfit(wrong) from None
        except ReviewRefused as against:
            refused = against.refused
            raise ProblemError(_STATUS.get(refused.kind, 422), refused.code, refused.detail) from None
        except NotAcknowledged:
            raise not_acknowledged() from None
        return Response(answer, 201, media_type="application/json")

    return routes
