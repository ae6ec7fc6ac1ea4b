"""Erasing a person for good, and opening a party's data on purpose. Both need a role and a reason."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from starlette.responses import Response

from hosting.web import ProblemError
from schemas.ids import SubjectId
from schemas.party import Party
from services.ops.domain.people import Role
from services.ops.handlers.erasing import NoSuchParty, PersonDesk
from services.ops.handlers.reading import ClaimReader
from services.ops.ports import People, PersonsUnavailable
from services.ops.routes.claims import ClaimName, claim_named
from services.ops.routes.part_answers import Answer
from services.ops.routes.web import PERSON_PARAMETER, answer, body_of, demand, person_of, problems, takes

_EXAMPLES = {
    "by-claim": {"claim": "CF-7Q4N-0V2K-M8XD-3", "who": "reporter", "reason": "The person asked for it in writing."},
    "by-subject": {
        "subject_id": "1b671a64-40d5-491e-99b0-da01ff1f3341",
        "reason": "The person asked for it in writing.",
    },
}


Written = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A reason as it is kept: one line, no control characters (PostgreSQL takes no NUL in a text)."""


class EraseRequest(BaseModel):
    """Whom to erase: a subject's id, or a claim with who of it. There is no way back."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    subject_id: SubjectId | None = None
    claim: str | None = None
    who: Literal["reporter", "payee"] | None = None
    reason: Written

    @model_validator(mode="after")
    def _names_one_person(self) -> EraseRequest:
        if (self.subject_id is None) == (self.claim is None) or (self.claim is None) != (self.who is None):
            raise ValueError("name either a subject_id, or a claim and who")
        return self


class ErasedAnswer(Answer):
    """The key is gone: what it sealed cannot be read by anybody any more. Claims and totals stay."""

    subject_id: SubjectId
    outcome: Literal["destroyed", "already_destroyed"]


class OpenedAnswer(Answer):
    """A party in the clear, or the text that stands for them, such as [erased]."""

    who: Literal["reporter", "payee"]
    subject_id: SubjectId
    party: Party | str


class PartiesAnswer(Answer):
    parties: tuple[OpenedAnswer, ...]


_BODY = TypeAdapter(EraseRequest)


def person_routes(reader: ClaimReader, persons: PersonDesk, people: People) -> APIRouter:
    """Routes about persons behind the seals."""
    routes = APIRouter(tags=["persons"])

    @routes.post(
        "/v1/persons:erase",
        response_model=ErasedAnswer,
        responses=problems(400, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=takes("EraseRequest", _EXAMPLES, PERSON_PARAMETER),
    )
    async def erase_person(request: Request) -> Response:
        """Destroy a person's key. Every reader shows [erased] from then on, and papers sealed with it cannot be read.

        Safe to repeat.
        """
        staff = person_of(request, people)
        demand(staff, Role.privacy)
        asked = await body_of(request, _BODY)
        claim_id, subject_id = None, asked.subject_id
        try:
            if subject_id is None and asked.claim is not None and asked.who is not None:
                claim_id = (await claim_named(reader, asked.claim[:60])).claim_id
                subject_id = await persons.subject_of(claim_id, asked.who)
            if subject_id is None:
                raise NoSuchParty
            outcome = await persons.erase(subject_id, claim_id, staff, asked.reason)
        except NoSuchParty:
            raise ProblemError(404, "party-unknown", "the claim has no such party") from None
        except PersonsUnavailable:
            raise _unavailable() from None
        if outcome == "unknown":
            raise ProblemError(404, "subject-unknown", "no key was ever made for this person")
        return answer(request, ErasedAnswer(subject_id=subject_id, outcome=outcome))

    @routes.get(
        "/v1/claims/{claim}/parties",
        response_model=PartiesAnswer,
        responses=problems(400, 403, 404, 409, 422, 503),
        openapi_extra={"parameters": [PERSON_PARAMETER]},
    )
    async def get_parties(request: Request, claim: ClaimName, reason: Annotated[Written, Query()]) -> Response:
        """The claim's parties in the clear, for who may see them; each look is written down with its reason."""
        staff = person_of(request, people)
        demand(staff, Role.unmask)
        view = await claim_named(reader, claim)
        try:
            opened = await persons.unmask(view.claim_id, staff, reason)
        except PersonsUnavailable:
            raise _unavailable() from None
        parties = tuple(
            OpenedAnswer(who=one.row.who, subject_id=one.row.sealed.subject_id, party=one.shown) for one in opened
        )
        found = answer(request, PartiesAnswer(parties=parties))
        found.headers["Cache-Control"] = "no-store"
        return found

    return routes


def _unavailable() -> ProblemError:
    return ProblemError(
        503, "key-ring-unavailable", "the key ring cannot be reached; nothing was done", headers={"Retry-After": "5"}
    )
