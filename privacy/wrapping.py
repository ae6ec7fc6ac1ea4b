"""Data keys under the master key: what the key ring stores is useless without the master key file.

A wrapped key is bound to its key id, its subject and the master key's version, so rows cannot be swapped."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.errors import KeyRingError
from privacy.master_key import KEY_BYTES, MasterKeys, RandomBytes

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class DataKey:
    """One person's opened key. Lives for a batch or a request only; its material is never shown."""

    key_id: UUID
    subject_id: UUID
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One person's key as stored: nonce and ciphertext in `wrapped`, under master key version `wrapped_by`."""

    key_id: UUID
    subject_id: UUID
    wrapped: bytes = field(repr=False)
    wrapped_by: int


class KeyWrapper:
    """Makes, wraps and unwraps data keys. Randomness is given by the composition root (`os.urandom`)."""

    def __init__(self, master_keys: MasterKeys, random_bytes: RandomBytes) -> None:
        self.current = master_keys.current
        self._ciphers = {number: AESGCM(master_keys.version(number)) for number in master_keys.versions}
        self._random_bytes = random_bytes

    def make(self, subject_id: UUID) -> tuple[DataKey, WrappedKey]:
        """A new data key with a random id, opened and wrapped."""
        key_id = UUID(bytes=self._random_bytes(16), version=4)
        key = DataKey(key_id, subject_id, self._random_bytes(KEY_BYTES))
        return key, self.wrap(key)

    def wrap(self, key: DataKey) -> WrappedKey:
        """The key under the current master key version."""
        nonce = self._random_bytes(NONCE_BYTES)
        bound_to = _bound_to(key.key_id, key.subject_id, self.current)
        sealed = self._ciphers[self.current].encrypt(nonce, key.material, bound_to)
        return WrappedKey(key.key_id, key.subject_id, nonce + sealed, self.current)

    def unwrap(self, row: WrappedKey) -> DataKey:
        """The opened key; KeyRingError if its master key version is gone or the row was changed."""
        cipher = self._ciphers.get(row.wrapped_by)
        if cipher is None:
            raise KeyRingError(f"key {row.key_id} needs master key version {row.wrapped_by}, which the file lacks")
        nonce, sealed = row.wrapped[:NONCE_BYTES], row.wrapped[NONCE_BYTES:]
        try:
            material = cipher.decrypt(nonce, sealed, _bound_to(row.key_id, row.subject_id, row.wrapped_by))
        except (InvalidTag, ValueError):
            raise KeyRingError(f"key {row.key_id} does not unwrap: other master key, or the row was changed") from None
        return DataKey(row.key_id, row.subject_id, material)


def _bound_to(key_id: UUID, subject_id: UUID, wrapped_by: int) -> bytes:
    return b"claimflow.data-key.v1" + key_id.bytes + subject_id.bytes + wrapped_by.to_bytes(4, "big")
