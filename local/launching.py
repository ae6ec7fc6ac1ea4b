"""From the system's description to what is really run: ports, commands and environments of this start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hosting.settings import load_settings
from local import ports, processes
from local.home import ROOT, Home
from local.settings import LocalSettings
from local.system import ProcessSpec
from services.notify.settings import NotifySettings

_NOT_HANDED_ON = frozenset({"CLAIMFLOW_POSTGRES", "CLAIMFLOW_POSTGRES_PASSWORD_FILE"})


@dataclass(frozen=True, slots=True)
class Launch:
    """One process ready to be started. The environment holds passwords: never print it."""

    spec: ProcessSpec
    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str
    log: Path

    @property
    def name(self) -> str:
        """The process's name."""
        return self.spec.name

    @property
    def port(self) -> int:
        """Its HTTP port."""
        return int(self.url.rpartition(":")[2])


def plan_ports(
    specs: Iterable[ProcessSpec], settings: LocalSettings, environment: Mapping[str, str], home: Home
) -> dict[str, int]:
    """A port for every process (by name) and second port (by its own name), each free now; LocalError otherwise."""
    planned: dict[str, int] = {}
    for spec in specs:
        for name, offset in {spec.name: spec.offset, **spec.more_ports}.items():
            # Only a service has a setting of its own for its port; the rest follow the first port.
            own = f"CLAIMFLOW_{name.upper()}_PORT" if spec.kind == "service" and name == spec.name else ""
            named = environment.get(own, "")
            wanted = int(named) if named.isdigit() else settings.first_port + offset if settings.first_port else 0
            hint = " or ".join(filter(None, [own, "CLAIMFLOW_LOCAL_FIRST_PORT"]))
            file = home.run / "ports" / name
            planned[name] = ports.require_free(wanted, name, f"set {hint}") if wanted else ports.kept_port(file)
    return planned


def plan_launches(
    specs: Iterable[ProcessSpec],
    planned: Mapping[str, int],
    databases: Mapping[str, str],
    shared: Mapping[str, str],
    environment: Mapping[str, str],
    home: Home,
) -> list[Launch]:
    """Commands and environments with every address filled in. What the caller's environment sets wins."""
    specs = tuple(specs)
    urls = {spec.name: f"http://{ports.LOOPBACK}:{planned[spec.name]}" for spec in specs}
    known = {f"url_{name}": url for name, url in urls.items()}
    known |= {f"database_{name}": url for name, url in databases.items()}
    known |= {name: str(port) for name, port in planned.items()} | {"home": str(home.folder)}
    own = {name: value for name, value in environment.items() if name not in _NOT_HANDED_ON}
    launches = []
    for spec in specs:
        words = {**known, "port": str(planned[spec.name]), "folder": str(home.simulator(spec.name))}
        command = [word.format_map(words) for word in spec.command]
        filled = {name: text.format_map(words) for name, text in spec.environment.items() if _is_known(text, words)}
        launches.append(
            Launch(
                spec=spec,
                command=(*processes.dying_with_parent(), sys.executable, "-P", "-m", *command),
                environment={**filled, **shared, **own, **_python(environment)},
                url=urls[spec.name],
                log=home.log / f"{spec.name}.log",
            )
        )
    return launches


def mail_channel(launches: Iterable[Launch]) -> str:
    """Whether notify sends mail: on or off as its settings say, unknown when it is not among these processes."""
    notify = next((launch for launch in launches if launch.name == "notify"), None)
    return "unknown" if notify is None else load_settings(NotifySettings, "notify", notify.environment).mail


def _python(environment: Mapping[str, str]) -> dict[str, str]:
    path = [str(ROOT), *filter(None, [environment.get("PYTHONPATH", "")])]
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}


def _is_known(text: str, words: Mapping[str, str]) -> bool:
    # A neighbour that was left out is addressed by the caller's own setting, or the service says what is missing.
    try:
        text.format_map(words)
    except KeyError:
        return False
    return True
