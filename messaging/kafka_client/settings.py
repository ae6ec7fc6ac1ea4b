"""How our processes connect to Kafka: one place for addresses, credentials and the measured time-outs.

Every client (aiokafka, Faust, kafka-python) takes its keyword arguments from here, so they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BATCH_MAX = 500
BATCH_WAIT_SECONDS = 0.05
FILL_SECONDS = 0.08
"""How long a batch waits for company where records come densely: each batch has its price, however few its records."""
PRODUCE_BATCH_BYTES = 262_144
PRODUCE_REQUEST_BYTES = 6 * 1024 * 1024
WEEK_SECONDS = 7 * 24 * 60 * 60
SASL_MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """`instance` is the process's static membership name; without one each start is a new member."""

    bootstrap: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str = "claimflow"
    instance: str | None = None
    session_seconds: float = 10.0
    heartbeat_seconds: float = 2.0
    rebalance_seconds: float = 10.0
    request_seconds: float = 15.0

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("kafka: username and password belong together")
        if not 0 < 3 * self.heartbeat_seconds <= self.session_seconds <= self.request_seconds:
            raise ValueError("kafka: three heartbeats must fit in a session, and a session in the request time-out")

    def client(self) -> dict[str, Any]:
        """For any client of aiokafka."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "request_timeout_ms": int(self.request_seconds * 1000),
            **self._credentials(),
        }

    def consumer(self, group: str) -> dict[str, Any]:
        """For a member of a group in aiokafka; offsets are never committed by the client itself.

        The poll interval is long because a paused stage keeps its membership, and health is the progress of the stage.
        """
        return {
            **self.client(),
            "group_id": group,
            "group_instance_id": self.instance,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": int(self.session_seconds * 1000),
            "heartbeat_interval_ms": int(self.heartbeat_seconds * 1000),
            "rebalance_timeout_ms": int(self.rebalance_seconds * 1000),
            "max_poll_interval_ms": WEEK_SECONDS * 1000,
        }

    def producer(self) -> dict[str, Any]:
        """For the one producer of a process in aiokafka."""
        return {
            **self.client(),
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": 0,
            "max_batch_size": PRODUCE_BATCH_BYTES,
            "max_request_size": PRODUCE_REQUEST_BYTES,
        }

    def admin(self) -> dict[str, Any]:
        """For kafka-python, whose pauses between attempts would otherwise double up to half a minute."""
        return {
            **self.client(),
            "bootstrap_timeout_ms": int(self.request_seconds * 1000),
            "reconnect_backoff_max_ms": 1000,
        }

    def faust(self, group: str) -> dict[str, Any]:
        """For the Faust app of a stage, without credentials; the group's name is the app's id."""
        return {
            "id": group,
            "version": 1,
            "broker": [f"kafka://{address}" for address in self.bootstrap.split(",")],
            "broker_client_id": self.client_id,
            "broker_session_timeout": self.session_seconds,
            "broker_heartbeat_interval": self.heartbeat_seconds,
            "broker_rebalance_timeout": self.rebalance_seconds,
            "broker_request_timeout": self.request_seconds,
            "broker_max_poll_interval": WEEK_SECONDS,
            "broker_commit_interval": 1.0,
            "consumer_auto_offset_reset": "earliest",
            "consumer_group_instance_id": self.instance,
        }

    def _credentials(self) -> dict[str, Any]:
        if self.username is None:
            return {}
        return {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": SASL_MECHANISM,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }
