"""Says on standard error what is going on: a moving bar on a terminal, a line for each quarter of the way elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Told = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

BAR_CELLS = 30
REDRAW_SECONDS = 0.2


class Progress:
    """One title at a time; `told` of a new title begins a new bar."""

    def __init__(self, terminal: bool | None = None) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._open = False
        self._born = time.monotonic()

    def say(self, line: str) -> None:
        """A line of its own, with the time since the start."""
        self._close()
        minutes, seconds = divmod(int(time.monotonic() - self._born), 60)
        print(f"{minutes:2d}:{seconds:02d}  {line}", file=sys.stderr, flush=True)

    def bar(self, title: str) -> Told:
        """What tells this bar how far it is."""
        quarter, drawn = 0, 0.0

        def told(done: int, total: int) -> None:
            nonlocal quarter, drawn
            part = min(1.0, done / total) if total else 1.0
            if not self._terminal:
                if int(4 * part) > quarter:
                    quarter = int(4 * part)
                    self.say(f"{title}: {done} of {total}")
            elif part == 1.0 or time.monotonic() - drawn > REDRAW_SECONDS:
                drawn, self._open = time.monotonic(), True
                print(f"\r{bar_text(title, part, done, total)}", end="", file=sys.stderr, flush=True)

        return told

    def _close(self) -> None:
        if self._open:
            self._open = False
            print(file=sys.stderr)


def bar_text(title: str, part: float, done: int, total: int) -> str:
    """One line of fixed width."""
    filled = round(BAR_CELLS * part)
    return f"{title:<44.44} [{'#' * filled}{'.' * (BAR_CELLS - filled)}] {done:>7}/{total}"
