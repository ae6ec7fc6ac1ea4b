"""CPU time and memory of the running system's processes, read from /proc: what a run cost, per process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its ended and its living children (PostgreSQL's backends); 0 if it is gone."""
    return cpu_of({"it": pid})["it"]


def cpu_of(pids: Mapping[str, int | None]) -> dict[str, float]:
    """`cpu_seconds` of each by one look at the machine's processes; 0 for those that are not there."""
    seconds, children = {}, _Children()
    for number, parent, spent in _all():
        seconds[number] = spent
        children.add(number, parent)
    return {
        name: sum(seconds.get(member, 0.0) for member in children.family(pid)) if pid else 0.0
        for name, pid in pids.items()
    }


def memory_bytes(pids: Mapping[str, int | None]) -> dict[str, int]:
    """Resident memory of each with its children. What several share counts in parts (Pss), so the sum is the whole."""
    children = _Children()
    for number, parent, _ in _all():
        children.add(number, parent)
    return {name: sum(map(_pss, children.family(pid))) if pid else 0 for name, pid in pids.items()}


class _Children:
    """Who was started by whom."""

    def __init__(self) -> None:
        self._of: dict[int, list[int]] = {}

    def add(self, pid: int, parent: int) -> None:
        self._of.setdefault(parent, []).append(pid)

    def family(self, pid: int) -> Iterator[int]:
        """The process and everything below it."""
        waiting = [pid]
        while waiting:
            member = waiting.pop()
            yield member
            waiting += self._of.get(member, ())


def _all() -> Iterable[tuple[int, int, float]]:
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        # The name stands in parentheses and may hold blanks; numbers follow the last one (proc(5)).
        parts = stat.rpartition(")")[2].split()
        ticks = sum(int(part) for part in parts[11:15])
        yield int(folder.name), int(parts[1]), ticks / _TICKS


def _pss(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Meter:
    """Seconds spent per named process since it was made; a restarted process counts from its own start."""

    def __init__(self, pids: Mapping[str, int | None]) -> None:
        before = cpu_of(pids)
        self._start = {name: (pid, before[name]) for name, pid in pids.items()}

    def spent(self, pids: Mapping[str, int | None]) -> dict[str, float]:
        """CPU seconds of each; what a process spent before it was killed in between is not counted."""
        found = {}
        for name, now in cpu_of(pids).items():
            pid, before = self._start.get(name, (None, 0.0))
            found[name] = max(0.0, now - before) if pids[name] == pid else now
        return found
