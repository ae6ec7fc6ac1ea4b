"""What the embedded broker and the embedded database share: one server process over one folder, started and ended.

`kill` and a later `start` are what the chaos tests use."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, Self, TypeVar

from local import processes
from local.errors import LocalError

STOP_SECONDS_MAX = 30.0

Served = TypeVar("Served")


class EmbeddedServer(ABC, Generic[Served]):
    """`kind` is what messages call it; `start` gives what its users need to reach it."""

    def __init__(self, kind: str, folder: Path, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = self.folder / f"{kind}.log"
        self._kind = kind
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last process; None while it runs or before the first start."""
        return self._process.poll() if self._process else None

    @abstractmethod
    def start(self) -> Served:
        """Start it and wait until it serves; nothing happens when it runs already."""

    def stop(self) -> None:
        """Stop it cleanly, by force when it does not within its time."""
        if self._process is not None:
            processes.end(self._process, self._stop_signal, STOP_SECONDS_MAX)

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back on the same port with the same data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> Served:
        """Stop cleanly and start again on the same port."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise LocalError(f"the {self._kind}'s folder {self.folder} cannot be made: {problem.strerror}") from None

    def _ended(self) -> LocalError:
        """Why a start failed whose process is gone."""
        return LocalError(
            f"the {self._kind} ended with code {self.exit_code}: {processes.last_lines(self.log)}",
            f"its log is {self.log}",
        )
