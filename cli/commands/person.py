"""claimflow person: erases a person by destroying their key. There is no way back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.calling import Person, Reason, Url
from cli.output import Json, note, print_json


class Who(StrEnum):
    reporter = "reporter"
    payee = "payee"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Persons behind the seals.", no_args_is_help=True)
    group.callback()(_group)
    group.command("erase")(erase)
    app.add_typer(group, name="person")


def _group() -> None:
    """Persons behind the seals."""


def erase(
    name: Annotated[str, typer.Argument(help="A subject's id; or a claim's id or reference, with --who.")],
    person: Person,
    reason: Reason,
    who: Annotated[Who | None, typer.Option("--who", help="Whom of the claim.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = "",
    json: Json = False,
) -> None:
    """Destroy a person's key: readers show [erased], the reporter's papers close too, claims and totals stay."""
    from cli.calling import post

    if not yes:
        typer.confirm("This cannot be undone. Erase the person?", abort=True, err=True)
    body: dict[str, Any] = {"reason": reason}
    body |= {"subject_id": name} if who is None else {"claim": name, "who": who.value}
    answer = post("ops", url, "/v1/persons:erase", body, person)
    if json:
        print_json(answer)
    else:
        note(f"{answer['subject_id']}: {answer['outcome'].replace('_', ' ')}")
