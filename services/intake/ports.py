"""What intake needs from outside: its tables, a place for papers, sealing, the runner's recording and publishing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Literal, Protocol

from messaging.ports import Tx
from messaging.stage import Recorded
from schemas.ids import ClaimId, DocumentId, SubjectId
from schemas.party import Party, SealedParty
from services.intake.domain.drafts import DraftId, DraftRow
from services.intake.domain.papers import StoredPaper, Withdrawal


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

    async def find_reference(self, tx: Tx, reference: str) -> list[KeyRow]:
        """The claims of a canonical reference: one, none, or, once in many installations' lives, two."""


Purpose = Literal["paper", "withdrawal", "draft"]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The idempotency key of a request that is no report, and the hash of what it asked for."""

    client: str
    purpose: Purpose
    key: str
    claim_id: ClaimId
    request_sha256: bytes
    recorded_at: datetime


class RequestKeys(Protocol):
    async def reserve(self, tx: Tx, row: RequestKey) -> bytes:
        """Stores the key if it is new; the hash it stands for, that of its first request if it is not."""

    async def find(self, tx: Tx, row: RequestKey) -> bytes | None:
        """The hash the row's client, purpose and key stand for, None if they are new."""


class PaperRows(Protocol):
    """What is known of the papers of each claim; never their content."""

    async def add(self, tx: Tx, row: StoredPaper) -> StoredPaper | None:
        """Stores the paper; None if it is new, else the row that was there."""

    async def find(self, tx: Tx, document_id: DocumentId) -> StoredPaper | None: ...

    async def of_claim(self, tx: Tx, claim_id: ClaimId, limit: int) -> list[StoredPaper]:
        """The claim's papers, the first received first."""


class Withdrawals(Protocol):
    async def add(self, tx: Tx, row: Withdrawal) -> Withdrawal | None:
        """Stores the withdrawal; None if it is new, else the one that was there."""

    async def find(self, tx: Tx, claim_id: ClaimId) -> Withdrawal | None: ...


class PapersUnavailable(Exception):
    """The place for papers did not take one."""


class PaperStore(Protocol):
    async def put(self, name: str, content: IO[bytes]) -> None:
        """The sealed content under its name, durable when this returns; PapersUnavailable otherwise. Safe to repeat."""


class DraftRows(Protocol):
    async def add(self, tx: Tx, row: DraftRow) -> DraftRow | None:
        """Stores the draft; None if it is new, else the one of this id that was there."""

    async def find(self, tx: Tx, name: DraftId | str) -> DraftRow | None:
        """By id, or by the number people read."""

    async def replace(self, tx: Tx, row: DraftRow, version: int) -> bool:
        """Puts the row in the place of this version of it; False if it has another by now, or is gone."""

    async def purge(self, tx: Tx, before: datetime, limit: int) -> int:
        """Deletes drafts that expired before the instant, at most `limit`; how many."""


class Sealing(Protocol):
    async def seal_many(self, parties: Sequence[tuple[SubjectId, Party]]) -> Sequence[SealedParty | object]:
        """A box per party, in order; something else where the person was erased."""

    async def open_many(self, sealed: Sequence[SealedParty]) -> Sequence[Party | object]:
        """A party per box, in order; something else where the person was erased."""

    async def seal_file(
        self, subject_id: SubjectId, place: bytes, source: IO[bytes], target: IO[bytes]
    ) -> object | None:
        """Writes `source`, sealed for this place, to `target`; something, and nothing written, for the erased."""


class Recording(Protocol):
    async def record(self, tx: Tx, recorded: Sequence[Recorded]) -> list[Any]:
        """The answers stored, to be published after the commit."""


class Publishing(Protocol):
    async def publish(self, claim_ids: Collection[ClaimId], timeout_seconds: float | None = None) -> None: ...

    async def publish_answers(self, answers: Sequence[Any], timeout_seconds: float | None = None) -> None: ...


class Backlog(Protocol):
    async def count(self, limit: int) -> int:
        """How many stored events wait to be published, counted up to `limit`."""
