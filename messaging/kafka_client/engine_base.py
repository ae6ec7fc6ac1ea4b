"""What both Kafka engines share: the offsets done, the way out, and the hint to lag tools."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiokafka import TopicPartition as ClientPlace
from aiokafka.errors import KafkaError

from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Feed, Leave
from messaging.record import Record, TopicPartition

HINT_SECONDS = 5.0
CHATTY_LOGGERS = ("aiokafka", "faust", "mode")

log = logging.getLogger(__name__)


class EngineBase:
    """State of a member of the group. Whatever goes wrong ends the process by `leave`, once."""

    def __init__(self, feed: Feed, settings: KafkaSettings, leave: Leave) -> None:
        self.feed, self.settings, self._leave = feed, settings, leave
        # Until the engine has sought to the feed's positions, records may be of the group's old offsets.
        self.sought = False
        self.stopping = False
        self.next: dict[TopicPartition, int] = {}
        self._stopped = asyncio.Event()
        self._failed = False
        for name in CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)

    async def wait(self) -> None:
        """Returns when stopped."""
        await self._stopped.wait()

    def moved(self, records: Sequence[Record]) -> None:
        """These records are done."""
        for record in records:
            if record.place in self.next:
                self.next[record.place] = max(self.next[record.place], record.offset + 1)

    async def hint(self, commit: Callable[[Mapping[ClientPlace, int]], Awaitable[object]]) -> None:
        """Commits what is done now and then, so that lag tools see something; nothing depends on it.

        While the broker is away the client may take the cancellation of a commit for that of a task of its own.
        """
        while not self.stopping:
            await asyncio.sleep(HINT_SECONDS)
            if self.sought and self.next:
                try:
                    await commit({ClientPlace(*place): offset for place, offset in self.next.items()})
                except KafkaError as error:
                    log.debug("offsets not committed: %s", type(error).__name__)

    def fail(self, error: BaseException) -> None:
        """Delivers nothing more and leaves."""
        self.sought = False
        if not self._failed:
            self._failed = True
            self._leave(f"{self.feed.group}: {str(error) or repr(error)}", error)
