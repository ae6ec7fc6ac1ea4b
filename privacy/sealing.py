"""Parties in and out of their boxes, in batches, and files one by one: AES-256-GCM under one data key per person.

A box holds only for its subject, its key and its schema version: moved or changed, it does not open. Opened keys
live for one call. Each box has a fresh 96-bit random nonce; a person's key seals few boxes, far below GCM's bound."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import IO
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from privacy import files
from privacy.erased import Erased
from privacy.errors import SealError
from privacy.key_ring import KeyRing
from privacy.master_key import RandomBytes
from privacy.wrapping import NONCE_BYTES, DataKey
from schemas.ids import KeyId, SubjectId
from schemas.party import Party, SealedParty

SCHEMA = b"claimflow.Party.v1"
BOX_BYTES_MAX = 64 * 1024


class Sealer:
    """Seals and opens parties with the keys of a ring. Keeps no key between calls."""

    def __init__(self, ring: KeyRing, random_bytes: RandomBytes) -> None:
        self._ring = ring
        self._random_bytes = random_bytes

    async def seal_many(self, parties: Sequence[tuple[SubjectId, Party]]) -> list[SealedParty | Erased]:
        """One box per party, in order; Erased where the subject's key was destroyed (a new one is never made).

        The keys are durable before this returns. Sealing a subject again uses its key again.
        """
        if not parties:
            return []
        keys = await self._ring.create_many([subject_id for subject_id, _ in parties])
        return [self._seal(keys[subject_id], party) for subject_id, party in parties]

    async def open_each(self, sealed: Sequence[SealedParty]) -> list[Party | Erased | SealError]:
        """Like `open_many`, but a box that does not open takes only its own place: neighbours are not failed."""
        if not sealed:
            return []
        keys = await self._ring.get_many(list(dict.fromkeys(box.key_id for box in sealed)))
        ciphers = _ciphers(keys)
        return [_open(box, keys.get(box.key_id), ciphers) for box in sealed]

    async def open_many(self, sealed: Sequence[SealedParty]) -> list[Party | Erased]:
        """The parties, in order; Erased where the key was destroyed; SealError (SECURITY) for the first forged box."""
        opened: list[Party | Erased] = []
        for result in await self.open_each(sealed):
            if isinstance(result, SealError):
                raise result
            opened.append(result)
        return opened

    async def seal_file(
        self, subject_id: SubjectId, place: bytes, source: IO[bytes], target: IO[bytes]
    ) -> Erased | None:
        """Writes `source`, sealed, to `target`; Erased, and nothing written, where the subject's key was destroyed.

        The file opens only for this subject and this `place`. Safe to repeat.
        """
        key = (await self._ring.create_many([subject_id]))[subject_id]
        if isinstance(key, Erased):
            return key
        await files.seal(key, place, source, target, self._random_bytes)
        return None

    async def open_file(
        self, subject_id: SubjectId, place: bytes, source: IO[bytes], target: IO[bytes]
    ) -> Erased | None:
        """Writes the clear file to `target`; Erased where the key was destroyed; SealError (SECURITY) for a forged one.

        After a SealError `target` is not to be used.
        """
        key_id = files.key_id_of(subject_id, source)
        key = (await self._ring.get_many([key_id])).get(key_id)
        if key is None:
            raise SealError("key-unknown", subject_id, key_id)
        if key.subject_id != subject_id:
            raise SealError("key-of-another-subject", subject_id, key_id)
        if isinstance(key, Erased):
            return key
        await files.unseal(key, place, source, target)
        return None

    def _seal(self, key: DataKey | Erased, party: Party) -> SealedParty | Erased:
        if isinstance(key, Erased):
            return key
        nonce = self._random_bytes(NONCE_BYTES)
        plain = party.model_dump_json(exclude_none=True).encode()
        box = nonce + AESGCM(key.material).encrypt(nonce, plain, _bound_to(key.subject_id, key.key_id))
        return SealedParty(
            subject_id=SubjectId(key.subject_id), key_id=KeyId(key.key_id), box=base64.b64encode(box).decode()
        )


def _ciphers(keys: Mapping[UUID, DataKey | Erased]) -> dict[UUID, AESGCM]:
    opened: Iterable[DataKey] = (key for key in keys.values() if isinstance(key, DataKey))
    return {key.key_id: AESGCM(key.material) for key in opened}


def _open(
    sealed: SealedParty, key: DataKey | Erased | None, ciphers: Mapping[UUID, AESGCM]
) -> Party | Erased | SealError:
    if key is None:
        return SealError("key-unknown", sealed.subject_id, sealed.key_id)
    if key.subject_id != sealed.subject_id:
        return SealError("key-of-another-subject", sealed.subject_id, sealed.key_id)
    if isinstance(key, Erased):
        return key
    try:
        box = base64.b64decode(sealed.box, validate=True)
    except (ValueError, binascii.Error):
        return SealError("box-malformed", sealed.subject_id, sealed.key_id)
    if not NONCE_BYTES < len(box) <= BOX_BYTES_MAX:
        return SealError("box-malformed", sealed.subject_id, sealed.key_id)
    try:
        plain = ciphers[sealed.key_id].decrypt(
            box[:NONCE_BYTES], box[NONCE_BYTES:], _bound_to(sealed.subject_id, sealed.key_id)
        )
    except InvalidTag:
        return SealError("box-forged", sealed.subject_id, sealed.key_id)
    try:
        return Party.model_validate_json(plain)
    except ValidationError:
        return SealError("content-invalid", sealed.subject_id, sealed.key_id)


def _bound_to(subject_id: UUID, key_id: UUID) -> bytes:
    return SCHEMA + subject_id.bytes + key_id.bytes
