"""Whether a decision table can be used: every case has a row, no two rows claim one case, no row is idle.

Exact: each input is cut into the parts its cells can tell apart, so no combination is left out. The search is bounded;
a table beyond the bound is refused, never half-checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from services.assessment.domain.decision_table import HitPolicy, TableVersion

STEPS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class TableFlaw:
    """What is wrong, and with which row, counted from 1; no row: with the whole table."""

    row: int | None
    field: str
    rule: str


class _TooMany(Exception):
    pass


def table_flaws(table: TableVersion, steps_max: int = STEPS_MAX) -> Iterator[TableFlaw]:
    """Everything for which the table must not be used, most telling first."""
    impossible = list(_impossible(table))
    yield from impossible
    if impossible:
        return
    if table.hit is HitPolicy.unique:
        yield from _overlaps(table)
    if table.hit is HitPolicy.collect:
        return
    search = _Search(table, steps_max)
    try:
        if table.hit is HitPolicy.first:
            yield from _idle(table, search)
        everything = tuple(atoms.possible for atoms in table.atoms)
        missing = search.point(everything, (1 << len(table.rows)) - 1)
    except _TooMany:
        yield TableFlaw(None, "", f"has more combinations than can be checked in {steps_max} steps; split the table")
        return
    if missing is not None:
        yield TableFlaw(None, "", f"no row takes {_said(table, missing)}")


def _impossible(table: TableVersion) -> Iterator[TableFlaw]:
    for number, masks in enumerate(table.accepted):
        for atoms, mask in zip(table.atoms, masks, strict=True):
            if not mask & atoms.possible:
                yield TableFlaw(number + 1, atoms.column.name, "can never hold")


def _overlaps(table: TableVersion) -> Iterator[TableFlaw]:
    for one, other in combinations(range(len(table.rows)), 2):
        pairs = zip(table.accepted[one], table.accepted[other], table.atoms, strict=True)
        shared = [mine & theirs & atoms.possible for mine, theirs, atoms in pairs]
        if all(shared):
            example = _said(table, tuple(_lowest(mask) for mask in shared))
            names = f"{table.rows[one].row_id} and {table.rows[other].row_id}"
            yield TableFlaw(other + 1, "row", f"{names} both take {example}")


def _idle(table: TableVersion, search: _Search) -> Iterator[TableFlaw]:
    for number, masks in enumerate(table.accepted):
        box = tuple(mask & atoms.possible for mask, atoms in zip(masks, table.atoms, strict=True))
        if search.point(box, (1 << number) - 1) is None:
            rule = f"{table.rows[number].row_id} is never reached: earlier rows take all of it"
            yield TableFlaw(number + 1, "row", rule)


class _Search:
    """Looks for a combination inside a box that none of some rows takes. Rows and parts are sets of bits."""

    def __init__(self, table: TableVersion, steps_max: int) -> None:
        self._table = table
        self._left = steps_max

    def point(self, box: tuple[int, ...], rows: int) -> tuple[int, ...] | None:
        """One part per input, or None if the rows take the whole box."""
        self._covered: set[tuple[int, int]] = set()
        self._taking_rest = self._rows_by_rest(box)
        return self._below(box, 0, rows)

    def _rows_by_rest(self, box: tuple[int, ...]) -> list[int]:
        """For each input, the rows that accept all of the box from there on; after the last one, every row."""
        found = [(1 << len(self._table.rows)) - 1]
        for level in range(len(box) - 1, -1, -1):
            masks = enumerate(self._table.accepted)
            found.append(found[-1] & sum(1 << row for row, mine in masks if not box[level] & ~mine[level]))
        return found[::-1]

    def _below(self, box: tuple[int, ...], level: int, rows: int) -> tuple[int, ...] | None:
        self._left -= 1
        if self._left < 0:
            raise _TooMany
        if not rows:
            return tuple(_lowest(mask) for mask in box[level:])
        if rows & self._taking_rest[level] or (level, rows) in self._covered:
            return None
        # Parts that the same rows accept need one look, not one each.
        looked_at: set[int] = set()
        for part in _bits(box[level]):
            taking = rows & self._table.rows_of[level][part]
            if taking in looked_at:
                continue
            looked_at.add(taking)
            found = self._below(box, level + 1, taking)
            if found is not None:
                return (part, *found)
        self._covered.add((level, rows))
        return None


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _said(table: TableVersion, parts: tuple[int, ...]) -> str:
    named = zip(table.atoms, parts, strict=True)
    return ", ".join(f"{atoms.column.name} = {atoms.said(part)}" for atoms, part in named) or "anything"
