"""claimflow up: runs the whole system until Ctrl-C, or leaves it running with --detach."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, note, print_json

_WITHOUT = typer.Option("--without", metavar="NAME", help="Leave a process out; may be repeated.")
_DETACH = typer.Option("--detach", "-d", help="Return when everything is ready and leave it running.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    detach: Annotated[bool, _DETACH] = False,
    without: Annotated[list[str] | None, _WITHOUT] = None,
    json: Json = False,
) -> None:
    """Run broker, database, simulators and services, and start again what dies."""
    import asyncio
    import os

    from local import running
    from local.home import Home

    home = Home.of(os.environ)
    if detach:
        from local.detaching import start_detached

        found = start_detached(home, without or [])
    else:
        asyncio.run(_stay(home, without or []))
        return
    if json:
        print_json(running.addresses(found))
    else:
        for name, address in running.addresses(found).items():
            print(f"{name:<14} {address}")
        note("claimflow is up; stop it with claimflow down")


async def _stay(home: object, without: list[str]) -> None:
    import asyncio
    import os

    from local.home import Home
    from local.supervisor import Supervisor, stop_signals

    assert isinstance(home, Home)
    stop = asyncio.Event()
    stop_signals(stop)
    await Supervisor(home, os.environ, note, without).run(stop)
