"""The OpenAPI document is whole and true: its examples are taken, and every answer is one it describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from services.intake.app import create_app
from services.intake.routes.openapi import as_text, document
from tests.builders.intake import OK, World
from tests.builders.reports import a_report

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi" / "intake.json"
DOCUMENT = document()


@pytest.fixture
def world() -> World:
    return World()


def validator_of(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def described_answer(path: str, answer: httpx2.Response) -> dict[str, Any]:
    """The schema of this answer; fails if its status or media type is not in the document."""
    answers = DOCUMENT["paths"][path]["post"]["responses"]
    kind = answer.headers["content-type"].partition(";")[0]
    found: dict[str, Any] = answers[str(answer.status_code)]["content"][kind]["schema"]
    return found


def test_the_committed_document_is_the_current_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == as_text(), (
        "run: python -m services.intake.routes.openapi > docs/openapi/intake.json"
    )


async def test_every_live_route_is_described_and_every_described_route_lives(world: World) -> None:
    async with world.new_life() as life:
        app = create_app(life.desks, world.clock.now, lambda: OK, lambda: OK)

    live = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert live == described


def test_every_schema_is_sound_and_every_reference_resolves() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)

    named = {part.split('"')[0] for part in json.dumps(DOCUMENT).split("#/components/schemas/")[1:]}

    assert named <= set(schemas)


@pytest.mark.parametrize("name", ["flood", "first-notice"])
async def test_each_example_of_a_report_is_taken(world: World, name: str) -> None:
    content = DOCUMENT["paths"]["/v1/claims"]["post"]["requestBody"]["content"]["application/json"]
    example = content["examples"][name]["value"]
    validator_of(content["schema"]).validate(example)

    async with world.new_life() as life:
        answer = await life.submit(example)

    assert answer.status_code == 202
    validator_of(described_answer("/v1/claims", answer)).validate(answer.json())


async def test_the_example_of_a_bulk_request_is_taken(world: World) -> None:
    content = DOCUMENT["paths"]["/v1/claims:bulk"]["post"]["requestBody"]["content"]["application/x-ndjson"]
    example = content["examples"]["example"]["value"]

    async with world.new_life() as life:
        answer = await life.submit_bulk(example.encode())

    for line in answer.text.splitlines():
        result = json.loads(line)
        validator_of({"$ref": "#/components/schemas/BulkResult"}).validate(result)
        assert result["status"] == 202
    for line in example.splitlines():
        validator_of({"$ref": "#/components/schemas/BulkRow"}).validate(json.loads(line))


@pytest.mark.parametrize("changes", [{"policy_number": None}, {"loss_at": "x"}, {"extra": 1}, {"lines": [1]}])
async def test_each_refusal_is_described(world: World, changes: dict[str, Any]) -> None:
    async with world.new_life() as life:
        single = await life.submit(a_report(**changes))
        missing = await life.client.post("/v1/claims", content=b"", headers={"Content-Type": "application/json"})
        life.wire.state = "down"
        down = await life.submit(a_report())
        wrong = await life.submit_bulk(b"", content_type="text/plain")

    for path, answer in (("/v1/claims", single), ("/v1/claims", missing), ("/v1/claims", down)):
        validator_of(described_answer(path, answer)).validate(answer.json())
    validator_of(described_answer("/v1/claims:bulk", wrong)).validate(wrong.json())
    assert (single.status_code, missing.status_code, down.status_code, wrong.status_code) == (422, 400, 503, 415)
