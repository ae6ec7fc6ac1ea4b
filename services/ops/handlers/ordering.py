"""Orders to stages: recorded, sent to the control topic in the sequence given, answered after the acknowledgement.

An order that was recorded and not acknowledged stays in line and is sent before any later one, so that an old pause
can never overtake a newer resume.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from messaging import crash_points
from messaging.ports import Clock, Producer, PublishFailed, Store
from messaging.record import Outgoing
from schemas.control import (
    Order,
    PauseStage,
    Redrive,
    ResumeStage,
    Skip,
    StageName,
    Unpark,
    decode_order,
    encode_order,
    order_key,
)
from schemas.ids import ClaimId, CommandId, DeadLetterId
from schemas.model import Instant, LongText
from schemas.topics import CONTROL_TOPIC, STAGES
from services.ops.domain.people import Staff
from services.ops.handlers.reviewing import NotAcknowledged
from services.ops.ports import Desk, NewId, OrderRow

ORDERS_NAMESPACE = UUID("c0a1b2f4-8f2e-5d0b-9d6f-3a5e0f7b7c02")
SEND_SECONDS = 5.0
SEND_MAX = 100
RESEND_PAUSE_SECONDS = 5.0


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stage: StageName
    reason: LongText

    @model_validator(mode="after")
    def _names_a_stage(self) -> _Asked:
        if self.stage not in STAGES:
            raise ValueError("stage must be one of " + ", ".join(STAGES))
        return self


class PauseAsked(_Asked):
    """Take nothing in until resumed, or until `until`."""

    order: Literal["pause-stage"]
    until: Instant | None = None


class ResumeAsked(_Asked):
    order: Literal["resume-stage"]


class UnparkAsked(_Asked):
    """Try a parked claim again now."""

    order: Literal["unpark"]
    claim_id: ClaimId


class RedriveAsked(_Asked):
    """Take a dead letter up again, as it was."""

    order: Literal["redrive"]
    dead_letter_id: DeadLetterId


class SkipAsked(_Asked):
    """Give up a dead letter, or the missing event of a claim that its `writer` numbered `sequence`."""

    order: Literal["skip"]
    claim_id: ClaimId | None = None
    writer: StageName | None = None
    sequence: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    dead_letter_id: DeadLetterId | None = None

    @model_validator(mode="after")
    def _names_one_thing(self) -> SkipAsked:
        hole = (self.claim_id, self.writer, self.sequence)
        if (self.dead_letter_id is None) == (None in hole):
            raise ValueError("a skip names a dead_letter_id, or claim_id, writer and sequence")
        return self


OrderAsked = PauseAsked | ResumeAsked | UnparkAsked | RedriveAsked | SkipAsked
ORDER_ASKED: TypeAdapter[OrderAsked] = TypeAdapter(Annotated[OrderAsked, Field(discriminator="order")])


class OrderKeyReused(Exception):
    """The idempotency key was used for another order."""


class Orders:
    """Takes orders. One lock: orders leave in the sequence they were recorded in."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        producer: Producer,
        clock: Clock,
        new_id: NewId,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._store, self._desk, self._producer, self._clock = store, desk, producer, clock
        self._new_id, self._send_seconds = new_id, send_seconds
        self._lock = asyncio.Lock()

    async def give(self, asked: OrderAsked, staff: Staff, key: str | None) -> OrderRow:
        """The order as recorded, acknowledged by the broker; NotAcknowledged when it is away."""
        content = asked.model_dump_json()
        request_hash = sha256(f"{staff.id}\n{content}".encode()).hexdigest()
        name = str(self._new_id()) if key is None else f"{staff.id}:{key}"
        command_id = CommandId(uuid5(ORDERS_NAMESPACE, name))
        async with self._lock:
            async with self._store.begin() as tx:
                row = await self._desk.order(tx, command_id)
                if row is None:
                    now = self._clock.now()
                    order = encode_order(_order(asked, staff, command_id, now))
                    row = OrderRow(0, command_id, request_hash, order, now)
                    await self._desk.add_order(tx, row)
            if row.request_hash != request_hash:
                raise OrderKeyReused
            await self._send()
        return row

    async def find(self, command_id: CommandId) -> OrderRow | None:
        async with self._store.begin() as tx:
            return await self._desk.order(tx, command_id)

    async def resend(self) -> int:
        """Sends what is still in line; the number sent. NotAcknowledged when the broker is away."""
        async with self._lock:
            return await self._send()

    async def keep_sending(self) -> None:
        """Until cancelled: what was not acknowledged is sent again, in sequence."""
        while True:
            await self._clock.sleep(RESEND_PAUSE_SECONDS)
            try:
                await self.resend()
            except NotAcknowledged:
                continue

    async def _send(self) -> int:
        total = 0
        while True:
            async with self._store.begin() as tx:
                rows = await self._desk.unsent_orders(tx, SEND_MAX)
            if not rows:
                return total
            crash_points.reach("control.send")
            try:
                await self._producer.send([_outgoing(row) for row in rows], self._send_seconds)
            except PublishFailed as failed:
                raise NotAcknowledged from failed
            crash_points.reach("control.sent")
            async with self._store.begin() as tx:
                await self._desk.mark_orders(tx, [row.command_id for row in rows])
            total += len(rows)


def _outgoing(row: OrderRow) -> Outgoing:
    return Outgoing(CONTROL_TOPIC, 0, order_key(decode_order(row.order)), row.order, ())


def _order(asked: OrderAsked, staff: Staff, command_id: CommandId, now: Instant) -> Order:
    by: dict[str, Any] = {"stage": asked.stage, "author": staff.id, "reason": asked.reason, "at": now}
    match asked:
        case PauseAsked():
            return PauseStage(**by, until=asked.until)
        case ResumeAsked():
            return ResumeStage(**by)
        case UnparkAsked():
            return Unpark(**by, command_id=command_id, claim_id=asked.claim_id)
        case RedriveAsked():
            return Redrive(**by, command_id=command_id, dead_letter_id=asked.dead_letter_id)
        case SkipAsked():
            return Skip(
                **by,
                command_id=command_id,
                claim_id=asked.claim_id,
                writer=asked.writer,
                sequence=asked.sequence,
                dead_letter_id=asked.dead_letter_id,
            )
