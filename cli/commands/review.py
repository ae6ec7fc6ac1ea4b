"""claimflow review: a person answers the referral a claim waits with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.calling import Key, Person, Reason, Url
from cli.output import Json, note, print_json


class Verdict(StrEnum):
    approve = "approve"
    approve_amount = "approve_amount"
    deny = "deny"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review")(review)


def review(
    claim: Annotated[str, typer.Argument(help="The claim's id or reference.")],
    verdict: Annotated[Verdict, typer.Argument(help="What the person decides.")],
    person: Person,
    amount: Annotated[str, typer.Option("--amount", help="For approve_amount, as 1234.50.")] = "",
    reason: Reason = "",
    clause: Annotated[str, typer.Option("--clause", help="For deny: the clause it rests on.")] = "",
    fact: Annotated[str, typer.Option("--fact", help="For deny: the fact it rests on.")] = "",
    referral: Annotated[str, typer.Option("--referral", help="The referral's event id; else the open one.")] = "",
    key: Key = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Approve a referred claim, approve another amount, or deny it."""
    from cli.calling import get, post, segment
    from hosting.exits import Exit
    from local.errors import LocalError

    found: dict[str, Any] = get("ops", url, f"/v1/claims/{segment(claim)}")
    referral = referral or found.get("referral_event_id", "")
    if not referral:
        raise LocalError(f"the claim waits for nobody: it is {found['state']}", "claimflow trace shows why", Exit.usage)
    said: dict[str, Any] = {"referral_event_id": referral, "verdict": verdict.value}
    if amount:
        said["amount"] = {"amount": amount, "currency": found.get("currency", "USD")}
    said |= {name: text for name, text in (("reason", reason), ("clause_id", clause), ("fact", fact)) if text}
    answer = post("ops", url, f"/v1/claims/{found['claim_id']}/reviews", said, person, key)
    if json:
        print_json(answer)
    else:
        note(f"{found['reference']}: {verdict.value} recorded as {answer['event_id']}")
