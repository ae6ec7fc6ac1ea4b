"""Raw records as they lie in the log, and as they are handed to a producer. Nothing here is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Headers = Sequence[tuple[str, bytes]]


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(NamedTuple):
    """One record read from the log; `timestamp_ms` is the broker's log-append time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


class Outgoing(NamedTuple):
    """One record to be written; `partition` is always explicit, so every client agrees on it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition Kafka's default partitioner gives a key (murmur2, sign bit cleared)."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    length = len(key)
    hashed = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        word = (word ^ (word >> 24)) * multiplier & mask
        hashed = (hashed * multiplier & mask) ^ word
    tail = key[whole:]
    if tail:
        hashed = (hashed ^ int.from_bytes(tail, "little")) * multiplier & mask
    hashed = (hashed ^ (hashed >> 13)) * multiplier & mask
    hashed ^= hashed >> 15
    return (hashed & 0x7FFFFFFF) % partitions
