"""POST /v1/adjudications:simulate: the whole answer, problems with pointers, and no trace of it anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import simulate_json
from services.assessment.app import EXAMPLE, api
from services.assessment.routes import DOCUMENT_BYTES_MAX, create_app
from tests.builders.assessment import AssessmentHouse
from tests.builders.events import a_claim_reported

ROOT = Path(__file__).parents[3]
DOCUMENT = api()
PATH = "/v1/adjudications:simulate"
APP = create_app(
    partial(simulate_json, terms=load_terms()), DOCUMENT, lambda: {"status": "ok"}, lambda: {"status": "ok"}
)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=APP, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://assessment") as opened:
        yield opened


def validator_of(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def described(answer: httpx2.Response) -> dict[str, Any]:
    """The schema of this answer; fails if its status or media type is not in the document."""
    kind = answer.headers["content-type"].partition(";")[0]
    found: dict[str, Any] = DOCUMENT["paths"][PATH]["post"]["responses"][str(answer.status_code)]["content"][kind]
    return dict(found["schema"])


async def test_a_document_is_answered_with_the_whole_adjudication(client: httpx2.AsyncClient) -> None:
    answer = await client.post(PATH, json=EXAMPLE)

    assert answer.status_code == 200
    found = answer.json()
    validator_of(described(answer)).validate(found)
    assert (found["proposed"], found["computed"]) == ("pay", {"amount": "100000.00", "currency": "USD"})
    assert [step["op"] for step in found["lines"][0]["steps"]] == ["deductible", "limit"]
    assert found["coverages"][0]["results"] == {"deductible_applied": "5000"}
    assert set(found["explanation"]) == {"en", "zh-CN"}


async def test_the_same_document_gets_the_same_bytes(client: httpx2.AsyncClient) -> None:
    answers = [(await client.post(PATH, json=EXAMPLE)).content for _ in range(3)]

    assert len(set(answers)) == 1


async def test_a_bad_document_gets_pointers_and_no_value(client: httpx2.AsyncClient) -> None:
    lines = [{"asked": "s3cret"}]

    answer = await client.post(PATH, json=EXAMPLE | {"claim": {"loss_at": "2026-06-15", "lines": lines}})

    assert answer.status_code == 422
    validator_of(described(answer)).validate(answer.json())
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/claim/lines/0/asked"]
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    "body, content_type, status",
    [
        (b"{", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "application/json", 413),
    ],
)
async def test_each_refusal_is_a_described_problem(
    client: httpx2.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await client.post(PATH, content=body, headers={"content-type": content_type})

    assert answer.status_code == status
    validator_of(described(answer)).validate(answer.json())


async def test_another_path_or_method_is_a_problem_too(client: httpx2.AsyncClient) -> None:
    found = [await client.get("/v1/nothing"), await client.get(PATH)]

    assert [one.status_code for one in found] == [404, 405]
    assert {one.headers["content-type"] for one in found} == {"application/problem+json"}


async def test_a_simulation_stores_and_tells_nothing(client: httpx2.AsyncClient) -> None:
    house = AssessmentHouse()
    await house.restart()
    house.tell(a_claim_reported())
    await house.run()
    told, pending, state = house.records(), await house.pending(), await house.state()

    answer = await client.post(PATH, json=EXAMPLE)
    await house.run()

    assert answer.status_code == 200
    assert (house.records(), await house.pending(), await house.state()) == (told, pending, state)


def test_what_simulates_has_no_way_to_store_or_tell() -> None:
    # The route is given one function. Its modules load no database, no log and no HTTP client.
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import services.assessment.adapters.simulation; "
        "print(*sorted({'messaging', 'sqlalchemy', 'asyncpg', 'aiokafka', 'faust', 'httpx2'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert result.stdout.split() == []


def test_the_committed_description_is_the_current_one() -> None:
    committed = (ROOT / "docs" / "openapi" / "assessment.json").read_text("utf-8")

    assert json.loads(committed) == DOCUMENT, "write it anew: python -m services.assessment openapi"


def test_every_live_route_is_described_and_its_example_fits() -> None:
    live = {
        (route.path, method.lower())
        for route in APP.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    body = DOCUMENT["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]

    assert live == {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    for example in body["examples"].values():
        validator_of(body["schema"]).validate(example["value"])
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
