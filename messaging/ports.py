"""The runner's ports: the log's engine, the producer, what is known of the log, the clock, the store.

An engine gives batches of raw records and is told what is done; nothing of it leaks further in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Literal, NoReturn, Protocol

from messaging.record import Outgoing, Record, TopicPartition


class Fatal(Exception):
    """Nothing may be acknowledged any more; the process leaves with exit code 70 and is restarted."""


class PublishFailed(Exception):
    """Not every record was acknowledged within the time given. What was stored will be published later."""


Verdict = Literal["repeat", "fault", "data", "other"]


class Tx(Protocol):
    """An open transaction. SQL adapters use `connection`, in-memory adapters `table(name)`."""

    @property
    def connection(self) -> Any: ...

    def table(self, name: str) -> Any: ...


class Store(Protocol):
    """A service's database: one transaction covers the runner's tables and the service's own."""

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        """Commits on a normal exit, rolls back on an exception."""

    def verdict(self, error: BaseException) -> Verdict:
        """`repeat`: serialization failure, deadlock. `fault`: the database's. `data`: refused for what was written.

        `other`: not the database's at all.
        """


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class Producer(Protocol):
    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        """Enqueues all in order and awaits every acknowledgement (acks=all); raises PublishFailed otherwise."""


class LogInfo(Protocol):
    """What the broker knows about the log itself."""

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]: ...

    async def partitions(self, topics: Collection[str]) -> dict[str, int]: ...

    async def offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First and end offset of each."""


class Feed(Protocol):
    """What the runner offers its engine. Any exception out of it means: leave by `fatal`."""

    @property
    def group(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    def paused(self) -> bool:
        """While true the engine delivers nothing and keeps its membership alive."""

    async def assigned(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Load and check the positions, publish what is stored and unmarked; the offsets to seek to."""

    async def revoked(self, places: Collection[TopicPartition]) -> None: ...

    async def batch(self, records: Sequence[Record]) -> None:
        """Returns when everything is stored, published and marked."""


class Engine(Protocol):
    async def start(self) -> None:
        """Joins the group and delivers batches in the background."""

    async def stop(self) -> None:
        """Waits for the batch under way and leaves; acknowledges nothing unfinished."""

    async def wait(self) -> None:
        """Returns when stopped."""


class Tail(Protocol):
    """Reads compacted topics from their beginning, without group or position."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def poll(self, timeout_seconds: float) -> Sequence[Record]: ...

    async def caught_up(self) -> bool:
        """True once everything that was there at the start has been returned by `poll`."""

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The end offsets of any partitions, cheaply enough to ask often; empty while the log is away."""


class Leave(Protocol):
    """Ends the process at once; in production by os._exit(70), so that no shutdown path acknowledges anything."""

    def __call__(self, reason: str, error: BaseException | None = None) -> NoReturn: ...


class ManagedProducer(Producer, Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Log(Protocol):
    """The whole log as one thing: in production Kafka, in tests and the simulation `MemoryLog`."""

    def producer(self) -> ManagedProducer: ...

    def info(self) -> LogInfo: ...

    def tail(self, topics: Sequence[str]) -> Tail: ...

    def engine(self, feed: Feed) -> Engine: ...
