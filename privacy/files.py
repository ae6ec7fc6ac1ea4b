"""Whole files in and out of their seal, a segment at a time: however large a file is, little of it is in memory.

A sealed file is a mark, the id of the key, and segments, each a nonce and AES-256-GCM over at most 256 KiB. Every
segment is bound to its person and key, to what the caller names (the file's place), to its number, and to whether it
is the last: a file that was cut, reordered or put in the place of another does not open.
"""

from __future__ import annotations

import asyncio
from typing import IO
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.errors import SealError
from privacy.master_key import RandomBytes
from privacy.wrapping import NONCE_BYTES, DataKey

SEGMENT_BYTES = 256 * 1024
_MARK = b"claimflow.sealed-file.v1"
_KEY_ID_BYTES, _TAG_BYTES = 16, 16
_NO_KEY = UUID(int=0)


async def seal(key: DataKey, place: bytes, source: IO[bytes], target: IO[bytes], random_bytes: RandomBytes) -> None:
    """Writes the sealed file over whatever `target` holds. `source` is read from its beginning."""
    cipher = AESGCM(key.material)
    source.seek(0)
    target.seek(0)
    target.truncate()
    target.write(_MARK + key.key_id.bytes)
    number, segment, is_last = 0, source.read(SEGMENT_BYTES), False
    while not is_last:
        following = source.read(SEGMENT_BYTES)
        is_last = not following
        nonce = random_bytes(NONCE_BYTES)
        target.write(nonce + cipher.encrypt(nonce, segment, _bound_to(key, place, number, is_last)))
        number, segment = number + 1, following
        # Other requests go on between two segments.
        await asyncio.sleep(0)
    target.flush()


def key_id_of(subject_id: UUID, source: IO[bytes]) -> UUID:
    """The key the file was sealed with, by its head; SealError if it is no sealed file."""
    source.seek(0)
    head = source.read(len(_MARK) + _KEY_ID_BYTES)
    if len(head) != len(_MARK) + _KEY_ID_BYTES or not head.startswith(_MARK):
        raise SealError("box-malformed", subject_id, _NO_KEY)
    return UUID(bytes=head[len(_MARK) :])


async def unseal(key: DataKey, place: bytes, source: IO[bytes], target: IO[bytes]) -> None:
    """Writes the clear file; SealError if the seal does not hold: then what was written is not to be used."""
    cipher = AESGCM(key.material)
    source.seek(len(_MARK) + _KEY_ID_BYTES)
    size = NONCE_BYTES + SEGMENT_BYTES + _TAG_BYTES
    number, segment, is_last = 0, source.read(size), False
    while not is_last:
        following = source.read(size)
        is_last = not following
        if len(segment) < NONCE_BYTES + _TAG_BYTES:
            raise SealError("box-malformed", key.subject_id, key.key_id)
        bound_to = _bound_to(key, place, number, is_last)
        try:
            target.write(cipher.decrypt(segment[:NONCE_BYTES], segment[NONCE_BYTES:], bound_to))
        except InvalidTag:
            raise SealError("box-forged", key.subject_id, key.key_id) from None
        number, segment = number + 1, following
        await asyncio.sleep(0)
    target.flush()


def _bound_to(key: DataKey, place: bytes, number: int, is_last: bool) -> bytes:
    # Whatever has no fixed length stands last.
    return _MARK + key.subject_id.bytes + key.key_id.bytes + number.to_bytes(8, "big") + bytes([is_last]) + place
