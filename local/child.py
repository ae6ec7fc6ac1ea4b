"""One supervised process: started again when it dies, with growing pauses, its state written for others to read."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from hosting.exits import Exit
from local import ports, processes
from local.errors import LocalError
from local.home import Home
from local.launching import Launch
from local.running import write_json

PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 0.25, 10.0
STEADY_SECONDS = 30.0
"""After so long without dying the pauses begin anew."""

SAID_MAX = 300

Say = Callable[[str], None]


class Child:
    """Runs one launch for as long as the supervisor wants it."""

    def __init__(self, launch: Launch, home: Home, say: Say) -> None:
        self.launch = launch
        self._home, self._say = home, say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._ready = False
        self._restarts = 0
        self._last_exit: int | None = None

    async def supervise(self) -> None:
        """Start it and start it again, until `stop`."""
        pause = PAUSE_SECONDS_FIRST
        while not self._stopping:
            born = time.monotonic()
            process = await self._start()
            self._last_exit = await process.wait()
            if self._stopping:
                return
            if self._last_exit == Exit.usage and not self._ready:
                raise LocalError(self._why("refused its settings"), code=Exit.usage)
            pause = PAUSE_SECONDS_FIRST if time.monotonic() - born > STEADY_SECONDS else pause
            self._restarts += 1
            self._write(None)
            self._say(f"{self._death()}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Return when it answers its readiness check with 200; LocalError when it does not within the time."""
        deadline = time.monotonic() + timeout_seconds
        while not await answers(self.launch.port, self.launch.spec.ready):
            if time.monotonic() > deadline:
                raise LocalError(self._why(f"was not ready within {timeout_seconds:g} s"))
            await asyncio.sleep(0.05)
        self._ready = True

    async def stop(self, timeout_seconds: float) -> None:
        """Ask it to stop, kill it when it does not within the time."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), timeout_seconds)
            except TimeoutError:
                self._say(f"{self.launch.name} did not stop within {timeout_seconds:g} s and was killed")
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        (self._home.run / f"{self.launch.name}.json").unlink(missing_ok=True)

    async def _start(self) -> asyncio.subprocess.Process:
        self.launch.log.parent.mkdir(parents=True, exist_ok=True)
        processes.cut_log(self.launch.log)
        with self.launch.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.launch.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self.launch.environment),
                start_new_session=True,
            )
        self._write(self._process.pid)
        return self._process

    def _write(self, pid: int | None) -> None:
        state = {
            "name": self.launch.name,
            "pid": pid,
            "start_ticks": processes.start_ticks(pid) if pid else None,
            "address": self.launch.url,
            "log": str(self.launch.log),
            "restarts": self._restarts,
            "last_exit": self._last_exit,
        }
        write_json(self._home.run / f"{self.launch.name}.json", state)

    def _death(self) -> str:
        code = self._last_exit or 0
        if code < 0:
            return f"{self.launch.name} was ended by {signal.Signals(-code).name}"
        return self._why(f"ended with code {code}")

    def _why(self, what: str) -> str:
        said = processes.last_lines(self.launch.log, 1)[:SAID_MAX] or "it said nothing"
        return f"{self.launch.name} {what}: {said} (its log: {self.launch.log})"


async def answers(port: int, path: str, timeout_seconds: float = 2.0) -> bool:
    """Whether an HTTP server on this loopback port answers the path with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
            try:
                writer.write(request)
                status = await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split()[1:2] == [b"200"]
