"""claimflow pause: a stage takes nothing in until it is resumed, or until an end named here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.calling import Key, Person, Reason, Url
from cli.output import Json, note, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pause")(pause)


def pause(
    stage: Annotated[str, typer.Argument(help="assessment, payment, notify, ops-views ...")],
    person: Person,
    reason: Reason,
    minutes: Annotated[
        int, typer.Option("--minutes", min=0, max=60 * 24 * 30, help="Resume by itself then; 0: not.")
    ] = 0,
    key: Key = "",
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the stage's word.")] = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Pause a stage. Its records wait, nothing is lost."""
    from cli.calling import order

    body: dict[str, Any] = {"order": "pause-stage", "stage": stage, "reason": reason}
    if minutes:
        body["until"] = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="seconds")
    given = order(url, body, person, key, wait)
    if json:
        print_json(given)
    else:
        note(f"{stage} {'is paused' if 'outcome' in given else 'is ordered to pause and has not said so yet'}")
