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
from tests.builders.intake import A_PDF, OK, World
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


def described(path: str, method: str, answer: httpx2.Response) -> Draft202012Validator:
    answers = DOCUMENT["paths"][path][method]["responses"]
    kind = answer.headers["content-type"].partition(";")[0]
    return validator_of(answers[str(answer.status_code)]["content"][kind]["schema"])


def example_of(path: str, method: str, kind: str) -> Any:
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"][kind]
    validator_of(content["schema"]).validate(content["examples"]["example"]["value"])
    return content["examples"]["example"]["value"]


async def test_the_examples_of_papers_and_withdrawal_work_one_after_the_other(world: World) -> None:
    path, withdrawing = "/v1/claims/{claim}/documents", "/v1/claims/{claim}:withdraw"
    parameters = {one["name"]: one.get("example") for one in DOCUMENT["paths"][path]["post"]["parameters"]}
    claim, key = parameters["claim"], parameters["Idempotency-Key"]

    async with world.new_life() as life:
        await life.submit(a_report(), key=key)
        text = example_of(path, "post", "text/plain").encode()
        query = {name: parameters[name] for name in ("kind", "line_id")}
        added = await life.add_paper(claim, text, key, "text/plain", **query)
        listed = await life.client.get(path.format(claim=claim))
        withdrawn = await life.withdraw(claim, key, example_of(withdrawing, "post", "application/json"))
        refused = await life.add_paper(claim, A_PDF, "other")
        parameter = await life.add_paper(claim, A_PDF, "other", kind="a b")

    answers = [(path, "post", added), (path, "get", listed), (withdrawing, "post", withdrawn)]
    answers += [(path, "post", refused), (path, "post", parameter)]
    assert [answer.status_code for _, _, answer in answers] == [202, 200, 202, 409, 422]
    for where, method, answer in answers:
        described(where, method, answer).validate(answer.json())


async def test_the_examples_of_drafts_work_one_after_the_other(world: World) -> None:
    path, submitting = "/v1/drafts/{draft}", "/v1/drafts/{draft}:submit"
    draft, merge = DOCUMENT["paths"][path]["get"]["parameters"][0]["example"], "application/merge-patch+json"

    async with world.new_life() as life:
        created = await life.begin_draft(example_of("/v1/drafts", "post", "application/json"), "docs-claim-1")
        early = await life.submit_draft(draft)
        patched = await life.patch_draft(draft, example_of(path, "patch", merge))
        submitted = await life.submit_draft(draft)
        shown = await life.client.get(path.format(draft=draft))

    promised = DOCUMENT["paths"]["/v1/drafts"]["post"]["responses"]["201"]["content"]["application/json"]["examples"]
    assert created.json() == promised["example"]["value"]
    answers = [("/v1/drafts", "post", created), (submitting, "post", early), (path, "patch", patched)]
    answers += [(submitting, "post", submitted), (path, "get", shown)]
    assert [answer.status_code for _, _, answer in answers] == [201, 422, 200, 202, 200]
    for where, method, answer in answers:
        described(where, method, answer).validate(answer.json())
        again = DOCUMENT["paths"][where][method]["responses"][str(answer.status_code)]["content"]
        for kind in again.values():
            for one in kind.get("examples", {}).values():
                validator_of(kind["schema"]).validate(one["value"])


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
