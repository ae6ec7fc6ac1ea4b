"""The part of intake's OpenAPI document about papers and withdrawals."""

from __future__ import annotations

from schemas.ids import claim_id, claim_reference
from services.intake.domain.papers import SIGNATURES, document_id
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
from services.intake.routes.requests import CODE_PATTERN

_CLAIM = claim_id("default", EXAMPLE_KEY)
TEXT_EXAMPLE = "Water stood 80 cm high in the cellar.\n"
_HASH = "3a1f7c53c3a5a0ad6a0e6f5f5b2ad3c87f1c1c4c8e5a1d8f1f0c7d0f6b3a9e21"
DOCUMENT: JsonObject = {
    "document_id": str(document_id(_CLAIM, _HASH)),
    "kind": "damage-report",
    "media_type": "text/plain",
    "sha256": _HASH,
    "size_bytes": 38,
    "received_at": "2026-01-02T03:04:05+00:00",
    "line_id": "1",
}
WITHDRAWN: JsonObject = {
    "claim_id": str(_CLAIM),
    "reference": claim_reference(_CLAIM),
    "status_url": f"http://127.0.0.1:8105/v1/claims/{_CLAIM}",
    "withdrawn_at": "2026-01-02T03:04:05+00:00",
}
_UNKNOWN = "No claim of this id or reference was reported here."
_AWAY = "The log, the store, the key ring or the place for papers is away. Repeat with the same key: it counts once."
_ADD_PROBLEMS = {
    400: "A header is missing or malformed.",
    404: _UNKNOWN,
    408: "The document did not arrive in time.",
    409: "The claim was withdrawn, has as many papers as it may have, or shares its reference with another.",
    410: "The claim's reporter was erased: the claim takes no more documents.",
    413: "The document is larger than the limit, which the answer names.",
    415: "The media type is not one of those taken, or the body is compressed.",
    422: "The body is empty or does not begin as its media type says, a parameter breaks a rule, or the key stands "
    "for another request.",
    429: "Too many documents are coming in.",
    500: "A fault of ours; repeat with the same key.",
    503: _AWAY,
}
_LIST_PROBLEMS = {status: _ADD_PROBLEMS[status] for status in (404, 409, 429, 500, 503)}
_LIST_PROBLEMS |= {409: "Two claims share this reference.", 422: "There are no parameters."}
_WITHDRAW_PROBLEMS = {
    400: "Not JSON, or a header is missing or malformed.",
    404: _UNKNOWN,
    408: "The body did not arrive in time.",
    409: "Two claims share this reference.",
    413: "The body is larger than 4 KiB.",
    415: "The body is not application/json, or it is compressed.",
    422: "The reason is no code, or the key stands for another request.",
    429: "Too many requests are under way.",
    500: _ADD_PROBLEMS[500],
    503: _AWAY,
}


def paths() -> JsonObject:
    """The paths."""
    return {
        "/v1/claims/{claim}/documents": {"post": _add(), "get": _list()},
        "/v1/claims/{claim}:withdraw": {"post": _withdraw()},
    }


def schemas() -> JsonObject:
    """What the answers are made of."""
    uuid, text = {"type": "string", "format": "uuid"}, {"type": "string"}
    instant = {"type": "string", "format": "date-time"}
    paper: JsonObject = {
        "document_id": uuid,
        "kind": text,
        "media_type": {"type": "string", "enum": list(SIGNATURES)},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "size_bytes": {"type": "integer", "minimum": 1},
        "received_at": instant,
        "line_id": text,
    }
    names: JsonObject = {"claim_id": uuid, "reference": text}
    listed = {**names, "documents": {"type": "array", "items": of("Document")}}
    withdrawn = {**names, "status_url": {"type": "string", "format": "uri"}, "withdrawn_at": instant}
    return {
        "Document": object_of(paper, optional=("line_id",)),
        "Documents": object_of(listed),
        "Withdrawal": object_of(withdrawn),
    }


def _add() -> JsonObject:
    binary = {"type": "string", "format": "binary"}
    content: JsonObject = {kind: {"schema": binary} for kind in SIGNATURES}
    content["text/plain"] = {"schema": {"type": "string", "minLength": 1}, "examples": example(TEXT_EXAMPLE)}
    return {
        "operationId": "addDocument",
        "summary": "Add a paper to a claim",
        "description": "The body is the document. Answered after it is stored, sealed under the key of the claim's "
        "reporter, and the log has its event. Erasing the reporter makes it unreadable. "
        "The same bytes for the same claim are one document. Names of files are not kept.",
        "parameters": [
            _claim(),
            _code("kind", "What it is: estimate, invoice, photo, police-report.", "damage-report", required=True),
            _code("line_id", "The line of the claim it belongs to.", "1", required=False),
            key_header(),
            client_header(),
            trace_header(),
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "202": {
                "description": "Stored, and in the log.",
                "content": {"application/json": {"schema": of("Document"), "examples": example(DOCUMENT)}},
            },
            **problems(_ADD_PROBLEMS),
        },
    }


def _list() -> JsonObject:
    told = {"claim_id": WITHDRAWN["claim_id"], "reference": WITHDRAWN["reference"], "documents": [DOCUMENT]}
    return {
        "operationId": "listDocuments",
        "summary": "List a claim's papers",
        "description": "What was stored, the first received first; never the content.",
        "parameters": [_claim()],
        "responses": {
            "200": {
                "description": "The papers.",
                "content": {"application/json": {"schema": of("Documents"), "examples": example(told)}},
            },
            **problems(_LIST_PROBLEMS),
        },
    }


def _withdraw() -> JsonObject:
    body = {"schema": of("WithdrawClaim"), "examples": example({"reason": "settled-otherwise"})}
    return {
        "operationId": "withdrawClaim",
        "summary": "Withdraw a claim",
        "description": "Recorded once; whether it is still possible is decided downstream. "
        "Any repeat gets the answer of the first.",
        "parameters": [_claim(), key_header(), client_header(), trace_header()],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "202": {
                "description": "Recorded, and in the log.",
                "content": {"application/json": {"schema": of("Withdrawal"), "examples": example(WITHDRAWN)}},
            },
            **problems(_WITHDRAW_PROBLEMS),
        },
    }


def _claim() -> JsonObject:
    return {
        "name": "claim",
        "in": "path",
        "required": True,
        "description": "The claim's id or its reference.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 60},
        "example": str(_CLAIM),
    }


def _code(name: str, description: str, value: str, required: bool) -> JsonObject:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string", "pattern": CODE_PATTERN, "maxLength": 64},
        "example": value,
    }
