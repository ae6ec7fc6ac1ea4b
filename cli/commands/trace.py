"""claimflow trace: one claim across all topics, found by any id it has."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Any

import typer

from cli.calling import Url
from cli.output import Json, note, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace")(trace)


def trace(
    name: Annotated[str, typer.Argument(help="A claim's id or reference, or an id of a payment, event, policy ...")],
    url: Url = "",
    json: Json = False,
) -> None:
    """Show a claim and every event of it with topic, partition and offset."""
    from cli.calling import get, segment

    claim: dict[str, Any] = get("ops", url, f"/v1/claims/{segment(_claim_of(name, url))}")
    events: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = get("ops", url, f"/v1/claims/{claim['claim_id']}/timeline", after=after)
        events += page["events"]
        after = page.get("next")
    if json:
        print_json({"claim": claim, "events": events})
        return
    note(_sentence(claim))
    rows = [
        (
            event["time"],
            event["type"].split(".")[1],
            f"{event['topic']}-{event['partition']}@{event['offset']}",
            event["event_id"],
            _short(event["facts"]),
        )
        for event in events
    ]
    print_table(("time", "event", "where", "event id", "facts"), rows, f"{claim['reference']}  {claim['claim_id']}")


def _claim_of(name: str, url: str) -> str:
    """The name itself if it is a claim's, else the one claim it leads to."""
    from cli.calling import get
    from hosting.exits import Exit
    from local.errors import LocalError
    from schemas.ids import ClaimReferenceError, parse_reference

    try:
        return parse_reference(name)
    except ClaimReferenceError:
        pass
    found = get("ops", url, "/v1/look-up", id=name)["found"]
    claims = sorted({one["claim_id"] for one in found})
    if len(claims) > 1:
        shown = ", ".join(claims[:5])
        raise LocalError(f"{len(claims)} claims have this id", f"name one of them: {shown}", Exit.usage)
    return claims[0] if claims else name


def _sentence(claim: dict[str, Any]) -> str:
    parts = [claim["reference"], claim["state"]]
    parts += [f"outcome {claim['outcome']}"] if "outcome" in claim else []
    parts += [", ".join(claim["reasons"])] if claim["reasons"] else []
    for name in ("computed", "payable", "paid"):
        if name in claim:
            parts.append(f"{name} {claim[name]['amount']} {claim[name]['currency']}")
    if "segment" in claim:
        parts.append("/".join((claim["segment"], claim["lane"], *claim["flags"])))
    parts += [f"perhaps {one['reference']} again ({one['score']})" for one in claim["duplicates"]]
    if "referral_event_id" in claim:
        parts.append(f"referral {claim['referral_event_id']}")
    return "  ".join(parts)


def _short(facts: dict[str, Any]) -> str:
    words = []
    for name, value in facts.items():
        if isinstance(value, dict) and "amount" in value:
            value = f"{value['amount']} {value['currency']}"
        elif isinstance(value, list):
            value = ",".join(_item(one) for one in value)
        words.append(f"{name}={value if isinstance(value, str | int) else json_text.dumps(value)}")
    return " ".join(words)


def _item(one: Any) -> str:
    return ":".join(str(part) for part in one.values()) if isinstance(one, dict) else str(one)
