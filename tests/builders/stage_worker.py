"""A small stage as a real process, `python -m tests.builders.stage_worker`: over Kafka and PostgreSQL, nothing faked.

It keeps per claim which events it decided about, each on the state the one before it left, and has one kind of work.
Faults are ordered by CLAIMFLOW_TEST_*: FAULTS, a folder with a file per claim whose decisions raise; DROP, a
`topic@partition@offset` the engine loses; STOP_AT, a crash point where the process stops itself with SIGSTOP; SLOW,
seconds a batch takes to prepare.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hosting.logs import configure_logs
from hosting.process import leave, run
from hosting.settings import ProcessSettings, load_settings
from messaging import crash_points
from messaging.kafka_client.log import KafkaLog, kafka_settings
from messaging.ports import Engine, Feed, Tx
from messaging.process import Options, StageProcess, SystemClock, open_store
from messaging.record import Record
from messaging.stage import Input, Stage, WorkDone, WorkItem
from messaging.stores.tables_sql import SqlTables
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.ops import ReviewRecorded
from schemas.outcomes import Emit, Nothing, Outcome, Work
from tests.builders.events import a_claim_registered

NAME = "assessment"
MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / NAME / "migrations"
TABLE = "CREATE TABLE IF NOT EXISTS decided (claim_id uuid PRIMARY KEY, events text NOT NULL)"
KIND = "note"


class Keeper:
    """Remembers what it decided about a claim, in order; raises for a claim whose file lies in the folder of faults."""

    def __init__(self, faults: Path | None, slow_seconds: float) -> None:
        self._faults, self._slow_seconds = faults, slow_seconds

    async def prepare(self, inputs: Sequence[Input]) -> None:
        await asyncio.sleep(self._slow_seconds)

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, str]:
        question = text("SELECT claim_id, events FROM decided WHERE claim_id = ANY(:ids)")
        found = await tx.connection.execute(question, {"ids": list(claim_ids)})
        held = {ClaimId(str(row[0])): str(row[1]) for row in found}
        return {claim: held.get(claim, "") for claim in claim_ids}

    def decide(self, state: str, event: Input, facts: Any) -> tuple[Outcome, str]:
        if self._faults is not None and (self._faults / str(event.claim_id)).exists():
            raise RuntimeError("this claim's decisions fail")
        after = f"{state} {event.writer}:{event.sequence}".strip()
        return Emit((a_claim_registered(),), (Work(KIND, {"decided": after}),)), after

    async def save(self, states: Mapping[ClaimId, str], tx: Tx) -> None:
        statement = text(
            "INSERT INTO decided VALUES (:claim, :events) ON CONFLICT (claim_id) DO UPDATE SET events = excluded.events"
        )
        rows = [{"claim": claim, "events": events} for claim, events in sorted(states.items())]
        if rows:
            await tx.connection.execute(statement, rows)


class Note:
    """Writes a line per item to a file, outside Kafka and SQL."""

    kind, batch_max, lease_seconds, concurrency = KIND, 50, 10.0, 1

    def __init__(self, file: Path) -> None:
        self._file = file

    async def act(self, items: Sequence[WorkItem]) -> Sequence[Any]:
        with self._file.open("a") as notes:
            notes.writelines(f"{item.claim_id} {item.payload['decided']}\n" for item in items)
        return [None for _ in items]

    def conclude(self, state: Any, done: WorkDone, now: datetime) -> tuple[Outcome, Any]:
        return Nothing(), state


class Dropping:
    """Loses one record on its way from the engine, as a fault of an engine would."""

    def __init__(self, feed: Feed, place: str) -> None:
        self._feed, self._place = feed, place
        self.group, self.topics, self.paused = feed.group, feed.topics, feed.paused
        self.assigned, self.revoked = feed.assigned, feed.revoked

    async def batch(self, records: Sequence[Record]) -> None:
        kept = [one for one in records if f"{one.topic}@{one.partition}@{one.offset}" != self._place]
        await self._feed.batch(kept)


class FaultyLog(KafkaLog):
    """Kafka, with an engine that may lose a record."""

    def engine(self, feed: Feed) -> Engine:
        place = os.environ.get("CLAIMFLOW_TEST_DROP")
        return super().engine(Dropping(feed, place) if place else feed)


@asynccontextmanager
async def start() -> AsyncIterator[str]:
    settings = load_settings(ProcessSettings, NAME)
    configure_logs(settings, NAME)
    stop_at = os.environ.get("CLAIMFLOW_TEST_STOP_AT")
    faults = os.environ.get("CLAIMFLOW_TEST_FAULTS")
    keeper = Keeper(Path(faults) if faults else None, float(os.environ.get("CLAIMFLOW_TEST_SLOW", "0")))
    handles: dict[str, Any] = {ClaimReported.TYPE: ClaimReported, ReviewRecorded.TYPE: ReviewRecorded}
    effects = (Note(Path(os.environ["CLAIMFLOW_TEST_NOTES"])),)
    stage = Stage(NAME, NAME, ("intake", "ops", "payment"), handles, keeper, effects)
    async with open_store(settings, NAME, MIGRATIONS) as store:
        async with store.begin() as tx:
            await tx.connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
            await tx.connection.execute(text(TABLE))
        if stop_at:
            crash_points.arm(stop_at, _stop_once)
        options = Options(settings.partitions, settings.instance, settings.release, settings.stall_seconds)
        kafka = FaultyLog(kafka_settings(settings, NAME), settings.engine, leave)
        process = StageProcess(stage, store, SqlTables(NAME), kafka, options, SystemClock(), leave)
        await process.start()
        try:
            yield "-"
        finally:
            await process.stop()


def _stop_once(_: str) -> None:
    crash_points.disarm()
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    sys.exit(run("stage_worker", start))
