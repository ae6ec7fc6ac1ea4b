"""claimflow rules: past claims decided once more under draft rules, and what is needed to do that elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_json

if TYPE_CHECKING:
    from cli.rehearsing import Counter
    from local.rehearsing.recorded import FromLog

LOG = "log"

_DRAFT = typer.Option("--draft", metavar="DIR", help="Folder as services/assessment, with the files that change.")
_CLAIMS = typer.Option("--claims", metavar="SOURCE", help="`log`: the running system's; else a file of `rules export`.")
_FROM = typer.Option("--from", metavar="WHEN", help="Only claims reported from this day or instant on.")
_TO = typer.Option("--to", metavar="WHEN", help="Only claims reported before this day or instant.")
_AS_OF = typer.Option("--as-of", metavar="WHEN", help="Decide all by the draft's versions of this day or instant.")
_LIMIT = typer.Option("--limit", min=1, max=1_000_000, help="Only the first N claims.")
_JSON = typer.Option("--json", metavar="OUT", help="Write every claim that differs to this file; - prints it instead.")
_OUT = typer.Argument(metavar="OUT.ndjson", help="A new file; compressed if it ends in .gz.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Rehearse a change of rules on past claims.", no_args_is_help=True)
    group.command("replay")(replay)
    group.command("export")(export)
    app.add_typer(group, name="rules")


def replay(
    draft: Annotated[Path, _DRAFT],
    claims: Annotated[str, _CLAIMS] = LOG,
    starts: Annotated[str, _FROM] = "",
    ends: Annotated[str, _TO] = "",
    as_of: Annotated[str, _AS_OF] = "",
    limit: Annotated[int | None, _LIMIT] = None,
    json: Annotated[str, _JSON] = "",
) -> None:
    """Decide past claims again under draft rules and show who would get what instead. Touches nothing."""
    import os

    from cli.rehearsing import counting, show, write
    from local.rehearsing.recorded import read_file
    from local.rehearsing.rehearse import draft_of, instant_of, rehearse
    from local.rehearsing.result import result_of
    from services.assessment.domain.rehearsal import Window

    window = Window(
        starts=instant_of(starts, "--from") if starts else None,
        ends=instant_of(ends, "--to") if ends else None,
        limit=limit,
    )
    drafted = draft_of(draft, os.environ, instant_of(as_of, "--as-of") if as_of else None)
    with counting() as counter:
        if claims == LOG:
            read = _read_log(counter)
            raws = read.in_order()
            told = counter.of("events decided again", len(raws))
            done = rehearse(drafted, window, raws, told, read.pass_over)
            _say_unreadable(read)
        else:
            raws_of_file = read_file(Path(claims), counter.of("events read"))
            done = rehearse(drafted, window, raws_of_file)
    found = list(done.results())
    result = result_of(found, done.uncompared())
    if json == "-":
        print_json(result)
        return
    if json:
        write(result, Path(json))
    show(result, found)


def export(out: Annotated[Path, _OUT]) -> None:
    """Write what the log holds of claims to a file, without the parties, for a rehearsal elsewhere."""
    from cli.rehearsing import counting
    from local.rehearsing.recorded import write_file

    with counting() as counter:
        read = _read_log(counter)
        raws = read.in_order()
        write_file(out, raws, counter.of("events written", len(raws)))
    _say_unreadable(read)
    note(f"{len(raws)} events in {out}")


def _read_log(counter: Counter) -> FromLog:
    import asyncio
    import os

    from local.home import Home
    from local.rehearsing.rehearse import from_running
    from local.running import require

    return asyncio.run(from_running(require(Home.of(os.environ)), counter.of("records read")))


def _say_unreadable(read: FromLog) -> None:
    if read.unreadable:
        note(f"{read.unreadable} records are no events of ours and were passed over; see claimflow dlq list")
