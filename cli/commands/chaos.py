"""claimflow chaos: kills broker and services under a running replay, then proves that nothing was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import Json, note, print_json, print_table

_KILLS = typer.Option("--kills", min=0, max=1000, help="How many services are killed, each in its turn.")
_BROKER = typer.Option("--broker-kills", min=0, max=1000, help="How often the broker is killed.")
_DATABASE = typer.Option("--database-kills", min=0, max=1000, help="How often the database is killed.")
_CLAIMS = typer.Option("--claims", min=1, max=100_000, help="Claims carried meanwhile, the shipped ones over and over.")
_SEED = typer.Option("--seed", help="The order of the kills and the pauses between them.")
_REPORT = typer.Option("--report", metavar="OUT.json", help="Write the report to this file.")

_SHOWN = (
    "engine seed claims acknowledged lost duplicate_payments second_copies_of_events mail_repeats repeated_requests "
    "longest_silence_s seconds verify"
).split()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chaos")(chaos)


def chaos(
    kills: Annotated[int, _KILLS] = 20,
    broker_kills: Annotated[int, _BROKER] = 20,
    database_kills: Annotated[int, _DATABASE] = 0,
    claims: Annotated[int, _CLAIMS] = 4_000,
    seed: Annotated[int, _SEED] = 1,
    report: Annotated[Path | None, _REPORT] = None,
    json: Json = False,
) -> None:
    """Kill everything again and again with SIGKILL while claims pass; exit 1 if one was lost or paid twice."""
    import asyncio
    import os

    from cli.replaying import bars, show_verdict, write_report
    from local.chaos import Plan, storm
    from local.home import ROOT, Home
    from local.replay.nfip import read_rows
    from local.running import require

    running = require(Home.of(os.environ))
    rows = _as_many(list(read_rows(ROOT / "data" / "nfip_claims_2000.csv.gz")), claims)
    plan = Plan(kills, broker_kills, database_kills, seed)
    with bars(len(rows)) as shown:
        found = asyncio.run(storm(running, rows, plan, shown, note))
    told = found.as_json()
    if report is not None:
        write_report(told, report)
    if json:
        print_json(told)
    else:
        _show(told)
        assert found.verdict is not None
        show_verdict(found.verdict)
    if told["lost"] or told["violations"] or told["acknowledged"] != told["claims"]:
        note("something is wrong: claimflow verify names it")
        raise typer.Exit(1)


def _as_many(rows: list[Any], wanted: int) -> list[dict[str, str]]:
    """The rows over and over, each time under ids of their own, until there are as many as wanted."""
    return [
        {**rows[number % len(rows)], "id": f"{rows[number % len(rows)]['id']}-{number // len(rows)}"}
        for number in range(wanted)
    ]


def _show(told: dict[str, Any]) -> None:
    print_table(("", ""), [(name, str(told[name])) for name in _SHOWN], title="Chaos")
    rows = [
        (name, str(count), str(told["restarts"].get(name, count)), str(told["longest_recovery_s"][name]))
        for name, count in sorted(told["kills"].items())
    ]
    print_table(("killed", "times", "restarts", "longest until ready, s"), rows)
