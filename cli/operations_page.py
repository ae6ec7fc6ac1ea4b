"""docs/operations.md: every command, make target and setting, read from where they are defined, with what each means.

A setting whose meaning is not written here fails the test that compares the page, so none stays unexplained.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from cli.commands import COMMANDS
from hosting.settings import ProcessSettings, SharedSettings, variable_of
from local.configuration import settings_models
from local.home import ROOT

_HEAD = """# Commands, targets, settings

Written by `claimflow schemas write` from the command itself, the Makefile and the settings models. Do not edit it:
a test compares it with what they say. What the settings are on this machine, and where each comes from:
`./claimflow config show`. How to do things with them: [how-to](how-to).
"""
_SHARED = {
    "profile": "`demo`, `test` or `production`. Production refuses to start without a master key file.",
    "kafka": "Bootstrap servers, `host:port` separated by commas. When it is set, no broker is started.",
    "kafka_username": "SCRAM-SHA-512 user, for a broker that asks for one.",
    "kafka_password": "Its password.",
    "engine": "`faust` or `aiokafka`: how records are fetched and partitions assigned. The promises are the same.",
    "partitions": "Partitions of every claim topic. Fixed for the life of an installation.",
    "instance": "The process's name in its consumer group. Two processes of one stage need two names.",
    "release": "What dead letters say about the code that wrote them.",
    "log": "`text`, `json`, or `auto`: text on a terminal, JSON in a pipe.",
    "log_level": "`debug`, `info`, `warning` or `error`.",
    "keys_database": "The key ring's database.",
    "master_key_file": "The file with the key that wraps every person's key. Losing it loses their data.",
}
_PROCESS = {
    "database": "The service's own database, `postgresql+asyncpg://...`.",
    "database_pool": "Most connections to it.",
    "host": "The address HTTP is bound to.",
    "port": "The HTTP port: `/livez`, `/readyz`, `/metrics`, and the service's own routes. 0 takes a free one.",
    "stall_seconds": "Backlog without progress for so long ends the process with 70, to be started again.",
}
_OWN = {
    "local": {
        "first_port": "Services listen on the ports after it, simulators on those plus 100; 0 takes free ones.",
        "broker_port": "Port of the embedded broker; 0 takes a free one and keeps it.",
        "database_port": "Port of the embedded PostgreSQL; 0 takes a free one and keeps it.",
        "quick_start": "Off lets the broker's Java compile fully: slower to start, cheaper under load.",
        "replicas": "Copies of each new topic: 1 on the embedded broker, 3 on a cluster.",
        "ready_seconds": "How long a process may take to become ready.",
        "stop_seconds": "How long a process may take to stop before it is killed.",
        "person": "Who acts, where a command asks for `--person`.",
    },
    "intake": {
        "status_url": "Base of the `status_url` in each receipt: where ops answers.",
        "url": "Where `claimflow submit` finds intake, when it does not run here.",
        "requests_max": "Single reports in flight; 429 beyond.",
        "bulk_requests_max": "Bulk requests in flight; 429 beyond.",
        "unpublished_max": "Stored events that wait for the broker; 503 beyond.",
        "answer_seconds": "How long a request waits for the broker's acknowledgement; then 503.",
        "papers": "Where papers are kept, sealed: a folder, or `s3://`, `gs://` or `az://` with bucket and folder; "
        "credentials are read as the cloud's own tools read them. `claimflow up` names `papers` in its data folder.",
        "paper_bytes_max": "The largest paper; 413 beyond.",
        "papers_max": "Most papers of one claim; 409 beyond.",
        "uploads_max": "Papers coming in at once; 429 beyond.",
        "upload_seconds": "How long one paper may take to come in; then 408.",
        "draft_days": "A draft nobody changes is deleted after so many days, within ten minutes.",
        "group_rows": "Most reports one transaction takes.",
        "group_ms": "How long a transaction waits for company.",
    },
    "assessment": {
        "policy_url": "Base address of the core policy system.",
        "lookup_seconds": "Deadline of one look-up for a whole batch.",
        "lookup_failures_max": "Look-ups in a row without an answer after which nobody asks for a while.",
        "lookup_pause_seconds_max": "The longest such while.",
        "rules_file": "Automatic limits, desks, appeal texts, how long a policy is waited for.",
        "tables_folder": "The decision tables that sort claims and say what software may decide.",
        "duplicates_file": "What makes two claims of one policy probably the same loss.",
        "reserves_file": "What is set aside when a claim is registered.",
        "terms_folder": "The forms: what each contract's text says, with the order of operations, a file each.",
    },
    "payment": {"bank_url": "Base address of the bank."},
    "notify": {
        "smtp": "Where mail is handed over; STARTTLS is used where offered.",
        "mail": "`off`: events are followed, no notice is owed, and none is caught up later.",
        "sender": "From, Reply-To and the envelope's sender.",
        "papers_url": "Base of the address customers send papers to: where intake answers, or a page before it.",
        "connections": "Connections to the mail server that are kept.",
        "lease_seconds": "How long a batch of mails is held; after a kill it is tried again when this has passed.",
    },
    "ops": {
        "people_file": "Staff, roles and limits; read again when it changes.",
        "url": "Where commands find ops, when it does not run here.",
    },
}
_OTHERS = (
    ("CLAIMFLOW_HOME", "`var`", "The folder with everything one installation keeps: data, logs, keys, who runs now."),
    ("CLAIMFLOW_POSTGRES", "", "`postgresql://user:password@host:port` of a server; then none is started."),
    ("CLAIMFLOW_PYTHON", "", "The Python that `make setup` takes."),
    ("CLAIMFLOW_TEST_PROVIDER", "`embedded`", "`docker`: tests take containers for broker and database."),
    ("CLAIMFLOW_KAFKA_IMAGE", "", "The image of that broker."),
    ("CLAIMFLOW_POSTGRES_IMAGE", "", "The image of that database."),
    ("CLAIMFLOW_TEST_SEEDS", "`200`", "How many seeds the simulation plays."),
    ("CLAIMFLOW_TEST_SEED", "`0`", "The first of them."),
    (
        "CLAIMFLOW_CRASH_AT",
        "",
        "`<crash point>[:nth]`: the process kills itself there. Refused outside profile `test`.",
    ),
)
_TARGET = re.compile(r"^([a-z][a-z-]*):.*## (.+)$", re.MULTILINE)


def operations_page() -> str:
    """The whole page."""
    return "\n".join(
        [
            _HEAD,
            "## Commands of `claimflow`",
            "",
            "`claimflow <command> --help` says what each takes. Exit codes: 0 done, 1 a check failed, 2 wrong usage,",
            "69 something needed is not there, 70 a fault of ours, 75 try again later.",
            "",
            *_table(("command", "what it does"), _commands()),
            "",
            "## Targets of `make`",
            "",
            *_table(("target", "what it does"), _targets((ROOT / "Makefile").read_text("utf-8"))),
            "",
            "## Settings",
            "",
            "Every setting is a variable of the environment. One that nobody knows is refused, with a guess at what",
            "was meant. A value may come from a file: the name with `_FILE` added holds its path. `claimflow up`",
            "supplies addresses, databases and the master key file.",
            *_settings(),
            "",
            "### Read before or beside the services",
            "",
            *_table(_COLUMNS, ((f"`{name}`", default, words) for name, default, words in _OTHERS)),
            "",
            "The simulators take `CLAIMFLOW_SIM_POLICY_*`, `CLAIMFLOW_SIM_BANK_*` and `CLAIMFLOW_SIM_MAIL_*`,",
            "or options of the same names: `python -m simulators.bank --help`.",
            "",
        ]
    )


_COLUMNS = ("variable", "default", "meaning")


def command_names() -> set[str]:
    """Every command as it is typed: `up`, `dlq list`."""
    return {name.strip("`") for name, _ in _commands()}


def _commands() -> Iterator[tuple[str, str]]:
    app = typer.Typer()
    for name in COMMANDS:
        importlib.import_module(f"cli.commands.{name}").register(app)
    yield from _described(typer.main.get_command(app), "")


def _described(command: Any, path: str) -> Iterator[tuple[str, str]]:
    for name, one in command.commands.items():
        if hasattr(one, "commands"):
            yield from _described(one, f"{path}{name} ")
        else:
            yield f"`{path}{name}`", _line(one.help or "")


def _targets(makefile: str) -> Iterator[tuple[str, str]]:
    for target, words in _TARGET.findall(makefile):
        yield f"`make {target}`", _line(words)


def _settings() -> Iterator[str]:
    shared = SharedSettings.model_fields
    yield from ["", "### Shared by all processes", ""]
    yield from _table(_COLUMNS, _rows(shared, None, _SHARED))
    for owner, model in settings_models().items():
        names = [name for name in model.model_fields if name not in shared]
        title = "The system on one machine" if owner == "local" else owner
        words = {**(_PROCESS if issubclass(model, ProcessSettings) else {}), **_OWN[owner]}
        yield from ["", f"### {title}", ""]
        yield from _table(_COLUMNS, _rows({name: model.model_fields[name] for name in names}, owner, words))


def _rows(fields: Mapping[str, Any], owner: str | None, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, field in fields.items():
        yield f"`{variable_of(name, owner)}`", _default(field.default), words[name]


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return ""
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_relative_to(ROOT) else value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
