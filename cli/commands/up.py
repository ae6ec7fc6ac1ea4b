"""claimflow up: runs the whole system until Ctrl-C, or leaves it running with --detach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, note, print_json

if TYPE_CHECKING:
    from local.home import Home

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
    import os

    from local import running
    from local.home import Home

    home = Home.of(os.environ)

    def show() -> None:
        addresses = running.addresses(running.require(home))
        if json:
            print_json(addresses)
        else:
            _print_addresses(addresses)
        note(f"claimflow is up; {'stop it with claimflow down' if detach else 'Ctrl-C stops it'}")

    if detach:
        from local.detaching import start_detached

        start_detached(home, without or [])
        show()
    else:
        import asyncio

        asyncio.run(_stay(home, without or [], show))


def _print_addresses(addresses: Mapping[str, str]) -> None:
    from local.system import PROCESSES

    about = {"kafka": "the log", "postgres": "the databases"} | {spec.name: spec.about for spec in PROCESSES}
    width = max(len(address) for address in addresses.values())
    for name, address in addresses.items():
        print(f"{name:<14} {address:<{width}}  {about.get(name, '')}", flush=True)


async def _stay(home: Home, without: list[str], show: Callable[[], None]) -> None:
    import asyncio
    import os

    from local.supervisor import Supervisor, stop_signals

    stop = asyncio.Event()
    stop_signals(stop)
    await Supervisor(home, os.environ, note, without).run(stop, show)
    note("claimflow is down")
