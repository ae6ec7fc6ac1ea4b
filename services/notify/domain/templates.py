"""A text taken apart once, so that filling it is one join. Values are put in as they are and never read as a template.

Form of a text: a line `Subject: ...`, an empty line, the body. `{name}` stands for a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([a-z_]+)\}")
_GAPS = re.compile(r"\n{3,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
SUBJECT = "Subject: "


class TextError(ValueError):
    """A text is not in the form it must have; the message names the text."""


class Filled:
    """Literal parts and the values between them."""

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


class Template:
    """Subject and body of one kind in one language."""

    __slots__ = ("_body", "_subject", "names")

    def __init__(self, text: str, known: frozenset[str], where: str) -> None:
        head, gap, body = text.partition("\n\n")
        if not gap or not head.startswith(SUBJECT) or "\n" in head or not body.strip():
            raise TextError(f"{where}: begins with one line '{SUBJECT}...', an empty line, and the body")
        self._subject = Filled(head.removeprefix(SUBJECT), known, where)
        self._body = Filled(body.rstrip("\n") + "\n", known, where)
        self.names = frozenset((*self._subject.names, *self._body.names))

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Subject and body; a paragraph whose value is empty leaves no hole."""
        body = self._body.fill(values)
        return self._subject.fill(values), _GAPS.sub("\n\n", body) if "\n\n\n" in body else body


def plain(text: str) -> str:
    """A person's words on one line: line ends, control and direction characters become a space."""
    return _CONTROL.sub(" ", text).strip() if not text.isprintable() else text.strip()
