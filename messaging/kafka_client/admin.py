"""Creates and compares the topics of the registry, and says how far groups are. For commands and threads.

Over kafka-python: all of it blocks. A change that would move claims to other partitions is refused, never made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import GroupIdNotFoundError, KafkaError, TopicAlreadyExistsError

from messaging.kafka_client.reading import ask, described, log_ends
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import TopicPartition
from schemas.topics import TopicSpec

ChangeKind = Literal["create", "configure", "refused"]


class AdminError(Exception):
    """The broker did not do what was asked; the message says what."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the registry and the broker. `words` says it to a person."""

    kind: ChangeKind
    topic: str
    words: str
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it."""

    name: str
    topic_id: str
    partitions: int
    replicas: int
    configs: Mapping[str, str]
    records: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group's committed offset is from the end. `committed` is None before the first commit."""

    place: TopicPartition
    committed: int | None
    end: int

    @property
    def behind(self) -> int:
        return self.end - (self.committed or 0)


class TopicAdmin:
    """Plans and applies the registry, and answers questions about the log. Every method connects anew and blocks."""

    def __init__(self, settings: KafkaSettings, replicas: int = 1) -> None:
        self._settings, self._replicas = settings, replicas

    def plan(self, registry: Sequence[TopicSpec]) -> list[Change]:
        """What differs, in the registry's order; nothing once it has been applied."""
        return ask(self._settings, lambda client: self._plan(client, registry))

    def apply(self, registry: Sequence[TopicSpec]) -> list[Change]:
        """Makes the planned changes and returns them; makes none if one of them is refused."""
        by_name = {spec.name: spec for spec in registry}

        def make(client: Any) -> list[Change]:
            changes = self._plan(client, registry)
            refused = [change.words for change in changes if change.kind == "refused"]
            if refused:
                raise AdminError("; ".join(refused))
            for change in changes:
                self._make(client, change, by_name[change.topic])
            return changes

        return ask(self._settings, make)

    def describe(self, topics: Iterable[str]) -> list[TopicState]:
        """The topics among these that exist."""

        def look(client: Any) -> tuple[Any, Any, Any]:
            found = described(client, list(topics))
            return found, _configs(client, found), log_ends(client, _places(found))

        found, configs, ends = ask(self._settings, look)
        return [
            TopicState(
                name=name,
                topic_id=str(topic["topic_id"]),
                partitions=len(topic["partitions"]),
                replicas=len(topic["partitions"][0]["replica_nodes"]),
                configs=configs[name],
                records=sum(end - first for place, (first, end) in ends.items() if place.topic == name),
            )
            for name, topic in sorted(found.items())
        ]

    def lag(self, group: str, topics: Iterable[str]) -> list[Lag]:
        """Per partition. The commits are hints of the engines: the truth is the stage's positions in its database."""

        def look(client: Any) -> tuple[Any, Any]:
            ends = log_ends(client, _places(described(client, list(topics))))
            try:
                return ends, client.list_group_offsets(group)[group]
            except GroupIdNotFoundError:
                return ends, {}

        ends, committed = ask(self._settings, look)
        offsets = {TopicPartition(place.topic, place.partition): held.offset for place, held in committed.items()}
        return [Lag(place, offsets.get(place), ends[place][1]) for place in sorted(ends)]

    def _plan(self, client: Any, registry: Sequence[TopicSpec]) -> list[Change]:
        found = described(client, [spec.name for spec in registry])
        configs = _configs(client, found)
        changes = []
        for spec in registry:
            topic = found.get(spec.name)
            if topic is None:
                words = f"create {spec.name} with {spec.partitions} partitions"
                changes.append(Change("create", spec.name, words, spec.configs))
                continue
            count = len(topic["partitions"])
            if count != spec.partitions:
                words = f"{spec.name} has {count} partitions, not {spec.partitions}: changing it would move claims"
                changes.append(Change("refused", spec.name, words, {}))
            held = configs[spec.name]
            differing = {name: value for name, value in spec.configs.items() if held.get(name) != value}
            if differing:
                words = ", ".join(
                    f"{name} from {held.get(name, 'its default')} to {differing[name]}" for name in differing
                )
                changes.append(Change("configure", spec.name, f"set on {spec.name}: {words}", differing))
        return changes

    def _make(self, client: Any, change: Change, spec: TopicSpec) -> None:
        try:
            if change.kind == "create":
                wanted = {
                    "num_partitions": spec.partitions,
                    "replication_factor": self._replicas,
                    "configs": dict(spec.configs),
                }
                client.create_topics({spec.name: wanted}, wait_for_metadata=True)
                return
            resource = ConfigResource(ConfigResourceType.TOPIC, spec.name, configs=dict(change.configs))
            outcome = client.alter_configs([resource])["topic"][spec.name]
        except TopicAlreadyExistsError:
            # Another start was quicker; if it made it otherwise, the next plan says so.
            return
        except KafkaError as error:
            raise AdminError(f"{change.words}: {error}") from error
        if outcome != "OK":
            raise AdminError(f"{change.words}: {outcome}")


def _places(topics: Mapping[str, Mapping[str, Any]]) -> list[TopicPartition]:
    return [
        TopicPartition(name, number) for name, topic in topics.items() for number in range(len(topic["partitions"]))
    ]


def _configs(client: Any, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """Every set or default value of each topic."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    answer = client.describe_configs(resources, config_filter="all")["topic"] if resources else {}
    return {name: {key: str(item["value"]) for key, item in held.items()} for name, held in answer.items()}
