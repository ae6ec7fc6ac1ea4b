"""What a service's status topic says, compacted: positions and lag, parked claims, pauses, outcomes of commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.control import StageName
from schemas.ids import ClaimId, CommandId, DeadLetterId
from schemas.model import Code, Instant, LongText, Model, Privacy, ShortText

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
TopicName = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,249}$", max_length=249)]


class PartitionStatus(Model):
    """How far a stage is in one partition.

    `oldest_waiting_at`: append time of the oldest record not yet taken, a report (2 s) late at most where it has not
    been read yet; absent where nothing waits, and where it is unknown because it waited before this process began.
    """

    kind: Annotated[Literal["partition"], Privacy.internal] = "partition"
    stage: Annotated[StageName, Privacy.internal]
    topic: Annotated[TopicName, Privacy.internal]
    partition: Annotated[Count, Privacy.internal]
    next_offset: Annotated[Count, Privacy.internal]
    end_offset: Annotated[Count | None, Privacy.internal] = None
    backlog: Annotated[Count, Privacy.internal] = 0
    oldest_waiting_at: Annotated[Instant | None, Privacy.internal] = None
    instance: Annotated[ShortText, Privacy.internal]
    at: Annotated[Instant, Privacy.internal]


class ParkedClaim(Model):
    """A claim that stands still in a stage. `waiting`: records behind it; `due_at` None: until a person acts."""

    kind: Annotated[Literal["parked-claim"], Privacy.internal] = "parked-claim"
    stage: Annotated[StageName, Privacy.internal]
    claim_id: Annotated[ClaimId, Privacy.internal]
    reason: Annotated[ShortText, Privacy.internal]
    fingerprint: Annotated[ShortText, Privacy.internal]
    since: Annotated[Instant, Privacy.internal]
    due_at: Annotated[Instant | None, Privacy.internal] = None
    attempts: Annotated[Count, Privacy.internal]
    waiting: Annotated[Count, Privacy.internal] = 0
    dead_letter_id: Annotated[DeadLetterId | None, Privacy.internal] = None


class StagePause(Model):
    """Whether a stage holds, and on whose order."""

    kind: Annotated[Literal["stage-pause"], Privacy.internal] = "stage-pause"
    stage: Annotated[StageName, Privacy.internal]
    paused: Annotated[bool, Privacy.internal]
    author: Annotated[Code | None, Privacy.internal] = None
    reason: Annotated[LongText | None, Privacy.internal] = None
    until: Annotated[Instant | None, Privacy.internal] = None
    at: Annotated[Instant, Privacy.internal]


class CommandState(StrEnum):
    applied = "applied"
    refused = "refused"


class CommandOutcome(Model):
    """What came of a command; `detail` is a code or sentence without values of records."""

    kind: Annotated[Literal["command-outcome"], Privacy.internal] = "command-outcome"
    stage: Annotated[StageName, Privacy.internal]
    command_id: Annotated[CommandId, Privacy.internal]
    state: Annotated[CommandState, Privacy.internal]
    detail: Annotated[Annotated[str, Field(max_length=500)], Privacy.internal] = ""
    at: Annotated[Instant, Privacy.internal]


StatusRecord = PartitionStatus | ParkedClaim | StagePause | CommandOutcome
STATUS_RECORDS: tuple[type[Model], ...] = (PartitionStatus, ParkedClaim, StagePause, CommandOutcome)
_STATUS: TypeAdapter[StatusRecord] = TypeAdapter(Annotated[StatusRecord, Field(discriminator="kind")])


def status_key(record: StatusRecord) -> bytes:
    """One key per thing spoken of; a null value under it says that it is gone (a claim is no longer parked)."""
    match record:
        case PartitionStatus():
            text = f"partition:{record.stage}:{record.topic}:{record.partition}"
        case ParkedClaim():
            text = f"parked:{record.stage}:{record.claim_id}"
        case StagePause():
            text = f"pause:{record.stage}"
        case CommandOutcome():
            text = f"command:{record.stage}:{record.command_id}"
    return text.encode()


def encode_status(record: StatusRecord) -> bytes:
    return _STATUS.dump_json(record, exclude_none=True)


def decode_status(value: bytes) -> StatusRecord:
    """Pydantic's ValidationError, without the value, if it is no status record."""
    return _STATUS.validate_json(value)
