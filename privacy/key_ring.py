"""The port of the key ring: one data key per person, made and fetched in batches, destroyed for ever.

An adapter must never make a second key for a person whose key was destroyed, and must not keep opened keys
between calls. Two adapters, PostgreSQL and memory, pass one suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from privacy.erased import Erased
from privacy.wrapping import DataKey

BATCH_MAX = 10_000


class Destruction(StrEnum):
    """What an erasure found."""

    destroyed = "destroyed"
    already_destroyed = "already_destroyed"
    unknown = "unknown"


class KeyRing(Protocol):
    """Keys by subject and by key id. At most 10,000 ids a call (ValueError beyond it)."""

    async def create_many(self, subject_ids: Sequence[UUID]) -> dict[UUID, DataKey | Erased]:
        """The key of each subject, made and stored where there is none; a destroyed one stays destroyed: Erased.

        Durable when it returns. Safe to repeat and to race: everybody gets the same key.
        """

    async def get_many(self, key_ids: Sequence[UUID]) -> Mapping[UUID, DataKey | Erased]:
        """The keys by id; Erased where destroyed; ids that were never made are left out."""

    async def destroy(self, subject_id: UUID, destroyed_at: datetime) -> Destruction:
        """Destroy the subject's key material and keep a tombstone. Safe to repeat; the first instant stays."""

    async def rewrap_some(self, limit: int) -> int:
        """Wrap up to `limit` keys of older master key versions under the current one; how many were; 0 = all done."""


def check_batch(ids: Sequence[UUID]) -> None:
    """Refuse a batch beyond the limit before anything is done."""
    if len(ids) > BATCH_MAX:
        raise ValueError(f"at most {BATCH_MAX} keys a call, not {len(ids)}")
