"""The text of a mail, subject and body, prepared once. Values are put in as they are and never read as a template.

Form of a text: a line `Subject: ...`, an empty line, the body. `{name}` stands for a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from explain.filling import Filled, TextError

_GAPS = re.compile(r"\n{3,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
SUBJECT = "Subject: "


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
