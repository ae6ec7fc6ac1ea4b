"""The one place where a real sealer is put together: key file, key ring database, the system's randomness."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from privacy.key_ring import KeyRing
from privacy.key_ring_memory import MemoryKeyRing
from privacy.key_ring_sql import SqlKeyRing
from privacy.master_key import KEY_BYTES, MasterKeys, RandomBytes, load_master_keys
from privacy.sealing import Sealer
from privacy.wrapping import KeyWrapper


@asynccontextmanager
async def open_key_ring(
    keys_database_url: str, master_key_file: str | os.PathLike[str] | None, pool_size: int = 4
) -> AsyncIterator[KeyRing]:
    """The key ring on PostgreSQL, its connections closed at the end; MasterKeyError before anything is opened."""
    wrapper = KeyWrapper(load_master_keys(master_key_file), os.urandom)
    engine: AsyncEngine = create_async_engine(keys_database_url, pool_size=pool_size, max_overflow=0, pool_timeout=10)
    try:
        yield SqlKeyRing(engine, wrapper)
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_sealer(
    keys_database_url: str, master_key_file: str | os.PathLike[str] | None, pool_size: int = 4
) -> AsyncIterator[Sealer]:
    """A sealer over the real key ring (settings CLAIMFLOW_KEYS_DATABASE and CLAIMFLOW_MASTER_KEY_FILE)."""
    async with open_key_ring(keys_database_url, master_key_file, pool_size) as ring:
        yield Sealer(ring, os.urandom)


def memory_sealer(random_bytes: RandomBytes) -> Sealer:
    """A sealer over a key ring in memory; seeded random bytes give a repeatable simulation."""
    return memory_sealer_with_ring(random_bytes)[0]


def memory_sealer_with_ring(random_bytes: RandomBytes) -> tuple[Sealer, MemoryKeyRing]:
    """A sealer in memory together with its ring, for who erases."""
    ring = MemoryKeyRing(KeyWrapper(MasterKeys({1: random_bytes(KEY_BYTES)}), random_bytes))
    return Sealer(ring, random_bytes), ring
