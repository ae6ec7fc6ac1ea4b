"""docs/terms.md: its tables of operations and of forms, made from these themselves; the rest is written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from pathlib import Path

from schemas.terms import Operation
from services.assessment.adapters.policy_terms import FormVersion, load_terms
from services.assessment.domain.vocabulary import OPERATIONS

TERMS_PAGE = Path(__file__).parent.parent / "docs" / "terms.md"
BEGINS = "<!-- The table is written by `claimflow schemas write` from the vocabulary. -->\n"
FORMS_BEGIN = "<!-- The table is written by `claimflow schemas write` from the files of the forms. -->\n"
ENDS = "<!-- end of the table -->\n"


def terms_page() -> str:
    """The page with its tables as they must be."""
    page = TERMS_PAGE.read_text("utf-8") if TERMS_PAGE.is_file() else FORMS_BEGIN + ENDS + BEGINS + ENDS
    for begins, table in ((FORMS_BEGIN, forms_table()), (BEGINS, vocabulary_table())):
        before, _, rest = page.partition(begins)
        _, _, after = rest.partition(ENDS)
        page = f"{before}{begins}\n{table}\n\n{ENDS}{after}"
    return page


def forms_table() -> str:
    """One row a form: its versions, and the coverages of the newest with the facts they ask for."""
    rows = ["| Form | Versions | Coverages of the newest | Facts they ask for |", "| --- | --- | --- | --- |"]
    for name, versions in load_terms().forms.items():
        newest = versions[-1]
        held = ", ".join(one.version for one in versions)
        rows.append(f"| `{name}` | {held} | {_terms(newest.coverages, in_order=True)} | {_terms(_facts(newest))} |")
    return "\n".join(rows)


def _facts(version: FormVersion) -> set[str]:
    return {name for coverage in version.coverages.values() for name in coverage.facts or ()}


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


def _terms(names: Collection[str], in_order: bool = False) -> str:
    return ", ".join(f"`{name}`" for name in (names if in_order else sorted(names)))
