"""Looking at claims: one by id or reference, its timeline, lists by state, the summary, and look-up by any id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from hosting.web import ProblemError
from schemas.ids import ClaimId
from services.ops.domain.claim_view import STATES, ClaimView
from services.ops.handlers.reading import TIMELINE_MAX, AmbiguousReference, BadClaimName, ClaimReader
from services.ops.routes.answers import (
    ClaimAnswer,
    ClaimsAnswer,
    KnownIdAnswer,
    LookUpAnswer,
    SummaryAnswer,
    TimelineAnswer,
    claim_answer,
    entry_answer,
    summary_answer,
)
from services.ops.routes.web import answer, parameter, problems

ClaimName = Annotated[
    str, Path(max_length=60, description="A claim's id or its reference", examples=["CF-7Q4N-0V2K-M8XD-3"])
]
_LOOK_UP_MAX = 50


async def claim_named(reader: ClaimReader, name: str) -> ClaimView:
    """The claim, waited for a moment; 404 with Retry-After if it does not come."""
    try:
        found = await reader.find(name)
    except BadClaimName as error:
        raise ProblemError(400, "bad-claim-name", str(error)) from None
    except AmbiguousReference:
        raise ProblemError(409, "reference-ambiguous", "two claims share this reference: use the claim's id") from None
    if found is None:
        detail = "no claim of this name is known here (yet)"
        raise ProblemError(404, "claim-unknown", detail, headers={"Retry-After": "2"})
    return found


def claim_routes(reader: ClaimReader) -> APIRouter:
    """Routes that only read."""
    routes = APIRouter(tags=["claims"])

    @routes.get("/v1/claims/{claim}", response_model=ClaimAnswer, responses=problems(400, 404, 409))
    async def get_claim(request: Request, claim: ClaimName) -> Response:
        """One claim. An id not yet in the view is waited for up to two seconds."""
        view = await claim_named(reader, claim)
        return answer(request, claim_answer(view, await reader.parties(view.claim_id)))

    @routes.get("/v1/claims/{claim}/timeline", response_model=TimelineAnswer, responses=problems(400, 404, 409))
    async def get_timeline(
        request: Request,
        claim: ClaimName,
        after: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=TIMELINE_MAX)] = TIMELINE_MAX,
    ) -> Response:
        """Every event of the claim with its topic, partition and offset."""
        view = await claim_named(reader, claim)
        entries = await reader.timeline(view.claim_id, after, limit + 1)
        shown = tuple(entry_answer(entry) for entry in entries[:limit])
        more = after + limit if len(entries) > limit else None
        return answer(
            request, TimelineAnswer(claim_id=view.claim_id, reference=view.reference, events=shown, next=more)
        )

    @routes.get("/v1/claims", response_model=ClaimsAnswer, responses=problems(422))
    async def list_claims(
        request: Request,
        state: Annotated[str | None, Query(max_length=32, examples=["REFERRED"])] = None,
        after: Annotated[str | None, Query(max_length=36)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        """Claims in id order, of one state or all."""
        if state is not None and state not in STATES:
            raise parameter("state", "must be one of " + ", ".join(STATES))
        views = await reader.listed(state, _after(after), limit + 1)
        shown = tuple(claim_answer(view) for view in views[:limit])
        following = shown[-1].claim_id if len(views) > limit else None
        return answer(request, ClaimsAnswer(claims=shown, next=following))

    @routes.get("/v1/summary", response_model=SummaryAnswer)
    async def get_summary(request: Request) -> Response:
        """How many claims are in which state."""
        return answer(request, summary_answer(await reader.counts()))

    @routes.get("/v1/look-up", response_model=LookUpAnswer, responses=problems(422))
    async def look_up(
        request: Request, id: Annotated[str, Query(pattern="^[!-~]{1,64}$", max_length=64, examples=["FL-000001"])]
    ) -> Response:
        """The claims an id stands for: of an event, a payment, a policy, a decision ..., at most fifty."""
        found = await reader.look_up(id, _LOOK_UP_MAX)
        known = tuple(KnownIdAnswer(kind=one.kind, claim_id=one.claim_id) for one in found)
        return answer(request, LookUpAnswer(found=known))

    return routes


def _after(text: str | None) -> ClaimId | None:
    try:
        return None if text is None else ClaimId(text)
    except ValueError:
        raise parameter("after", "must be a claim's id") from None
