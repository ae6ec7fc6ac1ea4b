"""Decodes a raw record as far as the stage needs it, and names what is wrong with it without echoing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from messaging.record import Record
from messaging.stage import Input, Source, Stage
from schemas.envelope import Envelope, EnvelopeError
from schemas.event import EVENT_BYTES_MAX
from schemas.ids import ClaimId
from schemas.outcomes import ErrorClass


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record cannot be taken: a stable code, its class, and a detail free of the record's values."""

    code: str
    error_class: ErrorClass
    detail: str = ""


@dataclass(slots=True)
class Arrival:
    """A record on its way into a decision. `number` is set when it comes out of the claim's queue."""

    record: Record
    claim_id: ClaimId | None
    envelope: Envelope | None
    fault: Fault | None
    data: Any = None
    handled: bool = False
    number: int | None = None

    def as_input(self, now: datetime) -> Input:
        envelope, record = self.envelope, self.record
        assert envelope is not None and self.claim_id is not None
        return Input(
            cause_id=envelope.id,
            claim_id=self.claim_id,
            type=envelope.type,
            data=self.data,
            time=envelope.time,
            now=now,
            writer=envelope.writer,
            sequence=envelope.sequence,
            source=Source(record.topic, record.partition, record.offset, record.timestamp_ms),
            traceparent=envelope.traceparent,
            caused_by=envelope.cause_id,
        )


class Decoder:
    """Bound to one stage: which topics it reads, who writes them, which types it decides about."""

    def __init__(self, stage: Stage, writer_of: Mapping[str, str], registered: Mapping[str, Collection[str]]) -> None:
        """`writer_of`: topic to writer. `registered`: writer to all types it may write."""
        self._writer_of = writer_of
        self._registered = registered
        self._adapters = {name: TypeAdapter(model) for name, model in stage.handles.items()}

    def decode(self, record: Record) -> Arrival:
        claim_id = _claim_id(record.key)
        try:
            envelope = Envelope.from_headers(record.headers)
        except EnvelopeError as error:
            code = "tombstone" if record.value is None else error.code
            return Arrival(record, claim_id, None, Fault(code, ErrorClass.DATA, error.field))
        fault = self._fault(record, claim_id, envelope)
        arrival = Arrival(record, claim_id, envelope, fault)
        adapter = self._adapters.get(envelope.type)
        if fault is None and adapter is not None and record.value is not None:
            arrival.handled = True
            try:
                arrival.data = adapter.validate_json(record.value)
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False, include_context=False)[0]
                place = "/".join(str(part) for part in first["loc"])[:200]
                arrival.fault = Fault("undecodable", ErrorClass.DATA, f"{first['type']} at /{place}")
        return arrival

    def _fault(self, record: Record, claim_id: ClaimId | None, envelope: Envelope) -> Fault | None:
        writer = self._writer_of.get(record.topic)
        # Who wrote it comes first: only a record of the right writer has a sequence that means anything.
        if envelope.writer != writer:
            return Fault("wrong-writer", ErrorClass.SECURITY)
        if claim_id is None:
            return Fault("bad-key", ErrorClass.DATA)
        if envelope.subject != claim_id:
            return Fault("key-differs-from-subject", ErrorClass.SECURITY)
        if record.value is None:
            return Fault("tombstone", ErrorClass.DATA)
        if len(record.value) > EVENT_BYTES_MAX:
            return Fault("oversized", ErrorClass.DATA, f"over {EVENT_BYTES_MAX} bytes")
        if envelope.type not in self._registered.get(envelope.writer, ()):
            return Fault("unknown-type", ErrorClass.DATA)
        return None


def _claim_id(key: bytes | None) -> ClaimId | None:
    if key is None or len(key) != 36:
        return None
    try:
        return ClaimId(key.decode("ascii"))
    except ValueError:
        return None
