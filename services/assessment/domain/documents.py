"""What is wrong with a document somebody wrote: where, and the rule it breaks; never what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FAULTS_MAX = 20


class Fault(NamedTuple):
    """Something wrong: where in the document, and the rule."""

    path: tuple[str | int, ...]
    rule: str


class DocumentError(ValueError):
    """The document cannot be adjudicated; at least one fault, at most the first `FAULTS_MAX`."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].rule)
        self.faults = tuple(faults[:FAULTS_MAX])
