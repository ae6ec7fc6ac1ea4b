"""What assessment needs from outside: the core policy system and a place for its claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from messaging.ports import Tx
from schemas.ids import ClaimId
from services.assessment.domain.around import Vicinity, Wanted
from services.assessment.domain.claim import ClaimState
from services.assessment.domain.policies import PolicyFinding, PolicyKey


class PolicyBook(Protocol):
    """The core policy system."""

    async def get_many(self, keys: Collection[PolicyKey], timeout_seconds: float) -> Mapping[PolicyKey, PolicyFinding]:
        """A finding for every key, all under one deadline.

        Must not raise for anything the other side does: what did not come in time is `PolicyMissing.unavailable`.
        """


class Claims(Protocol):
    """Assessment's claims, in the same transaction as the runner's answers."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimState]:
        """The states that are there, their rows locked in id order; unknown claims are left out."""

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        """Insert or replace, in one statement."""


class Surroundings(Protocol):
    """What stands around claims: the other claims of their policies, and what those have used of shared limits."""

    async def read(self, wanted: Mapping[ClaimId, Wanted], tx: Tx) -> Vicinity:
        """Locks the policies in order of their numbers until the transaction ends, then reads.

        Without the lock two claims of one policy could be decided at once, each without the other's part.
        """

    async def keep(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        """What these claims now take from shared ledgers replaces what they took before."""
