"""payment as a real process: one line when it cannot start; and the whole way over a real broker and database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from privacy.migrate import migrate_key_ring
from privacy.wiring import open_sealer
from schemas.event import Event
from schemas.ids import SubjectId, claim_id
from schemas.party import SealedParty
from schemas.payment import PaymentConfirmed
from simulators.bank.app import serve
from simulators.bank.record import FILE_NAME, read_executed
from tests.builders.events import a_claim_approved, a_claim_reported, a_decision, an_id
from tests.builders.payments import a_party
from tests.builders.service_process import (
    a_record,
    refusal,
    run_until_killed,
    running,
    send,
    service_environment,
    told_until,
)

CLAIMS = 5


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
    assert said in await refusal("payment", **settings)


async def report_and_approve(kafka: str, database: str, key: Path) -> None:
    """Claims as the other services tell them, with a payee that only the key ring opens."""
    async with open_sealer(database, key) as sealer:
        [payee] = await sealer.seal_many([(SubjectId(an_id("subject:payee")), a_party())])
    assert isinstance(payee, SealedParty)
    records = []
    for number in range(CLAIMS):
        claim = claim_id("process", f"claim-{number}")
        told: tuple[tuple[Event, dict[str, Any]], ...] = (
            (a_claim_reported(claim, reporter=payee), {}),
            (a_claim_approved(a_decision(name=f"process-{number}")), {"after": {"intake": 1}}),
        )
        for event, envelope in told:
            records.append(a_record(event, claim, 1, **envelope))
    await send(kafka, records)


def ids_confirmed(events: Sequence[Event]) -> set[str]:
    return {event.end_to_end_id for event in events if isinstance(event, PaymentConfirmed)}


async def paid_on(kafka: str) -> set[str]:
    """The end-to-end ids on payment's topic, read until as many are confirmed as there are claims."""
    return ids_confirmed(await told_until(kafka, "payment", lambda events: len(ids_confirmed(events)) >= CLAIMS))


@pytest.mark.broker
@pytest.mark.database
async def test_a_process_pays_what_lies_on_the_log_and_stops_cleanly(
    fresh_kafka: str, database_url: str, key_file: Path, tmp_path: Path
) -> None:
    await migrate_key_ring(database_url)
    async with serve(tmp_path / "bank") as bank:
        await report_and_approve(fresh_kafka, database_url, key_file)
        env = service_environment("payment", database_url, fresh_kafka, key_file, PAYMENT_BANK_URL=bank)
        async with running("payment", env) as process:
            paid = await paid_on(fresh_kafka)

            async with httpx2.AsyncClient(base_url=process.address) as client:
                assert (await client.get("/livez")).status_code == (await client.get("/readyz")).status_code == 200
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
        await report_and_approve(fresh_kafka, database_url, key_file)
        fixed = {"PAYMENT_BANK_URL": bank, "ENGINE": engine}
        env = service_environment("payment", database_url, fresh_kafka, key_file, **fixed)

        await run_until_killed("payment", env | {"CLAIMFLOW_CRASH_AT": point})
        async with running("payment", env):
            paid = await paid_on(fresh_kafka)

    executed = [entry.end_to_end_id for entry in read_executed(tmp_path / "bank" / FILE_NAME)]
    assert len(executed) == CLAIMS and set(executed) == paid
