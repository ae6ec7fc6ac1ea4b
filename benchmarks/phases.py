"""One load on a running system: the generator sends, the log is followed to the last event, the processes are metered.

CPU counts from the word to the first look after the last event, so that notices after the last settled claim are paid
for and waiting for silence is not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from benchmarks.load import GO, READY, Order, Result
from benchmarks.options import Unit
from benchmarks.progress import Progress
from benchmarks.results import Phase
from hosting.exits import CannotStartError, Exit
from local import processes
from local.home import ROOT
from local.replay.carrying import METERED, QUIET_SECONDS, STUCK_SECONDS, journal_folder
from local.replay.costs import Meter, memory_bytes
from local.replay.evidence import claim_topics
from local.replay.following import Follower, Story
from local.running import Running
from messaging.kafka_client.reading import KafkaTail

LOOK_SECONDS = 0.25
PREPARE_SECONDS_MAX = 120.0


class Loaded:
    """A running system with what all its phases share."""

    def __init__(self, running: Running, unit: Unit, progress: Progress) -> None:
        self.running, self.unit, self.progress = running, unit, progress
        self.phases_run = 0

    def pids(self) -> dict[str, int | None]:
        """Every process of the system as it runs now."""
        return {name: self.running.pid(name) for name in METERED}


class Generator:
    """The load process from its making ready to its result."""

    def __init__(self, process: asyncio.subprocess.Process, order: Order) -> None:
        self._process, self._order = process, order
        self.claim_ids: list[str] = []

    async def ready(self) -> None:
        """Returns when policies are in place and bodies made."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), PREPARE_SECONDS_MAX)
        except TimeoutError:
            raise CannotStartError(f"the load was not ready within {PREPARE_SECONDS_MAX:.0f} s") from None
        if line.strip() != READY.encode():
            raise CannotStartError(await self._said())
        self.claim_ids = json.loads(Path(self._order.claims_file).read_text())

    def go(self) -> None:
        """The word."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{GO}\n".encode())

    async def check(self) -> Result | None:
        """Its result once it is done; CannotStartError when it ended without one."""
        if self._process.returncode is None:
            return None
        if self._process.returncode:
            raise CannotStartError(await self._said())
        return Result(**json.loads(Path(self._order.result_file).read_text()))

    async def _said(self) -> str:
        assert self._process.stderr is not None
        lines = (await self._process.stderr.read(4_000)).decode(errors="replace").strip().splitlines()
        return f"the load generator ended: {lines[-1] if lines else 'it said nothing'}"


async def run_phase(loaded: Loaded, name: str, mode: Literal["bulk", "single"], count: int, rate: float = 0.0) -> Phase:
    """The phase's figures; CannotStartError (75) when claims stop moving."""
    async with _generator(loaded, mode, count, rate) as generator:
        await generator.ready()
        follower = Follower(KafkaTail(claim_topics(), loaded.running.kafka_settings("bench"), True))
        follower.expect(generator.claim_ids)
        async with _following(follower):
            watch = _Watch(loaded, follower)
            generator.go()
            told = loaded.progress.bar(f"{loaded.unit.title}: {name}")
            result = await watch.until_quiet(generator, count, lambda: told(follower.settled, count))
    return _phase(name, follower.stories, result, watch)


class _Watch:
    """Meters while the log moves. Everything taken before the last event's look is what the phase cost."""

    def __init__(self, loaded: Loaded, follower: Follower) -> None:
        self._loaded, self._follower = loaded, follower
        self.began, self._observer = time.time(), time.process_time()
        self._meter = Meter(loaded.pids())
        self._supervisor = _own_seconds(loaded.running.supervisor_pid)
        self.cpu: dict[str, float] = {}
        self.memory: Mapping[str, int] = {}
        self.last_event = self.began

    async def until_quiet(self, generator: Generator, wanted: int, shown: Any) -> Result:
        """The generator's result, after the last claim is settled and nothing has moved for three seconds."""
        loop, follower, taken = asyncio.get_running_loop(), self._follower, 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            result = await generator.check()
            shown()
            if follower.moved_at > taken:
                taken = loop.time()
                self._take(taken)
            still = loop.time() - follower.moved_at
            if result is not None and follower.settled >= wanted and still > QUIET_SECONDS:
                self.memory = memory_bytes(self._loaded.pids())
                self.cpu["load"] = result.cpu_seconds
                return result
            if still > STUCK_SECONDS:
                left = wanted - follower.settled
                raise CannotStartError(f"{left} claims have not moved for {STUCK_SECONDS:.0f} s", Exit.try_again)

    def _take(self, now: float) -> None:
        self.cpu = self._meter.spent(self._loaded.pids())
        self.cpu["supervisor"] = _own_seconds(self._loaded.running.supervisor_pid) - self._supervisor
        self.cpu["observer"] = time.process_time() - self._observer
        self.last_event = time.time() - (now - self._follower.moved_at)


def _phase(name: str, stories: Mapping[str, Story], result: Result, watch: _Watch) -> Phase:
    sent = {claim: datetime.fromisoformat(at) for claim, at in result.sent_at.items()}
    settled = {claim: story.settled_at for claim, story in stories.items() if story.settled_at is not None}
    begun, wrong = min(sent.values()), list(result.wrong)
    lost = sum(not story.reported for story in stories.values())
    twice = sum(story.paid > 1 for story in stories.values())
    wrong += [f"{lost} claims lost"] if lost else []
    wrong += [f"{twice} claims paid twice"] if twice else []
    return Phase(
        name=name,
        claims=len(stories),
        settled=len(settled),
        settled_seconds=(max(settled.values()) - begun).total_seconds(),
        told_seconds=(datetime.fromtimestamp(watch.last_event, UTC) - begun).total_seconds(),
        ack_seconds=result.ack_seconds,
        end_to_end_seconds=[(at - sent[claim]).total_seconds() for claim, at in settled.items()],
        cpu_seconds=watch.cpu,
        memory_bytes=watch.memory,
        notices=sum(story.notices for story in stories.values()),
        client_repeats=result.client_repeats,
        duplicates_absorbed=result.duplicates_absorbed,
        wrong=wrong,
    )


@asynccontextmanager
async def _generator(
    loaded: Loaded, mode: Literal["bulk", "single"], count: int, rate: float
) -> AsyncIterator[Generator]:
    running = loaded.running
    loaded.phases_run += 1
    folder = running.home.folder / "load"
    folder.mkdir(exist_ok=True)
    run_id = f"bench-{loaded.unit.engine}-{loaded.unit.round}-{loaded.phases_run}"
    order = Order(
        mode=mode,
        run_id=run_id,
        count=count,
        rate=rate,
        intake_url=running.url("intake"),
        policy_url=running.url("policy_system"),
        journal=str(journal_folder(running)),
        claims_file=str(folder / f"{run_id}.claims.json"),
        result_file=str(folder / f"{run_id}.result.json"),
    )
    file = folder / f"{run_id}.json"
    file.write_text(json.dumps(asdict(order)))
    pipe = asyncio.subprocess.PIPE
    words = [*processes.dying_with_parent(), sys.executable, "-P", "-m", "benchmarks.load", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    try:
        yield Generator(started, order)
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@asynccontextmanager
async def _following(follower: Follower) -> AsyncIterator[None]:
    await follower.tail.start()
    task = asyncio.create_task(follower.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await follower.tail.stop()


def _own_seconds(pid: int) -> float:
    """CPU time of this process alone: the supervisor's children are metered by their own names."""
    try:
        with open(f"/proc/{pid}/stat") as source:
            parts = source.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
