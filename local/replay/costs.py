"""CPU time of the running system's processes, read from /proc: what a run cost, in seconds per process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its ended and its living children (PostgreSQL's backends); 0 if it is gone."""
    children: dict[int, list[tuple[int, float]]] = {}
    own = 0.0
    for number, parent, seconds in _all():
        children.setdefault(parent, []).append((number, seconds))
        if number == pid:
            own = seconds
    waiting, total = [pid], own
    while waiting:
        for child, seconds in children.get(waiting.pop(), ()):
            total += seconds
            waiting.append(child)
    return total


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


class Meter:
    """Seconds spent per named process since it was made; a restarted process counts from its own start."""

    def __init__(self, pids: dict[str, int | None]) -> None:
        self._start = {name: (pid, cpu_seconds(pid) if pid else 0.0) for name, pid in pids.items()}

    def spent(self, pids: dict[str, int | None]) -> dict[str, float]:
        """CPU seconds of each; what a process spent before it was killed in between is not counted."""
        found = {}
        for name, pid in pids.items():
            then, before = self._start.get(name, (None, 0.0))
            now = cpu_seconds(pid) if pid else 0.0
            found[name] = max(0.0, now - before) if pid == then else now
        return found
