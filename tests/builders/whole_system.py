"""The whole system as real processes over a folder of its own: up, talked to, and down again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import processes, running
from local.detaching import stop_running
from local.home import ROOT, Home
from local.running import Running
from simulators.mail.record import FILE_NAME, ReceivedMail, read_mails

FILE = ROOT / "data" / "nfip_claims_2000.csv.gz"


class NoBars:
    """Progress nobody looks at."""

    def advance(self, bar: str, done: int) -> None:
        return None


class WholeSystem:
    """One running installation; `claimflow` runs a command against it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = Home(home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
        own = {"CLAIMFLOW_HOME": str(home), "CLAIMFLOW_LOCAL_FIRST_PORT": "0"}
        self.environment = kept | own | {f"CLAIMFLOW_{name}": value for name, value in settings.items()}

    @property
    def running(self) -> Running:
        return running.require(self.home)

    def claimflow(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as a person types it; its exit code, output, and what was said beside."""
        command = [str(ROOT / "claimflow"), *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)

    def told(self, *words: str) -> Any:
        """The JSON a command prints; it must succeed."""
        done = self.claimflow(*words, "--json")
        assert done.returncode == 0, f"claimflow {' '.join(words)}: {done.stderr[-2000:]}"
        return json.loads(done.stdout)

    def url(self, service: str) -> str:
        return self.running.url(service)

    def pid(self, name: str) -> int:
        found = self.running.pid(name)
        assert found is not None, f"{name} is down"
        return found

    def mails(self) -> list[ReceivedMail]:
        """Everything the mail server accepted."""
        return list(read_mails(self.running.folder("mail") / FILE_NAME))


@contextmanager
def whole_system(home: Path, **settings: str) -> Iterator[WholeSystem]:
    """Up and ready inside the block; afterwards no process of it lives."""
    system = WholeSystem(home, **settings)
    try:
        started = system.claimflow("up", "--detach")
        assert started.returncode == 0, started.stderr
        yield system
    finally:
        stop_running(system.home)


def all_gone(pids: Mapping[str, int]) -> bool:
    return not any(processes.start_ticks(pid) is not None for pid in pids.values())
