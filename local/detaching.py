"""Starts the system in the background and stops it again, from any terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from hosting.exits import Exit
from local import processes, running
from local.errors import LocalError
from local.home import ROOT, Home
from local.running import Running
from local.supervisor import only_one
from local.system import PROCESSES

START_SECONDS_MAX = 300.0
STOP_SECONDS_MAX = 90.0


def start_detached(home: Home, without: Sequence[str] = (), more: Mapping[str, str] | None = None) -> Running:
    """Run `claimflow up` in a session of its own and return when all is ready; LocalError when it ends before.

    `more` are settings beyond those of this process's environment.
    """
    home.make()
    # Asked here as well, so that the answer comes at once and not from another process's log.
    with only_one(home):
        pass
    log = home.log / "supervisor.log"
    options = [word for name in without for word in ("--without", name)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **(more or {}), "CLAIMFLOW_HOME": str(home.folder), "PYTHONPATH": path}
    process = processes.spawn([sys.executable, "-P", "-m", "cli", "up", *options], log, environment)
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        found = running.find(home)
        if found is not None and found.supervisor_pid == process.pid and found.state == "ready":
            return found
        if process.poll() is not None:
            raise LocalError(*_said(process, log_text=processes.last_lines(log, 2)))
        if time.monotonic() > deadline:
            processes.end(process, timeout_seconds=STOP_SECONDS_MAX)
            raise LocalError(f"the system was not ready within {START_SECONDS_MAX:.0f} s", f"see {log}")
        time.sleep(0.1)


def stop_running(home: Home) -> bool:
    """Stop the system over this folder and wait until it is gone; whether one ran. Ends what a killed one left."""
    found = running.find(home)
    if found is not None:
        processes.end_stranger(found.supervisor_pid, signal.SIGTERM, STOP_SECONDS_MAX)
    left = [running.living_pid(home, name) for name in (*(spec.name for spec in PROCESSES), "broker", "database")]
    for pid in filter(None, left):
        processes.end_stranger(pid, signal.SIGINT)
    return found is not None or any(left)


def _said(process: subprocess.Popen[bytes], log_text: str) -> tuple[str, str, Exit]:
    message, _, hint = log_text.rpartition(" | hint: ")
    line = (message or hint).rpartition("claimflow: ")[2]
    known = {int(code) for code in Exit}
    code = Exit(process.returncode) if process.returncode in known - {0} else Exit.internal
    return line or "the system ended while it started", hint if message else "", code
