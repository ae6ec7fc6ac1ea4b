"""Erasing a person, and opening a party's data on purpose: each is written down before it is done."""

from __future__ import annotations

from dataclasses import dataclass

from messaging import crash_points
from messaging.ports import Clock, Store
from schemas.ids import ClaimId, SubjectId
from schemas.party import Party
from services.ops.domain.people import Staff
from services.ops.ports import AuditRow, Desk, Destroyed, NewId, PartyRow, Persons, PersonsUnavailable, Views, Who


class NoSuchParty(Exception):
    """The claim is not known here, or has no such party."""


@dataclass(frozen=True, slots=True)
class OpenedParty:
    """A party opened on purpose, or the text shown in its place."""

    row: PartyRow
    shown: Party | str


class PersonDesk:
    """`persons` is None where no key ring is configured: then nothing can be erased or opened."""

    def __init__(
        self, store: Store, views: Views, desk: Desk, persons: Persons | None, clock: Clock, new_id: NewId
    ) -> None:
        self._store, self._views, self._desk = store, views, desk
        self._persons, self._clock, self._new_id = persons, clock, new_id

    async def subject_of(self, claim_id: ClaimId, who: Who) -> SubjectId:
        """The person who is the claim's reporter or payee. Where no payee was named, the reporter is paid."""
        async with self._store.begin() as tx:
            rows = {row.who: row for row in await self._views.parties(tx, claim_id)}
        row = rows.get(who) or rows.get("reporter")
        if row is None:
            raise NoSuchParty
        return row.sealed.subject_id

    async def erase(self, subject_id: SubjectId, claim_id: ClaimId | None, staff: Staff, reason: str) -> Destroyed:
        """Destroys the person's key for good. The same order again completes one cut short; each is written down."""
        persons = self._needed()
        now = self._clock.now()
        row = AuditRow(self._new_id(), "erase", claim_id, subject_id, staff.id, reason, now)
        async with self._store.begin() as tx:
            await self._desk.add_audit(tx, [row])
        crash_points.reach("erase.audited")
        destroyed = await persons.erase(subject_id, now)
        crash_points.reach("erase.destroyed")
        return destroyed

    async def unmask(self, claim_id: ClaimId, staff: Staff, reason: str) -> list[OpenedParty]:
        """The parties of a claim in the clear; erased ones as the text that stands for them."""
        persons = self._needed()
        now = self._clock.now()
        async with self._store.begin() as tx:
            rows = await self._views.parties(tx, claim_id)
            audit = [
                AuditRow(self._new_id(), "unmask", claim_id, row.sealed.subject_id, staff.id, reason, now)
                for row in rows
            ]
            await self._desk.add_audit(tx, audit)
        crash_points.reach("unmask.audited")
        opened = await persons.open_each([row.sealed for row in rows])
        return [OpenedParty(row, shown) for row, shown in zip(rows, opened, strict=True)]

    def _needed(self) -> Persons:
        if self._persons is None:
            raise PersonsUnavailable("no key ring is configured")
        return self._persons
