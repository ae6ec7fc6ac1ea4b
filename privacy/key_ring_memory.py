"""The key ring in memory: for tests and the simulation. It wraps and unwraps like the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from privacy.erased import Erased
from privacy.key_ring import Destruction, check_batch
from privacy.wrapping import DataKey, KeyWrapper, WrappedKey


@dataclass(frozen=True, slots=True)
class _Tombstone:
    subject_id: UUID
    destroyed_at: datetime


class MemoryKeyRing:
    """See `KeyRing`. Give the same `rows` to a second ring to play a restart, or a new master key."""

    def __init__(self, wrapper: KeyWrapper, rows: dict[UUID, WrappedKey | _Tombstone] | None = None) -> None:
        self._wrapper = wrapper
        self.rows: dict[UUID, WrappedKey | _Tombstone] = {} if rows is None else rows
        self._key_id_by_subject = {row.subject_id: key_id for key_id, row in self.rows.items()}

    async def create_many(self, subject_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        check_batch(subject_ids)
        found: dict[UUID, DataKey | Erased] = {}
        for subject_id in dict.fromkeys(subject_ids):
            key_id = self._key_id_by_subject.get(subject_id)
            if key_id is not None:
                found[subject_id] = self._open(self.rows[key_id])
                continue
            key, row = self._wrapper.make(subject_id)
            self.rows[key.key_id] = row
            self._key_id_by_subject[subject_id] = key.key_id
            found[subject_id] = key
        return found

    async def get_many(self, key_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        check_batch(key_ids)
        return {key_id: self._open(self.rows[key_id]) for key_id in key_ids if key_id in self.rows}

    async def destroy(self, subject_id: UUID, destroyed_at: datetime) -> Destruction:
        key_id = self._key_id_by_subject.get(subject_id)
        if key_id is None:
            return Destruction.unknown
        if isinstance(self.rows[key_id], _Tombstone):
            return Destruction.already_destroyed
        self.rows[key_id] = _Tombstone(subject_id, destroyed_at)
        return Destruction.destroyed

    async def rewrap_some(self, limit: int) -> int:
        old = [
            row for row in self.rows.values() if isinstance(row, WrappedKey) and row.wrapped_by != self._wrapper.current
        ][:limit]
        for row in old:
            self.rows[row.key_id] = self._wrapper.wrap(self._wrapper.unwrap(row))
        return len(old)

    def _open(self, row: WrappedKey | _Tombstone) -> DataKey | Erased:
        return Erased(row.subject_id) if isinstance(row, _Tombstone) else self._wrapper.unwrap(row)
