"""Named points before and after every effect, where a test may end the process.

Switched by CLAIMFLOW_CRASH_AT=<name>[:nth], which is refused unless CLAIMFLOW_PROFILE=test; otherwise `reach` is one
dictionary look-up of an empty dictionary. In one process (simulation) a hook raises instead of killing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

POINTS: frozenset[str] = frozenset(
    """
    parties.sealed key-row.reserved answer.sent paper.stored draft.stored
    batch.received decoded handler.returned answer.commit answer.committed
    publish.send publish.acked published.mark published.marked input.ack
    park.commit park.committed dead-letter.send dead-letter.acked unpark.read unpark.each
    dispatch.claimed outcome.recorded outcome.published outcome.marked
    bank.send bank.replied
    channel.send channel.accepted
    view.commit click.recorded click.published click.marked control.send control.sent
    erase.audited erase.destroyed unmask.audited
    """.split()
)

_armed: dict[str, Callable[[str], None]] = {}


class UnknownCrashPoint(ValueError):
    """A point that is not in the registry."""


def reach(name: str) -> None:
    """Marks that the code has come to the point `name`."""
    if _armed:
        hook = _armed.get(name) or _armed.get("*")
        if hook is not None:
            hook(name)


def arm(name: str, hook: Callable[[str], None]) -> None:
    """Calls `hook` at each passage of `name` ('*' for all points). For tests and the simulation."""
    if name != "*" and name not in POINTS:
        raise UnknownCrashPoint(f"{name} is no crash point")
    _armed[name] = hook


def disarm() -> None:
    _armed.clear()


def arm_from(environment: Mapping[str, str]) -> None:
    """Arms a SIGKILL at the point named by CLAIMFLOW_CRASH_AT, in the test profile only."""
    wanted = environment.get("CLAIMFLOW_CRASH_AT")
    if not wanted:
        return
    if environment.get("CLAIMFLOW_PROFILE") != "test":
        raise UnknownCrashPoint("CLAIMFLOW_CRASH_AT is refused unless CLAIMFLOW_PROFILE=test")
    name, _, nth = wanted.partition(":")
    left = int(nth or "1")

    def kill(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    arm(name, kill)
