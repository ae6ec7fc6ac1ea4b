"""People's orders to a stage: the last standing order holds, every command is applied once, outcomes are kept.

The control topic is read from its beginning by a tail (no group, no position), to its end before the first batch.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from pydantic import ValidationError

from messaging.claim_queues import TAKEN
from messaging.ports import Clock, Store, Tail, Tx
from messaging.stage_runner import StageRunner
from messaging.tables import Tables
from schemas.control import Order, PauseStage, Redrive, ResumeStage, Skip, Unpark, decode_order

log = structlog.get_logger("control")
Command = Unpark | Redrive | Skip


class Control:
    """The orders that concern one stage. `paused` is asked by the engine before each fetch."""

    def __init__(self, stage: str, tail: Tail, tables: Tables, store: Store, clock: Clock) -> None:
        self.tail = tail
        self._stage, self._tables, self._store, self._clock = stage, tables, store, clock
        self.standing: PauseStage | ResumeStage | None = None
        self._commands: dict[UUID, Command] = {}

    def paused(self) -> bool:
        order = self.standing
        return isinstance(order, PauseStage) and (order.until is None or self._clock.now() < order.until)

    async def start(self) -> None:
        """Returns when everything ordered so far is known."""
        await self.tail.start()
        while not await self.tail.caught_up():
            await self.poll(0.2)

    async def stop(self) -> None:
        await self.tail.stop()

    async def poll(self, timeout_seconds: float) -> None:
        for record in await self.tail.poll(timeout_seconds):
            if record.value is None:
                continue
            try:
                order = decode_order(record.value)
            except ValidationError:
                log.error("a record on the control topic is no order", offset=record.offset)
                continue
            if order.stage == self._stage:
                self._take(order)

    def _take(self, order: Order) -> None:
        if isinstance(order, PauseStage | ResumeStage):
            self.standing = order
        else:
            self._commands[order.command_id] = order

    async def apply(self, runner: StageRunner) -> None:
        """Applies what has not been applied yet, in the order given."""
        if not self._commands:
            return
        async with self._store.begin() as tx:
            fresh = await self._tables.new_commands(tx, self._commands.keys())
        for command_id, command in list(self._commands.items()):
            if command_id in fresh:
                outcome = await self._apply(command, runner)
                log.info("command applied", command_id=str(command_id), kind=command.order, state=outcome)
                if outcome != TAKEN:
                    async with self._store.begin() as tx:
                        await self._tables.settle_command(tx, command_id, outcome, "")
            del self._commands[command_id]

    async def _apply(self, command: Command, runner: StageRunner) -> str:
        async def first(tx: Tx) -> bool:
            return await self._tables.take_command(tx, command.command_id, self._clock.now())

        match command:
            case Unpark():
                # Taking up a claim twice is harmless, losing the order is not: applied first, then taken.
                outcome = await runner.unblock(command.claim_id, first)
                async with self._store.begin() as tx:
                    await first(tx)
                return outcome
            case Redrive():
                return await runner.redrive(command.dead_letter_id, first)
            case Skip():
                return await runner.skip(
                    first, command.claim_id, command.writer, command.sequence, command.dead_letter_id
                )


async def follow(control: Control, runner: StageRunner) -> None:
    """Until cancelled: takes orders as they come and applies them."""
    while True:
        await control.poll(0.5)
        await control.apply(runner)
        await asyncio.sleep(0)
