"""POST /v1/adjudications:simulate: a document's bytes to the full adjudication. No rule here, nothing kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hosting.web import PROBLEM_TYPE, ProblemError, health_routes, pointer, problem, problem_answer, read_body
from services.assessment.domain.documents import DocumentError

DOCUMENT_BYTES_MAX = 256 * 1024
JsonObject = dict[str, Any]
PROBLEMS = {
    408: "The body did not arrive in time.",
    413: "The body is larger than 256 KiB.",
    415: "The body is not application/json, or it is compressed.",
    422: "The document breaks rules: each of `errors` has a JSON pointer and the rule.",
    500: "A fault of ours.",
}


def create_app(
    simulate: Callable[[bytes], Mapping[str, Any]],
    described: JsonObject,
    live: Callable[[], Mapping[str, Any]],
    ready: Callable[[], Mapping[str, Any]],
) -> Starlette:
    """The HTTP side. Every error of it is a problem document."""

    async def adjudicate(request: Request) -> Response:
        named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if named != "application/json" or request.headers.get("content-encoding", "identity").lower() != "identity":
            raise ProblemError(415, "unsupported-media-type", "the body must be application/json, not compressed")
        raw = await read_body(request, DOCUMENT_BYTES_MAX)
        try:
            answer = simulate(raw)
        except DocumentError as refused:
            raise _refusal(refused) from None
        return _json(answer)

    async def openapi(request: Request) -> Response:
        return _json(described)

    return Starlette(
        routes=[
            Route("/v1/adjudications:simulate", adjudicate, methods=["POST"]),
            Route("/openapi.json", openapi, methods=["GET"]),
            *health_routes(live, ready),
        ],
        exception_handlers={ProblemError: problem_answer, HTTPException: _no_such_route, Exception: _fault},
    )


def document(schemas: JsonObject, examples: Mapping[str, Any]) -> JsonObject:
    """The OpenAPI 3.1 document; `schemas` are those of document and answer with what they are made of."""
    fault = {name: {"type": "string"} for name in ("pointer", "code", "detail")}
    members: JsonObject = {name: {"type": "string"} for name in ("type", "title", "code", "detail")}
    members |= {"status": {"type": "integer"}, "errors": {"type": "array", "items": _object(fault)}}
    own = {"Problem": _object(members, ("errors",)), "Health": _object({"status": {"type": "string"}}, (), True)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claimflow assessment",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Tries a claim against the terms of a policy. Nothing is stored, decided or told.",
        },
        "servers": [{"url": "http://127.0.0.1:8102"}],
        "paths": {
            "/v1/adjudications:simulate": {"post": _simulate(examples)},
            "/livez": {"get": _health("Is the process making progress?")},
            "/readyz": {"get": _health("May requests be sent here?")},
            "/metrics": {"get": _plain("Metrics for Prometheus.", "text/plain")},
            "/openapi.json": {"get": _plain("This document.", "application/json")},
        },
        "components": {"schemas": dict(sorted({**schemas, **own}.items()))},
    }


def _refusal(refused: DocumentError) -> ProblemError:
    errors = [{"pointer": pointer(path), "code": "rule-broken", "detail": rule} for path, rule in refused.faults]
    return ProblemError(422, "invalid-document", "the document breaks rules; see errors", errors)


def _simulate(examples: Mapping[str, Any]) -> JsonObject:
    body = {"schema": _of("AdjudicationDocument"), "examples": {name: {"value": one} for name, one in examples.items()}}
    problems = {
        str(status): {"description": words, "content": {PROBLEM_TYPE: {"schema": _of("Problem")}}}
        for status, words in PROBLEMS.items()
    }
    answer = {"description": "What the terms give.", "content": {"application/json": {"schema": _of("Simulated")}}}
    return {
        "operationId": "simulateAdjudication",
        "summary": "Adjudicate a claim on trial",
        "description": "The same document gets the same answer; `claimflow adjudicate --json` gives it too.",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": answer, **problems},
    }


def _health(words: str) -> JsonObject:
    content = {"application/json": {"schema": _of("Health")}}
    answers = {"200": {"description": "Yes.", "content": content}, "503": {"description": "No.", "content": content}}
    return {"summary": words, "responses": answers}


def _plain(words: str, kind: str) -> JsonObject:
    return {"summary": words, "responses": {"200": {"description": words, "content": {kind: {}}}}}


def _object(properties: JsonObject, optional: Sequence[str] = (), more: bool = False) -> JsonObject:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": more}


def _of(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(content: Mapping[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, 200, {"Cache-Control": "no-store"}, "application/json")


async def _no_such_route(request: Request, raised: Exception) -> Response:
    if not isinstance(raised, HTTPException):
        raise raised
    code = {404: "not-found", 405: "method-not-allowed"}.get(raised.status_code, "bad-request")
    return problem(raised.status_code, code, "there is nothing here for this method and path", headers=raised.headers)


async def _fault(request: Request, raised: Exception) -> Response:
    return problem(500, "internal-fault", "the request met a fault of ours")
