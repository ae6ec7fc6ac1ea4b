"""claimflow demo: starts everything, carries 2,000 real claims through it, and shows what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, note

_STOP = typer.Option("--stop", help="Stop what was started when the claims are through, also on a terminal.")
_REPORT = typer.Option("--report", metavar="OUT.json", help="Write the report to this file.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    stop: Annotated[bool, _STOP] = False, report: Annotated[Path | None, _REPORT] = None, json: Json = False
) -> None:
    """Start the system, carry 2,000 real flood claims through it, and show the outcome."""
    import os
    import sys

    from cli.commands.replay import finish, run
    from local import running
    from local.detaching import start_detached, stop_running
    from local.home import ROOT, Home

    home = Home.of(os.environ)
    found = running.find(home)
    mine = found is None
    if found is None:
        note("starting broker, database, simulators and services ...")
        found = start_detached(home)
    stays = mine and not stop and sys.stdout.isatty()
    try:
        outcome = run(found, ROOT / "data" / "nfip_claims_2000.csv.gz")
        finish(outcome, report, json)
        if not json:
            _show_around(found, str(outcome["example_claim"]))
        if stays:
            _wait()
    finally:
        if mine:
            note("stopping what was started ...")
            stop_running(home)


def _show_around(found: object, claim_id: str) -> None:
    from local.running import Running, addresses

    assert isinstance(found, Running)
    print()
    for name, address in addresses(found).items():
        print(f"{name:<14} {address}")
    print()
    print(f"one claim        {found.url('ops')}/v1/claims/{claim_id}")
    print(f"its story        ./claimflow trace {claim_id}")
    print(f"the mails        {found.url('mail')}")


def _wait() -> None:
    import signal

    note("everything stays up until Ctrl-C")
    try:
        signal.pause()
    except KeyboardInterrupt:
        note("")
