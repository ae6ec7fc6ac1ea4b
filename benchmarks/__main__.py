"""`python -m benchmarks`: measures side by side, prints tables with ratios and writes var/bench/<time>.json."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.adjudicating import measure as measure_adjudicating
from benchmarks.hops import a_bed
from benchmarks.options import Options, Unit, parse, plan
from benchmarks.pipeline import measure
from benchmarks.progress import Progress
from benchmarks.report import is_good, summarise, tables
from benchmarks.results import Hop, SystemRound
from hosting.exits import CannotStartError, Exit
from local.home import Home

OWN_SERVERS = ("CLAIMFLOW_KAFKA", "CLAIMFLOW_POSTGRES")


class Run:
    """One run: what it has measured so far, and what cut it short."""

    def __init__(self, options: Options, folder: Path, progress: Progress) -> None:
        self._options, self._folder, self._progress = options, folder, progress
        self.rounds: list[SystemRound] = []
        self.hops: list[Hop] = []
        self.notes: list[str] = []
        self.sizes: dict[str, int] = {}
        self._broken: set[Path] = set()

    async def everything(self) -> None:
        """All units in their order, until the time is up; what was measured by then stands."""
        deadline = asyncio.get_running_loop().time() + 60 * self._options.minutes
        units = plan(self._options)
        try:
            async with asyncio.timeout_at(deadline) as scope:
                await self._hops([unit for unit in units if unit.kind != "pipeline"])
                for unit in units:
                    if unit.kind == "pipeline":
                        await self._pipeline(unit)
        except TimeoutError:
            if not scope.expired():
                raise
            self._note(f"the time is up after {self._options.minutes} minutes; what is missing was not measured")
            for folder in self._folder.iterdir():
                if folder not in self._broken:
                    self._clear(folder)

    async def _hops(self, units: list[Unit]) -> None:
        if not units:
            return
        self._progress.say("hops: starting broker and database, writing the input")
        folder = self._folder / "hops"
        async with a_bed(folder, self._options, self._progress.bar("writing the input")) as bed:
            self.sizes = bed.sizes
            await bed.measure(Unit("relay", "aiokafka", 0), self._progress.bar("warming the broker up"))
            for unit in units:
                hop = await bed.measure(unit, self._progress.bar(unit.title))
                self.hops.append(hop)
                cost = hop.cpu_per_1000["worker"]
                self._progress.say(f"{unit.title}: {hop.events_per_s:.0f} events/s, {cost:.3f} CPU-s per 1,000")
        self._clear(folder)

    async def _pipeline(self, unit: Unit) -> None:
        folder = self._folder / f"{unit.engine}-{unit.round}"
        found = await measure(unit, folder, self._options, self._progress)
        self.rounds.append(found)
        for phase in found.phases:
            self._progress.say(f"{unit.title}: {phase.name} {phase.claims_per_s:.1f} claims/s")
        for finding in found.findings:
            self._note(f"{unit.title}: {finding}")
        if found.findings:
            self._broken.add(folder)
        else:
            self._clear(folder)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._progress.say(text)

    def _clear(self, folder: Path) -> None:
        if not self._options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def main(words: list[str]) -> int:
    """The exit code: 0; 1 when a promise was broken; 75 when the time was up; else as every command of ours."""
    options = parse(words)
    given = [name for name in OWN_SERVERS if os.environ.get(name)]
    try:
        if given:
            raise CannotStartError(f"the benchmarks start servers of their own; unset {given[0]}", Exit.usage)
        with _folder() as folder:
            return _measured(options, folder)
    except CannotStartError as refused:
        print(f"benchmarks: {refused}", file=sys.stderr)
        return refused.code
    except KeyboardInterrupt:
        return Exit.try_again


def _measured(options: Options, folder: Path) -> int:
    started, progress = datetime.now(UTC), Progress()
    run, state = Run(options, folder, progress), machine.state(options)
    if machine.busy(state["load_average_before"]):
        run.notes.append(f"the machine was busy before the run: load average {state['load_average_before']:.1f}")
        progress.say(run.notes[-1])
    adjudicating = measure_adjudicating()
    progress.say(f"adjudicating one flood claim: {adjudicating['engine']:.0f} us of CPU")
    refused: CannotStartError | None = None
    try:
        asyncio.run(run.everything())
    except CannotStartError as problem:
        # What was measured before is worth keeping; the reason goes with it.
        refused = problem
        run.notes.append(f"cut short: {problem}; logs: {folder}")
    found = summarise(run.rounds, run.hops, adjudicating)
    report = {
        "started_at": started.isoformat(),
        "seconds": round((datetime.now(UTC) - started).total_seconds()),
        "options": options.as_json(),
        "machine": state,
        "hop_events": run.sizes,
        "notes": run.notes,
        **found,
        "rounds": [one.as_json() for one in run.rounds],
        "hop_rounds": [one.as_json() for one in run.hops],
    }
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _show(found, report, file)
    if refused is not None:
        raise refused
    if not is_good(found):
        return 1
    return Exit.try_again if len(run.rounds) + len(run.hops) < len(plan(options)) else Exit.done


def _show(found: dict[str, Any], report: dict[str, Any], file: Path) -> None:
    print(tables(found, with_marks=not report["options"]["quick"]))
    for note in report["notes"]:
        print(f"note: {note}")
    if report["options"]["quick"]:
        print("note: --quick proves that it runs; its figures are not the product's speed")
    print(
        f"\n{report['machine']['cpu']}, {report['machine']['cores']} cores, {report['seconds']} s; all figures: {file}"
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """The run's own folder under var/bench; removed at the end if everything in it was cleared."""
    base = Home.of(os.environ).folder / "bench"
    folder = base / f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
