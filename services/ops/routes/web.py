"""What every route shares: bounded bodies, who is asking, plain JSON answers with an ETag, faults as problems."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hosting.web import ProblemError, pointer, problem, problem_answer, read_body
from services.ops.domain.people import Role, Staff
from services.ops.ports import People

BODY_BYTES_MAX = 64 * 1024
PERSON_HEADER = "Claimflow-Person"
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
Body = TypeVar("Body")


class Problem(BaseModel):
    """Every error: RFC 9457 with a stable code, and where the body is wrong, JSON pointers. Values are not repeated."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its description."""
    example = {
        "type": "urn:claimflow:problem:claim-unknown",
        "title": "Not Found",
        "status": 404,
        "code": "claim-unknown",
        "detail": "no claim of this name is known here (yet)",
    }
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {status: {"description": "A problem, in words", "content": content} for status in statuses}


async def body_of(request: Request, kind: TypeAdapter[Body]) -> Body:
    """The validated JSON body; ProblemError with pointers otherwise."""
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError(415, "not-json", "the body must be application/json")
    raw = await read_body(request, BODY_BYTES_MAX)
    try:
        return kind.validate_json(raw)
    except ValidationError as wrong:
        raise unfit(wrong) from None


def unfit(wrong: ValidationError) -> ProblemError:
    """What is wrong with a body: 400 if it is no JSON at all, else 422 naming each place and rule, never a value."""
    errors = wrong.errors(include_input=False, include_url=False, include_context=False)
    if errors and errors[0]["type"] == "json_invalid":
        return ProblemError(400, "malformed-json", "the body is no well-formed JSON")
    found = [
        {"pointer": pointer(one["loc"]), "code": one["type"], "detail": one["msg"].removeprefix("Value error, ")}
        for one in errors[:20]
    ]
    return ProblemError(422, "invalid-body", "the body does not fit; see errors", found)


def person_of(request: Request, people: People) -> Staff:
    """Who is asking, as the file of people says now; 403 for somebody it does not name."""
    named = request.headers.get(PERSON_HEADER)
    if named is None or not _CODE.fullmatch(named):
        raise ProblemError(400, "person-missing", f"the header {PERSON_HEADER} must name who is acting")
    staff = people.find(named)
    if staff is None:
        raise ProblemError(403, "person-unknown", "the file of people names nobody of this id")
    return staff


def demand(staff: Staff, role: Role) -> None:
    """403 unless the person has the role."""
    if not staff.has(role):
        raise ProblemError(403, "role-missing", f"this needs the role {role.value}")


def key_of(request: Request) -> str | None:
    """The Idempotency-Key, if one is given."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise ProblemError(400, "bad-idempotency-key", "Idempotency-Key must be 1 to 200 visible ASCII characters")
    return key


def answer(request: Request, found: BaseModel, status: int = 200) -> Response:
    """The JSON of an answer; on GET with its ETag, and 304 for who has it already."""
    content = found.model_dump_json(exclude_none=True)
    if request.method != "GET":
        return Response(content, status, media_type="application/json")
    tag = f'"{sha256(content.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, status, headers, media_type="application/json")


def handle_faults(app: FastAPI) -> None:
    """Every error of this application leaves as a problem."""
    app.add_exception_handler(ProblemError, problem_answer)
    app.add_exception_handler(RequestValidationError, _bad_parameters)
    app.add_exception_handler(HTTPException, _http_problem)


async def _bad_parameters(request: Request, raised: Exception) -> JSONResponse:
    assert isinstance(raised, RequestValidationError)
    found = [
        {"parameter": str(one["loc"][-1]), "code": str(one["type"]), "detail": str(one["msg"])}
        for one in raised.errors()[:20]
    ]
    return problem(422, "invalid-parameter", "a parameter does not fit; see errors", found)


async def _http_problem(request: Request, raised: Exception) -> JSONResponse:
    assert isinstance(raised, HTTPException)
    words: dict[int, tuple[str, str]] = {
        404: ("no-such-route", "nothing lies at this path"),
        405: ("method-not-allowed", "this path does not take this method"),
    }
    code, detail = words.get(raised.status_code, ("refused", "the request was refused"))
    return problem(raised.status_code, code, detail, headers=dict(raised.headers or {}))


def parameter(name: str, rule: str) -> ProblemError:
    """422 for a query parameter."""
    errors = [{"parameter": name, "code": "not-allowed", "detail": rule}]
    return ProblemError(422, "invalid-parameter", "a parameter does not fit; see errors", errors)


PERSON_PARAMETER: dict[str, Any] = {
    "name": PERSON_HEADER,
    "in": "header",
    "required": True,
    "description": "Who is acting: an id in the file of people.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$"},
    "example": "ada",
}
KEY_PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is done once and answered the same.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "example": "review-1",
}


def takes(model: str, examples: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    """The description of a route whose body we read ourselves, within bounds."""
    content = {
        "schema": {"$ref": f"#/components/schemas/{model}"},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": {"application/json": content}},
    }
