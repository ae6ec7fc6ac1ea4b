"""claimflow withdraw: says that a claim is no longer wanted."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.calling import Key, Url
from cli.output import Json, note, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("withdraw")(withdraw)


def withdraw(
    claim: Annotated[str, typer.Argument(help="The claim's id or reference.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, as a code: changed-mind.")] = "",
    key: Key = "",
    client: Annotated[str, typer.Option("--client", help="Whose key this is.")] = "default",
    url: Url = "",
    json: Json = False,
) -> None:
    """Withdraw a claim. Recorded once; whether it is still possible shows in its state."""
    from uuid import uuid4

    from cli.calling import post, segment

    body = {"reason": reason} if reason else {}
    path = f"/v1/claims/{segment(claim)}:withdraw"
    answer: dict[str, Any] = post("intake", url, path, body, key=key or str(uuid4()), client=client)
    if json:
        print_json(answer)
    else:
        note(f"{answer['reference']}: withdrawn at {answer['withdrawn_at']}  {answer['status_url']}")
