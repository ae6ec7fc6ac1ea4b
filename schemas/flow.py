"""Who talks to whom, drawn from the topic registry as a Markdown page. Pure: the same registry gives the same text.

`claimflow schemas write` writes it to docs/flow.md; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.documents import summary_of
from schemas.event import registered_types
from schemas.topics import CONTROL_TOPIC, READS, STAGES, WRITERS, TopicSpec, registry, service_of, topic_of

_HEAD = """# Who talks to whom

Written by `claimflow schemas write` from the topic registry (`schemas/topics.py`) and the event models. Do not edit it:
a test compares it with what they say. Field by field: `schemas/asyncapi.yaml` and `schemas/json/`.
"""
_DAY_MS = 24 * 60 * 60 * 1000


def flow_page() -> str:
    """The whole page: a picture of events, one of orders and status, then every topic and every event as tables."""
    specs = registry()
    return "\n".join(
        [
            _HEAD,
            "## Events of claims",
            "",
            "An arrow is a topic, from its one writer to a reader.",
            "",
            *_mermaid(_event_edges()),
            "",
            "## Orders, status and dead letters",
            "",
            "People's orders go from ops to all stages; each service tells where it stands and what it could not take.",
            "",
            *_mermaid(_other_edges(specs)),
            "",
            "## Readers",
            "",
            *_table(("stage", "service", "reads the events of"), _readers()),
            "",
            "## Topics",
            "",
            "Claim topics and dead letters have as many partitions as `CLAIMFLOW_PARTITIONS` says, "
            f"{specs[0].partitions} unless set; status and control have one.",
            "",
            *_table(("topic", "kind", "written by", "read by", "keyed by", "kept"), map(_topic, specs)),
            "",
            "## Events",
            "",
            *_table(("event", "written by", "on a topic read by", "what it says"), _events()),
            "",
        ]
    )


def _event_edges() -> Iterator[str]:
    for writer in WRITERS:
        for reader, writers in READS.items():
            if writer in writers and reader != writer:
                yield f"{writer} -->|{topic_of(writer)}| {reader}"


def _other_edges(specs: Iterable[TopicSpec]) -> Iterator[str]:
    for spec in specs:
        if spec.kind in ("status", "dead-letter") and spec.writer != "ops":
            yield f"{spec.writer} -.->|{spec.name}| ops"
    for reader in WRITERS:
        if reader != "ops":
            yield f"ops ==>|{CONTROL_TOPIC}| {reader}"


def _mermaid(edges: Iterable[str]) -> list[str]:
    return ["```mermaid", "flowchart LR", *(f"    {edge}" for edge in edges), "```"]


def _readers() -> Iterator[tuple[str, ...]]:
    for stage in STAGES:
        service = service_of(stage)
        # Clicks are recorded by a stage of their own, which starts no engine.
        reads = () if stage == "ops-desk" else READS[service]
        yield f"`{stage}`", service, ", ".join(reads) or "nothing; it begins with a request"


def _topic(spec: TopicSpec) -> tuple[str, ...]:
    if spec.configs["cleanup.policy"] == "compact":
        kept = "the last word per key"
    else:
        kept_ms = int(spec.configs["retention.ms"])
        kept = "for ever" if kept_ms < 0 else f"{kept_ms // _DAY_MS} days"
    return f"`{spec.name}`", spec.kind, spec.writer, ", ".join(spec.readers), spec.key.replace("<", r"\<"), kept


def _events() -> Iterator[tuple[str, ...]]:
    models = registered_types()
    for spec in registry():
        for name in spec.events:
            yield f"`{name}`", spec.writer, ", ".join(spec.readers), summary_of(models[name]).replace("|", r"\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
