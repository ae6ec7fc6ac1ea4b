"""claimflow lag: how far each stage is behind, and what stands still."""

from __future__ import annotations

from typing import Any

import typer

from cli.calling import Url
from cli.output import Json, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lag")(lag)


def lag(url: Url = "", json: Json = False) -> None:
    """Show backlog, age of the oldest waiting record, pauses and parked claims of every stage."""
    from cli.calling import get

    found: dict[str, Any] = get("ops", url, "/v1/stages")
    if json:
        print_json(found)
        return
    rows = [
        (
            stage["stage"],
            "paused" if stage["paused"] else "waiting" if stage["backlog"] else "even",
            str(stage["backlog"]),
            _age(stage.get("oldest_waiting_seconds"), stage["backlog"]),
            str(stage["parked"]),
            ",".join(stage["instances"]) or "-",
            _pause(stage.get("pause")),
        )
        for stage in found["stages"]
    ]
    print_table(("stage", "state", "backlog", "oldest", "parked", "instances", "pause"), rows)


def _age(seconds: int | None, backlog: int) -> str:
    if seconds is None:
        return "unknown" if backlog else "-"
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _pause(pause: dict[str, Any] | None) -> str:
    if pause is None:
        return "-"
    until = f" until {pause['until']}" if "until" in pause else ""
    return f"by {pause.get('author', '?')}: {pause.get('reason', '')}{until}"
