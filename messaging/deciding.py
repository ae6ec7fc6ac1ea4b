"""One transaction's working set: takes arrivals in order, asks the handler, collects what is to be stored.

Pure but for the handler's load and save, which run in the caller's transaction. Nothing here publishes.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel

from messaging.arrival import Arrival, Fault
from messaging.record import Record, partition_of
from messaging.rows import Answer, Block, ClaimRow, DeadLetter, Turn, WorkRow
from messaging.stage import Input, Recorded, Stage
from schemas.envelope import Envelope
from schemas.event import Event, encode, type_of
from schemas.ids import ClaimId, event_id
from schemas.outcomes import Emit, ErrorClass, Nothing, Outcome, Reject, RetryLater, Work
from schemas.topics import dead_letter_topic, topic_of

DEAD_LETTERS = UUID("5a0c3a0e-6f0e-5b53-9a1c-8d2f1d7c1b01")
PROCESS_ENDED = "process-ended"
RETRY_SECONDS = (30, 120, 600, 3600)
WORK_RETRY_SECONDS = (1, 2, 5, 15, 60, 300)


class HandlerFault(Exception):
    """An exception in a service's decision: rolls back, is halved, tried again, and parks its claim in the end."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.code = type(error).__name__
        self.fingerprint = fingerprint_of(stage, error)


