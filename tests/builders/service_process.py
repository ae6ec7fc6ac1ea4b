"""A service as a real process: its environment, its start, its refusal, its end; and the log it reads and writes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaTail
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import Outgoing, partition_of
from schemas.event import Event, decode
from schemas.ids import ClaimId
from schemas.topics import topic_of
from tests.builders.events import on_the_wire
from tests.conftest import PARTITIONS, ROOT

_LEFT = "SELECT " + " + ".join(
    f"(SELECT count(*) FROM {table})" for table in ("runner_work", "runner_unmarked", "runner_queue")
)


@dataclass
class Running:
    """A process that is ready. `said` is all it wrote to its error output, known once it has ended."""

    address: str
    said: bytes = b""


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of claimflow and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    return kept | {f"CLAIMFLOW_{name}": value for name, value in settings.items()}


def service_environment(
    service: str, database: str, kafka: str, key_file: Path | None = None, **more: str
) -> dict[str, str]:
    """What each service needs, on a free port; with a key file also the key ring, in the same database."""
    fixed = {
        "PROFILE": "test",
        "KAFKA": kafka,
        "PARTITIONS": str(PARTITIONS),
        f"{service.upper()}_DATABASE": database,
        f"{service.upper()}_PORT": "0",
    }
    keys = {"KEYS_DATABASE": database, "MASTER_KEY_FILE": str(key_file)} if key_file else {}
    return environment(**fixed | keys | more)


async def started(module: str, env: Mapping[str, str], *words: str) -> asyncio.subprocess.Process:
    """`python -m module words...` with both outputs kept."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words, cwd=ROOT, env=env, stdout=-1, stderr=-1
    )


@asynccontextmanager
async def running(service: str, env: Mapping[str, str]) -> AsyncIterator[Running]:
    """The service once it is ready; stopped by SIGTERM at the end, with exit code 0."""
    process = await started(f"services.{service}", env)
    assert process.stdout is not None and process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert line.startswith(f"services.{service} ready "), (await process.stderr.read()).decode()[-3000:]
        one = Running(line.split()[-1])
        yield one
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 30)
    one.said = said
    assert process.returncode == 0, said.decode()[-3000:]


async def run_until_killed(service: str, env: Mapping[str, str]) -> None:
    """The service until the crash point that its environment names has killed it."""
    process = await started(f"services.{service}", env)
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == -signal.SIGKILL, said.decode()[-3000:]


@asynccontextmanager
async def killed(service: str, env: Mapping[str, str]) -> AsyncIterator[Running]:
    """The service once it is ready; what is done with it must take it to the crash point that its environment names."""
    process = await started(f"services.{service}", env)
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        yield Running(line.split()[-1])
        await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def refusal(service: str, **settings: str) -> str:
    """The one line a service says when it does not start with these settings: exit code 2, and nothing else."""
    process = await started(f"services.{service}", environment(**settings))
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1), err.decode()[-3000:]
    return err.decode().removesuffix("\n")


def a_record(event: Event, claim: ClaimId, sequence: int, **envelope: Any) -> Outgoing:
    """The event as its writer would send it."""
    key, value, headers = on_the_wire(event, claim, sequence, **envelope)
    return Outgoing(topic_of(event.WRITER), partition_of(key, PARTITIONS), key, value, headers)


async def send(kafka: str, records: Sequence[Outgoing]) -> None:
    """Puts the records on the log; all are acknowledged at the end."""
    producer = KafkaProducer(KafkaSettings(kafka))
    await producer.start()
    await producer.send(records, 30)
    await producer.stop()


async def told_until(kafka: str, writer: str, enough: Callable[[Sequence[Event]], bool]) -> list[Event]:
    """What lies on the writer's topic, read from its beginning until it is enough."""
    return await _read(kafka, writer, enough, to_the_end=False)


async def all_told(kafka: str, writer: str, enough: Callable[[Sequence[Event]], bool], database: str) -> list[Event]:
    """What the writer says in all: read once it is enough and its database holds nothing to be done or published."""
    await told_until(kafka, writer, enough)
    async with asyncio.timeout(90):
        while await _left_to_do(database):
            await asyncio.sleep(0.1)
    return await _read(kafka, writer, enough, to_the_end=True)


async def _read(kafka: str, writer: str, enough: Callable[[Sequence[Event]], bool], to_the_end: bool) -> list[Event]:
    tail, found = KafkaTail([topic_of(writer)], KafkaSettings(kafka)), list[Event]()
    await tail.start()
    try:
        async with asyncio.timeout(90):
            while not enough(found) or (to_the_end and not await tail.caught_up()):
                for record in await tail.poll(1):
                    found.append(decode(dict(record.headers)["ce_type"].decode(), record.value or b""))
    finally:
        await tail.stop()
    return found


async def _left_to_do(database: str) -> int:
    """Rows that a service still has to work on, to read once more, or to publish."""
    engine = create_async_engine(database)
    try:
        async with engine.connect() as connection:
            counted = await connection.execute(text(_LEFT))
            return int(counted.scalar_one())
    finally:
        await engine.dispose()
