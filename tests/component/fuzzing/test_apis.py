"""The APIs against requests made from their own descriptions: no 5xx, no answer the description does not know."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hosting.web import http_server
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentsReceived
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import simulate_json
from services.assessment.app import api
from services.assessment.routes import create_app
from tests.builders.intake import World as IntakeWorld
from tests.builders.ops import World as OpsWorld
from tests.builders.reports import a_report

HOOKS = Path(__file__).parent
pytestmark = pytest.mark.long
ANSWERS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CHECKS = f"{ANSWERS},negative_data_rejection,unsupported_method"
BULK, PATCHED = "/v1/claims:bulk", "/v1/drafts/{draft}"
NOT_SINGLY = ("--exclude-path", BULK, "--exclude-path", PATCHED)


async def fuzz(app: Any, folder: Path, *words: str, checks: str = CHECKS, known: str = "{}") -> str:
    """Runs the fuzzer as a process of its own against the app; its report, an empty text when nothing was found."""
    program = Path(sys.executable).with_name("schemathesis")
    async with http_server(app) as url:
        process = await asyncio.create_subprocess_exec(
            program, "run", f"{url}/openapi.json", "--checks", checks, "--max-examples", "60", *words,
            "--seed", "20260102", "--phases", "examples,coverage,fuzzing", "--no-color",
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HOOKS), "FUZZ_KNOWN": known},
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 400)
    text = said.decode()
    assert "Traceback" not in text, text[-3000:]
    return "" if process.returncode == 0 else text


async def test_intake_answers_whatever_comes_as_it_says(tmp_path: Path) -> None:
    world = IntakeWorld()
    async with world.new_life() as life:
        app = life.client._transport.app  # type: ignore[attr-defined]
        claim = (await life.submit(a_report())).json()["claim_id"]
        draft = (await life.begin_draft()).json()["draft_id"]
        known = json.dumps({"claim": claim, "draft": draft})
        single = await fuzz(app, tmp_path, *NOT_SINGLY, known=known)
        # A merge patch may say anything of what is not there: taking nothing away is no fault.
        patches = await fuzz(app, tmp_path, "--include-path", PATCHED, checks=ANSWERS, known=known)
        # A bulk request is taken whole and answered row by row: a wrong row is no reason to refuse its neighbours.
        bulk = await fuzz(app, tmp_path, "--include-path", BULK, checks=ANSWERS)

    told = {type(event) for event in world.all_events().values()}
    assert told == {ClaimReported, DocumentsReceived, ClaimWithdrawn}, "the fuzzer met no claim there is"
    assert single == "", single[-6000:]
    assert patches == "", patches[-6000:]
    assert bulk == "", bulk[-6000:]


async def test_ops_answers_whatever_comes_as_it_says(tmp_path: Path) -> None:
    async with OpsWorld().new_life() as life:
        report = await fuzz(life.client._transport.app, tmp_path)  # type: ignore[attr-defined]

    assert report == "", report[-6000:]


async def test_assessment_answers_whatever_comes_as_it_says(tmp_path: Path) -> None:
    def well() -> dict[str, str]:
        return {"status": "ok"}

    app = create_app(partial(simulate_json, terms=load_terms()), api(), well, well)
    # A number is taken where the description says text: people write documents by hand, and it means the same.
    report = await fuzz(app, tmp_path, checks=f"{ANSWERS},unsupported_method")

    assert report == "", report[-6000:]
