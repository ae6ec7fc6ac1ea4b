"""claimflow resume: a paused stage goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.calling import Key, Person, Reason, Url
from cli.output import Json, note, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("resume")(resume)


def resume(
    stage: Annotated[str, typer.Argument(help="assessment, payment, notify, ops-views ...")],
    person: Person,
    reason: Reason = "resumed",
    key: Key = "",
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the stage's word.")] = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Let a paused stage go on."""
    from cli.calling import order

    given = order(url, {"order": "resume-stage", "stage": stage, "reason": reason}, person, key, wait)
    if json:
        print_json(given)
    else:
        note(f"{stage} {'goes on' if 'outcome' in given else 'is ordered to go on and has not said so yet'}")
