"""What can go wrong with what was sealed, in words that never repeat what was sealed.

A box that does not open is a SECURITY matter: somebody changed it, or it was moved to another person."""

from __future__ import annotations

from uuid import UUID

from schemas.outcomes import ErrorClass


class MasterKeyError(Exception):
    """The master key cannot be used; the message is one line that says which file and what to do."""


class SealError(Exception):
    """A box could not be opened. Carries ids and a code, never a name, an account or key material.

    Codes: `box-malformed` (not a box of ours), `box-forged` (the seal does not hold for this subject and key),
    `key-unknown` (no such key was ever made), `key-of-another-subject`, `content-invalid` (opened, but not a party).
    """

    error_class = ErrorClass.SECURITY

    def __init__(self, code: str, subject_id: UUID, key_id: UUID) -> None:
        super().__init__(f"{code}: what was sealed for subject {subject_id} under key {key_id} cannot be opened")
        self.code = code
        self.subject_id = subject_id
        self.key_id = key_id


class KeyRingError(Exception):
    """The key ring itself is damaged: a stored key does not unwrap. Nobody may go on as if nothing were wrong."""
