"""What a look-up in the core policy system may find: the version in force, or the reason why there is none yet."""

from __future__ import annotations

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
