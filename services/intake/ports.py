"""What intake needs from outside: the table of idempotency keys, sealing, and the runner's recording and publishing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from messaging.ports import Tx
from messaging.stage import Recorded
from schemas.ids import ClaimId, SubjectId
from schemas.party import Party, SealedParty


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An idempotency key and what it stands for. `claim_id` follows from client and key; kept as long as the claim."""

    claim_id: ClaimId
    client: str
    key: str
    body_sha256: bytes
    status_url: str
    recorded_at: datetime


class KeyRows(Protocol):
    """The table of idempotency keys. One statement a call, however many rows."""

    async def reserve(self, tx: Tx, rows: Sequence[KeyRow]) -> set[ClaimId]:
        """Stores the rows that are new and says which; waits for another transaction that is storing the same."""

    async def find(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, KeyRow]:
        """The rows there are, those that others have just committed too."""


class Sealing(Protocol):
    async def seal_many(self, parties: Sequence[tuple[SubjectId, Party]]) -> Sequence[SealedParty | object]:
        """A box per party, in order; something else where the person was erased."""


class Recording(Protocol):
    async def record(self, tx: Tx, recorded: Sequence[Recorded]) -> list[Any]:
        """The answers stored, to be published after the commit."""


class Publishing(Protocol):
    async def publish(self, claim_ids: Collection[ClaimId], timeout_seconds: float | None = None) -> None: ...

    async def publish_answers(self, answers: Sequence[Any], timeout_seconds: float | None = None) -> None: ...


class Backlog(Protocol):
    async def count(self, limit: int) -> int:
        """How many stored events wait to be published, counted up to `limit`."""
