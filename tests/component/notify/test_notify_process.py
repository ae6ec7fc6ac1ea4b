"""notify as a real process: one line when it cannot start; and the whole way over broker, database and mail server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaTail
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import Outgoing, partition_of
from privacy.master_key import create_master_key_file
from privacy.migrate import migrate_key_ring
from privacy.wiring import open_sealer
from schemas.event import Event, decode
from schemas.ids import DecisionId, claim_id
from schemas.notify import NoticeSent
from schemas.topics import topic_of
from simulators.mail.app import serve
from simulators.mail.record import FILE_NAME, read_mails
from tests.builders.events import (
    a_claim_approved,
    a_claim_reported,
    a_decision,
    a_payment_confirmed,
    a_payment_instructed,
    an_id,
    on_the_wire,
)
from tests.builders.notices import a_party, sealed
from tests.conftest import PARTITIONS

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = 5


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    return kept | {f"CLAIMFLOW_{name}": value for name, value in settings.items()}


async def started(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notify", cwd=ROOT, env=env, stdout=-1, stderr=-1
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CLAIMFLOW_NOTIFY_DATABASE: is missing"),
        ({"NOTIFY_SMPT": "127.0.0.1:1"}, "did you mean CLAIMFLOW_NOTIFY_SMTP"),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y", "NOTIFY_SMTP": "secret@host"}, "CLAIMFLOW_NOTIFY_SMTP: "),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y", "NOTIFY_MAIL": "maybe"}, "CLAIMFLOW_NOTIFY_MAIL: "),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y"}, "CLAIMFLOW_KEYS_DATABASE: is missing"),
    ],
)
async def test_wrong_settings_are_one_line_and_exit_code_2(settings: dict[str, str], said: str) -> None:
    process = await started(environment(**settings))

    out, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert out == b"" and err.count(b"\n") == 1 and said in err.decode() and b"secret" not in err


def settings_of(database: str, kafka: str, smtp_port: int, key: Path, **more: str) -> dict[str, str]:
    fixed = {
        "PROFILE": "test",
        "KAFKA": kafka,
        "PARTITIONS": str(PARTITIONS),
        "NOTIFY_DATABASE": database,
        "KEYS_DATABASE": database,
        "MASTER_KEY_FILE": str(key),
        "NOTIFY_SMTP": f"127.0.0.1:{smtp_port}",
        "NOTIFY_PORT": "0",
    }
    return environment(**fixed | more)


async def tell_stories(kafka: str, database: str, key: Path) -> None:
    """Claims as the other services tell them, every second one in Chinese, paid before notify looks."""
    async with open_sealer(database, key) as sealer:
        reporter = await sealed(sealer, a_party(name="王小明"))
    sends = []
    for number in range(CLAIMS):
        claim, decided = claim_id("process", f"claim-{number}"), DecisionId(an_id(f"process-{number}"))
        language = ("en", "zh-CN")[number % 2]
        decision = a_decision(name=f"process-{number}")
        told: tuple[tuple[Event, int, dict[str, int]], ...] = (
            (a_claim_reported(claim, reporter=reporter, language=language), 1, {}),
            (a_claim_approved(decision), 1, {"intake": 1}),
            (a_payment_instructed(f"payment-{number}", decision_id=decided), 1, {"intake": 1, "assessment": 1}),
            (a_payment_confirmed(f"payment-{number}"), 2, {"intake": 1, "assessment": 1}),
        )
        for event, sequence, after in told:
            record_key, value, headers = on_the_wire(event, claim, sequence, after=after)
            place = partition_of(record_key, PARTITIONS)
            sends.append(Outgoing(topic_of(event.WRITER), place, record_key, value, headers))
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    await producer.send(sends, 30)
    await producer.stop()


async def sent(kafka: str, paid: int) -> dict[str, str]:
    """Message-ID and kind of the notices on notify's topic, read until so many say paid."""
    tail, found = KafkaTail([topic_of("notify")], KafkaSettings(kafka)), dict[str, str]()
    await tail.start()
    try:
        async with asyncio.timeout(90):
            while Counter(found.values())["paid"] < paid:
                for record in await tail.poll(1):
                    event = decode(dict(record.headers)["ce_type"].decode(), record.value or b"")
                    assert isinstance(event, NoticeSent)
                    found[event.message_id] = event.kind.value
    finally:
        await tail.stop()
    return found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    create_master_key_file(path, os.urandom)
    return path


async def ready(process: asyncio.subprocess.Process) -> str:
    """The address of the ready line."""
    assert process.stdout is not None and process.stderr is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert line.startswith("services.notify ready "), (await process.stderr.read()).decode()[-2000:]
    return line.split()[-1]


@pytest.mark.broker
@pytest.mark.database
async def test_a_process_tells_what_lies_on_the_log_and_stops_cleanly(
    fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "mail") as mail:
        await tell_stories(fresh_kafka, database_url, key_file)
        process = await started(settings_of(database_url, fresh_kafka, mail.smtp_port, key_file))
        address = await ready(process)

        told = await sent(fresh_kafka, CLAIMS)

        async with httpx2.AsyncClient(base_url=address) as client:
            assert (await client.get("/livez")).status_code == (await client.get("/readyz")).status_code == 200
            assert "claimflow_notify_mail_tries_total" in (await client.get("/metrics")).text
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), 30)
    mails = list(read_mails(tmp_path / "mail" / FILE_NAME))
    assert process.returncode == 0
    assert "王小明".encode() not in err and b"ada@example.org" not in err
    assert Counter(mail.message_id for mail in mails) == Counter(dict.fromkeys(told, 1))
    assert {mail.rcpt_to for mail in mails} == {("ada@example.org",)}
    assert sum("尊敬的王小明：" in mail.body for mail in mails) >= CLAIMS // 2


@pytest.mark.broker
@pytest.mark.database
@pytest.mark.long
@pytest.mark.parametrize("engine", ["faust", "aiokafka"])
@pytest.mark.parametrize("point", ["answer.committed", "dispatch.claimed", "channel.send", "channel.accepted"])
async def test_a_process_killed_at_the_point_and_started_again_tells_once(
    point: str, engine: str, fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "mail") as mail:
        await tell_stories(fresh_kafka, database_url, key_file)
        fixed = {"ENGINE": engine, "NOTIFY_LEASE_SECONDS": "5"}
        doomed = await started(
            settings_of(database_url, fresh_kafka, mail.smtp_port, key_file, CRASH_AT=point, **fixed)
        )
        await asyncio.wait_for(doomed.communicate(), 60)
        assert doomed.returncode == -signal.SIGKILL
        process = await started(settings_of(database_url, fresh_kafka, mail.smtp_port, key_file, **fixed))
        await ready(process)

        told = await sent(fresh_kafka, CLAIMS)

        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)
    mails = Counter(mail.message_id for mail in read_mails(tmp_path / "mail" / FILE_NAME))
    assert set(mails) == set(told)
    assert mails.total() <= len(told) + (4 if point == "channel.accepted" else 0)
