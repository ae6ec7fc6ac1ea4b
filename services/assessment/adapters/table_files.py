"""Decision tables from their files: a YAML header for versions and columns, a CSV of rows for each version, checked.

What is wrong is named by file, row and field before anything starts. Rows are counted from 1 below the heading.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.assessment import ReferralReason
from schemas.model import Code, Instant, ShortText
from schemas.money import Currency
from services.assessment.adapters.rule_files import in_order
from services.assessment.adapters.sorting_files import load_duplicates
from services.assessment.adapters.yaml_files import FileModel, RuleFileError, file_text, read_yaml
from services.assessment.domain.decision_cells import (
    ANY,
    NUMBERS,
    CellError,
    Input,
    Interval,
    Kind,
    Value,
    read_cell,
)
from services.assessment.domain.decision_checks import table_flaws
from services.assessment.domain.decision_table import DecisionTable, HitPolicy, Output, Row, TableVersion
from services.assessment.domain.triage import (
    DECIDE_TABLE,
    FACTS,
    FLAG_TABLE,
    LANE_TABLE,
    SEGMENT_TABLE,
    SORTED_FACTS,
    STATED,
    FactSpec,
    TriageTables,
)
from services.assessment.settings import DUPLICATES_FILE, TABLES_FOLDER

ROWS_MAX = 500
ROW, REASON, NOTE = "row", "reason", "note"
NOTE_CHARACTERS_MAX = 200
_ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,59}$", max_length=60)]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.csv$", max_length=104)]
_Codes = Annotated[tuple[Code, ...], Field(min_length=1, max_length=100)]
_STATED_KINDS = frozenset({Kind.flag, Kind.code, Kind.number, Kind.whole, Kind.count})


class _InputFile(FileModel):
    name: _ColumnName
    kind: Kind
    fact: _ColumnName | None = None
    values: _Codes | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        fact = self.fact or self.name
        spec = spec_of(fact, self.kind)
        if spec is None:
            raise ValueError(f"no such fact; facts are {', '.join(FACTS)}, or {STATED}NAME for what the claim states")
        if self.kind is not spec.kind:
            raise ValueError(f"the kind of this fact is {spec.kind.value}")
        if (self.kind is Kind.money) != (self.currency is not None):
            raise ValueError("money needs a currency, and only money has one")
        if self.values is not None and (self.kind is not Kind.code or len(set(self.values)) != len(self.values)):
            raise ValueError("values are different codes, of a code only")
        return self


class _OutputFile(FileModel):
    name: _ColumnName
    kind: Kind
    values: _Codes | None = None

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        if self.kind is Kind.money:
            raise ValueError("results are flags, codes or numbers")
        if (self.kind is Kind.code) != (self.values is not None):
            raise ValueError("a code needs the values that may be written, and only a code has them")
        return self


class _VersionFile(FileModel):
    version: Code
    effective_from: Instant
    hit: HitPolicy
    rows: _FileName
    inputs: Annotated[tuple[_InputFile, ...], Field(min_length=1, max_length=30)]
    outputs: Annotated[tuple[_OutputFile, ...], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _each_column_once(self) -> Self:
        names = [ROW, REASON, NOTE, *(one.name for one in self.inputs), *(one.name for one in self.outputs)]
        if len(set(names)) != len(names):
            raise ValueError(f"each column stands once, and none is called {ROW}, {REASON} or {NOTE}")
        return self


class _TableFile(FileModel):
    id: Code
    title: ShortText
    versions: Annotated[tuple[_VersionFile, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        if len({one.rows for one in self.versions}) != len(self.versions):
            raise ValueError("each version has its own file of rows")
        return self


@dataclass(frozen=True, slots=True)
class _Role:
    """What the sorting of claims needs of one table: how many rows it takes, its results, the facts it may not ask."""

    table_id: str
    outputs: Mapping[str, Kind]
    collects: bool = False
    sorted_facts: bool = False


ROLES = (
    _Role(SEGMENT_TABLE, {"segment": Kind.code}),
    _Role(LANE_TABLE, {"lane": Kind.code}),
    _Role(FLAG_TABLE, {"refers": Kind.flag, "weight": Kind.count}, collects=True),
    _Role(DECIDE_TABLE, {"refer": Kind.flag, "desk": Kind.code}, sorted_facts=True),
)


def spec_of(fact: str, kind: Kind) -> FactSpec | None:
    """What is known of a fact; one the claim states itself is whatever the table takes it for."""
    if fact.startswith(STATED) and len(fact) > len(STATED):
        return FactSpec(kind if kind in _STATED_KINDS else Kind.flag, "as the claim states it")
    return FACTS.get(fact)


def load_tables(folder: Path = TABLES_FOLDER, duplicates_file: Path = DUPLICATES_FILE) -> TriageTables:
    """The four tables of a folder, each named by its id, and the duplicate rules; RuleFileError says what is wrong."""
    loaded = {role.table_id: load_table(folder / f"{role.table_id}.yaml") for role in ROLES}
    for role in ROLES:
        _demand_role(folder / f"{role.table_id}.yaml", loaded[role.table_id], role)
    _demand_same_codes(folder, loaded)
    return TriageTables(
        segment=loaded[SEGMENT_TABLE],
        lane=loaded[LANE_TABLE],
        flags=loaded[FLAG_TABLE],
        decide=loaded[DECIDE_TABLE],
        duplicates=load_duplicates(duplicates_file),
        stated=MappingProxyType(_stated(folder, loaded)),
    )


def load_table(file: Path) -> DecisionTable:
    """One table with all its versions, checked for gaps, overlaps and idle rows."""
    read = read_yaml(file, _TableFile)
    if file.stem != read.id:
        raise RuleFileError(file, "id", "the file is named as its table")
    return DecisionTable(read.id, tuple(_version(file.parent / one.rows, one) for one in read.versions))


def _version(file: Path, read: _VersionFile) -> TableVersion:
    inputs = [_input(one) for one in read.inputs]
    outputs = [Output(one.name, one.kind, one.values or ()) for one in read.outputs]
    heading = [ROW, *(one.name for one in inputs), *(one.name for one in outputs), REASON, NOTE]
    rows = [
        _row(file, number, dict(zip(heading, cells, strict=True)), inputs, outputs)
        for number, cells in enumerate(_cells(file, heading), start=1)
    ]
    ids = [row.row_id for row in rows]
    for number, row_id in enumerate(ids, start=1):
        if row_id in ids[: number - 1]:
            raise RuleFileError(file, f"row {number}, {ROW}", "another row has this name")
    table = TableVersion(read.version, read.effective_from, read.hit, inputs, outputs, rows)
    flaw = next(table_flaws(table), None)
    if flaw is not None:
        raise RuleFileError(file, "" if flaw.row is None else f"row {flaw.row}, {flaw.field}", flaw.rule)
    return table


def _input(read: _InputFile) -> Input:
    fact = read.fact or read.name
    spec = spec_of(fact, read.kind)
    if spec is None:
        raise ValueError("the fact was checked when the file was read")
    return Input(
        name=read.name,
        fact=fact,
        kind=read.kind,
        values=read.values or spec.values,
        closed=bool(spec.values),
        can_be_unknown=not spec.never_unknown,
        currency=read.currency,
    )


def _cells(file: Path, heading: list[str]) -> list[list[str]]:
    """The rows below the heading, each with as many cells; empty lines are left out."""
    try:
        # A spreadsheet may put a mark before the first letter.
        text = file_text(file, "utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if any(line)]
    except csv.Error:
        raise RuleFileError(file, "", "is not comma-separated text") from None
    if not lines or [name.strip() for name in lines[0]] != heading:
        raise RuleFileError(file, "heading", f"must be {','.join(heading)}")
    if len(lines) == 1 or len(lines) > ROWS_MAX + 1:
        raise RuleFileError(file, "", f"must have 1 to {ROWS_MAX} rows")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(heading):
            raise RuleFileError(file, f"row {number}", f"must have {len(heading)} cells, as the heading has")
    return lines[1:]


def _row(file: Path, number: int, cells: Mapping[str, str], inputs: list[Input], outputs: list[Output]) -> Row:
    field = ROW
    try:
        row_id = _code(cells[ROW])
        conditions = []
        for column in inputs:
            field = column.name
            conditions.append(read_cell(cells[field], column))
        results: dict[str, Value] = {}
        for output in outputs:
            field = output.name
            results[field] = _result(cells[field], output)
        field = REASON
        reason = None if cells[REASON].strip() in ("", ANY) else _code(cells[REASON])
        field = NOTE
        if len(cells[NOTE]) > NOTE_CHARACTERS_MAX:
            raise CellError(f"is longer than {NOTE_CHARACTERS_MAX} characters")
    except CellError as error:
        raise RuleFileError(file, f"row {number}, {field}", str(error)) from None
    return Row(row_id, tuple(conditions), MappingProxyType(results), reason, cells[NOTE].strip())


def _code(text: str) -> str:
    cell = read_cell(text, Input("", "", Kind.code))
    return _only(cell.values)


def _only(values: frozenset[bool | str]) -> str:
    if len(values) != 1:
        raise CellError("must be one code")
    return str(next(iter(values)))


def _result(text: str, output: Output) -> Value:
    """One value, never a condition."""
    cell = read_cell(text, Input(output.name, output.name, output.kind, output.values, can_be_unknown=False))
    if output.kind in NUMBERS:
        match cell.intervals:
            case (Interval(low, True, high, True),) if low is not None and low == high:
                if output.kind is Kind.count and low < 0:
                    raise CellError("must not be negative")
                return low
        raise CellError("must be one number")
    if len(cell.values) != 1:
        raise CellError("must be one value")
    return next(iter(cell.values))


def _demand_role(file: Path, table: DecisionTable, role: _Role) -> None:
    for number, version in enumerate(table.versions, start=1):
        place = f"versions row {number}"
        if (version.hit is HitPolicy.collect) != role.collects:
            raise RuleFileError(
                file, f"{place}, hit", "must be collect" if role.collects else "must be first or unique"
            )
        if {output.name: output.kind for output in version.outputs} != role.outputs:
            wanted = ", ".join(f"{name} ({kind.value})" for name, kind in role.outputs.items())
            raise RuleFileError(file, f"{place}, outputs", f"must be {wanted}")
        for column in version.inputs:
            if column.fact in SORTED_FACTS and not role.sorted_facts:
                raise RuleFileError(file, f"{place}, inputs", f"only {DECIDE_TABLE} knows the fact {column.fact}")
        if role.collects or role.sorted_facts:
            _demand_reasons(file, place, version, role)


def _demand_reasons(file: Path, place: str, version: TableVersion, role: _Role) -> None:
    """A flag is told by its reason; a referral by one of the reasons that referrals have."""
    known = {reason.value for reason in ReferralReason}
    for number, row in enumerate(version.rows, start=1):
        field = f"{place}, rows row {number}, {REASON}"
        if role.collects and row.reason is None:
            raise RuleFileError(file, field, "a flag needs a reason code")
        if role.sorted_facts and row.outputs["refer"] is True and row.reason not in known:
            raise RuleFileError(file, field, f"a referral has one of the reasons {', '.join(sorted(known))}")


def _demand_same_codes(folder: Path, loaded: Mapping[str, DecisionTable]) -> None:
    """What one table writes is what the next one asks: a segment nobody asks for would be passed over."""
    for fact, source in (("segment", SEGMENT_TABLE), ("lane", LANE_TABLE)):
        written = {
            code
            for version in loaded[source].versions
            for one in version.outputs
            if one.name == fact
            for code in one.values
        }
        for number, version in enumerate(loaded[DECIDE_TABLE].versions, start=1):
            for column in version.inputs:
                named = set(column.values) | {
                    code for row in version.rows for code in row.cells[version.inputs.index(column)].codes
                }
                if column.fact == fact and not named <= written:
                    place = f"versions row {number}, inputs, {column.name}"
                    raise RuleFileError(
                        folder / f"{DECIDE_TABLE}.yaml", place, f"names a {fact} that {source} never gives"
                    )


def _stated(folder: Path, loaded: Mapping[str, DecisionTable]) -> dict[str, Kind]:
    """The kind of every fact that claims state; all tables take one fact for the same kind of thing."""
    found: dict[str, Kind] = {}
    for table_id, table in loaded.items():
        for column in (column for version in table.versions for column in version.inputs):
            if (
                column.fact.startswith(STATED)
                and found.setdefault(column.fact.removeprefix(STATED), column.kind) is not column.kind
            ):
                rule = f"the fact {column.fact} is of another kind elsewhere"
                raise RuleFileError(folder / f"{table_id}.yaml", "inputs", rule)
    return found
