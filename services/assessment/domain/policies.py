"""What a look-up in the core policy system may find: the version in force, or the reason why there is none yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from schemas.policy import PolicySnapshot


class PolicyKey(NamedTuple):
    """Which policy, as it stood at which instant."""

    policy_number: str
    as_of: datetime


class PolicyMissing(StrEnum):
    """`unavailable`: no answer. `unreadable`: an answer that is not this policy in terms we know.

    The last two are final answers about a policy that exists: no version covers the instant, or the one that does was
    not in force.
    """

    unavailable = "unavailable"
    unknown = "unknown"
    unreadable = "unreadable"
    outside_period = "outside_period"
    not_in_force = "not_in_force"


PolicyFinding = PolicySnapshot | PolicyMissing


def version_at(versions: Sequence[PolicySnapshot], instant: datetime) -> PolicySnapshot:
    """The version in force at the instant, never the latest as such.

    Where none is, the last one that began before it, else the first: its own period then refuses the loss.
    """
    if not versions:
        raise ValueError("a policy has at least one version")
    ordered = sorted(versions, key=lambda version: version.effective_from)
    begun = [version for version in ordered if version.effective_from <= instant]
    holding = [version for version in begun if version.in_force_at(instant)]
    return (holding or begun or ordered[:1])[-1]
