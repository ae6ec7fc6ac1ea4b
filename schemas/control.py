"""Orders of people to stages, on the control topic. Every order names its author, its reason and its instant.

Pause and resume are standing orders under one key per stage: the last one holds. The others are keyed by their
command id and applied once. No claim words beyond the claim's id: the runner reads this module.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from schemas.ids import ClaimId, CommandId, DeadLetterId
from schemas.model import Code, Instant, LongText, Model, Privacy

StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", max_length=32)]


class _Ordered(Model):
    stage: Annotated[StageName, Privacy.internal]
    author: Annotated[Code, Privacy.internal]
    reason: Annotated[LongText, Privacy.internal]
    at: Annotated[Instant, Privacy.internal]


class PauseStage(_Ordered):
    """Take nothing in until resumed, or until `until` (None: until resumed)."""

    order: Annotated[Literal["pause-stage"], Privacy.internal] = "pause-stage"
    until: Annotated[Instant | None, Privacy.internal] = None


class ResumeStage(_Ordered):
    order: Annotated[Literal["resume-stage"], Privacy.internal] = "resume-stage"


class Unpark(_Ordered):
    """Try a parked claim again now."""

    order: Annotated[Literal["unpark"], Privacy.internal] = "unpark"
    command_id: Annotated[CommandId, Privacy.internal]
    claim_id: Annotated[ClaimId, Privacy.internal]


class Redrive(_Ordered):
    """Take a dead letter up again from the stage's store, as it was."""

    order: Annotated[Literal["redrive"], Privacy.internal] = "redrive"
    command_id: Annotated[CommandId, Privacy.internal]
    dead_letter_id: Annotated[DeadLetterId, Privacy.internal]


class Skip(_Ordered):
    """Give a record up: a dead letter, or the hole where a writer's event of this sequence is missing."""

    order: Annotated[Literal["skip"], Privacy.internal] = "skip"
    command_id: Annotated[CommandId, Privacy.internal]
    claim_id: Annotated[ClaimId | None, Privacy.internal] = None
    writer: Annotated[StageName | None, Privacy.internal] = None
    sequence: Annotated[int | None, Field(ge=1, le=2**63 - 1), Privacy.internal] = None
    dead_letter_id: Annotated[DeadLetterId | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        hole = (self.claim_id, self.writer, self.sequence)
        if self.dead_letter_id is None and None in hole:
            raise ValueError("a skip names a dead_letter_id, or claim_id, writer and sequence")
        if self.dead_letter_id is not None and (self.writer is not None or self.sequence is not None):
            raise ValueError("a skip names either a dead letter or a hole, not both")
        return self


Order = PauseStage | ResumeStage | Unpark | Redrive | Skip
ORDERS: tuple[type[Model], ...] = (PauseStage, ResumeStage, Unpark, Redrive, Skip)
_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="order")])


def order_key(order: Order) -> bytes:
    """`stage:<name>` for the standing orders, `command:<id>` for what is applied once."""
    if isinstance(order, PauseStage | ResumeStage):
        return f"stage:{order.stage}".encode()
    return f"command:{order.command_id}".encode()


def encode_order(order: Order) -> bytes:
    return _ORDER.dump_json(order, exclude_none=True)


def decode_order(value: bytes) -> Order:
    """Pydantic's ValidationError, without the value, if it is no order."""
    return _ORDER.validate_json(value)
