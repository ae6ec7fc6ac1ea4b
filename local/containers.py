"""Broker and database in containers, for tests on machines with a Docker engine (CLAIMFLOW_TEST_PROVIDER=docker).

Same faces as the embedded ones, so that tests which kill and restart them need not know the difference. The images are
chosen by CLAIMFLOW_KAFKA_IMAGE and CLAIMFLOW_POSTGRES_IMAGE."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from local import kafka_probe, ports, processes
from local.database import PostgresServer
from local.errors import LocalError

KAFKA_IMAGE = "apache/kafka:4.1.1"
POSTGRES_IMAGE = "postgres:18"
LABELS = {"claimflow": "test"}
READY_SECONDS_MAX = 120.0
_CLUSTER = "claimflowtests00000000"
_CLIENT_PORT, _CONTROLLER_PORT, _POSTGRES_PORT = 9092, 9093, 5432


def kafka_environment(host: str, port: int) -> dict[str, str]:
    """All of the container's settings. Any KAFKA_ variable replaces the image's file, so every needed one is here."""
    return {
        "CLUSTER_ID": _CLUSTER,
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{_CONTROLLER_PORT}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{_CLIENT_PORT},CONTROLLER://localhost:{_CONTROLLER_PORT}",
        # Clients are sent on to this address, so the host's port is chosen before the container starts.
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "8",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "2000",
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    }


class DockerBroker:
    """Apache Kafka in a container on a host port that stays the same over kill and restart."""

    def __init__(self, image: str = KAFKA_IMAGE) -> None:
        self.image = image
        self._container: Any = None
        self._host, self._port = ports.LOOPBACK, 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DockerBroker:
        """With the image named there, or the usual one."""
        return cls(environment.get("CLAIMFLOW_KAFKA_IMAGE", "") or KAFKA_IMAGE)

    @property
    def bootstrap(self) -> str:
        """Address for clients; known after the first start."""
        if not self._port:
            raise RuntimeError("the broker has not been started")
        return f"{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """The client port on the host."""
        return self._port

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        if self._container is None:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def start(self) -> str:
        """Start, or start again after `kill`; returns when the broker serves."""
        if self._container is None:
            require_engine()
            from testcontainers.core.container import DockerContainer

            self._port = ports.free_port()
            container = DockerContainer(self.image, labels=LABELS)
            self._host = _reachable(container.get_docker_client().host())
            container.with_bind_ports(_CLIENT_PORT, self._port)
            container.with_envs(**kafka_environment(self._host, self._port))
            self._container = container
            container.start()
        elif not self.running:
            self._container.get_wrapped_container().start()
        if not processes.wait_until(self._serves, READY_SECONDS_MAX, 0.2):
            raise LocalError(f"the broker of image {self.image} did not serve", "see docker logs of the container")
        return self.bootstrap

    def stop(self) -> None:
        """Stop and remove the container."""
        if self._container is not None:
            self._container.stop()
            self._container = None

    def kill(self) -> None:
        """SIGKILL, as a crash would; the container and its data stay for `start`."""
        if self.running:
            self._container.get_wrapped_container().kill()

    def restart(self) -> str:
        """Stop cleanly and start again on the same port with the same data."""
        if self._container is not None:
            self._container.get_wrapped_container().stop(timeout=30)
        return self.start()

    def _serves(self) -> bool:
        return kafka_probe.answers_metadata(self._host, self._port)


class DockerDatabase:
    """PostgreSQL in a container on a host port that stays the same over kill and restart."""

    def __init__(self, image: str = POSTGRES_IMAGE) -> None:
        self.image = image
        self._container: Any = None
        self._server: PostgresServer | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DockerDatabase:
        """With the image named there, or the usual one."""
        return cls(environment.get("CLAIMFLOW_POSTGRES_IMAGE", "") or POSTGRES_IMAGE)

    def start(self) -> PostgresServer:
        """Start, or start again after `kill`; returns when it takes connections."""
        if self._container is None or self._server is None:
            require_engine()
            from testcontainers.community.postgres import PostgresContainer

            password, port = secrets.token_hex(24), ports.free_port()
            container = PostgresContainer(
                self.image, username="postgres", password=password, dbname="postgres", driver=None, labels=LABELS
            )
            container.with_bind_ports(_POSTGRES_PORT, port)
            self._container = container
            container.start()
            host = _reachable(container.get_container_host_ip())
            self._server = PostgresServer(host, port, "postgres", password)
        else:
            self._container.get_wrapped_container().start()
        if not processes.wait_until(self._serves, READY_SECONDS_MAX, 0.2):
            raise LocalError(f"the database of image {self.image} did not serve", "see docker logs of the container")
        return self._server

    def stop(self) -> None:
        """Stop and remove the container."""
        if self._container is not None:
            self._container.stop()
            self._container = self._server = None

    def kill(self) -> None:
        """SIGKILL, as a crash would; the container and its data stay for `start`."""
        if self._container is not None:
            self._container.get_wrapped_container().kill()

    def _serves(self) -> bool:
        try:
            return self._server is not None and self._server.sql("SELECT 1").strip() == "1"
        except LocalError:
            return False


def require_engine() -> None:
    """LocalError in one line when no Docker engine answers."""
    try:
        import docker
    except ImportError:
        raise LocalError("the package testcontainers is missing", "run make setup") from None
    try:
        client = docker.from_env(timeout=10)
        client.ping()
    except docker.errors.DockerException as problem:
        raise LocalError(
            f"CLAIMFLOW_TEST_PROVIDER=docker, but no Docker engine answers ({type(problem).__name__})",
            "start Docker, or unset CLAIMFLOW_TEST_PROVIDER to use the embedded broker and database",
        ) from None
    client.close()


def _reachable(host: str | None) -> str:
    # By name, loopback may mean IPv6 here and IPv4 in the engine's port map.
    return ports.LOOPBACK if host in (None, "", "localhost") else str(host)
