"""The headers of a record: CloudEvents 1.0, Kafka binary mode, with cause, sequence and causal past of the event.

Errors name the header and the rule and never echo a value. No personal data belongs in any of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from schemas.ids import ClaimId, EventId

CONTENT_TYPE = "application/json"
SEQUENCE_MAX = 2**63 - 1
_SOURCE_PREFIX = "claimflow/"
_HEADER_BYTES_MAX = 1024
_TYPE = re.compile(r"claimflow\.[A-Z][A-Za-z0-9]{0,63}\.v[1-9][0-9]{0,3}", re.ASCII)
_WRITER = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_REQUIRED = (
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_causeid",
    "ce_sequence",
    "content-type",
)
HEADERS = (*_REQUIRED, "ce_after", "traceparent")


class EnvelopeError(ValueError):
    """A header is wrong: a stable code and the header's name, free of values."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{code}: {field}")
        self.code = code
        self.field = field


@dataclass(slots=True)
class Envelope:
    """What the log says about an event beside its data. Never changed once made: not frozen, for speed.

    `after`: how far the writer had applied the other writers' events of this claim. `sequence`: from 1, gapless per
    claim and writer. `time` is the event's own, not the broker's.
    """

    id: UUID
    type: str
    writer: str
    subject: ClaimId
    time: datetime
    cause_id: UUID
    sequence: int
    after: Mapping[str, int] = field(default_factory=dict)
    traceparent: str | None = None
    content_type: str = CONTENT_TYPE

    def to_headers(self) -> list[tuple[str, bytes]]:
        """The headers in a fixed order; equal envelopes give equal bytes. EnvelopeError if a field breaks a rule."""
        self._check()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(self.id).encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", (_SOURCE_PREFIX + self.writer).encode()),
            ("ce_subject", str(self.subject).encode()),
            ("ce_time", time_text(self.time).encode()),
            ("ce_causeid", str(self.cause_id).encode()),
            ("ce_sequence", str(self.sequence).encode()),
        ]
        if self.after:
            headers.append(("ce_after", after_text(self.after).encode()))
        headers.append(("content-type", self.content_type.encode()))
        if self.traceparent is not None:
            headers.append(("traceparent", self.traceparent.encode()))
        return headers

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
        """Strict about our headers, silent about foreign ones. EnvelopeError names the first that is wrong."""
        found = _texts(headers)
        for name in _REQUIRED:
            if name not in found:
                raise EnvelopeError("missing-header", name)
        if found["ce_specversion"] != "1.0":
            raise EnvelopeError("unsupported-version", "ce_specversion")
        source = found["ce_source"]
        writer = source[len(_SOURCE_PREFIX) :]
        if not source.startswith(_SOURCE_PREFIX) or not _WRITER.fullmatch(writer):
            raise EnvelopeError("bad-header", "ce_source")
        after = found.get("ce_after")
        return cls(
            id=_id(EventId, found, "ce_id"),
            type=_matching(_TYPE, found, "ce_type"),
            writer=writer,
            subject=_id(ClaimId, found, "ce_subject"),
            time=_time(found["ce_time"]),
            cause_id=_id(UUID, found, "ce_causeid"),
            sequence=_number(found["ce_sequence"], "ce_sequence"),
            after={} if after is None else parse_after(after),
            traceparent=_matching(_TRACEPARENT, found, "traceparent") if "traceparent" in found else None,
            content_type=_content_type(found["content-type"]),
        )

    def _check(self) -> None:
        if not _TYPE.fullmatch(self.type):
            raise EnvelopeError("bad-header", "ce_type")
        if not _WRITER.fullmatch(self.writer):
            raise EnvelopeError("bad-header", "ce_source")
        if not 1 <= self.sequence <= SEQUENCE_MAX:
            raise EnvelopeError("bad-header", "ce_sequence")
        if self.traceparent is not None and not _TRACEPARENT.fullmatch(self.traceparent):
            raise EnvelopeError("bad-header", "traceparent")
        _content_type(self.content_type)


def time_text(instant: datetime) -> str:
    """RFC 3339 in UTC with microseconds. EnvelopeError for a datetime without an offset."""
    if instant.tzinfo is None:
        raise EnvelopeError("bad-header", "ce_time")
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds")[:-6] + "Z"


def after_text(after: Mapping[str, int]) -> str:
    """`intake:1,payment:2`, sorted by writer."""
    for writer, number in after.items():
        if not _WRITER.fullmatch(writer) or type(number) is not int or not 1 <= number <= SEQUENCE_MAX:
            raise EnvelopeError("bad-header", "ce_after")
    return ",".join(f"{writer}:{after[writer]}" for writer in sorted(after))


def parse_after(text: str) -> dict[str, int]:
    """The reverse of `after_text`: sorted, each writer once, numbers from 1."""
    after: dict[str, int] = {}
    last = ""
    for part in text.split(","):
        writer, colon, number = part.partition(":")
        if not colon or writer <= last or not _WRITER.fullmatch(writer):
            raise EnvelopeError("bad-header", "ce_after")
        after[writer] = _number(number, "ce_after")
        last = writer
    return after


_KNOWN = frozenset(HEADERS)
Kind = TypeVar("Kind", bound=UUID)


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if name not in _KNOWN:
            continue
        if name in found:
            raise EnvelopeError("duplicate-header", name)
        if value is None or not 0 < len(value) <= _HEADER_BYTES_MAX:
            raise EnvelopeError("bad-header", name)
        try:
            found[name] = value.decode("ascii")
        except UnicodeDecodeError:
            raise EnvelopeError("bad-header", name) from None
    return found


def _id(kind: type[Kind], found: Mapping[str, str], name: str) -> Kind:
    text = found[name]
    try:
        made = kind(text)
    except ValueError:
        raise EnvelopeError("bad-header", name) from None
    if kind is UUID and str(made) != text:
        raise EnvelopeError("bad-header", name)
    return made


def _matching(pattern: re.Pattern[str], found: Mapping[str, str], name: str) -> str:
    text = found[name]
    if not pattern.fullmatch(text):
        raise EnvelopeError("bad-header", name)
    return text


def _number(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text) or (number := int(text)) > SEQUENCE_MAX:
        raise EnvelopeError("bad-header", name)
    return number


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise EnvelopeError("bad-header", "ce_time")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise EnvelopeError("bad-header", "ce_time") from None


def _content_type(text: str) -> str:
    if text != CONTENT_TYPE and text.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise EnvelopeError("unsupported-content-type", "content-type")
    return text
