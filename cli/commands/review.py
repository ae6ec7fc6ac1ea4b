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
    ask_documents = "ask_documents"
    duplicate = "duplicate"


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
    document: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", help="For ask_documents, once for each paper: KIND, or KIND@LINE_ID."),
    ] = None,
    referral: Annotated[str, typer.Option("--referral", help="The referral's event id; else the open one.")] = "",
    key: Key = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Answer a referral: approve, approve another amount, deny, ask for papers, or call the claim a duplicate."""
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
    if document:
        said["documents"] = [_paper(text) for text in document]
    answer = post("ops", url, f"/v1/claims/{found['claim_id']}/reviews", said, person, key)
    if json:
        print_json(answer)
    else:
        note(f"{found['reference']}: {verdict.value} recorded as {answer['event_id']}")


def _paper(text: str) -> dict[str, str]:
    """KIND or KIND@LINE_ID: neither may hold an @."""
    kind, at, line_id = text.partition("@")
    return {"kind": kind, "line_id": line_id} if at else {"kind": kind}
