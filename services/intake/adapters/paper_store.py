"""Where sealed papers are kept: a folder, or S3, Google Cloud Storage or Azure, by one interface.

`put` returns when the content is durable: an object store says so itself, a folder is synced to its disk by us.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from services.intake.ports import PapersUnavailable

if TYPE_CHECKING:
    from obstore.store import RetryConfig

log = structlog.get_logger("intake")
PUT_SECONDS = 90.0


class PaperPlaceError(ValueError):
    """The place named for papers cannot be used; the message does not repeat it: it may hold a secret."""


class ObjectPaperStore:
    """See `PaperStore`. With `folder` given, the store is one over it."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store, self._folder = store, folder

    async def put(self, name: str, content: IO[bytes]) -> None:
        content.seek(0)
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(self._store, name, content)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder, self._folder / name)
        except (BaseError, OSError, ValueError) as error:
            # Its words may name bucket and credentials: only its kind is told.
            log.error("a paper could not be stored", exception=type(error).__name__)
            raise PapersUnavailable from None

    async def get(self, name: str) -> bytes:
        """The content under a name; FileNotFoundError if there is none."""
        found = await obstore.get_async(self._store, name)
        return bytes(await found.bytes_async())

    async def fetch(self, name: str, target: IO[bytes]) -> None:
        """Writes the content to `target` in parts; FileNotFoundError if there is none, PapersUnavailable otherwise."""
        try:
            found = await obstore.get_async(self._store, name)
            async for part in found.stream():
                target.write(bytes(part))
        except BaseError as error:
            log.error("a paper could not be fetched", exception=type(error).__name__)
            raise PapersUnavailable from None

    async def names(self) -> list[str]:
        """Every name there is, at most a thousand."""
        found = await obstore.list(self._store, chunk_size=1_000).__anext__()
        return sorted(one["path"] for one in found)


def memory_paper_store() -> ObjectPaperStore:
    """A place that ends with the process: for tests and the simulation."""
    return ObjectPaperStore(MemoryStore())


def open_paper_store(place: str) -> ObjectPaperStore:
    """The store a setting names, a folder or a URL; PaperPlaceError if there can be none."""
    try:
        if "://" in place:
            # The defaults try for three minutes; whoever sends a paper is told sooner, and repeats.
            retries: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
            return ObjectPaperStore(from_url(place, retry_config=retries))
        folder = Path(place).absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PaperPlaceError("the folder for papers is not writable")
        return ObjectPaperStore(LocalStore(folder), folder)
    except (BaseError, OSError) as error:
        raise PaperPlaceError(f"the place for papers cannot be opened ({type(error).__name__})") from None


def _sync(folder: Path, file: Path) -> None:
    """The file's bytes, and its name in every folder down to it."""
    for one in (file, *(parent for parent in file.parents if parent == folder or folder in parent.parents)):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
