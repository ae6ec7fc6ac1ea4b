"""An append-only journal of JSON lines: on disk (fsync) before anybody is answered, readable by an auditor offline.

Appends that meet while a write is under way share the next fsync (group commit). A torn last line, left by a
kill or a power cut, was never answered for: it is cut off at the next start and passed over by readers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

GROUP_BYTES_MAX = 8 * 1024 * 1024


class JournalCorruptError(Exception):
    """A complete line in the middle of a journal is not JSON: somebody changed the file."""


class JournalBrokenError(Exception):
    """A write or fsync failed. Nothing more is accepted: what a failed fsync left on disk is unknown."""


class Journal:
    """Appends to one file. One process at a time; `open()` before and `close()` after use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._broken = False

    def open(self) -> None:
        """Open or create the file and cut a torn last line off."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = _length_of_whole_lines(self._handle)
        if whole != os.fstat(self._handle).st_size:
            os.ftruncate(self._handle, whole)
        os.fsync(self._handle)
        _sync_folder(self.path.parent)

    async def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once these records, and everything appended before, are on disk. No records: wait for the others."""
        if self._broken:
            raise JournalBrokenError(f"the journal {self.path.name} failed earlier and takes nothing more")
        if not records and self._writer is None:
            return
        lines = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_groups())
        # Shielded: a caller that gives up must not take its record out of the group.
        await asyncio.shield(done)

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        if self._writer is not None:
            await self._writer
        self._thread.shutdown()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group = self._take_group()
                try:
                    await loop.run_in_executor(self._thread, self._write, b"".join(lines for lines, _ in group))
                except OSError as problem:
                    self._break(group, problem)
                    return
                for _, done in group:
                    done.set_result(None)
        finally:
            self._writer = None

    def _take_group(self) -> list[tuple[bytes, asyncio.Future[None]]]:
        size = count = 0
        for lines, _ in self._waiting:
            size, count = size + len(lines), count + 1
            if size >= GROUP_BYTES_MAX:
                break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _break(self, group: list[tuple[bytes, asyncio.Future[None]]], problem: OSError) -> None:
        self._broken = True
        for _, done in [*group, *self._waiting]:
            done.set_exception(
                JournalBrokenError(f"the journal {self.path.name} cannot be written: {problem.strerror}")
            )
            done.exception()  # a caller that went away must not leave a warning behind
        self._waiting = []

    def _write(self, lines: bytes) -> None:
        left = memoryview(lines)
        while left:
            left = left[os.write(self._handle, left) :]
        os.fdatasync(self._handle)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Every record of a journal, oldest first, also while it is being written; nothing for a file that is not there.

    A torn last line is passed over; a damaged line before it raises JournalCorruptError with its number.
    """
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return
    with source:
        for number, line in enumerate(source, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                raise JournalCorruptError(f"line {number} of {path.name} is not JSON") from None
            if not isinstance(record, dict):
                raise JournalCorruptError(f"line {number} of {path.name} is not a record")
            yield record


def _length_of_whole_lines(handle: int) -> int:
    end = os.fstat(handle).st_size
    block_bytes = 64 * 1024
    while end > 0:
        start = max(0, end - block_bytes)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
