"""One round of one engine: a fresh system in its own folder, warmed up, loaded in phases, judged at the end.

Phases: bulk with the mail channel off, bulk with mail, single reports with mail. Everything the system ever carried is
audited as `claimflow verify` does; with a broken invariant the whole round counts as zero.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from benchmarks.options import Options, Unit
from benchmarks.phases import Loaded, run_phase
from benchmarks.progress import Progress
from benchmarks.results import Phase, SystemRound
from hosting.settings import load_settings
from local.child import Child
from local.detaching import start_detached, stop_running
from local.home import Home
from local.launching import plan_launches, plan_ports
from local.replay.carrying import verify
from local.replay.costs import Meter
from local.running import Running
from local.settings import LocalSettings
from local.system import process

WARM_CLAIMS = 1_000
IDLE_SECONDS, QUICK_IDLE_SECONDS = 5.0, 1.0
FINDINGS_KEPT = 20
Mail = Literal["on", "off"]


async def measure(unit: Unit, folder: Path, options: Options, progress: Progress) -> SystemRound:
    """The whole round."""
    home = Home(folder)
    settings = system_settings(unit.engine, options)
    progress.say(f"{unit.title}: starting a fresh system")
    # Notify is left to us: the mail channel changes while broker and services stay warm.
    starting = asyncio.create_task(asyncio.to_thread(start_detached, home, ("notify",), settings))
    try:
        running = await asyncio.shield(starting)
        loaded = Loaded(running, unit, progress)
        phases = []
        async with notify(running, settings, "off", progress):
            await _warm_up(loaded, options, progress)
            idle = await _idle(loaded, QUICK_IDLE_SECONDS if options.quick else IDLE_SECONDS)
            phases.append(await run_phase(loaded, "bulk", "bulk", options.claims))
        async with notify(running, settings, "on", progress):
            await run_phase(loaded, "warm-up with mail", "bulk", max(20, min(WARM_CLAIMS // 4, options.claims // 4)))
            phases.append(await run_phase(loaded, "bulk_mail", "bulk", options.claims))
            singles = max(1, round(options.seconds * options.rate))
            phases.append(await run_phase(loaded, "single", "single", singles, options.rate))
            progress.say(f"{unit.title}: judging everything it carried")
            verdict = await verify(running)
    finally:
        # Half started it could not be stopped: when the time is up meanwhile, it is waited for first.
        await asyncio.wait([starting])
        await asyncio.to_thread(stop_running, home)
    findings = [f"{one.invariant} {one.subject}: {one.words}" for one in verdict.findings]
    counted = [_judged(phase, bool(findings)) for phase in phases]
    return SystemRound(unit.engine, unit.round, counted, idle, findings[:FINDINGS_KEPT], verdict.counts)


def system_settings(engine: str, options: Options) -> dict[str, str]:
    """Settings of a system under load: its own free ports, and the broker's Java compiled fully."""
    return {
        "CLAIMFLOW_ENGINE": engine,
        "CLAIMFLOW_PARTITIONS": str(options.partitions),
        "CLAIMFLOW_LOCAL_FIRST_PORT": "0",
        "CLAIMFLOW_LOCAL_QUICK_START": "false",
    }


@asynccontextmanager
async def notify(running: Running, settings: Mapping[str, str], mail: Mail, progress: Progress) -> AsyncIterator[None]:
    """Notify beside the running system, with the mail channel on or off, as the supervisor would run it."""
    environment = {**os.environ, **settings, "CLAIMFLOW_NOTIFY_MAIL": mail}
    spec, home = process("notify"), running.home
    planned = plan_ports((spec,), load_settings(LocalSettings, "local", environment), environment, home)
    planned["smtp_port"] = int((home.run / "ports" / "smtp_port").read_text())
    shared = {
        "CLAIMFLOW_KAFKA": running.kafka,
        "CLAIMFLOW_KEYS_DATABASE": running.database("keys"),
        "CLAIMFLOW_MASTER_KEY_FILE": str(running.master_key_file),
    }
    databases = {"notify": running.database("notify")}
    [launch] = plan_launches((spec,), planned, databases, shared, environment, home)
    child = Child(launch, home, progress.say)
    task = asyncio.create_task(child.supervise())
    try:
        await child.wait_ready(60.0)
        yield
    finally:
        await child.stop(20.0)
        await asyncio.gather(task, return_exceptions=True)


async def _warm_up(loaded: Loaded, options: Options, progress: Progress) -> None:
    """Load that does not count, until the broker's Java has been compiled under it."""
    until = time.monotonic() + options.warm_seconds
    count = WARM_CLAIMS if not options.quick else max(50, options.claims // 5)
    while True:
        await run_phase(loaded, "warm-up", "bulk", count)
        if time.monotonic() >= until:
            return


async def _idle(loaded: Loaded, wanted: float) -> dict[str, float]:
    """What part of a core each process takes while nothing is to be done."""
    pids = loaded.pids()
    meter, began = Meter(pids), time.monotonic()
    await asyncio.sleep(wanted)
    seconds = time.monotonic() - began
    return {name: spent / seconds for name, spent in meter.spent(pids).items()}


def _judged(phase: Phase, broken: bool) -> Phase:
    return replace(phase, wrong=(*phase.wrong, "an invariant is broken")) if broken else phase
