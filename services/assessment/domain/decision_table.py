"""Decision tables: rows of conditions over facts, and what follows from the rows that are taken.

Pure and exact. `first` takes the first row whose conditions all hold, `unique` the only one, `collect` all of them
(the names are those of DMN). `decision_checks` says beforehand which tables cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.decision import Rule
from services.assessment.domain.decision_cells import Atoms, Cell, Fact, Input, Kind, Value


class HitPolicy(StrEnum):
    first = "first"
    unique = "unique"
    collect = "collect"


@dataclass(frozen=True, slots=True)
class Output:
    """One column of results. `values` are the codes that may be written."""

    name: str
    kind: Kind
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a condition per input, a result per output. `reason` is the code that is told, if any."""

    row_id: str
    cells: tuple[Cell, ...]
    outputs: Mapping[str, Value]
    reason: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was taken, with what follows from it."""

    row_id: str
    outputs: Mapping[str, Value]
    reason: str | None


class TableVersion:
    """One version of a table, prepared: each input's parts, and for each part the rows that accept it as bits."""

    def __init__(
        self,
        version: str,
        effective_from: datetime,
        hit: HitPolicy,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        rows: Sequence[Row],
    ) -> None:
        self.version = version
        self.effective_from = effective_from
        self.hit = hit
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.rows = tuple(rows)
        self.atoms = tuple(
            Atoms(column, [row.cells[place] for row in rows]) for place, column in enumerate(self.inputs)
        )
        self.accepted = tuple(
            tuple(atoms.accepted(cell) for atoms, cell in zip(self.atoms, row.cells, strict=True)) for row in rows
        )
        """For each row and input, the parts the row accepts."""
        self._hits = tuple(Hit(row.row_id, row.outputs, row.reason) for row in rows)
        self.rows_of = tuple(self._rows_by_part(place) for place in range(len(self.inputs)))
        """For each input and part, the rows that accept the part."""

    def _rows_by_part(self, place: int) -> tuple[int, ...]:
        parts = range(len(self.atoms[place].samples))
        return tuple(
            sum(1 << row for row, masks in enumerate(self.accepted) if masks[place] >> part & 1) for part in parts
        )

    def taken(self, facts: Mapping[str, Fact]) -> tuple[Hit, ...]:
        left = (1 << len(self.rows)) - 1
        for atoms, rows_of in zip(self.atoms, self.rows_of, strict=True):
            left &= rows_of[atoms.place(facts.get(atoms.column.fact))]
            if not left:
                return ()
        if self.hit is HitPolicy.first:
            left &= -left
        found = []
        while left:
            lowest = left & -left
            found.append(self._hits[lowest.bit_length() - 1])
            left ^= lowest
        return tuple(found)


def evaluate(table: TableVersion, facts: Mapping[str, Fact]) -> tuple[Hit, ...]:
    """The rows taken, in the order of the table; exactly one unless the hit policy is `collect`."""
    hits = table.taken(facts)
    if table.hit is not HitPolicy.collect and len(hits) != 1:
        raise ValueError(f"{len(hits)} rows of the table take these facts; checked tables have one")
    return hits


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Every version of one table, oldest first; the first one's beginning is before any claim."""

    table_id: str
    versions: tuple[TableVersion, ...]

    def at(self, now: datetime) -> TableVersion:
        """The version that holds at an instant; the oldest one for anything before."""
        return next((one for one in reversed(self.versions) if one.effective_from <= now), self.versions[0])

    def named(self, version: TableVersion) -> Rule:
        return Rule(id=self.table_id, version=version.version)
