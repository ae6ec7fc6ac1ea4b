"""A circuit breaker: after failures in a row the other side is left alone for a while, then tried with one request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

_NANOSECONDS = 1_000_000_000


class Breaker:
    """Closed, open until an instant, or half open with one request under way."""

    def __init__(
        self, monotonic_ns: Callable[[], int], failures_max: int = 5, rest: timedelta = timedelta(seconds=5)
    ) -> None:
        self._monotonic_ns, self._failures_max, self._rest = monotonic_ns, failures_max, rest
        self._failures = 0
        self._until_ns = 0
        self._trying = False

    def admit(self) -> timedelta | None:
        """None: go on, and say afterwards how it went. Else how long to stay away."""
        left_ns = self._until_ns - self._monotonic_ns()
        if left_ns > 0:
            return timedelta(microseconds=left_ns // 1000)
        if self._failures < self._failures_max:
            return None
        if self._trying:
            return self._rest
        self._trying = True
        return None

    def succeeded(self) -> None:
        self._failures, self._trying = 0, False

    def failed(self) -> None:
        self._failures, self._trying = self._failures + 1, False
        if self._failures >= self._failures_max:
            self.rest_for(self._rest)

    def rest_for(self, pause: timedelta) -> None:
        """Stays away for as long as the other side asked."""
        self._trying = False
        self._until_ns = self._monotonic_ns() + pause // timedelta(microseconds=1) * 1000
