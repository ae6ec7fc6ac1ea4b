"""Brings the whole system up, keeps it up and takes it down: broker, database, simulators, services, in this order.

One supervisor a folder. What runs is written to var/run, so that other commands and tests find it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from hosting.exits import Exit
from hosting.settings import load_settings
from local import processes, running
from local.broker import EmbeddedBroker
from local.child import Child, Say
from local.database import EmbeddedDatabase, PostgresServer
from local.errors import LocalError
from local.home import Home
from local.launching import Launch, mail_channel, plan_launches, plan_ports
from local.providers import Broker, Database, choose_broker, choose_database
from local.settings import LocalSettings
from local.system import DATABASES, PROCESSES

DATABASE_PREFIX = "claimflow_"
_LOOK_SECONDS, _LOGS_SECONDS = 0.2, 30.0


class Supervisor:
    """The system over one folder. `without` names processes that stand elsewhere, such as a real policy system."""

    def __init__(self, home: Home, environment: Mapping[str, str], say: Say, without: Iterable[str] = ()) -> None:
        self._home, self._environment, self._say = home, environment, say
        left_out = frozenset(without)
        unknown = left_out - {spec.name for spec in PROCESSES}
        if unknown:
            raise LocalError(f"there is no process {sorted(unknown)[0]}", code=Exit.usage)
        self._specs = tuple(spec for spec in PROCESSES if spec.name not in left_out)
        self._settings = load_settings(LocalSettings, "local", environment)
        self._broker: Broker | None = None
        self._database: Database | None = None
        self._server: PostgresServer | None = None
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._secrets: dict[str, object] = {}
        self._mail = "unknown"

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Bring everything up, say so once, keep it up until `stop` is set, take everything down."""
        self._home.make()
        with only_one(self._home):
            try:
                await self._interruptible(self._bring_up(), stop)
                if not stop.is_set():
                    self._write("ready")
                    on_ready()
                    await self._keep_up(stop)
            finally:
                await self._take_down()

    async def _bring_up(self) -> None:
        self._end_leftovers()
        planned = plan_ports(self._specs, self._settings, self._environment, self._home)
        await self._start_servers()
        databases = await asyncio.to_thread(self._prepare)
        self._write("starting")
        launches = plan_launches(
            self._specs, planned, databases, self._shared(databases), self._environment, self._home
        )
        self._mail = mail_channel(launches)
        # Before notify can read anything: a notice that is not owed is not owed later either.
        running.note_mail(self._home, self._mail, datetime.now(UTC))
        self._children = [Child(launch, self._home, self._say) for launch in launches]
        # Simulators first: a service may look for its neighbour when it starts.
        for kind in ("simulator", "service"):
            await self._start([child for child in self._children if child.launch.spec.kind == kind])

    async def _start_servers(self) -> None:
        settings, environment = self._settings, self._environment
        broker = choose_broker(environment, self._home.broker, settings.broker_port, quick_start=settings.quick_start)
        database = choose_database(environment, self._home.database, settings.database_port)
        self._broker, self._database = broker, database
        self._say("starting broker and database")
        _, server = await asyncio.gather(asyncio.to_thread(broker.start), asyncio.to_thread(database.start))
        self._server = server
        self._write_servers()

    def _prepare(self) -> dict[str, str]:
        """Topics, databases, the key ring and its key: everything a service expects to find. Safe to repeat."""
        from local.preparing import make_master_key, make_topics, migrate_keys

        assert self._server is not None and self._broker is not None
        changes = make_topics(self._broker.bootstrap, self._settings)
        if changes:
            self._say(f"made or changed {len(changes)} topics")
        databases = {name: self._server.create_database(DATABASE_PREFIX + name) for name in DATABASES}
        key_file = self._settings.master_key_file or self._home.master_key
        make_master_key(key_file)
        migrate_keys(self._settings.keys_database or databases["keys"])
        password = self._settings.kafka_password
        login = {
            "username": self._settings.kafka_username,
            "password": password.get_secret_value() if password is not None else None,
        }
        self._secrets = {"databases": databases, "master_key_file": str(key_file), "broker_login": login}
        return databases

    def _shared(self, databases: Mapping[str, str]) -> dict[str, str]:
        assert self._broker is not None
        return {
            "CLAIMFLOW_KAFKA": self._broker.bootstrap,
            "CLAIMFLOW_KEYS_DATABASE": databases["keys"],
            "CLAIMFLOW_MASTER_KEY_FILE": str(self._secrets["master_key_file"]),
        }

    async def _start(self, children: list[Child]) -> None:
        begun = [asyncio.create_task(child.supervise(), name=child.launch.name) for child in children]
        self._tasks += begun
        ready = asyncio.create_task(self._all_ready(children))
        try:
            await asyncio.wait([ready, *begun], return_when=asyncio.FIRST_COMPLETED)
            for task in begun:
                if task.done():
                    task.result()
            await ready
        finally:
            ready.cancel()

    async def _all_ready(self, children: list[Child]) -> None:
        await asyncio.gather(*(child.wait_ready(self._settings.ready_seconds) for child in children))

    async def _keep_up(self, stop: asyncio.Event) -> None:
        watchers = [self._keep_server("broker"), self._keep_server("database"), self._keep_logs_small()]
        self._tasks += [asyncio.create_task(watcher) for watcher in watchers]
        stopped = asyncio.create_task(stop.wait())
        # A watcher of a server that is not ours ends at once; only a fault or the wish to stop ends this.
        waiting: set[asyncio.Task[Any]] = {stopped, *self._tasks}
        while not stopped.done() and not any(task.done() and task.exception() for task in self._tasks):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _keep_server(self, name: str) -> None:
        server = self._broker if name == "broker" else self._database
        while _is_ours(server):
            await asyncio.sleep(_LOOK_SECONDS)
            if not server.running:
                self._say(f"the {name} ended with code {server.exit_code}; starting it again")
                self._write_servers()
                await asyncio.to_thread(server.start)
                self._write_servers()

    async def _keep_logs_small(self) -> None:
        servers = [server.log for server in (self._broker, self._database) if _is_ours(server)]
        logs = [launch.log for launch in self._launches] + servers
        while True:
            await asyncio.sleep(_LOGS_SECONDS)
            for log in logs:
                await asyncio.to_thread(processes.cut_log, log)

    async def _take_down(self) -> None:
        self._write("stopping")
        for kind in ("service", "simulator"):
            stopping = [child for child in reversed(self._children) if child.launch.spec.kind == kind]
            await asyncio.gather(*(child.stop(self._settings.stop_seconds) for child in stopping))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        servers = [server for server in (self._broker, self._database) if server is not None]
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers))
        for name in (running.SYSTEM_FILE, running.SECRETS_FILE, "broker.json", "database.json"):
            (self._home.run / name).unlink(missing_ok=True)

    async def _interruptible(self, work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
        """Do the work, or leave it as soon as somebody wants to stop."""
        task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    @property
    def _launches(self) -> list[Launch]:
        return [child.launch for child in self._children]

    def _write(self, state: str) -> None:
        if self._broker is None or self._server is None:
            return
        content = {
            "pid": os.getpid(),
            "start_ticks": processes.start_ticks(os.getpid()),
            "state": state,
            "kafka": self._broker.bootstrap,
            "postgres": f"{self._server.host}:{self._server.port}",
            "urls": {launch.name: launch.url for launch in self._launches},
            "settings": {
                "engine": self._settings.engine,
                "partitions": str(self._settings.partitions),
                "mail": self._mail,
            },
        }
        running.write_json(self._home.run / running.SECRETS_FILE, self._secrets, private=True)
        running.write_json(self._home.run / running.SYSTEM_FILE, content)

    def _write_servers(self) -> None:
        for name, server in (("broker", self._broker), ("database", self._database)):
            if _is_ours(server):
                pid = server.pid
                ticks = processes.start_ticks(pid) if pid else None
                state = {"name": name, "pid": pid, "start_ticks": ticks, "log": str(server.log)}
                state["last_exit"] = server.exit_code
                running.write_json(self._home.run / f"{name}.json", state)

    def _end_leftovers(self) -> None:
        """End what a killed supervisor left behind; broker and database look after themselves."""
        for spec in self._specs:
            pid = running.living_pid(self._home, spec.name)
            if pid is not None:
                self._say(f"ending {spec.name} (process {pid}), left behind by an earlier run")
                processes.end_stranger(pid)


def _is_ours(server: object) -> TypeGuard[EmbeddedBroker | EmbeddedDatabase]:
    return isinstance(server, EmbeddedBroker | EmbeddedDatabase)


@contextlib.contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the folder; LocalError when another supervisor holds it."""
    handle = os.open(home.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise LocalError(
            f"claimflow runs already over {_short(home.folder)}", "stop it with claimflow down, or set CLAIMFLOW_HOME"
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def stop_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
