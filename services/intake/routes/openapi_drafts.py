"""The part of intake's OpenAPI document about drafts."""

from __future__ import annotations

from schemas.ids import SubjectId, claim_id, claim_reference
from services.intake.domain.drafts import draft_id, draft_number, key_of
from services.intake.routes.drafts import MERGE_PATCH
from services.intake.routes.openapi_parts import (
    EXAMPLE_KEY,
    JsonObject,
    client_header,
    example,
    key_header,
    object_of,
    of,
    problems,
    trace_header,
)

_DRAFT = draft_id("default", EXAMPLE_KEY)
_CLAIM = claim_id("default", key_of(_DRAFT))
NEW_EXAMPLE: JsonObject = {
    "policy_number": "FL-000001",
    "loss_date": "2012-10-29",
    "loss_zone": "America/New_York",
}
PATCH_EXAMPLE: JsonObject = {
    "line": "flood",
    "peril": "flood",
    "currency": "USD",
    "lines": [{"line_id": "1", "coverage_code": "building", "asked": {"amount": "23500.00", "currency": "USD"}}],
    "reporter": {"name": "Ada Example", "email": "ada@example.org"},
}
_NAMES: JsonObject = {"draft_id": str(_DRAFT), "draft_number": draft_number(_DRAFT)}
_NO_ACCOUNT = {
    "pointer": "/reporter/account",
    "code": "missing",
    "detail": "nobody can be paid without an account",
}
CREATED: JsonObject = {
    **_NAMES,
    "missing": {
        "save": [],
        "submit": [
            {"pointer": f"/{name}", "code": "missing", "detail": "a claim needs it"}
            for name in ("line", "peril", "currency", "lines", "reporter")
        ],
        "pay": [_NO_ACCOUNT],
    },
}
SHOWN: JsonObject = {
    **_NAMES,
    "expires_at": "2026-04-02T03:04:05+00:00",
    "claim": {**NEW_EXAMPLE, **{name: value for name, value in PATCH_EXAMPLE.items() if name != "reporter"}},
    "people": {"reporter": {"subject_id": str(SubjectId.of(_CLAIM, "reporter")), "given": ["email", "name"]}},
    "missing": {"save": [], "submit": [], "pay": [_NO_ACCOUNT]},
}
SUBMITTED: JsonObject = {
    "claim_id": str(_CLAIM),
    "reference": claim_reference(_CLAIM),
    "status_url": f"http://127.0.0.1:8105/v1/claims/{_CLAIM}",
    "warnings": [{**_NO_ACCOUNT, "level": "pay"}],
}
_BODY = {
    400: "Not JSON, nested too deeply, a member twice, or a header is missing or malformed.",
    408: "The body did not arrive in time.",
    413: "The draft is larger than 192 KiB.",
    415: "The body is of another media type, or it is compressed.",
    422: "The draft cannot be saved: see `errors`, each with its `level`. Or the key stands for another body.",
    429: "Too many requests are under way.",
    500: "A fault of ours; nothing was taken.",
    503: "The store is away; try again.",
}
_UNKNOWN = "No draft of this id or number is kept for this client: it may have expired."
_CREATE_PROBLEMS = {**_BODY, 404: "The draft of this key has expired."}
_PATCH_PROBLEMS = {**_BODY, 404: _UNKNOWN, 409: "The draft is a claim by now, or is being changed by others."}
_SHOW_PROBLEMS = {400: "A header is malformed.", 404: _UNKNOWN, 422: "There are no parameters."}
_SHOW_PROBLEMS |= {status: _BODY[status] for status in (429, 500, 503)}
_SUBMIT_PROBLEMS = {
    400: "A header is malformed.",
    404: _UNKNOWN,
    409: "Another request for this claim is under way, or the draft is being changed.",
    413: "The report would be larger than an event may be.",
    422: "The draft lacks what a claim needs: see `errors`, each with level `submit`. Or a person of it was erased.",
    429: _BODY[429],
    500: _BODY[500],
    503: "Not acknowledged by the log, or too much waits for it. Repeat: it is one claim.",
}


