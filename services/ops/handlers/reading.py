"""Answers about claims, from the views. Somebody who asks a moment too early is waited for, not sent away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from messaging.ports import Clock, Store
from schemas.ids import ClaimId, ClaimReferenceError, parse_reference
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.timeline import KnownId, TimelineEntry
from services.ops.ports import PartyRow, PartyState, Persons, PersonsUnavailable, Views

log = structlog.get_logger("ops.reading")
WAIT_SECONDS = 2.0
WAITERS_MAX = 32
_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3)
TIMELINE_MAX = 500


class BadClaimName(Exception):
    """The text is neither a claim id nor a claim reference; the message never repeats it."""


class AmbiguousReference(Exception):
    """Two claims share the reference."""


@dataclass(frozen=True, slots=True)
class KnownParty:
    """A party as it may be shown to anybody."""

    row: PartyRow
    state: PartyState


class ClaimReader:
    """Reads the views. `persons` says who is erased; without it the state of a party is unknown."""

    def __init__(self, store: Store, views: Views, persons: Persons | None, clock: Clock) -> None:
        self._store, self._views, self._persons, self._clock = store, views, persons, clock
        self._waiting = 0

    async def find(self, name: str, wait_seconds: float = WAIT_SECONDS) -> ClaimView | None:
        """The claim of an id or reference; one not yet in the view is waited for, unless too many wait already."""
        claim_id, reference = _named(name)
        found = await self._find(claim_id, reference)
        if found is not None or self._waiting >= WAITERS_MAX:
            return found
        self._waiting += 1
        try:
            until = self._clock.now() + timedelta(seconds=wait_seconds)
            tries = 0
            while found is None and self._clock.now() < until:
                await self._clock.sleep(_PAUSES_SECONDS[min(tries, len(_PAUSES_SECONDS) - 1)])
                tries += 1
                found = await self._find(claim_id, reference)
            return found
        finally:
            self._waiting -= 1

    async def listed(self, state: str | None, after: ClaimId | None, limit: int) -> list[ClaimView]:
        async with self._store.begin() as tx:
            return await self._views.listed(tx, state, after, limit)

    async def counts(self) -> dict[str, int]:
        async with self._store.begin() as tx:
            return await self._views.counts(tx)

    async def timeline(self, claim_id: ClaimId, skip: int, limit: int) -> list[TimelineEntry]:
        async with self._store.begin() as tx:
            return await self._views.timeline(tx, claim_id, skip, limit)

    async def look_up(self, text: str, limit: int) -> list[KnownId]:
        async with self._store.begin() as tx:
            return await self._views.look_up(tx, text, limit)

    async def party_rows(self, claim_id: ClaimId) -> list[PartyRow]:
        async with self._store.begin() as tx:
            return await self._views.parties(tx, claim_id)

    async def parties(self, claim_id: ClaimId) -> list[KnownParty]:
        """The claim's parties, each with whether the person is erased. A claim is shown even when nobody can say."""
        rows = await self.party_rows(claim_id)
        states: list[PartyState] = ["unknown"] * len(rows)
        if rows and self._persons is not None:
            try:
                states = await self._persons.states([row.sealed for row in rows])
            except PersonsUnavailable:
                log.warning("the key ring cannot be asked who is erased", claim_id=str(claim_id))
        return [KnownParty(row, state) for row, state in zip(rows, states, strict=True)]

    async def _find(self, claim_id: ClaimId | None, reference: str) -> ClaimView | None:
        async with self._store.begin() as tx:
            if claim_id is not None:
                return (await self._views.load(tx, [claim_id])).get(claim_id)
            found = await self._views.by_reference(tx, reference)
        if len(found) > 1:
            raise AmbiguousReference
        return found[0] if found else None


def _named(name: str) -> tuple[ClaimId | None, str]:
    try:
        return ClaimId(name.strip().lower()), ""
    except ValueError:
        pass
    try:
        return None, parse_reference(name)
    except ClaimReferenceError as error:
        raise BadClaimName(str(error)) from None
