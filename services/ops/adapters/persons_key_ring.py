"""Persons behind the key ring: whether they are erased, what their box holds, and how they are erased."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from privacy.erased import Erased, display
from privacy.errors import SealError
from privacy.key_ring import KeyRing
from privacy.sealing import Sealer
from schemas.ids import SubjectId
from schemas.party import Party, SealedParty
from services.ops.ports import Destroyed, PartyState, PersonsUnavailable

UNREADABLE = "[unreadable]"


class KeyRingPersons:
    """See `Persons`."""

    def __init__(self, ring: KeyRing, sealer: Sealer) -> None:
        self._ring, self._sealer = ring, sealer

    async def states(self, parties: Sequence[SealedParty]) -> list[PartyState]:
        async with _reachable():
            keys = await self._ring.get_many([party.key_id for party in parties])
        return [_state(keys.get(party.key_id)) for party in parties]

    async def open_each(self, parties: Sequence[SealedParty]) -> list[Party | str]:
        async with _reachable():
            opened = await self._sealer.open_each(parties)
        return [_shown(one) for one in opened]

    async def erase(self, subject_id: SubjectId, at: datetime) -> Destroyed:
        async with _reachable():
            return (await self._ring.destroy(subject_id, at)).value


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    try:
        yield
    except (OSError, SQLAlchemyError) as error:
        raise PersonsUnavailable("the key ring cannot be reached") from error


def _state(key: object) -> PartyState:
    if key is None:
        return "unknown"
    return "erased" if isinstance(key, Erased) else "sealed"


def _shown(opened: Party | Erased | SealError) -> Party | str:
    if isinstance(opened, Party):
        return opened
    return display(opened) if isinstance(opened, Erased) else UNREADABLE
