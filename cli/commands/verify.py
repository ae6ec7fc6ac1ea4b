"""claimflow verify: proves from outside the services that nothing was lost, paid twice or told wrongly."""

from __future__ import annotations

import typer

from cli.output import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    patience: float = typer.Option(
        30.0,
        "--patience",
        min=0,
        max=3600,
        metavar="SECONDS",
        help="How long to judge again while nothing is wrong but that notices are still on their way.",
    ),
    json: Json = False,
) -> None:
    """Recompute the invariants from client journals, topics, ledger, bank record and mail sink; exit 1 if one fails."""
    import asyncio
    import os

    from cli.output import note
    from cli.replaying import show_verdict
    from local.home import Home
    from local.replay.carrying import verify as judge
    from local.running import require

    verdict = asyncio.run(judge(require(Home.of(os.environ)), patience))
    if json:
        findings = [[one.invariant, one.subject, one.words] for one in verdict.findings]
        print_json({"holds": verdict.holds, "findings": findings, "counts": verdict.counts})
    else:
        show_verdict(verdict)
    if not verdict.holds:
        note("verify: at least one invariant is broken")
        raise typer.Exit(1)
