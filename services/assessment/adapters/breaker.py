"""A circuit breaker: after some failures in a row nobody asks for a while; then one may try whether it is over.

Time comes from a clock that is passed in. Closed, it permits everything. Open, it permits nothing until its pause is
over. Half-open, it permits one trial: success closes it, failure opens it for twice as long, up to a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Circuit(StrEnum):
    closed = "closed"
    open = "open"
    half_open = "half_open"


class Breaker:
    """Every permitted call must end in `succeeded` or `failed`, or the trial of a half-open breaker never ends."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        failures_max: int = 3,
        pause_seconds: float = 2.0,
        pause_seconds_max: float = 30.0,
    ) -> None:
        self._monotonic = monotonic
        self._failures_max = failures_max
        self._pause_seconds = pause_seconds
        self._pause_seconds_max = pause_seconds_max
        self._failures = 0
        self._pause = pause_seconds
        self._open_until: float | None = None
        self._trying = False

    @property
    def circuit(self) -> Circuit:
        if self._open_until is None:
            return Circuit.closed
        return Circuit.open if self._monotonic() < self._open_until and not self._trying else Circuit.half_open

    def permit(self) -> bool:
        """Whether a call may be made now; a permitted call is reported by `succeeded` or `failed`."""
        if self._open_until is None:
            return True
        if self._trying or self._monotonic() < self._open_until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """The other side answered: closed again, and everything before is forgotten."""
        self._failures, self._pause = 0, self._pause_seconds
        self._open_until, self._trying = None, False

    def failed(self, retry_after_seconds: float = 0.0) -> None:
        """No usable answer. `retry_after_seconds`: the other side asked for so long a pause, so it opens at once."""
        self._failures += 1
        if self._trying:
            self._pause = min(2 * self._pause, self._pause_seconds_max)
        elif self._failures < self._failures_max and retry_after_seconds <= 0:
            return
        pause = min(max(self._pause, retry_after_seconds), self._pause_seconds_max)
        self._open_until, self._trying = self._monotonic() + pause, False
