"""What ops needs from outside: its views, its desk's rows, the people who may act, the keys of persons, new ids.

Every method with a `tx` runs inside the caller's transaction, and costs one statement a table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from messaging.ports import Tx
from schemas.ids import ClaimId, CommandId, EventId, ReviewId, SubjectId
from schemas.party import Party, SealedParty
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.people import Staff
from services.ops.domain.timeline import KnownId, TimelineEntry

Who = Literal["reporter", "payee"]


@dataclass(frozen=True, slots=True)
class PartyRow:
    """A party of a claim as it travels; the box is kept only to be opened on purpose, never shown."""

    claim_id: ClaimId
    who: Who
    sealed: SealedParty


@dataclass(frozen=True, slots=True)
class ViewChanges:
    """What a batch of events adds to the views."""

    claims: Sequence[ClaimView] = ()
    entries: Sequence[TimelineEntry] = ()
    ids: Sequence[KnownId] = ()
    parties: Sequence[PartyRow] = ()


class Views(Protocol):
    """The projections. They may be dropped and built again from the topics."""

    async def load(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, ClaimView]: ...

    async def save(self, tx: Tx, changes: ViewChanges) -> None:
        """Claims replace their rows; entries, ids and parties that are there already stay as they are."""

    async def by_reference(self, tx: Tx, reference: str) -> list[ClaimView]:
        """At most two: a reference is a hash, and two claims sharing one must not be confused."""

    async def listed(self, tx: Tx, state: str | None, after: ClaimId | None, limit: int) -> list[ClaimView]:
        """In id order, after the given one."""

    async def counts(self, tx: Tx) -> dict[str, int]:
        """Claims by state."""

    async def timeline(self, tx: Tx, claim_id: ClaimId, skip: int, limit: int) -> list[TimelineEntry]:
        """By append time, then by the events' own time."""

    async def parties(self, tx: Tx, claim_id: ClaimId) -> list[PartyRow]:
        """Reporter first."""

    async def look_up(self, tx: Tx, text: str, limit: int) -> list[KnownId]:
        """Claims an id stands for: an event's, a payment's, a policy's ..., each by an index."""

    async def drop(self, tx: Tx) -> None:
        """Deletes every row of the views, so that they are built again from the topics."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A recorded verdict and the answer that was given for it, kept to be given again."""

    review_id: ReviewId
    claim_id: ClaimId
    referral_event_id: EventId
    person_id: str
    request_hash: str
    answer: str
    recorded_at: datetime
    published: bool = False


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order to a stage as it was recorded; `number` gives the sequence in which orders are sent."""

    number: int
    command_id: CommandId
    request_hash: str
    order: bytes
    recorded_at: datetime
    sent: bool = False


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who touched a person's data, when and why."""

    audit_id: UUID
    action: Literal["erase", "unmask"]
    claim_id: ClaimId | None
    subject_id: SubjectId | None
    person_id: str
    reason: str
    at: datetime


class Desk(Protocol):
    """What people did. Never rebuilt: these rows are the only place that knows."""

    async def review(self, tx: Tx, review_id: ReviewId) -> ReviewRow | None: ...

    async def add_review(self, tx: Tx, row: ReviewRow) -> bool:
        """False if the referral has a review already, whoever wrote it."""

    async def mark_review(self, tx: Tx, review_id: ReviewId) -> None: ...

    async def order(self, tx: Tx, command_id: CommandId) -> OrderRow | None: ...

    async def add_order(self, tx: Tx, row: OrderRow) -> None:
        """The number is given here."""

    async def unsent_orders(self, tx: Tx, limit: int) -> list[OrderRow]:
        """In the sequence they were given."""

    async def mark_orders(self, tx: Tx, command_ids: Collection[CommandId]) -> None: ...

    async def add_audit(self, tx: Tx, rows: Sequence[AuditRow]) -> None: ...

    async def audit_of(self, tx: Tx, subject_id: SubjectId, limit: int) -> list[AuditRow]: ...


class People(Protocol):
    def find(self, person_id: str) -> Staff | None:
        """A member of staff as the file says now."""


PartyState = Literal["sealed", "erased", "unknown"]
Destroyed = Literal["destroyed", "already_destroyed", "unknown"]


class PersonsUnavailable(Exception):
    """The key ring cannot be reached or is not configured."""


class Persons(Protocol):
    """Persons behind their keys. Raises PersonsUnavailable when the key ring cannot be asked."""

    async def states(self, parties: Sequence[SealedParty]) -> list[PartyState]: ...

    async def open_each(self, parties: Sequence[SealedParty]) -> list[Party | str]:
        """The party, or the text shown in its place."""

    async def erase(self, subject_id: SubjectId, at: datetime) -> Destroyed: ...


class NewId(Protocol):
    def __call__(self) -> UUID:
        """A fresh random id; made in the composition root only."""
