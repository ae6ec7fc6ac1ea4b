"""claimflow down: stops the system that runs over this folder, cleanly and in reverse order."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import note


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("down")(down)


def down(quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False) -> None:
    """Stop everything that claimflow up started here; done already counts as done."""
    import os

    from local.detaching import stop_running
    from local.home import Home

    stopped = stop_running(Home.of(os.environ))
    if not quiet:
        note("claimflow is down" if stopped else "claimflow was not up here")
