"""Who may come in: requests in flight are bounded, and nothing is taken while too much waits for the broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hosting.web import ProblemError


class Admission:
    """Counts the requests in flight of one kind; one too many is told to come back."""

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self.in_flight = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """The time of one request; ProblemError 429 when all places are taken."""
        if self.in_flight >= self._requests_max:
            raise ProblemError(
                429, "too-many-requests", "too many requests are under way; try again", headers={"Retry-After": "1"}
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


def overloaded() -> ProblemError:
    """503 before anything is stored."""
    return ProblemError(
        503, "backlog-full", "too many reports wait for the log; try again", headers={"Retry-After": "5"}
    )
