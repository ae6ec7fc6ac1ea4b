"""A log in memory behind the runner's ports: every topic of the registry, no threads, no sleeping, no hidden order.

Nothing moves by itself: `step` delivers one batch, from the partitions the caller chooses. Engines remember nothing
across a restart, since positions are the feed's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from messaging.ports import Clock, Feed, PublishFailed
from messaging.record import Outgoing, Record, TopicPartition
from schemas.topics import registry

ProducerFault = Callable[[Sequence[Outgoing]], int | None]
"""How many of these records the log takes before the producer fails; None: all, and it succeeds."""


class MemoryLog:
    """Append-only lists of records, one per topic and partition; timestamps are the clock's."""

    def __init__(self, partitions: int, clock: Clock) -> None:
        self._clock = clock
        self._counts = {spec.name: spec.partitions for spec in registry(partitions)}
        self._ids = {name: f"{name}#1" for name in self._counts}
        self._records = {place: list[Record]() for name in self._counts for place in self.places(name)}
        self._first = dict.fromkeys(self._records, 0)
        self.appended = asyncio.Event()

    def places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._counts[topic])]

    def append(self, sent: Outgoing) -> Record:
        place = TopicPartition(sent.topic, sent.partition)
        offset = self._first[place] + len(self._records[place])
        millis = int(self._clock.now().timestamp() * 1000)
        record = Record(*place, offset, millis, sent.key, sent.value, tuple(sent.headers))
        self._records[place].append(record)
        self.appended.set()
        return record

    def records(self, topic: str) -> list[Record]:
        """Everything on a topic, partition by partition."""
        return [record for place in self.places(topic) for record in self._records[place]]

    def read(self, place: TopicPartition, offset: int, limit: int) -> list[Record]:
        start = offset - self._first[place]
        return self._records[place][start : start + limit] if start >= 0 else []

    def end(self, place: TopicPartition) -> int:
        return self._first[place] + len(self._records[place])

    def trim(self, place: TopicPartition, first: int) -> None:
        """Deletes the records before an offset, as an operator or retention would."""
        del self._records[place][: max(0, first - self._first[place])]
        self._first[place] = max(first, self._first[place])

    def recreate(self, topic: str) -> None:
        """Deletes a topic and makes it again: empty, with another id."""
        name, _, number = self._ids[topic].rpartition("#")
        self._ids[topic] = f"{name}#{int(number) + 1}"
        for place in self.places(topic):
            self._records[place], self._first[place] = [], 0

    def producer(self, fault: ProducerFault = lambda _: None) -> MemoryProducer:
        return MemoryProducer(self, fault)

    def engine(self, feed: Feed) -> MemoryEngine:
        return MemoryEngine(self, feed)

    def tail(self, topics: Collection[str]) -> MemoryTail:
        return MemoryTail(self, topics)

    def info(self) -> MemoryLog:
        return self

    async def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        return {topic: self._ids[topic] for topic in topics if topic in self._ids}

    async def partitions(self, topics: Collection[str]) -> dict[str, int]:
        return {topic: self._counts[topic] for topic in topics if topic in self._counts}

    async def offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {place: (self._first[place], self.end(place)) for place in places if place in self._first}


class MemoryProducer:
    """`fault` may be replaced at any time."""

    def __init__(self, log: MemoryLog, fault: ProducerFault) -> None:
        self._log, self.fault = log, fault

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def send(self, sends: Sequence[Outgoing], timeout_seconds: float) -> None:
        taken = self.fault(sends)
        for sent in sends[:taken]:
            self._log.append(sent)
        if taken is not None:
            raise PublishFailed("the log did not acknowledge everything")


class MemoryEngine:
    """One member of a group. `step` delivers what the feed has not had yet; `next` may be set back to deliver again."""

    def __init__(self, log: MemoryLog, feed: Feed) -> None:
        self._log, self._feed = log, feed
        self.next: dict[TopicPartition, int] = {}
        self._stopped = asyncio.Event()

    async def start(self) -> None:
        """Takes every partition of the feed's topics."""
        await self.assign([place for topic in self._feed.topics for place in self._log.places(topic)])

    async def assign(self, places: Collection[TopicPartition]) -> None:
        """A rebalance: everything is given back, and these places are taken."""
        if self.next:
            await self._feed.revoked(list(self.next))
        self.next = {}
        self.next = dict(await self._feed.assigned(list(places)))

    async def step(self, places: Sequence[TopicPartition] | None = None, limit: int = 500) -> int:
        """Delivers one batch from these places, in this order (None: from all); the number of records in it."""
        if self._feed.paused():
            return 0
        batch: list[Record] = []
        for place in sorted(self.next) if places is None else places:
            batch += self._log.read(place, self.next[place], limit - len(batch))
        if batch:
            await self._feed.batch(batch)
        for record in batch:
            self.next[record.place] = record.offset + 1
        return len(batch)

    async def run_dry(self, limit: int = 500) -> int:
        """Steps until nothing is left; the number of records delivered."""
        total = 0
        while delivered := await self.step(limit=limit):
            total += delivered
        return total

    async def stop(self) -> None:
        self.next = {}
        self._stopped.set()

    async def wait(self) -> None:
        await self._stopped.wait()


class MemoryTail:
    """Reads topics from their beginning, without group or position."""

    def __init__(self, log: MemoryLog, topics: Collection[str]) -> None:
        self._log, self._topics = log, sorted(topics)
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        limits = await self._log.offsets([place for topic in self._topics for place in self._log.places(topic)])
        self._next = {place: first for place, (first, _) in limits.items()}
        self._ends = {place: end for place, (_, end) in limits.items()}

    async def stop(self) -> None:
        self._next = {}

    async def poll(self, timeout_seconds: float) -> Sequence[Record]:
        """What is there; if nothing is, waits for an append no longer than the time given (0: not at all)."""
        found = self._take()
        if not found and timeout_seconds > 0:
            self._log.appended.clear()
            try:
                await asyncio.wait_for(self._log.appended.wait(), timeout_seconds)
            except TimeoutError:
                return []
            found = self._take()
        return found

    def _take(self) -> list[Record]:
        found = [record for place, offset in self._next.items() for record in self._log.read(place, offset, 500)]
        for record in found:
            self._next[record.place] = record.offset + 1
        return found

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self._log.end(place) for place in places}

    async def caught_up(self) -> bool:
        return all(self._next.get(place, 0) >= end for place, end in self._ends.items())
