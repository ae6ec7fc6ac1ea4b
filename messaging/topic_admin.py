"""Makes the topics what the registry says: `plan` tells the differences, `apply` removes them; a second plan is empty.

Never changes the number of partitions of a topic that exists: a key would move to another partition, and the order of
its records would be lost. Blocking (kafka-python): call it in a thread, never in a request."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from hosting.exits import CannotStartError
from schemas.topics import TopicSpec

TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One difference. `create` and `configure` are carried out by `apply`; `refused` needs a person."""

    action: Literal["create", "configure", "refused"]
    topic: str
    detail: str


class TopicAdmin:
    """The topics of one cluster, compared with the registry and changed to match it."""

    def __init__(self, client: Any, replication_factor: int) -> None:
        self._client = client
        self._replication_factor = replication_factor

    def plan(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """What `apply` would do, and what it would refuse, in the registry's order."""
        partitions = self._partitions()
        configs = self._configs([spec for spec in specs if spec.name in partitions])
        changes = []
        for spec in specs:
            if spec.name not in partitions:
                settings = ", ".join(f"{key}={value}" for key, value in sorted(spec.configs.items()))
                changes.append(TopicChange("create", spec.name, f"{spec.partitions} partitions, {settings}"))
                continue
            held = partitions[spec.name]
            if held != spec.partitions:
                detail = f"has {held} partitions, wanted {spec.partitions}; records would change their partition"
                changes.append(TopicChange("refused", spec.name, detail))
            different = self._different(spec, configs.get(spec.name, {}))
            changes += [TopicChange("configure", spec.name, f"{key}={value}") for key, value in different.items()]
        return changes

    def apply(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """Carry the plan out and give it; returns when every topic has a leader. Safe to repeat and to race."""
        changes = self.plan(specs)
        missing = {change.topic for change in changes if change.action == "create"}
        for spec in specs:
            if spec.name in missing:
                self._create(spec)
        altered = {change.topic for change in changes if change.action == "configure"}
        held = self._configs([spec for spec in specs if spec.name in altered])
        for spec in specs:
            if spec.name in altered:
                wanted = self._different(spec, held.get(spec.name, {}))
                self._client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name, dict(wanted))])
        self._client.wait_for_topics([spec.name for spec in specs], timeout_ms=TIMEOUT_MS)
        return changes

    def delete(self, names: Iterable[str]) -> None:
        """Remove topics with all their records, those that exist; for tests and for `claimflow` on a demo only."""
        present = self._partitions()
        for name in names:
            if name in present:
                try:
                    self._client.delete_topics([name], timeout_ms=TIMEOUT_MS)
                except UnknownTopicOrPartitionError:
                    continue

    def _create(self, spec: TopicSpec) -> None:
        options = {
            "num_partitions": spec.partitions,
            "replication_factor": self._replication_factor,
            "configs": dict(spec.configs),
        }
        try:
            self._client.create_topics({spec.name: options}, timeout_ms=TIMEOUT_MS)
        except TopicAlreadyExistsError:
            return

    def _partitions(self) -> dict[str, int]:
        return {topic["name"]: len(topic["partitions"]) for topic in self._client.describe_topics()}

    def _configs(self, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
        if not specs:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(spec.configs)) for spec in specs]
        answer = self._client.describe_configs(resources, config_filter="all")
        by_topic: dict[str, Any] = next(iter(answer.values()), {})
        return {
            name: {key: str(row["value"]) for key, row in rows.items() if isinstance(row, dict)}
            for name, rows in by_topic.items()
        }

    @staticmethod
    def _different(spec: TopicSpec, held: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in spec.configs.items() if held.get(key) != value}


@contextmanager
def open_topic_admin(
    bootstrap: str, username: str | None = None, password: str | None = None, replication_factor: int = 1
) -> Iterator[TopicAdmin]:
    """An admin connection; CannotStartError in one line when the cluster does not answer or refuses."""
    security = (
        {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
        if username
        else {}
    )
    logging.getLogger("kafka").setLevel(logging.ERROR)
    client = None
    try:
        client = KafkaAdminClient(bootstrap_servers=bootstrap, client_id="claimflow-admin", **security)
        yield TopicAdmin(client, replication_factor)
    except KafkaError as fault:
        raise CannotStartError(f"the broker at {bootstrap} did not do as asked: {type(fault).__name__}") from fault
    finally:
        if client is not None:
            client.close()
