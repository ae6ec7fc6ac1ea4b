"""Where broker and database come from: the address in the settings, else embedded, else one clear line.

CLAIMFLOW_KAFKA (host:port) and CLAIMFLOW_POSTGRES (postgresql://user:password@host:port) name servers that exist;
CLAIMFLOW_TEST_PROVIDER=docker makes the tests take containers instead of embedded ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from hosting.exits import Exit
from local import kafka_probe, processes
from local.broker import EmbeddedBroker
from local.database import EmbeddedDatabase, PostgresServer
from local.errors import LocalError

REACH_SECONDS_MAX = 10.0


class Broker(Protocol):
    """A broker that can be started and stopped; stopping somebody else's does nothing."""

    @property
    def bootstrap(self) -> str:
        """Address for clients."""

    def start(self) -> str:
        """Bring it up, or make sure that it is there; gives the bootstrap address."""

    def stop(self) -> None:
        """Take down what `start` brought up."""


class Database(Protocol):
    """A database server that can be started and stopped; stopping somebody else's does nothing."""

    def start(self) -> PostgresServer:
        """Bring it up, or make sure that it is there."""

    def stop(self) -> None:
        """Take down what `start` brought up."""


class ExternalBroker:
    """A broker named in the settings. With SASL only the connection is tried: it answers nothing before a log-in."""

    def __init__(self, bootstrap: str, *, secured: bool = False) -> None:
        self.bootstrap = bootstrap
        self._secured = secured

    def start(self) -> str:
        """LocalError unless one of its addresses answers."""
        addresses = [_host_and_port(part, "CLAIMFLOW_KAFKA") for part in self.bootstrap.split(",")]
        ask = kafka_probe.accepts if self._secured else kafka_probe.answers_metadata

        def answered() -> bool:
            return any(ask(host, port) for host, port in addresses)

        if not processes.wait_until(answered, REACH_SECONDS_MAX, 0.25):
            raise LocalError(
                f"no Kafka broker answers at {self.bootstrap} (CLAIMFLOW_KAFKA)",
                "start it, or unset CLAIMFLOW_KAFKA to use an embedded one",
            )
        return self.bootstrap

    def stop(self) -> None:
        """Nothing: it is not ours."""


class ExternalDatabase(PostgresServer):
    """A server named in the settings; its user must be allowed to make databases."""

    @classmethod
    def at(cls, address: str) -> ExternalDatabase:
        """From CLAIMFLOW_POSTGRES; LocalError (usage) that never shows the address, which may hold a password."""
        try:
            parts = urlsplit(address)
            port = parts.port or 5432
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme.partition("+")[0] not in ("postgresql", "postgres") or not parts.hostname or not parts.username:
            raise LocalError("CLAIMFLOW_POSTGRES must be postgresql://user:password@host:port", code=Exit.usage)
        return cls(parts.hostname, port, unquote(parts.username), unquote(parts.password or ""))

    def start(self) -> PostgresServer:
        """LocalError unless it answers and lets us make databases."""
        may = self.sql("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").strip()
        if may != "t":
            raise LocalError(
                f"the user {self.user} of CLAIMFLOW_POSTGRES may not make databases",
                f"run ALTER ROLE {self.user} CREATEDB as an administrator",
            )
        return self

    def stop(self) -> None:
        """Nothing: it is not ours."""


def choose_broker(
    environment: Mapping[str, str], folder: Path, port: int = 0, *, quick_start: bool = True, testing: bool = False
) -> Broker:
    """The broker by the chain above, not yet started."""
    named = environment.get("CLAIMFLOW_KAFKA", "")
    if named:
        return ExternalBroker(named, secured=bool(environment.get("CLAIMFLOW_KAFKA_USERNAME")))
    if testing and _wants_docker(environment):
        from local.containers import DockerBroker

        return DockerBroker.from_environment(environment)
    return EmbeddedBroker(folder, port, quick_start=quick_start)


def choose_database(environment: Mapping[str, str], folder: Path, port: int = 0, *, testing: bool = False) -> Database:
    """The database server by the chain above, not yet started."""
    named = environment.get("CLAIMFLOW_POSTGRES", "")
    if named:
        return ExternalDatabase.at(named)
    if testing and _wants_docker(environment):
        from local.containers import DockerDatabase

        return DockerDatabase.from_environment(environment)
    return EmbeddedDatabase(folder, port)


def _wants_docker(environment: Mapping[str, str]) -> bool:
    provider = environment.get("CLAIMFLOW_TEST_PROVIDER", "") or "embedded"
    if provider not in ("embedded", "docker"):
        raise LocalError("CLAIMFLOW_TEST_PROVIDER must be embedded or docker", code=Exit.usage)
    return provider == "docker"


def _host_and_port(text: str, variable: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise LocalError(f"{variable} must be host:port", code=Exit.usage)
    return host, int(port)
