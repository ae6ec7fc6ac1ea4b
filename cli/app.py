"""Puts the command together from cli/commands and maps faults to exit codes.

0 done, 2 wrong usage or settings, 69 something needed is unavailable, 70 our fault, 75 try again later. Nothing heavy
is imported before a command runs, so that help comes in well under a second."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.commands import COMMANDS
from hosting.exits import CannotStartError, Exit

_EPILOG = "Exit codes: 0 done, 2 wrong usage, 69 unavailable, 70 internal fault, 75 try again later."


def build() -> typer.Typer:
    """The whole command, every module of cli/commands registered in the order of its list."""
    app = typer.Typer(
        name="claimflow",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in COMMANDS:
        importlib.import_module(f"cli.commands.{name}").register(app)
    return app


def main(words: Sequence[str]) -> int:
    """Run the command; gives the exit code."""
    try:
        code = build()(args=list(words), prog_name="claimflow", standalone_mode=False)
    except typer.Exit as end:
        return int(end.exit_code)
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except CannotStartError as refused:
        return say_fault(refused)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        return int(Exit.done)
    except Exception as fault:
        if is_usage(fault):
            fault.show()  # type: ignore[attr-defined]
            return int(Exit.usage)
        return _say_internal(fault)
    return code if isinstance(code, int) else int(Exit.done)


def say_fault(refused: CannotStartError) -> int:
    """One line for what is missing, one for the hint if there is one."""
    message = getattr(refused, "message", None) or str(refused)
    hint = getattr(refused, "hint", "")
    print(f"claimflow: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return int(refused.code)


def is_usage(fault: Exception) -> bool:
    """Whether the parser says that the words were wrong; its class lives in a package Typer keeps to itself."""
    return hasattr(fault, "show") and hasattr(fault, "exit_code")


def _say_internal(fault: Exception) -> int:
    import os
    import traceback
    from datetime import UTC, datetime

    from local.home import Home

    file = Home.of(os.environ).log / "claimflow.log"
    where = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat()}\n{''.join(traceback.format_exception(fault))}\n")
        where = f"; the details are in {file}"
    except OSError:
        traceback.print_exception(fault)
    print(f"claimflow: a fault of our own: {type(fault).__name__}{where}", file=sys.stderr)
    return int(Exit.internal)


def _say_version(wanted: bool) -> None:
    if wanted:
        import tomllib

        from local.home import ROOT

        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        print(f"claimflow {project['version']}")
        raise typer.Exit


_VERSION = typer.Option("--version", help="Say the version and end.", is_eager=True, callback=_say_version)


def _root(version: Annotated[bool, _VERSION] = False) -> None:
    """Carries insurance claims from first notice of loss to money paid and people told."""
