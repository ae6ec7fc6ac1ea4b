"""Every topic of the system: who writes it, who reads it, what is on it, how it is kept. One writer a topic.

Partition counts are the installation's: all claim topics and dead letters have the same, so that a claim has one
partition number everywhere. A test compares the event names here with the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

TopicKind = Literal["claim", "dead-letter", "status", "control"]

WRITERS = ("intake", "assessment", "payment", "notify", "ops")
STAGES = ("intake", "assessment", "payment", "notify", "ops-views", "ops-desk")
"""Stage names are consumer groups, frozen. A stage belongs to the service before the hyphen."""

READS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "intake": (),
        "assessment": ("intake", "ops", "payment"),
        "payment": ("intake", "assessment", "ops"),
        "notify": ("intake", "assessment", "payment", "ops"),
        "ops": WRITERS,
    }
)
"""Reader to the writers whose events it reads."""

CONTROL_TOPIC = "claims.control.v1"
PARTITIONS_DEFAULT = 8
CLAIM_RECORD_BYTES_MAX = 2_621_440
DEAD_LETTER_BYTES_MAX = 4_194_304
DEAD_LETTER_RETENTION_MS = 90 * 24 * 60 * 60 * 1000

_NAMES = {
    "intake": ("ClaimReported", "DocumentsReceived", "ClaimWithdrawn"),
    "assessment": (
        "PolicyAwaited",
        "ClaimRegistered",
        "ClaimSegmented",
        "DuplicateLinked",
        "ReserveSet",
        "DocumentsRequested",
        "AdvanceApproved",
        "ClaimReferred",
        "ClaimApproved",
        "ClaimPartlyApproved",
        "ClaimDecidedNil",
        "ClaimDenied",
        "ClaimClosed",
    ),
    "payment": ("PaymentInstructed", "PaymentConfirmed", "PaymentRejected", "PaymentHeld"),
    "notify": ("NoticeSent", "NoticeFailed"),
    "ops": ("ReviewRecorded",),
}
EVENT_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {writer: tuple(f"claimflow.{name}.v1" for name in names) for writer, names in _NAMES.items()}
)
"""Writer to every type it may write: what a reader may count as seen without decoding it."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must exist. `key` says in words what keys its records; `configs` are Kafka's own names."""

    name: str
    kind: TopicKind
    writer: str
    readers: tuple[str, ...]
    key: str
    events: tuple[str, ...]
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)


def topic_of(writer: str) -> str:
    """The topic of a writer's events."""
    return f"claims.{_known(writer)}.v1"


def dead_letter_topic(service: str) -> str:
    """The topic of what a service could not take; stage names are taken too (`ops-views` belongs to ops)."""
    return f"claims.{service_of(service)}.dead-letter.v1"


def status_topic(service: str) -> str:
    """The compacted topic of a service's positions, parked claims, pauses and command outcomes; stages taken too."""
    return f"claims.{service_of(service)}.status.v1"


def service_of(stage: str) -> str:
    """The service a stage belongs to."""
    return _known(stage.partition("-")[0])


def readers_of(writer: str) -> tuple[str, ...]:
    """The services that read a writer's events."""
    _known(writer)
    return tuple(reader for reader, writers in READS.items() if writer in writers)


def registry(partitions: int = PARTITIONS_DEFAULT) -> tuple[TopicSpec, ...]:
    """Every topic, claim topics and dead letters with this many partitions."""
    if not 1 <= partitions <= 1024:
        raise ValueError("partitions must lie from 1 to 1024")
    specs = [_claim_topic(writer, partitions) for writer in WRITERS]
    specs += [_dead_letter_topic(service, partitions) for service in WRITERS]
    specs += [_compacted(status_topic(service), "status", service, ("ops",)) for service in WRITERS]
    return (*specs, _compacted(CONTROL_TOPIC, "control", "ops", WRITERS))


def topic_writers() -> Mapping[str, str]:
    """Topic name to its one writer."""
    return {spec.name: spec.writer for spec in registry()}


def _known(service: str) -> str:
    if service not in WRITERS:
        raise ValueError("no service of this name")
    return service


def _claim_topic(writer: str, partitions: int) -> TopicSpec:
    return TopicSpec(
        name=topic_of(writer),
        kind="claim",
        writer=writer,
        readers=readers_of(writer),
        key="claim_id",
        events=EVENT_TYPES[writer],
        partitions=partitions,
        configs={**_kept("-1"), "max.message.bytes": str(CLAIM_RECORD_BYTES_MAX)},
    )


def _dead_letter_topic(service: str, partitions: int) -> TopicSpec:
    # The original stays in the stage's store until redriven or skipped, so the topic itself may expire.
    return TopicSpec(
        name=dead_letter_topic(service),
        kind="dead-letter",
        writer=service,
        readers=("ops",),
        key="the key of the original record",
        events=(),
        partitions=partitions,
        configs={**_kept(str(DEAD_LETTER_RETENTION_MS)), "max.message.bytes": str(DEAD_LETTER_BYTES_MAX)},
    )


def _kept(retention_ms: str) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": retention_ms,
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
    }


def _compacted(name: str, kind: TopicKind, writer: str, readers: tuple[str, ...]) -> TopicSpec:
    # One partition: a tail reader reads it to the end, and orders come in one sequence.
    return TopicSpec(
        name=name,
        kind=kind,
        writer=writer,
        readers=readers,
        key="stage:<name> for standing orders, command:<id> otherwise" if kind == "control" else "what it is about",
        events=(),
        partitions=1,
        configs={"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"},
    )
