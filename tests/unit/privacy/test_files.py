"""Sealed files: they open whole, for the right key and place only, and never once their person is erased."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from privacy.erased import Erased
from privacy.errors import SealError
from privacy.files import SEGMENT_BYTES
from privacy.key_ring_memory import MemoryKeyRing
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer_with_ring
from schemas.ids import SubjectId, claim_id

PERSON = SubjectId.of(claim_id("default", "key-1"), "reporter")
OTHER = SubjectId.of(claim_id("default", "key-2"), "reporter")
PLACE = b"claim-1/paper-1"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEAD = 40
SEALED_SEGMENT = 12 + SEGMENT_BYTES + 16


def a_sealer() -> tuple[Sealer, MemoryKeyRing]:
    return memory_sealer_with_ring(random.Random(1).randbytes)


def sealed(sealer: Sealer, content: bytes, place: bytes = PLACE, person: SubjectId = PERSON) -> bytes:
    target = io.BytesIO()
    assert asyncio.run(sealer.seal_file(person, place, io.BytesIO(content), target)) is None
    return target.getvalue()


def opened(sealer: Sealer, box: bytes, place: bytes = PLACE, person: SubjectId = PERSON) -> bytes | Erased:
    target = io.BytesIO()
    erased = asyncio.run(sealer.open_file(person, place, io.BytesIO(box), target))
    return target.getvalue() if erased is None else erased


@pytest.mark.parametrize(
    "size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, 3 * SEGMENT_BYTES + 7]
)
def test_a_file_of_any_size_opens_as_it_was(size: int) -> None:
    sealer, _ = a_sealer()
    content = random.Random(size).randbytes(size)

    assert opened(sealer, sealed(sealer, content)) == content


def test_a_sealed_file_shows_nothing_and_is_another_each_time() -> None:
    sealer, _ = a_sealer()
    content = b"canary " * 100_000

    first, second = sealed(sealer, content), sealed(sealer, content)

    assert b"canary" not in first
    assert first != second
    assert opened(sealer, first) == opened(sealer, second) == content


def test_sealing_again_into_the_same_file_leaves_only_the_second() -> None:
    sealer, _ = a_sealer()
    target, source = io.BytesIO(), io.BytesIO(b"canary")
    source.read()

    for content in (io.BytesIO(b"x" * 1_000), source):
        asyncio.run(sealer.seal_file(PERSON, PLACE, content, target))

    assert opened(sealer, target.getvalue()) == b"canary"


def test_after_erasing_a_file_stays_closed_and_none_is_sealed_any_more() -> None:
    sealer, ring = a_sealer()
    mine, theirs = sealed(sealer, b"canary"), sealed(sealer, b"canary", person=OTHER)

    asyncio.run(ring.destroy(PERSON, NOW))

    target = io.BytesIO()
    assert opened(sealer, mine) == Erased(PERSON)
    assert asyncio.run(sealer.seal_file(PERSON, PLACE, io.BytesIO(b"canary"), target)) == Erased(PERSON)
    assert target.getvalue() == b""
    assert opened(sealer, theirs, person=OTHER) == b"canary"


def _segments(box: bytes) -> list[bytes]:
    return [box[at : at + SEALED_SEGMENT] for at in range(HEAD, len(box), SEALED_SEGMENT)]


CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "its first byte": lambda box: b"\x00" + box[1:],
    "its key": lambda box: box[: HEAD - 1] + b"\x00" + box[HEAD:],
    "a byte of a segment": lambda box: box[:-20] + bytes([box[-20] ^ 1]) + box[-19:],
    "its last segment left out": lambda box: box[: -len(_segments(box)[-1])],
    "its last byte left out": lambda box: box[:-1],
    "something at its end": lambda box: box + b"\x00",
    "all but its head left out": lambda box: box[:HEAD],
    "a head cut short": lambda box: box[: HEAD - 3],
    "two segments swapped": lambda box: box[:HEAD] + b"".join(_segments(box)[n] for n in (1, 0, 2)),
    "clear text in its place": lambda box: b"%PDF-1.7 canary",
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_file_does_not_open_and_nothing_is_echoed(change: str) -> None:
    sealer, _ = a_sealer()
    box = sealed(sealer, b"canary " + b"x" * (2 * SEGMENT_BYTES))

    with pytest.raises(SealError) as refused:
        opened(sealer, CHANGED[change](box))

    assert "canary" not in str(refused.value)


def test_a_file_put_in_the_place_of_another_does_not_open() -> None:
    sealer, _ = a_sealer()
    mine, theirs = sealed(sealer, b"mine"), sealed(sealer, b"theirs", person=OTHER)

    with pytest.raises(SealError, match="box-forged"):
        opened(sealer, mine, place=b"claim-1/paper-2")
    with pytest.raises(SealError, match="key-of-another-subject"):
        opened(sealer, theirs)
