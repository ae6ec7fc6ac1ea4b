"""What `replay`, `demo` and `verify` share: progress bars, the summary as a table, the report as a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import note, print_table

if TYPE_CHECKING:
    from local.replay.carrying import Bars
    from local.replay.invariants import Verdict

_BAR_NAMES = {
    "policies": "policies in the core system",
    "acknowledged": "reports acknowledged",
    "registered": "claims registered",
    "settled": "closed or with a person",
    "paid": "payments confirmed",
}
FINDINGS_SHOWN = 20


@contextmanager
def bars(total: int) -> Iterator[Bars]:
    """A bar per stage on a terminal; in a pipe a line for each fifth of the way."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            tasks = {name: progress.add_task(text, total=total) for name, text in _BAR_NAMES.items()}
            yield _RichBars(progress, tasks)
    else:
        yield _LineBars(total)


class _RichBars:
    def __init__(self, progress: Any, tasks: Mapping[str, Any]) -> None:
        self._progress, self._tasks = progress, tasks

    def advance(self, bar: str, done: int) -> None:
        if done:
            self._progress.advance(self._tasks[bar], done)


class _LineBars:
    def __init__(self, total: int) -> None:
        self._total, self._done = total, dict.fromkeys(_BAR_NAMES, 0)

    def advance(self, bar: str, done: int) -> None:
        before = self._done[bar] * 5 // max(1, self._total)
        self._done[bar] += done
        if done and self._done[bar] * 5 // max(1, self._total) > before:
            note(f"{_BAR_NAMES[bar]}: {self._done[bar]} of {self._total}")


def show_report(report: Mapping[str, Any]) -> None:
    """The summary for people."""
    rows = [
        ("claims", str(report["claims"])),
        ("acknowledged", str(report["acknowledged"])),
        *((f"  {state}", str(count)) for state, count in report["by_state"].items()),
        ("lost", str(report["lost"])),
        ("duplicate_payments", str(report["duplicate_payments"])),
        ("ledger", "balanced" if report["ledger_balanced"] else "NOT balanced"),
        ("notices sent", str(report["notices"])),
    ]
    for name, share in report["agreement"].items():
        if "rate" in share:
            hits = share.get("within_1", share.get("inside_interval"))
            rate = "-" if share["rate"] is None else f"{100 * share['rate']:.1f} %"
            what = "within $1 of" if "within_1" in share else "between our ACV amount and the limit:"
            rows.append((f"{name}: {what} what was really paid", f"{hits} of {share['n']} ({rate})"))
        else:
            rows.append((f"{name}", ", ".join(f"{key} {value}" for key, value in share.items())))
    rows += [
        ("claims per second", str(report["claims_per_s"])),
        ("acknowledged in ms, p50 / p99", _pair(report["ack_ms"])),
        ("from report to settled in ms, p50 / p99", _pair(report["end_to_end_ms"])),
        ("CPU seconds per 1,000 claims, all processes", str(report["cpu_s_per_1000"])),
    ]
    print_table(("", ""), rows, title=f"Replay with the {report['engine']} engine")


def write_report(report: Mapping[str, Any], file: Path) -> None:
    """The report as JSON."""
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")


def show_verdict(verdict: Verdict) -> None:
    """Each invariant with its verdict, and what was found, by name."""
    from local.replay.invariants import INVARIANTS

    broken = [finding.invariant for finding in verdict.findings]
    rows = [
        (name, "holds" if name not in broken else f"BROKEN ({broken.count(name)})", words)
        for name, words in INVARIANTS.items()
    ]
    print_table(("", "", ""), rows)
    for finding in verdict.findings[:FINDINGS_SHOWN]:
        print(f"{finding.invariant} {finding.subject}: {finding.words}")
    if len(broken) > FINDINGS_SHOWN:
        print(f"... and {len(broken) - FINDINGS_SHOWN} more")
    for name, count in verdict.counts.items():
        print(f"{name}: {count}")


def is_good(report: Mapping[str, Any]) -> bool:
    """Nothing lost, nothing paid twice, the ledger balanced, no invariant broken."""
    return not (report["lost"] or report["duplicate_payments"] or report["violations"]) and report["ledger_balanced"]


def _pair(found: Mapping[str, float | None]) -> str:
    return f"{found['p50']} / {found['p99']}"
