"""docs/terms.md: its table of operations, made from the vocabulary itself; the rest of the page is written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from pathlib import Path

from schemas.terms import Operation
from services.assessment.domain.vocabulary import OPERATIONS

TERMS_PAGE = Path(__file__).parent.parent / "docs" / "terms.md"
BEGINS = "<!-- The table is written by `claimflow schemas write` from the vocabulary. -->\n"
ENDS = "<!-- end of the table -->\n"


def terms_page() -> str:
    """The page with the table as it must be."""
    page = TERMS_PAGE.read_text("utf-8") if TERMS_PAGE.is_file() else BEGINS + ENDS
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n{vocabulary_table()}\n\n{ENDS}{after}"


def vocabulary_table() -> str:
    """One row an operation: what it does by its own description, the fields it takes, the terms it needs."""
    rows = ["| Operation | What it does | Fields (needed ones bold) | Terms it needs |", "| --- | --- | --- | --- |"]
    for name, spec in OPERATIONS.items():
        said = " ".join(inspect.cleandoc(spec.run.__doc__ or "").split()).replace("|", r"\|")
        rows.append(f"| `{name}` | {said} | {_fields(spec.takes, spec.needs)} | {_terms(spec.terms)} |")
    return "\n".join(rows)


def _fields(takes: Collection[str], needs: Collection[str]) -> str:
    named = [name for name in Operation.model_fields if name in takes]
    return ", ".join(f"**{name}**" if name in needs else name for name in named)


def _terms(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
