"""Intake's OpenAPI 3.1 document: every route, every answer, examples that work.

`python -m services.intake.routes.openapi` writes it to standard output; docs/openapi/intake.json is its committed form.
"""

from __future__ import annotations

import json
import sys
from typing import get_args

from pydantic.json_schema import models_json_schema

from services.intake.domain.report import BulkRow, DraftClaim, Level, SubmitClaim
from services.intake.routes import openapi_drafts, openapi_papers
from services.intake.routes.claims import NDJSON
from services.intake.routes.openapi_parts import (
    EXAMPLE_KEY,
    REF,
    JsonObject,
    client_header,
    example,
    health,
    key_header,
    object_of,
    of,
    plain,
    problems,
    trace_header,
)
from services.intake.routes.papers import WithdrawClaim

EXAMPLE: JsonObject = {
    "policy_number": "FL-000001",
    "line": "flood",
    "loss_at": "2012-10-29T22:30:00-04:00",
    "loss_zone": "America/New_York",
    "peril": "flood",
    "place": {"country": "US", "admin": "36081", "postcode": "11694"},
    "currency": "USD",
    "lines": [
        {"line_id": "1", "coverage_code": "building", "asked": {"amount": "23500.00", "currency": "USD"}},
        {
            "line_id": "2",
            "coverage_code": "contents",
            "category": "electronics",
            "item_id": "tv-1",
            "asked": {"amount": "4120.50", "currency": "USD"},
            "facts": {"repair_cost": "4120.50", "police_report": False},
        },
    ],
    "facts": {"water_depth_cm": "80", "causes": ["storm-surge"]},
    "other_policies": [{"policy": "HO-77", "limit": {"amount": "10000.00", "currency": "USD"}}],
    "reporter": {
        "name": "Ada Example",
        "email": "ada@example.org",
        "account": {
            "holder": "Ada Example",
            "account_number": "000123456789",
            "bank_code": "021000021",
            "country": "US",
        },
    },
    "language": "en",
}
SHORT_EXAMPLE: JsonObject = {
    "policy_number": "FL-000002",
    "line": "flood",
    "loss_at": "2012-10-30T03:00:00Z",
    "loss_zone": "America/New_York",
    "peril": "flood",
    "currency": "USD",
    "lines": [],
    "reporter": {"name": "王小明", "language": "zh-CN"},
}
_PLACES = ("pointer", "parameter", "level")
_KEYS = (EXAMPLE_KEY, "docs-claim-2")
RECEIPT: JsonObject = {
    "claim_id": "0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001",
    "reference": "CF-7Q4N-0V2K-M8XD-3",
    "status_url": "http://127.0.0.1:8105/v1/claims/0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001",
}
_SINGLE_PROBLEMS = {
    400: "Not JSON, nested too deeply, a member twice, or a header is missing or malformed.",
    409: "Another request with this key and another body is under way.",
    408: "The body did not arrive in time.",
    413: "The body is larger than 256 KiB, or the report larger than an event may be.",
    415: "The body is not application/json, or it is compressed.",
    422: "The report breaks rules (see `errors`), or the key stands for another body.",
    429: "Too many requests are under way.",
    500: "A fault of ours; nothing was taken.",
    503: "Not acknowledged by the log, or too much waits for it. Repeat with the same key: it is taken once.",
}
_BULK_PROBLEMS = {
    400: "No row, or a malformed header.",
    408: _SINGLE_PROBLEMS[408],
    413: "More than 1,000 rows or 4 MiB.",
    415: "The body is not NDJSON, or it is compressed.",
    429: _SINGLE_PROBLEMS[429],
    500: _SINGLE_PROBLEMS[500],
    503: "Too much waits for the log.",
}


def document() -> JsonObject:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claimflow intake",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Reports of losses and their papers, taken once each and told to the whole system.",
        },
        "servers": [{"url": "http://127.0.0.1:8101"}],
        "paths": {
            "/v1/claims": {"post": _submit()},
            "/v1/claims:bulk": {"post": _submit_bulk()},
            **openapi_papers.paths(),
            **openapi_drafts.paths(),
            "/livez": {"get": health("Is the process making progress?")},
            "/readyz": {"get": health("May requests be sent here?")},
            "/metrics": {"get": plain("Metrics for Prometheus.", "text/plain")},
            "/openapi.json": {"get": plain("This document.", "application/json")},
        },
        "components": {"schemas": _schemas()},
    }


def _submit() -> JsonObject:
    body: JsonObject = {"schema": of("SubmitClaim"), "examples": {}}
    body["examples"]["flood"] = {"summary": "Building and contents", "value": EXAMPLE}
    body["examples"]["first-notice"] = {"summary": "No amounts yet, in Chinese", "value": SHORT_EXAMPLE}
    return {
        "operationId": "submitClaim",
        "summary": "Report a loss",
        "description": "Answered after the log has it. Repeat with the same key and body until 202: it counts once.",
        "parameters": [key_header(), client_header(), trace_header()],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "202": {
                "description": "Taken, and in the log.",
                "content": {"application/json": {"schema": of("Receipt"), "examples": example(RECEIPT)}},
            },
            **problems(_SINGLE_PROBLEMS),
        },
    }


def _submit_bulk() -> JsonObject:
    rows = [{"idempotency_key": _KEYS[0], "claim": EXAMPLE}, {"idempotency_key": _KEYS[1], "claim": SHORT_EXAMPLE}]
    sent = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    answered = "".join(json.dumps({"row": n, "status": 202, **RECEIPT}) + "\n" for n in range(2))
    return {
        "operationId": "submitClaims",
        "summary": "Report many losses",
        "description": "NDJSON, a BulkRow a line; the answer is NDJSON, a BulkResult a line, in the same order. "
        "Send the next request after the answer; repeat a request that was cut.",
        "parameters": [client_header()],
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"type": "string"}, "examples": example(sent)}},
        },
        "responses": {
            "200": {
                "description": "A BulkResult for each row.",
                "content": {NDJSON: {"schema": {"type": "string"}, "examples": example(answered)}},
            },
            **problems(_BULK_PROBLEMS),
        },
    }


def _schemas() -> JsonObject:
    models = (SubmitClaim, BulkRow, DraftClaim, WithdrawClaim)
    _, defined = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    found: JsonObject = defined["$defs"]
    for schema in found.values():
        # Requests are read strictly, nested objects too.
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    uuid = {"type": "string", "format": "uuid"}
    receipt = {"claim_id": uuid, "reference": {"type": "string"}, "status_url": {"type": "string", "format": "uri"}}
    fault: JsonObject = {name: {"type": "string"} for name in ("pointer", "parameter", "code", "detail")}
    fault["level"] = {"type": "string", "enum": list(get_args(Level)), "description": "What cannot be done for it."}
    problem: JsonObject = {name: {"type": "string"} for name in ("type", "title", "code", "detail")}
    problem |= {"status": {"type": "integer"}, "errors": {"type": "array", "items": object_of(fault, _PLACES)}}
    row = {"row": {"type": "integer", "minimum": 0, "description": "From 0."}, "status": {"type": "integer"}}
    found |= openapi_papers.schemas() | openapi_drafts.schemas()
    found["Receipt"] = object_of(receipt)
    found["Problem"] = object_of(problem, optional=("errors",))
    found["BulkResult"] = {"oneOf": [object_of(row | receipt), object_of(row | {"problem": of("Problem")})]}
    found["Health"] = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    return dict(sorted(found.items()))


def as_text() -> str:
    """The committed form."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text())
