"""Follows the status and dead letter topics of all services with a tail reader: from the beginning, into memory."""

from __future__ import annotations

from messaging.ports import Clock, Tail
from schemas.topics import WRITERS, dead_letter_topic, status_topic
from services.ops.domain.letters import LetterShelf
from services.ops.domain.streams import StageBoard

STATUS_TOPICS = tuple(status_topic(service) for service in WRITERS)
LETTER_TOPICS = tuple(dead_letter_topic(service) for service in WRITERS)
_POLL_SECONDS = 1.0


class Watcher:
    """Keeps the board and the shelf up to date. A fault of the log ends it; its owner ends the process."""

    def __init__(self, status: Tail, letters: Tail, clock: Clock) -> None:
        self._status, self._letters_tail, self._clock = status, letters, clock
        self.board, self.shelf = StageBoard(), LetterShelf()
        self.caught_up = False

    async def start(self) -> None:
        await self._status.start()
        await self._letters_tail.start()

    async def stop(self) -> None:
        await self._status.stop()
        await self._letters_tail.stop()

    async def take_status(self, timeout_seconds: float) -> int:
        records = await self._status.poll(timeout_seconds)
        for record in records:
            self.board.take(record.key, record.value)
        return len(records)

    async def take_letters(self, timeout_seconds: float) -> int:
        records = await self._letters_tail.poll(timeout_seconds)
        for record in records:
            self.shelf.take(*record)
        return len(records)

    async def take_all(self) -> None:
        """Everything that is there now, without waiting."""
        while await self.take_status(0) + await self.take_letters(0):
            pass

    async def follow_status(self) -> None:
        """Until cancelled."""
        while True:
            await self.take_status(_POLL_SECONDS)
            self.caught_up = self.caught_up or await self._status.caught_up()
            await self._clock.sleep(0)

    async def follow_letters(self) -> None:
        """Until cancelled."""
        while True:
            await self.take_letters(_POLL_SECONDS)
            await self._clock.sleep(0)
