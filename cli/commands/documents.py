"""claimflow documents: sends papers of a claim to intake, and lists those it has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.calling import Key, Url
from cli.output import Json, note, print_json, print_table

# Python's own list knows neither of these on every machine.
_TYPES = {".heic": "image/heic", ".webp": "image/webp"}
_Client = Annotated[str, typer.Option("--client", help="Whose key this is.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Papers of a claim.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    app.add_typer(group, name="documents")


def add(
    claim: Annotated[str, typer.Argument(help="The claim's id or reference.")],
    file: Annotated[Path, typer.Argument(help="The paper; its name stays here.")],
    kind: Annotated[str, typer.Option("--kind", "-k", help="What it is: estimate, invoice, photo, police-report.")],
    line: Annotated[str, typer.Option("--line", "-l", help="The line of the claim it belongs to.")] = "",
    media_type: Annotated[str, typer.Option("--type", help="Its media type, else by the file's ending.")] = "",
    key: Key = "",
    client: _Client = "default",
    url: Url = "",
    json: Json = False,
) -> None:
    """Send a paper. Without --key a fresh one is made; the same bytes for the same claim are one paper anyway."""
    from uuid import uuid4

    from cli.calling import segment, upload

    query = {"kind": kind, **({"line_id": line} if line else {})}
    path = f"/v1/claims/{segment(claim)}/documents"
    given = {"Idempotency-Key": key or str(uuid4()), "Claimflow-Client": client}
    answer: dict[str, Any] = upload(url, path, file, media_type or _type_of(file), query, given)
    if json:
        print_json(answer)
    else:
        note(f"{answer['document_id']}  {answer['kind']}  {answer['size_bytes']} bytes  sha256 {answer['sha256']}")


def list_(
    claim: Annotated[str, typer.Argument(help="The claim's id or reference.")], url: Url = "", json: Json = False
) -> None:
    """List what was stored for a claim."""
    from cli.calling import get, segment

    answer: dict[str, Any] = get("intake", url, f"/v1/claims/{segment(claim)}/documents")
    if json:
        print_json(answer)
        return
    rows = [
        (one["received_at"], one["kind"], one.get("line_id", ""), str(one["size_bytes"]), one["document_id"])
        for one in answer["documents"]
    ]
    print_table(("received", "kind", "line", "bytes", "document"), rows)


def _type_of(file: Path) -> str:
    import mimetypes

    from hosting.exits import Exit
    from local.errors import LocalError

    ending = file.suffix.lower()
    found = _TYPES.get(ending) or mimetypes.guess_type(f"file{ending}")[0]
    if found is None:
        raise LocalError("the file's ending does not say what it is", "name its media type with --type", Exit.usage)
    return found
