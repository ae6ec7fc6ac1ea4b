"""What commands share in talking to people and programs: --json, colours only on a terminal, one shape of tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(content: Any) -> None:
    """The content as JSON with sorted keys on standard output."""
    print(json.dumps(content, indent=2, sort_keys=True, default=str))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table for a terminal, plain columns in a pipe."""
    rows = [list(row) for row in rows]
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*headings, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


def note(line: str) -> None:
    """One line of progress on standard error, so that standard output stays what was asked for."""
    print(line, file=sys.stderr, flush=True)
