"""Policy versions on disk: SQLite in WAL mode with full syncs, so a restart, or a cut of power, keeps every policy."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.policy_system.terms import PolicyRow, RowRefusedError

FILE_NAME = "policies.sqlite"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version as found: interval as sortable UTC texts, `body` the JSON text as it was put."""

    number: str
    version: int
    starts: str
    ends: str
    status: str
    body: str


class PolicyStore:
    """Reads run on the caller's thread; `put` is for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = _connect(folder / FILE_NAME)
        self._writer.execute(
            """CREATE TABLE IF NOT EXISTS versions (
                   number TEXT NOT NULL, version INTEGER NOT NULL, starts TEXT NOT NULL, ends TEXT NOT NULL,
                   status TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (number, version)) WITHOUT ROWID"""
        )
        self._reader = _connect(folder / FILE_NAME)

    def close(self) -> None:
        """Close both connections."""
        self._reader.close()
        self._writer.close()

    def put(self, rows: Sequence[tuple[int, PolicyRow]]) -> list[tuple[int, RowRefusedError]]:
        """Store rows (with their place in the request) in one transaction; returns the refused ones, which overlap."""
        refused = []
        with _transaction(self._writer):
            for place, row in rows:
                clash = self._writer.execute(
                    "SELECT 1 FROM versions WHERE number = ? AND version <> ? AND starts < ? AND ends > ? LIMIT 1",
                    (row.number, row.version, row.ends, row.starts),
                ).fetchone()
                if clash:
                    refused.append(
                        (place, RowRefusedError("effective_from", "overlaps another version of this policy"))
                    )
                    continue
                self._writer.execute(
                    "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?, ?)",
                    (row.number, row.version, row.starts, row.ends, row.status, row.body),
                )
        return refused

    def versions_of(self, numbers: Sequence[str]) -> dict[str, list[StoredVersion]]:
        """All versions of each policy, oldest interval first; a policy that is not there is left out."""
        found: dict[str, list[StoredVersion]] = {}
        rows = self._reader.execute(
            """SELECT number, version, starts, ends, status, body FROM versions
                WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number, starts""",
            (json.dumps(list(dict.fromkeys(numbers))),),
        )
        for row in rows:
            found.setdefault(row[0], []).append(StoredVersion(*row))
        return found

    def count(self) -> int:
        """How many versions are stored."""
        return int(self._reader.execute("SELECT count(*) FROM versions").fetchone()[0])


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
