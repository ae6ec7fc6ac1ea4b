"""Measures hops on a broker and a database of their own: the input lies in the log before the worker starts.

Every measurement reads the same input from its beginning, with a new consumer group and a new database. CPU counts from
the worker's ready line, before it has fetched much (an engine may read far ahead of its first answer), time from the
first answer. The broker is warm: a relay that does not count went first.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPlace

from benchmarks.hop_events import WRITES, answer, inputs
from benchmarks.options import Options, Unit
from benchmarks.progress import Told
from benchmarks.results import Hop
from hosting.exits import CannotStartError
from hosting.settings import load_settings
from local import processes
from local.broker import EmbeddedBroker
from local.database import EmbeddedDatabase
from local.home import ROOT
from local.preparing import make_topics
from local.replay.costs import Meter, memory_bytes
from local.settings import LocalSettings
from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.settings import KafkaSettings
from schemas.event import encode
from schemas.topics import topic_of

Count = Callable[[], Awaitable[int]]
WRITE_AT_ONCE = 2_000
LOOK_SECONDS = 0.05
STUCK_SECONDS = 60.0
READY_LINE = "benchmarks.hop_worker ready"
REST_SECONDS = 0.5
"""What a stage still does after its last event is in the log: marking it published."""


class Bed:
    """Broker, database and the input. `sizes`: bytes of one input and of its answer."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.options = options
        self.broker = EmbeddedBroker(folder / "broker", quick_start=False)
        self.database = EmbeddedDatabase(folder / "database")
        self.logs = folder / "log"
        self.total = options.events
        self.sizes: dict[str, int] = {}
        self._places = [ClientPlace(topic_of(WRITES), number) for number in range(options.partitions)]

    async def fill(self, told: Told) -> None:
        """Writes the whole input."""
        producer = KafkaProducer(KafkaSettings(self.broker.bootstrap, client_id="bench-input"))
        await producer.start()
        try:
            source = inputs(self.total, self.options.partitions)
            written = 0
            while sends := list(islice(source, WRITE_AT_ONCE)):
                await producer.send(sends, 30.0)
                written += len(sends)
                told(written, self.total)
                self.sizes = {"input_bytes": len(sends[0].value or b""), "answer_bytes": len(encode(answer()))}
        finally:
            await producer.stop()

    async def measure(self, unit: Unit, told: Told) -> Hop:
        """One worker's way through the whole input."""
        name = f"{WRITES}-{unit.kind}-{unit.engine}-{unit.round}"
        database = f"hop_{unit.kind}_{unit.engine}_{unit.round}"
        environment = {**_plain(), "CLAIMFLOW_KAFKA": self.broker.bootstrap, "CLAIMFLOW_ENGINE": unit.engine}
        environment |= {"CLAIMFLOW_PARTITIONS": str(self.options.partitions), "PYTHONPATH": str(ROOT)}
        if unit.kind == "stage":
            url = self.database.create_database(database)
            environment |= {"CLAIMFLOW_BENCH_DATABASE": url, "CLAIMFLOW_BENCH_STAGE": name}
        else:
            environment |= {"CLAIMFLOW_BENCH_GROUP": name}
        log = self.logs / f"{name}.log"
        async with self._output() as count:
            first = await count()
            command = [*processes.dying_with_parent(), sys.executable, "-P", "-m", "benchmarks.hop_worker", unit.kind]
            worker = processes.spawn(command, log, environment)
            try:
                pids = {"worker": worker.pid, "broker": self.broker.pid, "database": self.database.pid}

                async def done() -> int:
                    if worker.poll() is not None:
                        raise CannotStartError(f"{unit.title} ended: {processes.last_lines(log)}")
                    return await count() - first

                await self._ready(done, log)
                meter = Meter(pids)
                timed, seconds = await self._through(done, told)
                await asyncio.sleep(REST_SECONDS)
                spent, memory = meter.spent(pids), memory_bytes({"worker": worker.pid})["worker"]
                beyond = await done() - self.total
            finally:
                await asyncio.to_thread(processes.end, worker)
        wrong = [f"{beyond} events too many"] if beyond else []
        if unit.kind == "stage":
            wrong += self._check_answers(database)
        return Hop(unit.kind, unit.engine, unit.round, self.total, timed, seconds, spent, memory, wrong)

    async def _ready(self, done: Count, log: Path) -> None:
        """Returns when the worker has said that it is up."""
        deadline = time.monotonic() + STUCK_SECONDS
        while READY_LINE not in log.read_text(errors="replace"):
            await done()
            if time.monotonic() > deadline:
                raise CannotStartError(f"the hop was not ready within {STUCK_SECONDS:.0f} s; see {log}")
            await asyncio.sleep(LOOK_SECONDS / 5)

    async def _through(self, done: Count, told: Told) -> tuple[int, float]:
        """Events and seconds from the first answer seen to the last."""
        started: tuple[int, float] | None = None
        seen, moved = 0, time.monotonic()
        while seen < self.total:
            await asyncio.sleep(LOOK_SECONDS)
            now, found = time.monotonic(), await done()
            if found > seen:
                moved = now
            elif now - moved > STUCK_SECONDS:
                raise CannotStartError(f"the hop stands at {seen} of {self.total} events")
            seen = found
            told(seen, self.total)
            if started is None and seen:
                started = (seen, now)
        if started is None or seen == started[0]:
            raise CannotStartError("the burst is too small to be measured; use more --events")
        return self.total - started[0], moved - started[1]

    @asynccontextmanager
    async def _output(self) -> AsyncIterator[Count]:
        """A way to ask how many records the output topic holds, over one kept connection."""
        client = AIOKafkaConsumer(**KafkaSettings(self.broker.bootstrap, client_id="bench-count").client())
        await client.start()

        async def count() -> int:
            return sum((await client.end_offsets(self._places)).values())

        try:
            yield count
        finally:
            await client.stop()

    def _check_answers(self, database: str) -> list[str]:
        found = self.database.sql(
            "SELECT count(*), (SELECT count(*) FROM runner_unmarked) FROM runner_answers", database
        )
        stored, unmarked = map(int, found.strip().split("|"))
        if (stored, unmarked) == (self.total, 0):
            return []
        return [f"{stored} answers stored of {self.total}, {unmarked} of them not marked published"]


@asynccontextmanager
async def a_bed(folder: Path, options: Options, told: Told) -> AsyncIterator[Bed]:
    """Broker and database running and the input written; both stopped at the end."""
    bed = Bed(folder, options)
    # Started from this thread, which stays: the kernel ends them when the thread that started them ends.
    with bed.broker, bed.database:
        await asyncio.to_thread(make_topics, bed.broker.bootstrap, _topic_settings(options))
        await bed.fill(told)
        yield bed


def _topic_settings(options: Options) -> LocalSettings:
    return load_settings(LocalSettings, "local", {"CLAIMFLOW_PARTITIONS": str(options.partitions)})


def _plain() -> dict[str, str]:
    """The environment without the caller's claimflow settings: a hop has none but its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
