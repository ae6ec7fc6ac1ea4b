"""What the mail sink received, for an auditor who reads it offline, from the journal.

File `mail.jsonl` in the sink's folder; one JSON line per accepted mail, in order of acceptance, repeats included:
received_at (RFC 3339, UTC), from and to (the envelope), message_id, subject, headers (lower-case name to decoded
value, X-Claimflow-* among them), body (text)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulators.journal import JournalCorruptError, read_journal

FILE_NAME = "mail.jsonl"


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One accepted mail; `number` counts from 1."""

    number: int
    received_at: str
    mail_from: str
    rcpt_to: tuple[str, ...]
    message_id: str
    subject: str
    headers: dict[str, str]
    body: str


def read_mails(path: Path) -> Iterator[ReceivedMail]:
    """Every accepted mail, oldest first; a torn last line is passed over, a damaged one is JournalCorruptError."""
    for number, record in enumerate(read_journal(path), start=1):
        yield received_mail(number, record, path.name)


def received_mail(number: int, record: dict[str, object], file_name: str = FILE_NAME) -> ReceivedMail:
    """One line of the journal as a mail."""
    match record:
        case {
            "received_at": str(received_at),
            "from": str(mail_from),
            "to": list(rcpt_to),
            "message_id": str(message_id),
            "subject": str(subject),
            "headers": dict(headers),
            "body": str(body),
        }:
            return ReceivedMail(number, received_at, mail_from, tuple(rcpt_to), message_id, subject, headers, body)
    raise JournalCorruptError(f"line {number} of {file_name} is not a received mail")
