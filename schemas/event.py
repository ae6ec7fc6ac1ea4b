"""The base of every event, and the way from models to bytes and back.

An event names its type and its writer. `decode` is tolerant of unknown fields, `encode` bounded to 256 KiB.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import TypeAdapter

from schemas.model import Model
from schemas.topics import WRITERS

EVENT_BYTES_MAX = 256 * 1024


class Event(Model):
    """A fact one writer tells. Subclasses set TYPE (`claimflow.<Name>.v<major>`) and WRITER."""

    TYPE: ClassVar[str]
    WRITER: ClassVar[str]


class EventTooLargeError(ValueError):
    """An event of ours is beyond 256 KiB."""


class UnknownTypeError(LookupError):
    """No event of this type is registered."""


@cache
def registered_types() -> MappingProxyType[str, type[Event]]:
    """Every event of the system by its type. Each writer's module lists its own in EVENTS.

    The modules are imported on the first call, not with this one: they are built on it.
    """
    found: dict[str, type[Event]] = {}
    for writer in WRITERS:
        for model in import_module(f"schemas.{writer}").EVENTS:
            found[model.TYPE] = model
    return MappingProxyType(found)


def event_model(type_name: str) -> type[Event] | None:
    """The model of a type, None if it is not registered."""
    return registered_types().get(type_name)


def type_of(event: Event) -> str:
    return event.TYPE


def writer_of(event: Event) -> str:
    return event.WRITER


def encode(event: Event) -> bytes:
    """The event's data as JSON: equal events give equal bytes; absent values are left out."""
    value: bytes = event.__pydantic_serializer__.to_json(event, exclude_none=True)
    if len(value) > EVENT_BYTES_MAX:
        raise EventTooLargeError(f"{event.TYPE} is larger than {EVENT_BYTES_MAX} bytes")
    return value


@cache
def _adapter(model: type[Event]) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def decode(type_name: str, value: bytes) -> Event:
    """The event in a record's value. UnknownTypeError, or pydantic's ValidationError (which never shows the value)."""
    model = event_model(type_name)
    if model is None:
        raise UnknownTypeError("the type is not registered")
    event: Event = _adapter(model).validate_json(value)
    return event


def decode_strictly(type_name: str, value: bytes) -> Event:
    """Like `decode`, but refuses unknown fields: for samples and for what we are about to write."""
    model = event_model(type_name)
    if model is None:
        raise UnknownTypeError("the type is not registered")
    event: Event = _adapter(model).validate_json(value, extra="forbid")
    return event
