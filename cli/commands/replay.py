"""claimflow replay: carries published claims of a flood programme through the running system and compares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, note, print_json

_FILE = typer.Argument(help="CSV as the programme publishes it, gzipped or not.")
_LIMIT = typer.Option("--limit", min=1, help="Only the first N rows.")
_REPORT = typer.Option("--report", metavar="OUT.json", help="Write the report to this file.")
_RATE = typer.Option("--rate", min=1.0, help="Send so many claims a second instead of as fast as they are taken.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Carry published claims through the running system.", no_args_is_help=True)
    group.callback()(_group)
    group.command("nfip")(nfip)
    app.add_typer(group, name="replay")


def _group() -> None:
    """Carry published claims through the running system."""


def nfip(
    file: Annotated[Path, _FILE],
    limit: Annotated[int | None, _LIMIT] = None,
    report: Annotated[Path | None, _REPORT] = None,
    rate: Annotated[float | None, _RATE] = None,
    json: Json = False,
) -> None:
    """Claims of the US National Flood Insurance Program; a policy is made for each."""
    import os

    from local.home import Home
    from local.running import require

    found = run(require(Home.of(os.environ)), file, limit, rate)
    finish(found, report, json)


def run(running: object, file: Path, limit: int | None = None, rate: float | None = None) -> dict[str, object]:
    """One replay with its bars; the report."""
    import asyncio

    from cli.replaying import bars
    from hosting.exits import CannotStartError, Exit
    from local.replay.carrying import Wish, carry
    from local.replay.nfip import FileRefusedError, read_rows
    from local.replay.report import report_of
    from local.running import Running

    assert isinstance(running, Running)
    try:
        rows = list(read_rows(file, limit))
    except FileRefusedError as refused:
        raise CannotStartError(str(refused), Exit.usage) from None
    if not rows:
        raise CannotStartError(f"{file.name} holds no claims", Exit.usage)
    with bars(len(rows)) as shown:
        return report_of(asyncio.run(carry(running, Wish(rows, rate), shown)))


def finish(found: dict[str, object], report: Path | None, json: bool) -> None:
    """Show and write the report; exit 1 if something was lost, paid twice or does not balance."""
    from cli.replaying import is_good, show_report, write_report

    if report is not None:
        write_report(found, report)
    if json:
        print_json(found)
    else:
        show_report(found)
    if not is_good(found):
        note("something is wrong: claimflow verify names it")
        raise typer.Exit(1)
