"""Starting, recognising and ending child processes: each with its own log, none outliving its parent by accident.

A process id alone is not trusted: ids are used again, so a process is known by id and start time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_BYTES_MAX = 64 * 1024 * 1024


def spawn(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in its own session with output to `log`; it is ended when this process is killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    cut_log(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
        )


def cut_log(log: Path) -> None:
    """Put a log that has grown large aside as .1, in place of the one put aside before, and empty it.

    It is emptied, not renamed, because its writer has it open (for appending) and would follow the name.
    """
    try:
        if log.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)
    except FileNotFoundError:
        return


def dying_with_parent(signal_name: str = "KILL") -> list[str]:
    """Words to put before a command so that the kernel ends it when its parent is gone.

    The kernel means the thread that started it, not the process: start servers from a thread that stays.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


def end(process: subprocess.Popen[bytes], stop_signal: int = signal.SIGTERM, timeout_seconds: float = 20.0) -> int:
    """Ask a child to stop, kill it when it does not within the time; gives its exit code."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def command_line(pid: int) -> str:
    """The words of a running process, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def end_stranger(pid: int, stop_signal: int = signal.SIGTERM, timeout_seconds: float = 20.0) -> None:
    """End a process that is not our child, by signal, then by SIGKILL; returns when it is gone."""
    born = start_ticks(pid)

    def gone() -> bool:
        return born is None or start_ticks(pid) != born

    for number in (stop_signal, signal.SIGKILL):
        if gone():
            return
        os.kill(pid, number)
        if wait_until(gone, timeout_seconds):
            return


def wait_until(true: Callable[[], bool], timeout_seconds: float, every_seconds: float = 0.02) -> bool:
    """Ask until it is true or the time is up; whether it came true."""
    deadline = time.monotonic() + timeout_seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_seconds)
    return True


def last_lines(log: Path, count: int = 3, bytes_max: int = 4_000) -> str:
    """The end of a log in one line, for messages."""
    try:
        with log.open("rb") as source:
            source.seek(max(0, log.stat().st_size - bytes_max))
            text = source.read(bytes_max).decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:])
