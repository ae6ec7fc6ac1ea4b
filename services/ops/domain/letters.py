"""Dead letters as they lie on their topics: shown raw, never taken for anything but bytes, kept within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LETTERS_MAX = 5_000
BYTES_MAX = 128 * 1024 * 1024
_PREFIX = "dead-letter-"


@dataclass(frozen=True, slots=True)
class ShownLetter:
    """One dead letter: why, as its headers say, and the original's key, value and headers untouched."""

    dead_letter_id: str
    stage: str
    why: dict[str, str]
    topic: str
    partition: int
    offset: int
    appended_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def size(self) -> int:
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers

    @property
    def claim_id(self) -> str | None:
        """The key, where it looks like a claim's id."""
        text = _text(self.key)
        return text if text is not None and len(text) == 36 and text.count("-") == 4 else None


class LetterShelf:
    """The newest dead letters; older ones fall off and are counted, their originals stay in their stage's store."""

    def __init__(self) -> None:
        self._letters: OrderedDict[str, ShownLetter] = OrderedDict()
        self._bytes = 0
        self.fallen_off = 0

    def take(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        """One record of a dead letter topic. Whatever it is, it is shown."""
        why = {
            name.removeprefix(_PREFIX): _text(text) or f"<{len(text or b'')} bytes>"
            for name, text in headers
            if name.startswith(_PREFIX)
        }
        service = topic.split(".")[1] if topic.count(".") >= 2 else topic
        letter = ShownLetter(
            dead_letter_id=why.get("id") or f"{topic}-{partition}@{offset}",
            stage=why.get("stage") or service,
            why=why,
            topic=topic,
            partition=partition,
            offset=offset,
            appended_at=datetime.fromtimestamp(timestamp_ms / 1000, UTC),
            key=key,
            value=value,
            headers=tuple((name, text or b"") for name, text in headers if not name.startswith(_PREFIX)),
        )
        known = self._letters.pop(letter.dead_letter_id, None)
        self._bytes += letter.size - (known.size if known else 0)
        self._letters[letter.dead_letter_id] = letter
        while len(self._letters) > LETTERS_MAX or self._bytes > BYTES_MAX:
            _, oldest = self._letters.popitem(last=False)
            self._bytes -= oldest.size
            self.fallen_off += 1

    def find(self, dead_letter_id: str) -> ShownLetter | None:
        return self._letters.get(dead_letter_id)

    def newest(self, stage: str | None, limit: int) -> list[ShownLetter]:
        found = (one for one in reversed(self._letters.values()) if stage is None or one.stage == stage)
        return [one for one, _ in zip(found, range(limit), strict=False)]

    def __len__(self) -> int:
        return len(self._letters)


def _text(raw: bytes | None) -> str | None:
    """Printable ASCII as text; anything else is not shown as if it were."""
    if raw is None or not raw.isascii():
        return None
    text = raw.decode("ascii")
    return text if text.isprintable() else None
