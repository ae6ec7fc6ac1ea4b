"""notify as a real process: one line when it cannot start; and the whole way over broker, database and mail server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from privacy.migrate import migrate_key_ring
from privacy.wiring import open_sealer
from schemas.event import Event
from schemas.ids import DecisionId, claim_id
from schemas.notify import NoticeKind, NoticeSent
from simulators.mail.app import MailAddresses, serve
from simulators.mail.record import FILE_NAME, read_mails
from tests.builders.events import (
    a_claim_approved,
    a_claim_reported,
    a_decision,
    a_payment_confirmed,
    a_payment_instructed,
    an_id,
)
from tests.builders.notices import a_party, sealed
from tests.builders.service_process import (
    a_record,
    all_told,
    refusal,
    run_until_killed,
    running,
    send,
    service_environment,
)

CLAIMS = 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "CLAIMFLOW_NOTIFY_DATABASE: is missing"),
        ({"NOTIFY_SMPT": "127.0.0.1:1"}, "did you mean CLAIMFLOW_NOTIFY_SMTP"),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y", "NOTIFY_SMTP": "secret@host"}, "CLAIMFLOW_NOTIFY_SMTP: "),
        (
            {"NOTIFY_DATABASE": "postgresql+asyncpg://x/y", "NOTIFY_PAPERS_URL": "secret"},
            "CLAIMFLOW_NOTIFY_PAPERS_URL: ",
        ),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y", "NOTIFY_MAIL": "maybe"}, "CLAIMFLOW_NOTIFY_MAIL: "),
        ({"NOTIFY_DATABASE": "postgresql+asyncpg://x/y"}, "CLAIMFLOW_KEYS_DATABASE: is missing"),
    ],
)
async def test_wrong_settings_are_one_line_and_exit_code_2(settings: dict[str, str], said: str) -> None:
    line = await refusal("notify", **settings)

    assert said in line and "secret" not in line


def smtp_of(mail: MailAddresses) -> str:
    return f"127.0.0.1:{mail.smtp_port}"


async def tell_stories(kafka: str, database: str, key: Path) -> None:
    """Claims as the other services tell them, every second one in Chinese, paid before notify looks."""
    async with open_sealer(database, key) as sealer:
        reporter = await sealed(sealer, a_party(name="王小明"))
    records = []
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
        records += [a_record(event, claim, sequence, after=after) for event, sequence, after in told]
    await send(kafka, records)


async def ids_sent(kafka: str, database: str) -> set[str]:
    """Message-IDs of all notices on notify's topic, once every claim says received and paid and no mail is pending.

    An approval may be sent or left out, before or after another claim's payment: nobody can tell by counting.
    """
    told = await all_told(kafka, "notify", every_claim_is_paid, database)
    sent = [event for event in told if isinstance(event, NoticeSent)]
    assert sent == told
    return {event.message_id for event in sent}


def every_claim_is_paid(found: Sequence[Event]) -> bool:
    ids = {(event.kind, event.message_id) for event in found if isinstance(event, NoticeSent)}
    kinds = Counter(kind for kind, _ in ids)
    return kinds[NoticeKind.received] >= CLAIMS and kinds[NoticeKind.paid] >= CLAIMS


@pytest.mark.broker
@pytest.mark.database
async def test_a_process_tells_what_lies_on_the_log_and_stops_cleanly(
    fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "mail") as mail:
        await tell_stories(fresh_kafka, database_url, key_file)
        env = service_environment("notify", database_url, fresh_kafka, key_file, NOTIFY_SMTP=smtp_of(mail))
        async with running("notify", env) as process:
            told = await ids_sent(fresh_kafka, database_url)

            async with httpx2.AsyncClient(base_url=process.address) as client:
                assert (await client.get("/livez")).status_code == (await client.get("/readyz")).status_code == 200
                assert "claimflow_notify_mail_tries_total" in (await client.get("/metrics")).text
    mails = list(read_mails(tmp_path / "mail" / FILE_NAME))
    assert "王小明".encode() not in process.said and b"ada@example.org" not in process.said
    assert Counter(mail.message_id for mail in mails) == Counter(told)
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
        fixed = {"NOTIFY_SMTP": smtp_of(mail), "ENGINE": engine, "NOTIFY_LEASE_SECONDS": "5"}
        env = service_environment("notify", database_url, fresh_kafka, key_file, **fixed)

        await run_until_killed("notify", env | {"CLAIMFLOW_CRASH_AT": point})
        async with running("notify", env):
            told = await ids_sent(fresh_kafka, database_url)

    mails = Counter(mail.message_id for mail in read_mails(tmp_path / "mail" / FILE_NAME))
    assert set(mails) == told
    assert mails.total() <= len(told) + (4 if point == "channel.accepted" else 0)
