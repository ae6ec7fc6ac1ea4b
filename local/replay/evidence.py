"""What a run left behind, gathered from outside the services: client journals, topics, ledger, bank record, mail sink.

Nothing here asks a service for its own counters. The log is read from offset 0 to the ends found at the start.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from hosting.database import open_engine
from messaging.ports import Tail
from messaging.record import Record
from schemas.envelope import Envelope, EnvelopeError
from schemas.money import Money
from schemas.topics import STAGES, WRITERS, dead_letter_topic, service_of, status_topic, topic_of
from simulators.bank.record import read_entries
from simulators.journal import read_journal
from simulators.mail.record import read_mails

DECODED = frozenset(
    """
    ClaimReported DocumentsReceived AdvanceApproved ClaimApproved ClaimPartlyApproved ClaimReferred ClaimDecidedNil
    ClaimDenied ClaimClosed PolicyAwaited DocumentsRequested
    PaymentInstructed PaymentConfirmed PaymentRejected PaymentHeld NoticeSent NoticeFailed ReviewRecorded
    """.split()
)
"""Event names whose data the auditor looks at."""


class Seen(NamedTuple):
    """One event as it lies in the log; `data` is its decoded JSON where the auditor needs it, `digest` of all bytes."""

    name: str
    writer: str
    claim_id: str
    sequence: int
    event_id: str
    cause_id: str
    after: Mapping[str, int]
    time: datetime
    appended_ms: int
    place: str
    digest: int
    data: Mapping[str, Any] | None


class Posting(NamedTuple):
    transfer_id: str
    claim_id: str
    purpose: str
    booked_at: datetime
    account: str
    currency: str
    amount_minor: int


class Executed(NamedTuple):
    """One instruction the bank decided about; `amount` is its decimal text."""

    end_to_end_id: str
    status: str
    amount: str
    currency: str


class Delivered(NamedTuple):
    """One mail the sink accepted, repeats included."""

    message_id: str
    claim_id: str
    event_id: str
    kind: str
    received_at: datetime


@dataclass(slots=True)
class Evidence:
    """Everything the invariants are judged by. `unreadable` names records no reader can understand.

    `mail_since`: events told since then owe their notices by mail; None where mail is off or nobody knows.
    """

    acknowledged: dict[str, datetime] = field(default_factory=dict)
    events: list[Seen] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    dead_lettered: set[str] = field(default_factory=set)
    parked: dict[str, str] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)
    bank: list[Executed] = field(default_factory=list)
    mails: list[Delivered] = field(default_factory=list)
    mail_since: datetime | None = None


def claim_topics() -> tuple[str, ...]:
    """The topics that carry claims' events."""
    return tuple(topic_of(writer) for writer in WRITERS)


def other_topics() -> tuple[str, ...]:
    """Dead letters and statuses: where claims stand that do not move."""
    services = sorted({service_of(stage) for stage in STAGES})
    return tuple(topic for one in services for topic in (dead_letter_topic(one), status_topic(one)))


async def read_log(tail: Tail) -> AsyncIterator[Record]:
    """Every record of a tail reader's topics that was there when it started."""
    await tail.start()
    try:
        while not await tail.caught_up():
            for record in await tail.poll(0.5):
                yield record
    finally:
        await tail.stop()


def take_event(evidence: Evidence, record: Record) -> None:
    """Adds a record of a claim topic; what is no event of ours is named, not judged: readers dead-letter it."""
    place = f"{record.topic}-{record.partition}@{record.offset}"
    try:
        envelope = Envelope.from_headers(record.headers)
    except EnvelopeError:
        evidence.unreadable.append(place)
        return
    name = envelope.type.split(".")[1]
    try:
        data = json.loads(record.value or b"") if name in DECODED else None
    except ValueError:
        evidence.unreadable.append(place)
        return
    evidence.events.append(
        Seen(
            name,
            envelope.writer,
            str(envelope.subject),
            envelope.sequence,
            str(envelope.id),
            str(envelope.cause_id),
            envelope.after,
            envelope.time,
            record.timestamp_ms,
            place,
            hash((record.key, record.value, tuple(record.headers))),
            data,
        )
    )


def take_other(evidence: Evidence, record: Record) -> None:
    """Adds a record of a dead letter or status topic."""
    key = (record.key or b"").decode("ascii", "replace")
    if ".dead-letter." in record.topic:
        evidence.dead_lettered.add(key)
    elif key.startswith("parked:"):
        _, stage, claim_id = key.split(":")
        if record.value is None:
            evidence.parked.pop(f"{stage}:{claim_id}", None)
        else:
            evidence.parked[f"{stage}:{claim_id}"] = claim_id


def read_acknowledged(folder: Path) -> Iterator[tuple[str, datetime]]:
    """Claim ids with the instant of their 202, from every client journal in the folder."""
    for path in sorted(folder.glob("*.acknowledged.jsonl")):
        for record in read_journal(path):
            yield record["claim_id"], datetime.fromisoformat(record["at"])


def read_bank(path: Path) -> list[Executed]:
    """The bank's own record, executed and rejected."""
    return [Executed(one.end_to_end_id, one.status, one.amount, one.currency) for one in read_entries(path)]


def read_deliveries(path: Path) -> list[Delivered]:
    """The mail sink's own record."""
    return [
        Delivered(
            mail.message_id,
            mail.headers.get("x-claimflow-claim", ""),
            mail.headers.get("x-claimflow-event", ""),
            mail.headers.get("x-claimflow-kind", ""),
            datetime.fromisoformat(mail.received_at),
        )
        for mail in read_mails(path)
    ]


async def read_ledger(database_url: str) -> list[Posting]:
    """Every posting with its transfer, straight from the ledger's tables."""
    engine = open_engine(database_url, "verify", 2)
    question = text("""
        SELECT transfer_id, claim_id, purpose, booked_at, account, currency, amount_minor
          FROM ledger_postings LEFT JOIN ledger_transfers USING (transfer_id) ORDER BY transfer_id
    """)
    try:
        async with engine.connect() as connection:
            found = await connection.execute(question)
            return [Posting(str(row[0]), str(row[1]), *row[2:]) for row in found]
    finally:
        await engine.dispose()


def amount_minor(money: Mapping[str, str]) -> tuple[int, str]:
    """Minor units and currency of an amount on the wire."""
    found = Money.of_text(money["amount"], money["currency"])
    return found.amount_minor, found.currency


def distinct(events: Iterable[Seen]) -> list[Seen]:
    """The events without their second copies, in the order of the log."""
    seen: dict[str, Seen] = {}
    for event in events:
        seen.setdefault(event.event_id, event)
    return list(seen.values())
