"""A circuit breaker: after failures in a row the other side is left alone for a while, then tried with one call.

Time comes from a clock that is passed in. A pause, once begun, is never cut short by what comes late from calls that
were let through before it.
"""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """Three states. Closed: every call goes through. Open: none does until the pause is over. Half-open: one does.

    `failures_max` failures in a row open it for `pause_seconds`. The one call of the half-open state closes it by
    success, and by failure opens it again for twice as long, at most `pause_seconds_max`; with both pauses the same,
    it never grows. Every call let through must end in `succeeded`, `failed` or `rest`, or half-open never ends.
    """

    def __init__(
        self, monotonic: Callable[[], float], failures_max: int, pause_seconds: float, pause_seconds_max: float
    ) -> None:
        self._monotonic = monotonic
        self._failures_max = failures_max
        self._pause_seconds = min(pause_seconds, pause_seconds_max)
        self._pause_seconds_max = pause_seconds_max
        self._pause = self._pause_seconds
        self._failures = 0
        self._quiet_until = float("-inf")
        self._trying = False

    def admit(self) -> float:
        """Zero: the call may be made, and how it went is told afterwards. Else the seconds to stay away."""
        left = self._quiet_until - self._monotonic()
        if left > 0:
            return left
        if self._failures < self._failures_max:
            return 0.0
        if self._trying:
            return self._pause
        self._trying = True
        return 0.0

    def succeeded(self) -> None:
        """The other side answered: earlier failures are forgotten."""
        self._failures, self._pause, self._trying = 0, self._pause_seconds, False

    def failed(self, asked_seconds: float = 0.0) -> None:
        """No usable answer. A pause the other side asked for opens it at once, for as long within the bound."""
        if self._trying:
            self._pause = min(2 * self._pause, self._pause_seconds_max)
        self._failures = max(self._failures + 1, self._failures_max if asked_seconds > 0 else 0)
        if self._failures >= self._failures_max:
            self.rest(min(max(self._pause, asked_seconds), self._pause_seconds_max))

    def rest(self, seconds: float) -> None:
        """Nobody calls for so long, which counts as no failure: the other side is well, but asked for it."""
        self._trying = False
        self._quiet_until = max(self._quiet_until, self._monotonic() + seconds)
