"""The bank's record, for an auditor who reads it offline: what was executed and what was rejected, from the journal.

File `bank.jsonl` in the bank's folder; one JSON line per decided end-to-end id, never two for one id:
end_to_end_id, status (executed, rejected), bank_reference, at (RFC 3339, UTC), code, reason, amount (decimal
text), currency, account, fingerprint (SHA-256 of the canonical instruction)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simulators.bank.book import Entry
from simulators.journal import JournalCorruptError, read_journal

FILE_NAME = "bank.jsonl"


def read_entries(path: Path) -> Iterator[Entry]:
    """Every decided instruction, oldest first; a torn last line is passed over, a damaged one is an error."""
    for number, record in enumerate(read_journal(path), start=1):
        try:
            yield Entry(**record)
        except TypeError:
            raise JournalCorruptError(f"line {number} of {path.name} is not an entry of the bank") from None


def read_executed(path: Path) -> Iterator[Entry]:
    """Only what was paid."""
    return (entry for entry in read_entries(path) if entry.status == "executed")
