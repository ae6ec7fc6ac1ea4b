"""ops as a real process, and the command line against it, over a real broker and database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import Outgoing, partition_of
from privacy.master_key import create_master_key_file
from schemas.event import Event
from schemas.ids import ClaimId
from schemas.topics import topic_of
from tests.builders.events import (
    REPORTED_AT,
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    an_envelope,
    on_the_wire,
)
from tests.conftest import PARTITIONS

ROOT = Path(__file__).resolve().parents[3]


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    return kept | {f"CLAIMFLOW_{name}": value for name, value in settings.items()}


def settings_of(database: str, kafka: str, **more: str) -> dict[str, str]:
    fixed = {
        "PROFILE": "test",
        "KAFKA": kafka,
        "PARTITIONS": str(PARTITIONS),
        "OPS_DATABASE": database,
        "OPS_PORT": "0",
    }
    return environment(**fixed | more)


async def started(env: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ops", *words, cwd=ROOT, env=env, stdout=-1, stderr=-1
    )


@asynccontextmanager
async def running(env: dict[str, str]) -> AsyncIterator[str]:
    """The process and its address; stopped by SIGTERM at the end, with exit code 0."""
    process = await started(env)
    assert process.stdout is not None and process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert line.startswith("services.ops ready "), (await process.stderr.read()).decode()[-3000:]
        yield line.split()[-1]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, said.decode()[-3000:]


async def command(url: str, *words: str) -> tuple[int, str, str]:
    """`claimflow words... --url URL`: exit code, output, what was said beside."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *words, "--url", url, cwd=ROOT, env=environment(), stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def told(kafka: str, events: Sequence[tuple[Event, ClaimId, int, dict[str, int]]]) -> None:
    """One after the other, as causes precede effects; each a second later by its own time."""
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    for number, (event, claim, sequence, after) in enumerate(events):
        instant = REPORTED_AT + timedelta(seconds=number)
        key, value, headers = on_the_wire(event, claim, sequence, after=after, time=instant)
        sent = Outgoing(topic_of(event.WRITER), partition_of(key, PARTITIONS), key, value, headers)
        await producer.send([sent], 30)
    await producer.stop()


def a_referred_claim(claim: ClaimId) -> list[tuple[Event, ClaimId, int, dict[str, int]]]:
    return [
        (a_claim_reported(claim), claim, 1, {}),
        (a_claim_registered(), claim, 1, {"intake": 1}),
        (a_claim_referred(), claim, 2, {"intake": 1}),
    ]


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
    process = await started(environment(**settings))

    out, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert out == b"" and err.count(b"\n") == 1 and said in err.decode()


@pytest.mark.broker
@pytest.mark.database
@pytest.mark.parametrize("engine", [pytest.param("aiokafka", marks=pytest.mark.long), "faust"])
async def test_a_claim_is_followed_reviewed_and_traced_from_the_command_line(
    engine: str, fresh_kafka: str, database_url: str, tmp_path: Path
) -> None:
    claim = a_claim_id(1)
    key_file = tmp_path / "master.key"
    create_master_key_file(key_file, os.urandom)
    keys = {"KEYS_DATABASE": database_url, "MASTER_KEY_FILE": str(key_file)}
    env = settings_of(database_url, fresh_kafka, ENGINE=engine, **keys)
    await told(fresh_kafka, a_referred_claim(claim))

    async with running(env) as url, httpx2.AsyncClient(base_url=url, timeout=30) as http:
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
    env = settings_of(database_url, fresh_kafka, ENGINE="aiokafka")
    await told(fresh_kafka, a_referred_claim(claim))
    async with running(env) as url, httpx2.AsyncClient(base_url=url, timeout=30) as http:
        before = await in_state(http, claim, "REFERRED")

    dropping = await started(env, "rebuild-views")
    out, err = await asyncio.wait_for(dropping.communicate(), 60)

    assert (dropping.returncode, err) == (0, b""), err
    assert b"builds them again" in out
    async with running(env) as url, httpx2.AsyncClient(base_url=url, timeout=30) as http:
        assert await in_state(http, claim, "REFERRED") == before
