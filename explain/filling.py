"""A text taken apart once, so that filling it is one join. Values are put in as they are, never read as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([a-z_]+)\}")


class TextError(ValueError):
    """A text is not in the form it must have; the message names the text."""


class Filled:
    """Literal parts and the values between them; `{name}` stands for a value."""

    __slots__ = ("_parts", "names")

    def __init__(self, text: str, known: frozenset[str], where: str) -> None:
        parts = _PLACE.split(text)
        if any("{" in literal or "}" in literal for literal in parts[::2]):
            raise TextError(f"{where}: a brace that is no placeholder")
        self.names = tuple(dict.fromkeys(parts[1::2]))
        unknown = sorted(set(self.names) - known)
        if unknown:
            raise TextError(f"{where}: unknown placeholder {', '.join(unknown)}")
        self._parts = tuple(parts)

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every value in its place."""
        parts = list(self._parts)
        parts[1::2] = [values[name] for name in self._parts[1::2]]
        return "".join(parts)
