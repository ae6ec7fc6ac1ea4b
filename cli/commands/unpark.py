"""claimflow unpark: a stage tries a parked claim again now."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.calling import Key, Person, Reason, Url
from cli.output import Json, note, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unpark")(unpark)


def unpark(
    stage: Annotated[str, typer.Argument(help="The stage in which the claim is parked.")],
    claim: Annotated[str, typer.Argument(help="The claim's id or reference.")],
    person: Person,
    reason: Reason,
    key: Key = "",
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the outcome.")] = 10.0,
    url: Url = "",
    json: Json = False,
) -> None:
    """Try a parked claim again now, instead of at its time."""
    from cli.calling import order
    from cli.commands.dlq import outcome_of
    from schemas.ids import ClaimId

    try:
        claim_id = str(ClaimId(claim.strip().lower()))
    except ValueError:
        from cli.calling import get, segment

        claim_id = get("ops", url, f"/v1/claims/{segment(claim)}")["claim_id"]
    body = {"order": "unpark", "stage": stage, "reason": reason, "claim_id": claim_id}
    given = order(url, body, person, key, wait)
    if json:
        print_json(given)
    else:
        note(f"unpark of {claim_id} in {stage}: {outcome_of(given)}")
