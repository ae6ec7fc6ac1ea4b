"""payment as a real process: one line when it cannot start; and the whole way over a real broker and database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaTail
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import Outgoing, partition_of
from privacy.master_key import create_master_key_file
from privacy.migrate import migrate_key_ring
from privacy.wiring import open_sealer
from schemas.event import Event
from schemas.ids import SubjectId, claim_id
from schemas.party import SealedParty
from schemas.topics import topic_of
from simulators.bank.app import serve
from simulators.bank.record import FILE_NAME, read_executed
from tests.builders.events import a_claim_approved, a_claim_reported, a_decision, an_id, on_the_wire
from tests.builders.payments import a_party
from tests.conftest import PARTITIONS

ROOT = Path(__file__).resolve().parents[3]


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    return kept | {f"CLAIMFLOW_{name}": value for name, value in settings.items()}


async def started(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.payment", cwd=ROOT, env=env, stdout=-1, stderr=-1
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CLAIMFLOW_KEYS_DATABASE: is missing"),
        ({"PAYMENT_BANK_ULR": "http://127.0.0.1:1"}, "did you mean CLAIMFLOW_PAYMENT_BANK_URL"),
        (
            {
                "PAYMENT_DATABASE": "postgresql+asyncpg://x/y",
                "KEYS_DATABASE": "postgresql+asyncpg://x/z",
                "MASTER_KEY_FILE": "key",
                "PAYMENT_BANK_URL": "bank",
            },
            "CLAIMFLOW_PAYMENT_BANK_URL: ",
        ),
    ],
)
async def test_wrong_settings_are_one_line_and_exit_code_2(settings: dict[str, str], said: str) -> None:
    process = await started(environment(**settings))

    out, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert out == b"" and err.count(b"\n") == 1 and said in err.decode()


def settings_of(database: str, kafka: str, bank: str, key: Path, **more: str) -> dict[str, str]:
    fixed = {
        "PROFILE": "test",
        "KAFKA": kafka,
        "PARTITIONS": str(PARTITIONS),
        "PAYMENT_DATABASE": database,
        "KEYS_DATABASE": database,
        "MASTER_KEY_FILE": str(key),
        "PAYMENT_BANK_URL": bank,
        "PAYMENT_PORT": "0",
    }
    return environment(**fixed | more)


async def report_and_approve(kafka: str, database: str, key: Path, count: int) -> None:
    """Claims as the other services tell them, with a payee that only the key ring opens."""
    async with open_sealer(database, key) as sealer:
        [payee] = await sealer.seal_many([(SubjectId(an_id("subject:payee")), a_party())])
    assert isinstance(payee, SealedParty)
    sends = []
    for number in range(count):
        claim = claim_id("process", f"claim-{number}")
        told: tuple[tuple[Event, dict[str, Any]], ...] = (
            (a_claim_reported(claim, reporter=payee), {}),
            (a_claim_approved(a_decision(name=f"process-{number}")), {"after": {"intake": 1}}),
        )
        for event, envelope in told:
            key_bytes, value, headers = on_the_wire(event, claim, 1, **envelope)
            place = partition_of(key_bytes, PARTITIONS)
            sends.append(Outgoing(topic_of(event.WRITER), place, key_bytes, value, headers))
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    await producer.send(sends, 30)
    await producer.stop()


async def confirmed(kafka: str, count: int) -> set[str]:
    """The ids of the first `count` confirmations on payment's topic."""
    tail, found = KafkaTail([topic_of("payment")], KafkaSettings(kafka)), set[str]()
    await tail.start()
    try:
        async with asyncio.timeout(90):
            while len(found) < count:
                for record in await tail.poll(1):
                    headers = dict(record.headers)
                    if headers["ce_type"] == b"claimflow.PaymentConfirmed.v1":
                        assert record.value is not None
                        found.add(json.loads(record.value)["end_to_end_id"])
    finally:
        await tail.stop()
    return found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    create_master_key_file(path, os.urandom)
    return path


@pytest.mark.broker
@pytest.mark.database
async def test_a_process_pays_what_lies_on_the_log_and_stops_cleanly(
    fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "bank") as bank:
        await report_and_approve(fresh_kafka, database_url, key_file, count=5)
        process = await started(settings_of(database_url, fresh_kafka, bank, key_file))
        address = await ready(process)

        paid = await confirmed(fresh_kafka, 5)

        async with httpx2.AsyncClient(base_url=address) as client:
            assert (await client.get("/livez")).status_code == (await client.get("/readyz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    assert {entry.end_to_end_id for entry in read_executed(tmp_path / "bank" / FILE_NAME)} == paid


@pytest.mark.broker
@pytest.mark.database
@pytest.mark.long
@pytest.mark.parametrize("engine", ["faust", "aiokafka"])
@pytest.mark.parametrize(
    "point", ["answer.committed", "published.mark", "dispatch.claimed", "bank.send", "bank.replied", "outcome.recorded"]
)
async def test_a_process_killed_at_the_point_and_started_again_pays_once(
    point: str, engine: str, fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "bank") as bank:
        await report_and_approve(fresh_kafka, database_url, key_file, count=5)
        doomed = await started(settings_of(database_url, fresh_kafka, bank, key_file, ENGINE=engine, CRASH_AT=point))
        _, said = await asyncio.wait_for(doomed.communicate(), 60)
        assert doomed.returncode == -signal.SIGKILL, said.decode()[-2000:]
        process = await started(settings_of(database_url, fresh_kafka, bank, key_file, ENGINE=engine))
        await ready(process)

        paid = await confirmed(fresh_kafka, 5)

        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)
    executed = [entry.end_to_end_id for entry in read_executed(tmp_path / "bank" / FILE_NAME)]
    assert len(executed) == 5 and set(executed) == paid


async def ready(process: asyncio.subprocess.Process) -> str:
    """The address of the ready line."""
    assert process.stdout is not None and process.stderr is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert line.startswith("services.payment ready "), (await process.stderr.read()).decode()[-2000:]
    return line.split()[-1]
