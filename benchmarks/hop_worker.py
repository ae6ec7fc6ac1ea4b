"""The process of one hop: `stage` is a stage of ours with a trivial handler, `relay` the barest loop over aiokafka.

Both validate each input with the same model and write the same event for it; the relay has no database and keeps none
of the promises, so what lies between them is what the promises cost.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.hop_events import READS, WRITES, answer
from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.process import leave, run
from hosting.settings import ProcessSettings, SharedSettings, load_settings
from messaging.kafka_client.log import kafka_settings
from messaging.kafka_client.settings import BATCH_MAX
from messaging.ports import Tx
from messaging.process import open_stage, open_store
from messaging.stage import Input, Stage
from schemas.event import decode, encode
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.outcomes import Emit, Outcome
from schemas.topics import topic_of

NAME = "bench"
MIGRATIONS = Path(__file__).parent / "migrations"


class HopSettings(ProcessSettings):
    """`stage` is the consumer group; each measurement has its own."""

    stage: str


class RelaySettings(SharedSettings):
    """`group` likewise."""

    group: str


class Answering:
    """Answers each input with one event and knows nothing of claims: what remains is the runner."""

    def __init__(self) -> None:
        self._outcome = Emit((answer(),))

    async def prepare(self, inputs: Sequence[Input]) -> None:
        return None

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, None]:
        return dict.fromkeys(claim_ids)

    def decide(self, state: None, event: Input, facts: None) -> tuple[Outcome, None]:
        return self._outcome, None

    async def save(self, states: Mapping[ClaimId, Any], tx: Tx) -> None:
        return None


@asynccontextmanager
async def stage() -> AsyncIterator[str]:
    """The stage, put together as every service's is."""
    settings = load_settings(HopSettings, NAME)
    configure_logs(settings, NAME)
    measured = Stage(settings.stage, WRITES, (READS,), {ClaimReported.TYPE: ClaimReported}, Answering())
    async with open_store(settings, NAME, MIGRATIONS) as store, open_stage(measured, store, settings):
        yield settings.stage


@asynccontextmanager
async def relay() -> AsyncIterator[str]:
    """Consume, validate, dump, produce, await, commit: at least once, and nothing else."""
    settings = load_settings(RelaySettings, NAME)
    configure_logs(settings, NAME)
    kafka = kafka_settings(settings, settings.group)
    consumer = AIOKafkaConsumer(topic_of(READS), **kafka.consumer(settings.group))
    producer = AIOKafkaProducer(**kafka.producer())
    await producer.start()
    await consumer.start()
    task = asyncio.create_task(_pass_on(consumer, producer))
    task.add_done_callback(_leave_on_a_fault)
    try:
        yield settings.group
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumer.stop()
        await producer.stop()


async def _pass_on(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
    out, event = topic_of(WRITES), answer()
    while True:
        found = await consumer.getmany(timeout_ms=50, max_records=BATCH_MAX)
        sent = []
        for place, records in found.items():
            for record in records:
                decode(ClaimReported.TYPE, record.value)
                value = encode(event)
                headers = list(record.headers)
                sent.append(await producer.send(out, value, record.key, partition=place.partition, headers=headers))
        if sent:
            await asyncio.gather(*sent)
            await consumer.commit()


def _leave_on_a_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        leave(f"relay: {type(error).__name__}", error)


def main() -> int:
    """The exit code."""
    starts = {"stage": stage, "relay": relay}
    if len(sys.argv) != 2 or sys.argv[1] not in starts:
        raise CannotStartError("usage: python -m benchmarks.hop_worker stage|relay", Exit.usage)
    return run("benchmarks.hop_worker", starts[sys.argv[1]])


if __name__ == "__main__":
    sys.exit(main())
