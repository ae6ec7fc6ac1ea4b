"""What a reader gets in place of a person whose key was destroyed, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

ERASED_TEXT = "[erased]"


@dataclass(frozen=True, slots=True)
class Erased:
    """The person is gone for good; the claim's history, totals and reserves stay."""

    subject_id: UUID

    def __str__(self) -> str:
        return ERASED_TEXT


def display(value: object) -> str:
    """The text a person may read: `[erased]` for an erased party, an empty text for nothing, else the value itself."""
    return "" if value is None else str(value)
