"""What a decision may answer. A decision returns one of these; something else stores and publishes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from schemas.event import Event


class ErrorClass(StrEnum):
    """Whose fault a dead letter is: the surroundings', the record's, a business rule's, ours, or an attacker's."""

    TRANSIENT = "TRANSIENT"
    DATA = "DATA"
    RULE = "RULE"
    BUG = "BUG"
    SECURITY = "SECURITY"


@dataclass(frozen=True, slots=True)
class Work:
    """An effect outside Kafka and SQL, carried out later by a dispatcher; `payload` is JSON-able."""

    kind: str
    payload: BaseModel | Mapping[str, Any]
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Store and publish these events. The work becomes ready when all of them are published."""

    events: tuple[Event, ...]
    work: tuple[Work, ...] = ()

    def __post_init__(self) -> None:
        if not self.events:
            raise ValueError("Emit needs an event; without one the outcome is Nothing")


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to tell. The work becomes ready at commit."""

    work: tuple[Work, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """The record is wrong and becomes a dead letter. Never a business refusal."""

    code: str
    detail: str = ""
    error_class: ErrorClass = ErrorClass.DATA


@dataclass(frozen=True, slots=True)
class RetryLater:
    """No answer yet, and none is stored; the claim waits until `when`."""

    reason: str
    when: datetime


Outcome = Emit | Nothing | Reject | RetryLater
