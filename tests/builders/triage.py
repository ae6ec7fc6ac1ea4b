"""Decision tables and what they look at, for tests: one column or many, claims and their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from schemas.money import Money
from services.assessment.domain.around import Neighbour
from services.assessment.domain.decision_cells import Input, Kind, Value, read_cell
from services.assessment.domain.decision_table import HitPolicy, Output, Row, TableVersion
from services.assessment.domain.duplicates import DuplicateRules, Nearness
from tests.builders.events import a_claim_id

LOSS_AT = datetime(2012, 10, 29, 16, tzinfo=UTC)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def a_column(name: str = "peril", kind: Kind = Kind.code, **changes: Any) -> Input:
    fields: dict[str, Any] = {"name": name, "fact": name, "kind": kind}
    if kind is Kind.money:
        fields["currency"] = "USD"
    return Input(**fields | changes)


def a_table(
    columns: Sequence[Input],
    rows: Sequence[Sequence[str]],
    hit: HitPolicy = HitPolicy.first,
    outputs: Sequence[Mapping[str, Value]] | None = None,
) -> TableVersion:
    """One row per list of cell texts; the result of row 1 is `way` r1, of row 2 r2, and so on."""
    read = []
    for number, texts in enumerate(rows, start=1):
        cells = tuple(read_cell(text, column) for text, column in zip(texts, columns, strict=True))
        result = {"way": f"r{number}"} if outputs is None else outputs[number - 1]
        read.append(Row(f"r{number}", cells, result))
    names = tuple(f"r{number}" for number in range(1, len(rows) + 1))
    return TableVersion("2026-01", BEGINNING, hit, columns, [Output("way", Kind.code, names)], read)


def a_neighbour(number: int = 2, **changes: Any) -> Neighbour:
    """A claim as its neighbours see it; the same number gives the same claim."""
    fields: dict[str, Any] = {
        "claim_id": a_claim_id(number),
        "loss_at": LOSS_AT,
        "peril": "flood",
        "place": "US:10001",
        "asked": Money.of_text("1000.00", "USD"),
        "open_or_paid": True,
    }
    return Neighbour(**fields | changes)


def some_duplicate_rules(**changes: Any) -> DuplicateRules:
    fields: dict[str, Any] = {
        "line": "any",
        "threshold": Fraction("0.7"),
        "same_policy": Fraction("0.25"),
        "loss_within": (Nearness(24, Fraction("0.35")), Nearness(72, Fraction("0.2"))),
        "same_peril": Fraction("0.15"),
        "same_place": Fraction("0.15"),
        "same_amount": Fraction("0.1"),
        "amount_within": Fraction("0.02"),
    }
    return DuplicateRules(**fields | changes)
