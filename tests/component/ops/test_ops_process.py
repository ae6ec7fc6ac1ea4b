"""ops as a real process, and the command line against it, over a real broker and database."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.event import Event
from schemas.ids import ClaimId
from tests.builders.events import (
    REPORTED_AT,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    an_envelope,
)
from tests.builders.service_process import (
    a_record,
    environment,
    refusal,
    running,
    send,
    service_environment,
    started,
)
from tests.conftest import PARTITIONS


async def command(url: str, *words: str) -> tuple[int, str, str]:
    """`claimflow words... --url URL`: exit code, output, what was said beside."""
    process = await started("cli", environment(), *words, "--url", url)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def tell_of_a_referral(kafka: str, claim: ClaimId) -> None:
    """One after the other, as causes precede effects; each a second later by its own time."""
    told: tuple[tuple[Event, int, dict[str, int]], ...] = (
        (a_claim_reported(claim), 1, {}),
        (a_claim_registered(), 1, {"intake": 1}),
        (a_claim_referred(), 2, {"intake": 1}),
    )
    for number, (event, sequence, after) in enumerate(told):
        time = REPORTED_AT + timedelta(seconds=number)
        await send(kafka, [a_record(event, claim, sequence, after=after, time=time)])


async def in_state(http: httpx2.AsyncClient, claim: ClaimId, state: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            answer = await http.get(f"/v1/claims/{claim}")
            if answer.status_code == 200 and answer.json()["state"] == state:
                return dict(answer.json())
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CLAIMFLOW_OPS_DATABASE: is missing"),
        ({"OPS_PEOPEL_FILE": "x"}, "did you mean CLAIMFLOW_OPS_PEOPLE_FILE"),
        ({"OPS_DATABASE": "postgresql+asyncpg://x/y", "OPS_PEOPLE_FILE": "/nowhere.yaml"}, "cannot be used"),
    ],
)
async def test_wrong_settings_are_one_line_and_exit_code_2(settings: dict[str, str], said: str) -> None:
    assert said in await refusal("ops", **settings)


@pytest.mark.broker
@pytest.mark.database
@pytest.mark.parametrize("engine", [pytest.param("aiokafka", marks=pytest.mark.long), "faust"])
async def test_a_claim_is_followed_reviewed_and_traced_from_the_command_line(
    engine: str, fresh_kafka: str, database_url: str, key_file: Path
) -> None:
    claim = a_claim_id(1)
    env = service_environment("ops", database_url, fresh_kafka, key_file, ENGINE=engine)
    await tell_of_a_referral(fresh_kafka, claim)

    async with running("ops", env) as ops, httpx2.AsyncClient(base_url=ops.address, timeout=30) as http:
        url = ops.address
        waiting = await in_state(http, claim, "REFERRED")
        referral = str(an_envelope(a_claim_referred(), claim, 2).id)
        assert waiting["referral_event_id"] == referral
        reviewed = await command(url, "review", str(claim), "approve", "--person", "ada", "--key", "click", "--json")
        again = await command(url, "review", str(claim), "approve", "--person", "ada", "--referral", referral)
        await in_state(http, claim, "REGISTERED")
        traced = await command(url, "trace", waiting["reference"], "--json")
        paused = await command(url, "pause", "ops-views", "-p", "omar", "-r", "Tuesday.", "--wait", "20", "--json")
        lag = await command(url, "lag", "--json")
        resumed = await command(url, "resume", "ops-views", "-p", "omar", "--wait", "20", "--json")
        letters = await command(url, "dlq", "list", "--json")
        summary = (await http.get("/v1/summary")).json()
        healthy = [(await http.get(path)).status_code for path in ("/livez", "/readyz", "/metrics", "/openapi.json")]

    assert [code for code, _, _ in (paused, lag, resumed, letters)] == [0] * 4, (paused, lag, resumed, letters)
    assert (reviewed[0], json.loads(reviewed[1])["verdict"]) == (0, "approve")
    assert again[0] == 2 and "answered" in again[2]
    events = json.loads(traced[1])["events"]
    assert [event["type"].split(".")[1] for event in events] == [
        "ClaimReported", "ClaimRegistered", "ClaimReferred", "ReviewRecorded",
    ]  # fmt: skip
    assert json.loads(paused[1])["outcome"]["state"] == json.loads(resumed[1])["outcome"]["state"] == "applied"
    [views] = [stage for stage in json.loads(lag[1])["stages"] if stage["stage"] == "ops-views"]
    assert views["paused"] and len(views["partitions"]) == 5 * PARTITIONS
    assert json.loads(letters[1])["dead_letters"] == []
    assert summary["by_state"] == {"REGISTERED": 1}
    assert healthy == [200] * 4


@pytest.mark.long
@pytest.mark.broker
@pytest.mark.database
async def test_views_dropped_by_command_are_built_again_at_the_next_start(fresh_kafka: str, database_url: str) -> None:
    claim = a_claim_id(1)
    env = service_environment("ops", database_url, fresh_kafka, ENGINE="aiokafka")
    await tell_of_a_referral(fresh_kafka, claim)
    async with running("ops", env) as ops, httpx2.AsyncClient(base_url=ops.address, timeout=30) as http:
        before = await in_state(http, claim, "REFERRED")

    dropping = await started("services.ops", env, "rebuild-views")
    out, err = await asyncio.wait_for(dropping.communicate(), 60)

    assert (dropping.returncode, err) == (0, b""), err
    assert b"builds them again" in out
    async with running("ops", env) as ops, httpx2.AsyncClient(base_url=ops.address, timeout=30) as http:
        assert await in_state(http, claim, "REFERRED") == before
