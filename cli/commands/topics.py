"""claimflow topics: shows how the broker's topics differ from the registry, and makes them what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.output import Json, note, print_json, print_table

if TYPE_CHECKING:
    from local.settings import LocalSettings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Compare the broker's topics with the registry.", no_args_is_help=True)
    group.command("plan")(plan)
    group.command("apply")(apply)
    app.add_typer(group, name="topics")


def plan(json: Json = False) -> None:
    """Say what apply would do; nothing once it has been done."""
    from local.preparing import plan_topics

    bootstrap, settings = _broker()
    _show([(change.kind, change.topic, change.words) for change in plan_topics(bootstrap, settings)], json)


def apply(json: Json = False) -> None:
    """Create what is missing and set what differs; the number of partitions is never changed."""
    from local.preparing import make_topics

    bootstrap, settings = _broker()
    _show([(change.kind, change.topic, change.words) for change in make_topics(bootstrap, settings)], json)


def _broker() -> tuple[str, LocalSettings]:
    import os

    from hosting.settings import load_settings
    from local import running
    from local.home import Home
    from local.providers import ExternalBroker
    from local.settings import LocalSettings

    settings = load_settings(LocalSettings, "local", os.environ)
    if os.environ.get("CLAIMFLOW_KAFKA"):
        return ExternalBroker(settings.kafka, secured=settings.kafka_username is not None).start(), settings
    found = running.require(Home.of(os.environ))
    return found.kafka, settings.model_copy(update={"partitions": int(found.settings["partitions"])})


def _show(changes: list[tuple[str, str, str]], json: bool) -> None:
    if json:
        print_json([{"kind": kind, "topic": topic, "words": words} for kind, topic, words in changes])
    elif changes:
        print_table(("change", "topic", "what"), changes)
    else:
        note("nothing to change")
