"""The committed OpenAPI document is the one the routes make, and its examples are what the models take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.ops.handlers.ordering import ORDER_ASKED
from services.ops.handlers.reviewing import ReviewRequest
from services.ops.routes.persons import EraseRequest
from tests.builders.ops import World

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "openapi" / "ops.json"


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(COMMITTED.read_text())
    return document


async def test_the_committed_document_is_the_present_one() -> None:
    async with World().new_life() as life:
        served = (await life.get("/openapi.json")).json()

    assert served == json.loads(COMMITTED.read_text()), "write it anew: python -m services.ops openapi"


def test_every_operation_says_what_it_takes_and_answers(committed: dict[str, Any]) -> None:
    for path, operations in committed["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"], path
            if method == "post":
                assert operation["requestBody"]["content"]["application/json"]["examples"], path
    text = json.dumps(committed)
    names = set(committed["components"]["schemas"])
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= names


def test_the_examples_are_taken_by_the_models_and_fit_their_schemas(committed: dict[str, Any]) -> None:
    kinds: dict[str, Callable[[str], object]] = {
        "/v1/claims/{claim}/reviews": ReviewRequest.model_validate_json,
        "/v1/persons:erase": EraseRequest.model_validate_json,
        "/v1/commands": ORDER_ASKED.validate_json,
    }
    for path, read in kinds.items():
        content = committed["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": committed["components"]}
        for example in content["examples"].values():
            read(json.dumps(example["value"]))
            jsonschema.Draft202012Validator(schema).validate(example["value"])


def test_only_problems_are_promised_as_errors(committed: dict[str, Any]) -> None:
    for path, operations in committed["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith("4"):
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
