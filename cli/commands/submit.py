"""claimflow submit: reports one loss to intake, from a JSON file or standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.calling import Key, Url
from cli.output import Json, note, print_json

FILE_BYTES_MAX = 256 * 1024


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("submit")(submit)


def submit(
    file: Annotated[Path, typer.Argument(help="The report as JSON; - reads standard input.")],
    key: Key = "",
    client: Annotated[str, typer.Option("--client", help="Whose key this is.")] = "default",
    url: Url = "",
    json: Json = False,
) -> None:
    """Report a loss. Without --key a fresh one is made and shown: use it to repeat a report that was cut."""
    from uuid import uuid4

    from cli.calling import post

    key = key or str(uuid4())
    note(f"idempotency key {key}")
    answer: dict[str, Any] = post("intake", url, "/v1/claims", _read(file), key=key, client=client)
    if json:
        print_json(answer)
    else:
        note(f"{answer['reference']}  {answer['claim_id']}  {answer['status_url']}")


def _read(file: Path) -> bytes:
    import sys

    from hosting.exits import Exit
    from local.errors import LocalError

    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with file.open("rb") as source:
                raw = source.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        raise LocalError(f"{file} cannot be read: {problem.strerror}", "name a file of JSON", Exit.usage) from None
    if len(raw) > FILE_BYTES_MAX:
        raise LocalError(f"the report is larger than {FILE_BYTES_MAX} bytes", "send it in parts", Exit.usage)
    return raw
