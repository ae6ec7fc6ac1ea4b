"""The OpenAPI document of ops, made from its routes; docs/openapi/ops.json is its committed form."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from services.ops.handlers.ordering import ORDER_ASKED
from services.ops.handlers.reviewing import ReviewRequest
from services.ops.routes.persons import EraseRequest
from services.ops.routes.web import Problem

_REF = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, with the bodies we read ourselves and the plain routes of every process."""
    found = get_openapi(
        title="claimflow ops",
        version="1",
        openapi_version="3.1.0",
        description="Every claim, every stage: views, reviews, orders. Loopback only unless told otherwise.",
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "http://127.0.0.1:8105"}],
    )
    schemas: dict[str, Any] = found.setdefault("components", {}).setdefault("schemas", {})
    bodies: dict[str, TypeAdapter[Any]] = {
        "ReviewRequest": TypeAdapter(ReviewRequest),
        "EraseRequest": TypeAdapter(EraseRequest),
        "OrderAsked": ORDER_ASKED,
        "Problem": TypeAdapter(Problem),
    }
    for name, kind in bodies.items():
        schema = kind.json_schema(ref_template=_REF)
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in found["paths"].values():
        for operation in path.values():
            _without_frameworks_errors(operation)
    for path in ("/livez", "/readyz"):
        answers = {
            status: {"description": words, "content": {"application/json": {"schema": {"type": "object"}}}}
            for status, words in (("200", "Yes."), ("503", "No."))
        }
        found["paths"][path] = {"get": {"summary": "Is the process well?", "responses": answers}}
    text = {"200": {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    found["paths"]["/metrics"] = {"get": {"summary": "Metrics", "responses": text}}
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def as_text(app: FastAPI) -> str:
    """The committed form."""
    return json.dumps(document(app), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _without_frameworks_errors(operation: dict[str, Any]) -> None:
    """The framework describes its own shape of errors; ours are problems."""
    wrong = operation.get("responses", {}).get("422", {}).get("content", {}).get("application/json")
    if wrong is not None:
        del operation["responses"]["422"]
        operation["responses"]["422"] = {
            "description": "A problem, in words",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
