"""The service as a process: on a real database and a real broker, and one line when it cannot start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from hosting.settings import load_settings
from privacy.wiring import open_key_ring
from schemas.ids import ClaimId
from services.intake.app import serve
from services.intake.domain.telling import reporter_of
from services.intake.settings import IntakeSettings
from tests.builders.reports import a_report, a_report_body, bulk_body
from tests.builders.service_process import killed, refusal, running, service_environment, started

ERASED = "services.intake: the claim's reporter was erased: nobody can read this paper any more\n"
UNKNOWN = "services.intake: no sealed paper of this claim and id lies in CLAIMFLOW_INTAKE_PAPERS\n"
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "key-1"}


@pytest.mark.database
@pytest.mark.broker
async def test_a_key_keeps_its_answer_over_a_restart_of_the_real_service(
    topics: object, kafka: str, database_url: str, key_file: Path
) -> None:
    settings = load_settings(IntakeSettings, "intake", service_environment("intake", database_url, kafka, key_file))
    async with serve(settings) as address, httpx2.AsyncClient(base_url=address, timeout=30) as client:
        first = await client.post("/v1/claims", content=a_report_body(), headers=HEADERS)
        ready = await client.get("/readyz")
        metrics = await client.get("/metrics")

    moved = settings.model_copy(update={"status_url": "http://ops.example.org"})
    async with serve(moved) as address, httpx2.AsyncClient(base_url=address, timeout=30) as client:
        second = await client.post("/v1/claims", content=a_report_body(), headers=HEADERS)
        other = await client.post("/v1/claims", content=a_report_body(2), headers=HEADERS)
        rows = [("key-1", a_report())] + [(f"key-{number}", a_report(number)) for number in range(2, 400)]
        bulk = await client.post(
            "/v1/claims:bulk", content=bulk_body(rows), headers={"Content-Type": "application/x-ndjson"}
        )

    assert first.status_code == 202, first.text
    assert first.content == second.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert {json.loads(line)["status"] for line in bulk.text.splitlines()} == {202}
    assert ready.json()["status"] == "ok"
    assert "claimflow_intake_reports_total" in metrics.text
    assert first.json()["claim_id"] not in metrics.text


@pytest.mark.database
@pytest.mark.broker
async def test_papers_withdrawals_and_drafts_survive_a_restart_of_the_real_service(
    topics: object, kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    named = service_environment("intake", database_url, kafka, key_file, INTAKE_PAPERS=str(tmp_path / "p"))
    settings = load_settings(IntakeSettings, "intake", named)
    pdf = {"Content-Type": "application/pdf", "Idempotency-Key": "paper-1"}
    draft = {name: value for name, value in a_report(3).items() if name != "channel"}

    async def talk(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        reported = await client.post("/v1/claims", content=a_report_body(), headers=HEADERS)
        claim = reported.json()["reference"]
        begun = await client.post("/v1/drafts", json=draft, headers={"Idempotency-Key": "draft-1"})
        return [
            await client.post(f"/v1/claims/{claim}/documents?kind=photo", content=b"%PDF-1.7", headers=pdf),
            await client.get(f"/v1/claims/{claim}/documents"),
            await client.post(f"/v1/claims/{claim}:withdraw", json={}, headers={"Idempotency-Key": "w"}),
            begun,
            await client.post(f"/v1/drafts/{begun.json()['draft_number']}:submit"),
        ]

    async with serve(settings) as address, httpx2.AsyncClient(base_url=address, timeout=30) as client:
        first = await talk(client)
        shown = await client.get(f"/v1/drafts/{first[3].json()['draft_id']}")
        refused = await client.patch(f"/v1/drafts/{first[3].json()['draft_id']}", json={"line": "fire"})
    async with serve(settings) as address, httpx2.AsyncClient(base_url=address, timeout=30) as client:
        second = await talk(client)

    assert [answer.status_code for answer in first] == [202, 200, 202, 201, 202], [answer.text for answer in first]
    assert [answer.content for answer in first] == [answer.content for answer in second]
    assert (shown.status_code, refused.status_code) == (200, 409)
    [file] = [file for file in (tmp_path / "p").rglob("*") if file.is_file()]
    assert b"%PDF-1.7" not in file.read_bytes()


@pytest.mark.database
@pytest.mark.broker
@pytest.mark.parametrize("point", ["paper.stored", "answer.committed", "publish.acked"])
async def test_a_service_killed_while_it_takes_a_paper_tells_it_once_after_the_retry(
    topics: object, kafka: str, database_url: str, key_file: Path, tmp_path: Path, point: str
) -> None:
    named = service_environment("intake", database_url, kafka, key_file, INTAKE_PAPERS=str(tmp_path / "papers"))
    pdf = {"Content-Type": "application/pdf", "Idempotency-Key": "paper-1"}
    async with running("intake", named) as one, httpx2.AsyncClient(base_url=one.address, timeout=30) as client:
        claim = (await client.post("/v1/claims", content=a_report_body(), headers=HEADERS)).json()["claim_id"]
    path = f"/v1/claims/{claim}/documents?kind=photo"

    dying = named | {"CLAIMFLOW_CRASH_AT": point}
    async with killed("intake", dying) as one, httpx2.AsyncClient(base_url=one.address, timeout=30) as client:
        with pytest.raises(httpx2.TransportError):
            await client.post(path, content=b"%PDF-1.7", headers=pdf)
    async with running("intake", named) as one, httpx2.AsyncClient(base_url=one.address, timeout=30) as client:
        taken = await client.post(path, content=b"%PDF-1.7", headers=pdf)
        listed = await client.get(path.partition("?")[0])

    assert taken.status_code == 202, taken.text
    assert listed.json()["documents"] == [taken.json()]
    [file] = [file for file in (tmp_path / "papers").rglob("*") if file.is_file()]
    assert file.name == taken.json()["document_id"]
    assert b"%PDF-1.7" not in file.read_bytes()


@pytest.mark.database
@pytest.mark.broker
async def test_a_paper_is_opened_by_who_runs_the_service_until_its_reporter_is_erased(
    topics: object, kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    named = service_environment("intake", database_url, kafka, key_file, INTAKE_PAPERS=str(tmp_path / "papers"))
    pdf = {"Content-Type": "application/pdf", "Idempotency-Key": "paper-1"}
    async with running("intake", named) as one, httpx2.AsyncClient(base_url=one.address, timeout=30) as client:
        claim = (await client.post("/v1/claims", content=a_report_body(), headers=HEADERS)).json()["claim_id"]
        path = f"/v1/claims/{claim}/documents?kind=photo"
        paper = (await client.post(path, content=b"%PDF-1.7", headers=pdf)).json()["document_id"]

        opened = await said(named, "open-paper", claim, paper)
        unknown = await said(named, "open-paper", claim, claim)
        wrong = [await said(named, *words) for words in (("open-paper", claim, "x y"), ("open",))]
        async with open_key_ring(database_url, key_file) as ring:
            await ring.destroy(reporter_of(ClaimId(claim)), datetime.now(UTC))
        erased = await said(named, "open-paper", claim, paper)
        refused = await client.post(path, content=b"%PDF-1.8", headers=pdf | {"Idempotency-Key": "paper-2"})

    assert opened == (0, b"%PDF-1.7", "")
    assert unknown == (69, b"", UNKNOWN)
    assert erased == (69, b"", ERASED)
    assert [(code, out) for code, out, _ in wrong] == [(2, b"")] * 2
    assert (refused.status_code, refused.json()["code"]) == (410, "person-erased")


async def said(named: Mapping[str, str], *words: str) -> tuple[int | None, bytes, str]:
    """A command of the service: its exit code and what it wrote."""
    process = await started("services.intake", named, *words)
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out, errors.decode()


async def test_a_missing_setting_is_one_line_and_exit_code_2() -> None:
    line = await refusal("intake")

    assert line.startswith("services.intake: CLAIMFLOW_")
    assert line.endswith(": is missing")


async def test_a_misspelled_setting_is_one_line_and_exit_code_2() -> None:
    line = await refusal("intake", INTAKE_ANSWER_SECOND="3")

    assert "did you mean CLAIMFLOW_INTAKE_ANSWER_SECONDS" in line


async def test_a_setting_out_of_bounds_is_one_line_without_its_value(tmp_path: Path) -> None:
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    places = {"INTAKE_DATABASE": nowhere, "KEYS_DATABASE": nowhere, "MASTER_KEY_FILE": str(tmp_path / "none")}

    line = await refusal("intake", **places, INTAKE_GROUP_ROWS="987654")

    assert "CLAIMFLOW_INTAKE_GROUP_ROWS" in line
    assert "987654" not in line