def paths() -> JsonObject:
    """The paths."""
    return {
        "/v1/drafts": {"post": _create()},
        "/v1/drafts/{draft}": {"get": _show(), "patch": _patch()},
        "/v1/drafts/{draft}:submit": {"post": _submit()},
    }


def schemas() -> JsonObject:
    """What the answers are made of."""
    uuid, text = {"type": "string", "format": "uuid"}, {"type": "string"}
    lack = object_of({"pointer": text, "code": text, "detail": text})
    levels = object_of({level: {"type": "array", "items": lack} for level in ("save", "submit", "pay")})
    names: JsonObject = {"draft_id": uuid, "draft_number": text}
    person = object_of({"subject_id": uuid, "given": {"type": "array", "items": text}})
    shown = {
        **names,
        "expires_at": {"type": "string", "format": "date-time"},
        "claim": {"type": "object"},
        "people": object_of({"reporter": person, "payee": person}, optional=("reporter", "payee")),
        "missing": levels,
        "submitted": object_of({"claim_id": uuid, "reference": text}),
    }
    warning = object_of({"pointer": text, "code": text, "detail": text, "level": {"const": "pay"}})
    receipt: JsonObject = {
        "claim_id": uuid,
        "reference": text,
        "status_url": {"type": "string", "format": "uri"},
        "warnings": {"type": "array", "items": warning},
    }
    return {
        "DraftCreated": object_of({**names, "missing": levels}),
        "Draft": object_of(shown, optional=("submitted",)),
        "DraftReceipt": object_of(receipt),
        "DraftPatch": {
            "type": "object",
            "description": "A JSON merge patch of a DraftClaim: null takes a member away, lists are put as a whole.",
        },
    }


def _create() -> JsonObject:
    return {
        "operationId": "createDraft",
        "summary": "Begin a report",
        "description": "A policy number and when it happened are enough: `loss_at`, or `loss_date` with `loss_zone`.",
        "parameters": [key_header(), client_header()],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": of("DraftClaim"), "examples": example(NEW_EXAMPLE)}},
        },
        "responses": {
            "201": _answer("Kept, with what it lacks.", "DraftCreated", CREATED),
            **problems(_CREATE_PROBLEMS),
        },
    }


def _show() -> JsonObject:
    return {
        "operationId": "showDraft",
        "summary": "See a draft",
        "description": "Of people only which fields are there.",
        "parameters": [_draft(), client_header()],
        "responses": {"200": _answer("The draft.", "Draft", SHOWN), **problems(_SHOW_PROBLEMS)},
    }


def _patch() -> JsonObject:
    body = {"schema": of("DraftPatch"), "examples": example(PATCH_EXAMPLE)}
    return {
        "operationId": "patchDraft",
        "summary": "Enrich a draft",
        "description": "A JSON merge patch (RFC 7396). What comes out must be a draft that can be saved.",
        "parameters": [_draft(), client_header()],
        "requestBody": {"required": True, "content": {MERGE_PATCH: body, "application/json": body}},
        "responses": {"200": _answer("The draft after it.", "Draft", SHOWN), **problems(_PATCH_PROBLEMS)},
    }


def _submit() -> JsonObject:
    return {
        "operationId": "submitDraft",
        "summary": "Make a draft a claim",
        "description": "Exactly one claim, however often it is asked for. `warnings` is what cannot be paid yet.",
        "parameters": [_draft(), client_header(), trace_header()],
        "responses": {
            "202": _answer("Taken, and in the log.", "DraftReceipt", SUBMITTED),
            **problems(_SUBMIT_PROBLEMS),
        },
    }


def _answer(description: str, schema: str, value: JsonObject) -> JsonObject:
    content = {"application/json": {"schema": of(schema), "examples": example(value)}}
    return {"description": description, "content": content}


def _draft() -> JsonObject:
    return {
        "name": "draft",
        "in": "path",
        "required": True,
        "description": "The draft's id or its number.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 60},
        "example": str(_DRAFT),
    }
