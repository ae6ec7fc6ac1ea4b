"""What runs now, for commands, `down` and tests: read from var/run, where the supervisor keeps it.

running = find(Home.of(os.environ))        None when nothing runs
running.url("ops"), running.pid("payment"), running.kafka_settings("verify"), running.database("payment")"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local import processes
from local.errors import LocalError
from local.home import Home
from messaging.kafka_client.settings import KafkaSettings

SYSTEM_FILE, SECRETS_FILE, MAIL_FILE = "system.json", "secrets.json", "mail-channel.json"


@dataclass(frozen=True, slots=True)
class Running:
    """One running system. Its database addresses and its credentials for the broker hold passwords: never print them.

    `settings`: engine, partitions, and mail (on, off, or unknown where notify runs elsewhere)."""

    home: Home
    supervisor_pid: int
    state: str
    kafka: str
    postgres: str
    urls: Mapping[str, str]
    settings: Mapping[str, str]
    _secrets: Mapping[str, Any] = field(repr=False)

    def url(self, name: str) -> str:
        """Base address of a process, as `http://127.0.0.1:8101`; LocalError when it was left out."""
        try:
            return self.urls[name]
        except KeyError:
            raise LocalError(f"{name} does not run here", "start it with claimflow up") from None

    def database(self, name: str) -> str:
        """Address of a service's database, postgresql+asyncpg://..., with its password."""
        return str(self._secrets["databases"][name])

    def kafka_settings(self, client_id: str) -> KafkaSettings:
        """How to reach the broker, with the credentials the services were given."""
        return KafkaSettings(self.kafka, **self._secrets["broker_login"], client_id=client_id)

    @property
    def mail_since(self) -> datetime | None:
        """Since when mail has been on here without a break; None while it is off or sent from elsewhere."""
        try:
            return datetime.fromisoformat(json.loads((self.home.run / MAIL_FILE).read_text())["on_since"])
        except FileNotFoundError:
            return None

    @property
    def master_key_file(self) -> Path:
        """The file with the key that wraps every person's key."""
        return Path(self._secrets["master_key_file"])

    def folder(self, simulator: str) -> Path:
        """Where a simulator keeps its journal."""
        return self.home.simulator(simulator)

    def process(self, name: str) -> dict[str, Any]:
        """What the supervisor last wrote of a process: pid, address, restarts, last_exit; read anew each time."""
        try:
            held: dict[str, Any] = json.loads((self.home.run / f"{name}.json").read_text())
        except FileNotFoundError:
            raise LocalError(f"{name} does not run here", "start it with claimflow up") from None
        return held

    def pid(self, name: str) -> int | None:
        """The process's id now (also of `broker` and `database`); None while it is down."""
        return living_pid(self.home, name)


def living_pid(home: Home, name: str) -> int | None:
    """The id of this process if a supervisor, perhaps an earlier one, wrote it and it still lives."""
    try:
        held = json.loads((home.run / f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    pid, ticks = held["pid"], held["start_ticks"]
    return pid if pid is not None and processes.start_ticks(pid) == ticks else None


def find(home: Home) -> Running | None:
    """The system that runs over this folder, or None."""
    try:
        held = json.loads((home.run / SYSTEM_FILE).read_text())
        secrets = json.loads((home.run / SECRETS_FILE).read_text())
    except FileNotFoundError:
        return None
    if processes.start_ticks(held["pid"]) != held["start_ticks"]:
        return None
    return Running(
        home=home,
        supervisor_pid=held["pid"],
        state=held["state"],
        kafka=held["kafka"],
        postgres=held["postgres"],
        urls=held["urls"],
        settings=held["settings"],
        _secrets=secrets,
    )


def require(home: Home) -> Running:
    """The running system; LocalError with the way to start it when there is none that is ready."""
    running = find(home)
    if running is None or running.state != "ready":
        state = "is not up" if running is None else f"is {running.state}"
        raise LocalError(f"claimflow {state} here", "start it with claimflow up --detach")
    return running


def note_mail(home: Home, channel: str, now: datetime) -> None:
    """Keep since when mail is on: an event that was told while it was off never owes a notice."""
    file = home.run / MAIL_FILE
    if channel != "on":
        file.unlink(missing_ok=True)
    elif not file.exists():
        write_json(file, {"on_since": now.isoformat()})


def write_json(file: Path, content: Mapping[str, Any], *, private: bool = False) -> None:
    """Put a small file in place as a whole, so that readers never see half of it."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(handle, "w") as target:
        json.dump(content, target, indent=1)
    fresh.replace(file)


def addresses(found: Running) -> dict[str, str]:
    """Every address that may be shown."""
    return {"kafka": found.kafka, "postgres": found.postgres, **found.urls}
