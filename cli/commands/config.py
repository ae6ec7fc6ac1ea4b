"""claimflow config: every setting with its value and where it comes from."""

from __future__ import annotations

import typer

from cli.output import Json, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at the settings.", no_args_is_help=True)
    group.command("show")(show)
    group.callback()(lambda: None)
    app.add_typer(group, name="config")


def show(json: Json = False) -> None:
    """List every setting: its variable, its value here, its origin. Secrets are hidden."""
    import os
    from dataclasses import asdict

    from local.configuration import show as settings

    rows = settings(os.environ)
    if json:
        print_json([asdict(row) for row in rows])
    else:
        print_table(("variable", "value", "origin"), ((row.variable, row.value, row.origin) for row in rows))
