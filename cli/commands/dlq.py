"""claimflow dlq: what stages could not take, and having it taken up again or given up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.calling import Key, Person, Reason, Url
from cli.output import Json, note, print_json, print_table

Stage = Annotated[str, typer.Option("--stage", help="Only of this stage.")]
Letter = Annotated[str, typer.Argument(help="The dead letter's id, as `claimflow dlq list` shows it.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the outcome.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at dead letters, take them up again, give them up.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("redrive")(redrive)
    group.command("skip")(skip)
    app.add_typer(group, name="dlq")
    app.command("skip")(skip_event)


def list_letters(
    stage: Stage = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 100,
    url: Url = "",
    json: Json = False,
) -> None:
    """List dead letters, newest first."""
    from cli.calling import get

    found: dict[str, Any] = get("ops", url, "/v1/dead-letters", stage=stage or None, limit=limit)
    if json:
        print_json(found)
        return
    rows = [
        (
            one["dead_letter_id"],
            one["stage"],
            one.get("code", "?"),
            one.get("claim_id", "-"),
            one.get("source", "?"),
            one.get("last_failure", one["appended_at"]),
        )
        for one in found["dead_letters"]
    ]
    print_table(("dead letter", "stage", "code", "claim", "source", "last failure"), rows)
    if found["fallen_off"]:
        note(f"{found['fallen_off']} older ones are not kept by ops; their stages still hold them")


def show(dead_letter: Letter, url: Url = "") -> None:
    """Print one dead letter as JSON, with the original bytes in base64."""
    print_json(_letter(url, dead_letter))


def redrive(
    dead_letter: Letter,
    person: Person,
    reason: Reason,
    key: Key = "",
    wait: Wait = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Have a dead letter taken up again, as it was, by the stage that rejected it."""
    _order("redrive", dead_letter, person, reason, key, wait, url, json)


def skip(
    dead_letter: Letter,
    person: Person,
    reason: Reason,
    key: Key = "",
    wait: Wait = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Give a dead letter up: the claim's later events go on without it."""
    _order("skip", dead_letter, person, reason, key, wait, url, json)


def skip_event(
    stage: Annotated[str, typer.Argument(help="The stage that waits for the event.")],
    claim: Annotated[str, typer.Argument(help="The claim's id.")],
    writer: Annotated[str, typer.Argument(help="Whose event is missing.")],
    sequence: Annotated[int, typer.Argument(min=1, help="Its number among that writer's events of the claim.")],
    person: Person,
    reason: Reason,
    key: Key = "",
    wait: Wait = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Accept that an event of a claim is missing for good: a stage goes on without it."""
    from cli.calling import order

    body = {
        "order": "skip",
        "stage": stage,
        "reason": reason,
        "claim_id": claim,
        "writer": writer,
        "sequence": sequence,
    }
    _tell("skip", claim, order(url, body, person, key, wait), json)


def outcome_of(given: dict[str, Any]) -> str:
    """What came of an order, in words."""
    outcome = given.get("outcome")
    if outcome is None:
        return f"ordered as {given['command_id']}; the stage has not told the outcome yet"
    return str(outcome.get("detail") or outcome["state"])


def _order(kind: str, dead_letter: str, person: str, reason: str, key: str, wait: float, url: str, json: bool) -> None:
    from cli.calling import order

    stage = _letter(url, dead_letter)["stage"]
    body = {"order": kind, "stage": stage, "reason": reason, "dead_letter_id": dead_letter}
    _tell(kind, dead_letter, order(url, body, person, key, wait), json)


def _letter(url: str, dead_letter: str) -> dict[str, Any]:
    from cli.calling import get, segment

    found: dict[str, Any] = get("ops", url, f"/v1/dead-letters/{segment(dead_letter)}")
    return found


def _tell(kind: str, what: str, given: dict[str, Any], json: bool) -> None:
    if json:
        print_json(given)
    else:
        note(f"{kind} of {what}: {outcome_of(given)}")
    if given.get("outcome", {}).get("state") == "refused":
        from hosting.exits import Exit

        raise typer.Exit(int(Exit.internal))
