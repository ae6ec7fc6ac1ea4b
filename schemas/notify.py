"""What notify tells: a notice went out, or could not. One notice per source event, recipient and template."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.event import Event
from schemas.ids import EventId, SubjectId
from schemas.model import Code, Language, Privacy

MessageId = Annotated[str, Field(pattern=r"^<[0-9A-Za-z._-]{1,120}@[0-9A-Za-z.-]{1,120}>$", max_length=250)]
"""A mail's Message-ID, made from ids only: it holds no name and no address of a person."""


class NoticeKind(StrEnum):
    """`advance`: a part is paid before the whole is decided; `settled`: what was advanced is all that is payable."""

    received = "received"
    referred = "referred"
    documents_requested = "documents_requested"
    advance = "advance"
    approved = "approved"
    partly_approved = "partly_approved"
    decided_nil = "decided_nil"
    denied = "denied"
    paid = "paid"
    payment_held = "payment_held"
    settled = "settled"
    withdrawn = "withdrawn"
    duplicate = "duplicate"


class NoticeChannel(StrEnum):
    mail = "mail"
    sms = "sms"


class NoticeFailure(StrEnum):
    address_missing = "address_missing"
    recipient_erased = "recipient_erased"
    recipient_unreadable = "recipient_unreadable"
    refused = "refused"
    expired = "expired"


class NoticeSent(Event):
    """The mail server (or SMS provider) took the notice."""

    TYPE: ClassVar[str] = "claimflow.NoticeSent.v1"
    WRITER: ClassVar[str] = "notify"

    source_event_id: Annotated[EventId, Privacy.internal]
    kind: Annotated[NoticeKind, Privacy.internal]
    channel: Annotated[NoticeChannel, Privacy.internal]
    template: Annotated[Code, Privacy.internal]
    template_version: Annotated[int, Field(ge=1, le=100_000), Privacy.internal]
    language: Annotated[Language, Privacy.internal]
    recipient_subject_id: Annotated[SubjectId, Privacy.internal]
    message_id: Annotated[MessageId, Privacy.internal]
    attempt: Annotated[int, Field(ge=1, le=1_000_000), Privacy.internal]


class NoticeFailed(Event):
    """The notice will not go out by this channel."""

    TYPE: ClassVar[str] = "claimflow.NoticeFailed.v1"
    WRITER: ClassVar[str] = "notify"

    source_event_id: Annotated[EventId, Privacy.internal]
    kind: Annotated[NoticeKind, Privacy.internal]
    channel: Annotated[NoticeChannel, Privacy.internal]
    template: Annotated[Code, Privacy.internal]
    template_version: Annotated[int, Field(ge=1, le=100_000), Privacy.internal]
    language: Annotated[Language, Privacy.internal]
    recipient_subject_id: Annotated[SubjectId, Privacy.internal]
    attempt: Annotated[int, Field(ge=1, le=1_000_000), Privacy.internal]
    reason: Annotated[NoticeFailure, Privacy.internal]


EVENTS: tuple[type[Event], ...] = (NoticeSent, NoticeFailed)
