"""The folder that holds everything one installation keeps on this machine: data, logs, keys, and who runs now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below CLAIMFLOW_HOME, by default var/ beside the code."""

    folder: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Home:
        """The folder the environment names, or the usual one; not yet made."""
        named = environment.get("CLAIMFLOW_HOME", "")
        return cls(Path(named).absolute() if named else ROOT / "var")

    @property
    def run(self) -> Path:
        """Who runs now, as small JSON files."""
        return self.folder / "run"

    @property
    def log(self) -> Path:
        """One log file a process."""
        return self.folder / "log"

    @property
    def broker(self) -> Path:
        """The embedded broker's data."""
        return self.folder / "broker"

    @property
    def database(self) -> Path:
        """The embedded database's data."""
        return self.folder / "database"

    @property
    def master_key(self) -> Path:
        """The key that wraps every person's key; losing it loses their data."""
        return self.folder / "secrets" / "master.key"

    def simulator(self, name: str) -> Path:
        """A simulator's journal and state."""
        return self.folder / "simulators" / name

    def make(self) -> None:
        """Make the folders; LocalError when this user may not."""
        try:
            for folder in (self.run, self.log):
                folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "secrets").mkdir(mode=0o700, exist_ok=True)
        except OSError as problem:
            raise LocalError(
                f"{self.folder} cannot be used: {problem.strerror}", "name a folder of your own in CLAIMFLOW_HOME"
            ) from None
        if not os.access(self.run, os.W_OK):
            raise LocalError(f"{self.run} is not writable", "name a folder of your own in CLAIMFLOW_HOME")
