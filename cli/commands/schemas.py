"""claimflow schemas: writes the generated files of schemas/ and docs/, or says in words what a change would break."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The generated files of schemas/ and docs/: check them, write them.", no_args_is_help=True)
    group.command("check")(check)
    group.command("write")(write)
    group.command("show")(show)
    app.add_typer(group, name="schemas")


def check() -> None:
    """Say what differs from the committed files and whether it breaks readers; exit 1 if anything differs."""
    from cli import schema_files

    for name, changes in schema_files.verdicts().items():
        for change in changes:
            typer.echo(f"{name}: {change}")
    differing = schema_files.differing()
    for path in differing:
        typer.echo(f"{path.name} differs from the models; `claimflow schemas write` writes it")
    raise typer.Exit(1 if differing else 0)


def show(name: str = typer.Argument(help="adjudication, or a type as it stands in schemas/json.")) -> None:
    """Print one JSON Schema; an unknown name is told with those there are."""
    from cli import schema_files
    from hosting.exits import CannotStartError, Exit

    known = schema_files.documents()
    if name not in known:
        raise CannotStartError(f"there is no such schema; there are {', '.join(known)}", Exit.usage)
    typer.echo(known[name], nl=False)


def write(
    force: bool = typer.Option(False, "--force", help="Also when a change breaks readers (never for a released type)."),
) -> None:
    """Write the generated files; refused, in words, when a change does not fit inside its major version."""
    from cli import schema_files

    breaking = [
        f"{name}: {change}"
        for name, changes in schema_files.verdicts().items()
        for change in changes
        if change.breaking
    ]
    for line in breaking:
        typer.echo(line, err=True)
    if breaking and not force:
        typer.echo("nothing written: a breaking change needs a new major version of the type", err=True)
        raise typer.Exit(1)
    for path in schema_files.write():
        typer.echo(path.name)
