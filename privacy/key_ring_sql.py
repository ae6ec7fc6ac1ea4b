"""The key ring on PostgreSQL (database claimflow_keys): one statement per batch, committed before anything is sealed.

Destroying a key nulls its material in place. Copies in backups and in the write-ahead log last until those
expire, and stay wrapped by the master key, which is kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from privacy.erased import Erased
from privacy.key_ring import Destruction, check_batch
from privacy.wrapping import DataKey, KeyWrapper, WrappedKey

# Rows go in by subject order, so that two writers of the same persons wait for each other instead of deadlocking.
_INSERT = text("""
    INSERT INTO data_keys (key_id, subject_id, wrapped, wrapped_by, created_at)
    SELECT key_id, subject_id, wrapped, :wrapped_by, now()
      FROM unnest(CAST(:key_ids AS uuid[]), CAST(:subject_ids AS uuid[]), CAST(:wrapped AS bytea[]))
        AS fresh (key_id, subject_id, wrapped)
    ON CONFLICT (subject_id) DO NOTHING
    RETURNING subject_id
""")
_BY_SUBJECT = text("""
    SELECT key_id, subject_id, wrapped, wrapped_by FROM data_keys WHERE subject_id = ANY(CAST(:ids AS uuid[]))
""")
_BY_KEY = text("""
    SELECT key_id, subject_id, wrapped, wrapped_by FROM data_keys WHERE key_id = ANY(CAST(:ids AS uuid[]))
""")
_DESTROY = text("""
    UPDATE data_keys SET wrapped = NULL, destroyed_at = :destroyed_at
     WHERE subject_id = :subject_id AND wrapped IS NOT NULL
    RETURNING key_id
""")
_EXISTS = text("SELECT 1 FROM data_keys WHERE subject_id = :subject_id")
_OLD = text("""
    SELECT key_id, subject_id, wrapped, wrapped_by FROM data_keys
     WHERE wrapped IS NOT NULL AND wrapped_by <> :current
     ORDER BY key_id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_REWRAP = text("""
    UPDATE data_keys SET wrapped = fresh.wrapped, wrapped_by = :current
      FROM unnest(CAST(:key_ids AS uuid[]), CAST(:wrapped AS bytea[])) AS fresh (key_id, wrapped)
     WHERE data_keys.key_id = fresh.key_id
""")


class SqlKeyRing:
    """See `KeyRing`. The engine belongs to the caller and must reach the key ring's own database."""

    def __init__(self, engine: AsyncEngine, wrapper: KeyWrapper) -> None:
        self._engine = engine
        self._wrapper = wrapper

    async def create_many(self, subject_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        check_batch(subject_ids)
        wanted = sorted(set(subject_ids))
        if not wanted:
            return {}
        made = {subject_id: self._wrapper.make(subject_id) for subject_id in wanted}
        rows = [row for _, row in made.values()]
        async with self._engine.begin() as connection:
            inserted = await connection.execute(
                _INSERT,
                {
                    "key_ids": [row.key_id for row in rows],
                    "subject_ids": [row.subject_id for row in rows],
                    "wrapped": [row.wrapped for row in rows],
                    "wrapped_by": self._wrapper.current,
                },
            )
            found: dict[UUID, DataKey | Erased] = {subject_id: made[subject_id][0] for (subject_id,) in inserted}
        others = [subject_id for subject_id in wanted if subject_id not in found]
        if others:
            found.update({row.subject_id: self._open(row) for row in await self._select(_BY_SUBJECT, others)})
        return found

    async def get_many(self, key_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        check_batch(key_ids)
        wanted = list(set(key_ids))
        return {row.key_id: self._open(row) for row in await self._select(_BY_KEY, wanted)} if wanted else {}

    async def destroy(self, subject_id: UUID, destroyed_at: datetime) -> Destruction:
        async with self._engine.begin() as connection:
            gone = await connection.execute(_DESTROY, {"subject_id": subject_id, "destroyed_at": destroyed_at})
            if gone.first() is not None:
                return Destruction.destroyed
            held = await connection.execute(_EXISTS, {"subject_id": subject_id})
            return Destruction.unknown if held.first() is None else Destruction.already_destroyed

    async def rewrap_some(self, limit: int) -> int:
        async with self._engine.begin() as connection:
            old = (await connection.execute(_OLD, {"current": self._wrapper.current, "limit": limit})).all()
            fresh = [self._wrapper.wrap(self._wrapper.unwrap(_wrapped_key(row))) for row in old]
            if fresh:
                await connection.execute(
                    _REWRAP,
                    {
                        "key_ids": [row.key_id for row in fresh],
                        "wrapped": [row.wrapped for row in fresh],
                        "current": self._wrapper.current,
                    },
                )
            return len(fresh)

    async def _select(self, statement: TextClause, ids: list[UUID]) -> Sequence[Row[tuple[UUID, UUID, bytes, int]]]:
        # A statement of its own after the insert: only a new snapshot sees a row that another writer just committed.
        async with self._engine.connect() as connection:
            return (await connection.execute(statement, {"ids": ids})).all()

    def _open(self, row: Row[tuple[UUID, UUID, bytes, int]]) -> DataKey | Erased:
        return Erased(row.subject_id) if row.wrapped is None else self._wrapper.unwrap(_wrapped_key(row))


def _wrapped_key(row: Row[tuple[UUID, UUID, bytes, int]]) -> WrappedKey:
    return WrappedKey(row.key_id, row.subject_id, bytes(row.wrapped), row.wrapped_by)
