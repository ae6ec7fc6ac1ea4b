"""Recorded events for a rehearsal: read from the topics or from an exported file, and exported, without the parties.

A file is NDJSON, an event a line in the order of decisions: {"type", "claim_id", "id", "cause_id", "time", "data"}.
Who reported and who is paid are left out: no rule asks for them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from hosting.exits import CannotStartError, Exit
from local.replay.evidence import read_log
from messaging.ports import Tail
from messaging.record import Record
from schemas import assessment
from schemas.envelope import Envelope, EnvelopeError, time_text
from schemas.event import Event, event_model
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.model import Instant, Model, Privacy
from schemas.party import SealedParty
from schemas.topics import topic_of
from services.assessment.domain.rehearsal import OF_OTHERS, Recorded

LINE_BYTES_MAX = 512 * 1024
EVENTS_MAX = 5_000_000
NO_EVENT = "is no event as `claimflow rules export` writes it"
PARTIES = ("reporter", "payee")
_NEEDED: tuple[type[Event], ...] = (*assessment.EVENTS, *OF_OTHERS)
TYPES = frozenset(model.TYPE for model in _NEEDED)
READ_FROM = ("intake", "assessment", "payment")
"""Whose events are read."""

Told = Callable[[int], None]


class ReportWithoutParties(ClaimReported):
    """A report as a rehearsal knows it."""

    reporter: Annotated[SealedParty | None, Privacy.internal] = None  # type: ignore[assignment]


class _Line(Model):
    type: str
    claim_id: ClaimId
    id: UUID
    cause_id: UUID
    time: Instant
    data: dict[str, Any]


_LINE = TypeAdapter(_Line)


class Raw(NamedTuple):
    """One event, its data not decoded yet."""

    type: str
    claim_id: ClaimId
    event_id: UUID
    cause_id: UUID
    at: datetime
    value: bytes


@dataclass(slots=True)
class FromLog:
    """What was read of the topics, each event once. `unreadable` records are no events of ours."""

    _found: dict[UUID, tuple[Raw, tuple[Any, ...]]] = field(default_factory=dict)
    unreadable: int = 0

    def take(self, record: Record) -> None:
        """One more record; what a rehearsal has no use for is passed over."""
        try:
            envelope = Envelope.from_headers(record.headers)
            if envelope.type not in TYPES or envelope.id in self._found:
                return
            value = _without_parties(envelope.type, record.value or b"")
            writer = READ_FROM.index(envelope.writer)
        except (EnvelopeError, ValueError, RecursionError):
            self.unreadable += 1
            return
        if len(self._found) >= EVENTS_MAX:
            raise CannotStartError(f"the topics hold more than {EVENTS_MAX} events of claims", Exit.usage)
        place = (record.timestamp_ms, writer, record.partition, record.offset)
        raw = Raw(envelope.type, envelope.subject, envelope.id, envelope.cause_id, envelope.time, value)
        self._found[envelope.id] = (raw, place)

    def pass_over(self, _: Raw) -> None:
        """An event whose data is not what its type says."""
        self.unreadable += 1

    def in_order(self) -> list[Raw]:
        """As decided: by the events' own time, then as appended; a claim's report before all else of it."""
        first: dict[ClaimId, datetime] = {}
        for raw, _ in self._found.values():
            first[raw.claim_id] = min(raw.at, first.get(raw.claim_id, raw.at))

        def order(one: tuple[Raw, tuple[Any, ...]]) -> tuple[Any, ...]:
            raw, place = one
            # Clocks of two processes may differ: a report is never later than what followed from it.
            is_report = raw.type == ClaimReported.TYPE
            return (first[raw.claim_id] if is_report else raw.at, not is_report, place)

        return [raw for raw, _ in sorted(self._found.values(), key=order)]


async def read_topics(tail: Tail, told: Told) -> FromLog:
    """Everything there is now, from offset 0."""
    found = FromLog()
    async for record in read_log(tail):
        found.take(record)
        told(1)
    return found


def topics() -> tuple[str, ...]:
    """The topics a rehearsal reads."""
    return tuple(topic_of(writer) for writer in READ_FROM)


def read_file(path: Path, told: Told) -> Iterator[Raw]:
    """The events of an exported file, gzipped or not, in its order; CannotStartError names line and field."""
    seen: set[UUID] = set()
    try:
        with _opened(path) as source:
            for number in range(1, EVENTS_MAX + 2):
                line = source.readline(LINE_BYTES_MAX + 1)
                if not line:
                    return
                if len(line) > LINE_BYTES_MAX or number > EVENTS_MAX:
                    what = f"holds more than {EVENTS_MAX} events" if number > EVENTS_MAX else "is too long"
                    raise _refused(path, number, what)
                raw = _raw(path, number, line)
                told(1)
                if raw.type in TYPES and raw.event_id not in seen:
                    seen.add(raw.event_id)
                    yield raw
    except (OSError, EOFError) as problem:
        raise CannotStartError(f"{path.name} cannot be read: {type(problem).__name__}", Exit.usage) from None


def decoded(
    raws: Iterable[Raw], told: Told = lambda _: None, pass_over: Callable[[Raw], None] | None = None
) -> Iterator[Recorded]:
    """The events as the rehearsal takes them. One that is not what its type says goes to `pass_over`.

    Without it CannotStartError names the claim, the event and the field.
    """
    for raw in raws:
        told(1)
        model = ReportWithoutParties if raw.type == ClaimReported.TYPE else event_model(raw.type)
        assert model is not None
        try:
            event: Event = model.model_validate_json(raw.value)
        except ValidationError as error:
            if pass_over is None:
                name, field_ = raw.type.split(".")[1], _field(error)
                raise CannotStartError(f"{name} of claim {raw.claim_id} cannot be read: {field_}", Exit.usage) from None
            pass_over(raw)
            continue
        yield Recorded(raw.claim_id, event, raw.event_id, raw.cause_id, raw.at)


def write_file(path: Path, raws: Iterable[Raw], told: Told) -> None:
    """Exports the events; the file is there whole or not at all, and none is replaced."""
    if path.exists():
        raise CannotStartError(f"{path.name} is there already; name another file", Exit.usage)
    part = path.with_name(f"{path.name}.part")
    try:
        with gzip.open(part, "wb") if path.suffix == ".gz" else part.open("wb") as target:
            for raw in raws:
                target.write(_line(raw))
                told(1)
        part.rename(path)
    except OSError as problem:
        raise CannotStartError(f"{path.name} cannot be written: {type(problem).__name__}", Exit.usage) from None
    finally:
        part.unlink(missing_ok=True)


def _line(raw: Raw) -> bytes:
    content = {
        "type": raw.type,
        "claim_id": str(raw.claim_id),
        "id": str(raw.event_id),
        "cause_id": str(raw.cause_id),
        "time": time_text(raw.at),
        "data": json.loads(raw.value),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _raw(path: Path, number: int, line: bytes) -> Raw:
    try:
        read = _LINE.validate_json(line)
    except ValidationError as error:
        broken = error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid"
        raise _refused(path, number, NO_EVENT if broken else _field(error)) from None
    value = json.dumps({name: one for name, one in read.data.items() if name not in PARTIES}).encode()
    return Raw(read.type, read.claim_id, read.id, read.cause_id, read.time, value)


def _without_parties(type_name: str, value: bytes) -> bytes:
    """ValueError if it is no JSON object."""
    data = json.loads(value)
    if not isinstance(data, dict):
        raise ValueError("an event's data is an object")
    if type_name != ClaimReported.TYPE:
        return value
    return json.dumps({name: one for name, one in data.items() if name not in PARTIES}).encode()


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _refused(path: Path, number: int, rule: str) -> CannotStartError:
    return CannotStartError(f"{path.name}: line {number}: {rule}", Exit.usage)


def _field(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
