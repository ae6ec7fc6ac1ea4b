"""claimflow doctor: says what this machine has and lacks, before anything is started."""

from __future__ import annotations

import typer

from cli.output import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(json: Json = False) -> None:
    """Check everything that claimflow up needs here; exit code 69 when something is missing."""
    import os
    from dataclasses import asdict

    from hosting.exits import Exit
    from local.doctor import examine

    findings = examine(os.environ)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = typer.style("ok  ", fg="green") if finding.ok else typer.style("LACK", fg="red", bold=True)
            typer.echo(f"{mark} {finding.name:<9} {finding.saw}")
            if finding.hint:
                typer.echo(f"               {finding.hint}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(Exit.unavailable)
