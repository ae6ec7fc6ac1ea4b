"""What the parts of intake's OpenAPI document are made of: parameters, answers, references, examples."""

from __future__ import annotations

from typing import Any

from hosting.web import PROBLEM_TYPE
from services.intake.domain.report import KEY_PATTERN
from services.intake.routes.requests import CODE_PATTERN

JsonObject = dict[str, Any]
REF = "#/components/schemas/{model}"
EXAMPLE_KEY = "docs-claim-1"


def health(summary: str) -> JsonObject:
    """A route of health."""
    content = {"application/json": {"schema": of("Health"), "examples": example({"status": "ok", "stage": "intake"})}}
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "Yes.", "content": content},
            "503": {"description": "No.", "content": {"application/json": {"schema": of("Health")}}},
        },
    }


def plain(summary: str, kind: str) -> JsonObject:
    """A route that answers with one fixed kind of text."""
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {kind: {}}}}}


def problems(words: dict[int, str]) -> JsonObject:
    """Problem documents by status, each with its words."""
    found: JsonObject = {}
    for status, description in words.items():
        found[str(status)] = {"description": description, "content": {PROBLEM_TYPE: {"schema": of("Problem")}}}
        if status in (409, 429, 503):
            retry = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
            found[str(status)]["headers"] = {"Retry-After": retry}
    return found


def key_header() -> JsonObject:
    """The header that makes a request count once."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "The client's own name for this request; it is taken once.",
        "schema": {"type": "string", "pattern": KEY_PATTERN, "maxLength": 200},
        "example": EXAMPLE_KEY,
    }


def client_header() -> JsonObject:
    """The header that says whose keys these are."""
    return {
        "name": "Claimflow-Client",
        "in": "header",
        "required": False,
        "description": "Whose keys these are.",
        "schema": {"type": "string", "pattern": CODE_PATTERN, "default": "default"},
    }


def trace_header() -> JsonObject:
    """The header of a trace."""
    return {
        "name": "traceparent",
        "in": "header",
        "required": False,
        "description": "W3C trace context; kept on the event this request brings about.",
        "schema": {"type": "string"},
    }


def object_of(properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    """A closed object."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def of(name: str) -> JsonObject:
    """A reference to a schema."""
    return {"$ref": REF.format(model=name)}


def example(value: Any) -> JsonObject:
    """One example."""
    return {"example": {"value": value}}
