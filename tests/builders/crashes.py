"""Crashes of a stage that runs in the test's own process: raised at a chosen moment, and followed by restarts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from tests.builders.stages import Crash

Moment = Literal["before", "after"]


class Restartable(Protocol):
    """A house whose process may be gone at any moment."""

    async def restart(self) -> None: ...

    async def settle(self) -> None: ...


def nth_time(nth: int) -> Callable[[object], None]:
    """A hook that raises Crash when it is called for the n-th time."""
    left = nth

    def hook(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    return hook


def only(moment: Moment, hook: Callable[[object], None]) -> Callable[[Moment], None]:
    """The hook for one side of each commit."""

    def at_commit(now: Moment) -> None:
        if now == moment:
            hook(now)

    return at_commit


async def run_through_crashes(house: Restartable) -> int:
    """Runs until the house is at rest, with a restart after each crash; the number of crashes."""
    crashes = 0
    while True:
        try:
            await house.restart()
            await house.settle()
        except Crash:
            crashes += 1
        else:
            return crashes