def fingerprint_of(stage: str, error: BaseException) -> str:
    """The same for the same fault: stage, exception, innermost own frame, message with its values masked."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    top = own[-1] if own else None
    place = f"{top.filename.rsplit('/', 1)[-1]}:{top.name}" if top else "?"
    masked = re.sub(r"[0-9a-fA-F-]{8,}|\d+|'[^']*'|\"[^\"]*\"", "#", str(error))[:200]
    return hashlib.sha256(f"{stage}|{type(error).__name__}|{place}|{masked}".encode()).hexdigest()[:16]


def backoff(now: datetime, attempts: int, steps: Sequence[int] = RETRY_SECONDS) -> datetime:
    return now + timedelta(seconds=steps[min(attempts, len(steps)) - 1])


def dead_letter_id(stage: str, record: Record, attempts: int) -> UUID:
    return uuid5(DEAD_LETTERS, f"{stage}:{record.topic}:{record.partition}:{record.offset}:{attempts}")


@dataclass(slots=True)
class Working:
    """What one transaction reads, decides and will store."""

    stage: Stage
    partitions: int
    release: str
    now: datetime
    rows: dict[ClaimId, ClaimRow]
    states: dict[ClaimId, Any] = field(default_factory=dict)
    facts: Any = None
    changed: set[ClaimId] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    work: list[WorkRow] = field(default_factory=list)
    queued: list[tuple[ClaimId, Record]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    tried: dict[ClaimId, int] = field(default_factory=dict)
    decided: int = 0

    def place(self, arrival: Arrival) -> Turn:
        """Where the arrival stands in its claim's order; a record that cannot be read is always at its turn."""
        if arrival.envelope is None or arrival.claim_id is None:
            return Turn.NEXT
        if arrival.fault is not None and arrival.fault.error_class is ErrorClass.SECURITY:
            return Turn.NEXT
        return self.rows[arrival.claim_id].turn_of(arrival.envelope, self.stage.reads)

    def take(self, arrival: Arrival, attempts: int = 0, first_at: datetime | None = None) -> None:
        """Takes one arrival: counts it as seen, queues it, or decides. From the queue or a redrive: with its number."""
        row = self.rows.get(arrival.claim_id) if arrival.claim_id is not None else None
        turn = self.place(arrival)
        if turn is Turn.SEEN:
            self._drop(arrival)
            return
        if row is not None and arrival.number is None and attempts == 0 and (row.blocked or row.queued):
            self._enqueue(row, arrival.record)
            return
        if turn is Turn.WAIT and row is not None:
            if arrival.number is None:
                self._enqueue(row, arrival.record)
            return
        fault = Fault("sequence-reused", ErrorClass.SECURITY) if turn is Turn.REUSED else arrival.fault
        if fault is not None or row is None or arrival.envelope is None:
            self._bury(arrival, row, fault or Fault("bad-key", ErrorClass.DATA), attempts, first_at)
        elif not arrival.handled:
            row.apply(arrival.envelope)
            self._drop(arrival)
        else:
            self._decide(arrival, row, arrival.envelope, attempts, first_at)

    def park(self, arrival: Arrival, code: str, fingerprint: str, due_at: datetime | None, attempts: int) -> None:
        """Blocks the arrival's claim with the arrival at the head of its queue."""
        if arrival.claim_id is None:
            self._bury(arrival, None, Fault(code, ErrorClass.BUG), 0, None)
            return
        row = self.rows[arrival.claim_id]
        if row.blocked is None:
            row.blocked = Block(code, self.now, due_at, attempts, fingerprint)
        if arrival.number is None:
            self._enqueue(row, arrival.record)

    def _decide(
        self, arrival: Arrival, row: ClaimRow, envelope: Envelope, attempts: int, first_at: datetime | None
    ) -> None:
        event = arrival.as_input(self.now)
        outcome, state = self.ask(row.claim_id, event)
        if isinstance(outcome, Reject):
            fault = Fault(outcome.code, outcome.error_class, outcome.detail)
            self._bury(arrival, row, fault, attempts, first_at)
        elif isinstance(outcome, RetryLater):
            tried = self.tried.get(row.claim_id, 0) + 1
            self.park(arrival, outcome.reason, outcome.reason[:16], outcome.when, tried)
        else:
            row.apply(envelope)
            if state is not self.states[row.claim_id]:
                self.states[row.claim_id] = state
                self.changed.add(row.claim_id)
            try:
                self.emit(row, event.cause_id, outcome, event.traceparent)
            except Exception as error:
                raise HandlerFault(self.stage.name, error) from error
            self._drop(arrival)

    def ask(self, claim_id: ClaimId, event: Input) -> tuple[Outcome, Any]:
        try:
            self.decided += 1
            return self.stage.handler.decide(self.states[claim_id], event, self.facts)
        except Exception as error:
            raise HandlerFault(self.stage.name, error) from error

    def emit(self, row: ClaimRow, cause_id: UUID, outcome: Emit | Nothing, traceparent: str | None = None) -> None:
        """Stores the outcome's events, in sequence, and its work rows, tied to the last event."""
        events = outcome.events if isinstance(outcome, Emit) else ()
        last = None
        for number, event in enumerate(events):
            last = self._answer(row, cause_id, number, event, traceparent)
        for number, work in enumerate(outcome.work):
            self.work.append(self._work(row, cause_id, number, work, last))

    def record(self, recorded: Recorded) -> None:
        """Stores events whose cause is no event."""
        row = self.rows[recorded.claim_id]
        row.learn(recorded.after or {})
        self.emit(row, recorded.cause_id, Emit(recorded.events, recorded.work), recorded.traceparent)

    def _answer(self, row: ClaimRow, cause_id: UUID, number: int, event: Event, traceparent: str | None) -> UUID:
        writer = self.stage.writer
        if writer != event.WRITER:
            raise ValueError(f"{writer} may not write {event.TYPE}")
        made = event_id(cause_id, writer, number)
        trace = traceparent.split("-")[1] if traceparent else row.claim_id.hex
        envelope = Envelope(
            id=made,
            type=type_of(event),
            writer=writer,
            subject=row.claim_id,
            time=self.now,
            cause_id=cause_id,
            sequence=row.next_sequence,
            after={name: n for name, n in row.after.items() if name != writer},
            traceparent=f"00-{trace}-{made.hex[:16]}-01",
        )
        key = str(row.claim_id).encode()
        self.answers.append(
            Answer(
                event_id=made,
                claim_id=row.claim_id,
                topic=topic_of(writer),
                partition=row.partition,
                sequence=row.next_sequence,
                cause_id=cause_id,
                key=key,
                value=encode(event),
                headers=envelope.to_headers(),
                stored_at=self.now,
            )
        )
        row.next_sequence += 1
        return made

    def _work(self, row: ClaimRow, cause_id: UUID, number: int, work: Work, last: UUID | None) -> WorkRow:
        payload = work.payload.model_dump(mode="json") if isinstance(work.payload, BaseModel) else work.payload
        work_id = uuid5(cause_id, f"{self.stage.name}:work:{number}")
        return WorkRow(work_id, work.kind, row.claim_id, payload, work.due_at or self.now, last)

    def _enqueue(self, row: ClaimRow, record: Record) -> None:
        self.queued.append((row.claim_id, record))
        row.queued = True

    def _drop(self, arrival: Arrival) -> None:
        if arrival.number is not None:
            self.done.append(arrival.number)

    def _bury(
        self, arrival: Arrival, row: ClaimRow | None, fault: Fault, attempts: int, first_at: datetime | None
    ) -> None:
        """Stores the original, blocks the claim if there is one, and writes the dead letter beside the answers."""
        record, attempts = arrival.record, attempts + 1
        made = dead_letter_id(self.stage.name, record, attempts)
        fingerprint = hashlib.sha256(f"{self.stage.name}|{fault.code}|{fault.detail}".encode()).hexdigest()[:16]
        claim_id = row.claim_id if row is not None else None
        first_at = first_at or self.now
        letter = DeadLetter(
            made, claim_id, record, fault.code, fault.error_class.value, fingerprint, attempts, first_at, self.now
        )
        self.letters.append(letter)
        headers = [*record.headers, *self._why(letter, fault)]
        topic = dead_letter_topic(self.stage.writer)
        partition = record.partition % self.partitions
        self.answers.append(
            Answer(made, claim_id, topic, partition, None, made, record.key, record.value, headers, self.now)
        )
        if row is not None:
            row.blocked = Block(fault.code, self.now, None, attempts, fingerprint, made)
        self._drop(arrival)

    def _why(self, letter: DeadLetter, fault: Fault) -> list[tuple[str, bytes]]:
        record = letter.record
        why = {
            "id": str(letter.dead_letter_id),
            "stage": self.stage.name,
            "code": fault.code,
            "class": fault.error_class.value,
            "detail": fault.detail,
            "fingerprint": letter.fingerprint,
            "attempts": str(letter.attempts),
            "source": f"{record.topic}-{record.partition}@{record.offset}",
            "appended": str(record.timestamp_ms),
            "first-failure": letter.first_at.isoformat(),
            "last-failure": letter.last_at.isoformat(),
            "release": self.release,
        }
        return [(f"dead-letter-{name}", value.encode()) for name, value in why.items()]


def claims_of(arrivals: Collection[Arrival], partitions: int) -> dict[ClaimId, int]:
    """The claims of these arrivals with their partition numbers."""
    return claims_of_ids({one.claim_id for one in arrivals if one.claim_id is not None}, partitions)


def claims_of_ids(claim_ids: Collection[ClaimId], partitions: int) -> dict[ClaimId, int]:
    return {claim_id: partition_of(str(claim_id).encode(), partitions) for claim_id in claim_ids}


def to_load(arrivals: Sequence[Arrival], rows: Mapping[ClaimId, ClaimRow], reads: Collection[str]) -> list[ClaimId]:
    """The claims, in id order, that may be decided about: some arrival is handled, sound and not seen yet."""
    wanted = set()
    for arrival in arrivals:
        if not arrival.handled or arrival.fault is not None or arrival.claim_id is None or arrival.envelope is None:
            continue
        if rows[arrival.claim_id].turn_of(arrival.envelope, reads) in (Turn.NEXT, Turn.WAIT):
            wanted.add(arrival.claim_id)
    return sorted(wanted)
