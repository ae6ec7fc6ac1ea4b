"""The language of the system as documents: JSON Schema of every event, order and status record, and AsyncAPI 3.

Pure: returns what the files must say. `claimflow schemas write` writes them; a test compares them with the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.control import ORDERS
from schemas.envelope import HEADERS
from schemas.event import Event, registered_types
from schemas.model import Model, Privacy
from schemas.status import STATUS_RECORDS
from schemas.topics import TopicSpec, registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REQUIRED_HEADERS = [name for name in HEADERS if name not in ("ce_after", "traceparent")]
_HEADER_WORDS = {
    "ce_specversion": "CloudEvents version, always 1.0",
    "ce_id": "the event's id; follows from its cause, so a repeat has the same",
    "ce_type": "claimflow.<Name>.v<major>",
    "ce_source": "claimflow/<writer>",
    "ce_subject": "claim_id, also the record's key",
    "ce_time": "when the writer stored the event (RFC 3339, UTC)",
    "ce_causeid": "the id of what brought the event about",
    "ce_sequence": "1, 2, 3 ... without gaps per claim and writer",
    "ce_after": "how far the writer had applied the other writers' events of this claim, e.g. intake:1,payment:2",
    "content-type": "application/json",
    "traceparent": "W3C trace context",
}


def model_documents() -> dict[str, dict[str, Any]]:
    """File stem to JSON Schema: every event by its type, every order and status record by its kind."""
    found = {name: schema_of(model, name, summary_of(model)) for name, model in sorted(registered_types().items())}
    for folder, models, tag in (("control", ORDERS, "order"), ("status", STATUS_RECORDS, "kind")):
        for model in models:
            name = f"{folder}.{model.model_fields[tag].default}"
            found[name] = schema_of(model, name, summary_of(model))
    return found


def schema_of(model: type[Model], title: str, description: str) -> dict[str, Any]:
    """One model as a JSON Schema that stands alone; each field says its privacy class in `x-privacy`."""
    schema = model.model_json_schema(mode="validation")
    schema.pop("title", None)
    schema.pop("description", None)
    return {"$schema": DIALECT, "title": title, "description": description, **schema}


def privacy_gaps() -> list[str]:
    """Every field without a privacy class, as Model.field; empty when all is well."""
    seen: set[type[Model]] = set()
    gaps = []
    waiting = [*registered_types().values(), *ORDERS, *STATUS_RECORDS]
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        for name, field in model.model_fields.items():
            if not any(isinstance(one, Privacy) for one in field.metadata):
                gaps.append(f"{model.__name__}.{name}")
            waiting.extend(_models_in(field.annotation))
    return sorted(gaps)


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def asyncapi(partitions: int | None = None) -> dict[str, Any]:
    """The AsyncAPI 3 description: a channel per topic, who sends and who receives, each message with its schema."""
    specs = registry() if partitions is None else registry(partitions)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "claimflow",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0"},
            "description": "The events of claims, from first notice of loss to money paid and people told. "
            "CloudEvents 1.0 in Kafka binary mode; the key is the claim's id; one writer a topic.",
        },
        "defaultContentType": "application/json",
        "channels": {spec.name: _channel(spec) for spec in specs},
        "operations": dict(_operations(specs)),
        "components": {
            "messages": {name: _message(name, model) for name, model in sorted(registered_types().items())},
            "schemas": {"headers": _headers()},
        },
    }


def _channel(spec: TopicSpec) -> dict[str, Any]:
    return {
        "address": spec.name,
        "description": f"{spec.kind} topic; keyed by {spec.key}; written by {spec.writer} only",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in spec.events},
        "bindings": {
            "kafka": {
                "partitions": spec.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [spec.configs["cleanup.policy"]],
                    **{
                        name: int(spec.configs[name])
                        for name in ("retention.ms", "retention.bytes", "max.message.bytes")
                        if name in spec.configs
                    },
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(specs: tuple[TopicSpec, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in specs:
        channel = {"$ref": f"#/channels/{spec.name}"}
        yield f"{spec.writer}.sends.{spec.name}", {"action": "send", "channel": channel}
        for reader in spec.readers:
            yield f"{reader}.receives.{spec.name}", {"action": "receive", "channel": channel}


def _message(name: str, model: type[Event]) -> dict[str, Any]:
    return {
        "name": name,
        "title": model.__name__,
        "summary": summary_of(model),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./json/{name}.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"}},
    }


def _headers() -> dict[str, Any]:
    properties: Mapping[str, Any] = {name: {"type": "string", "description": _HEADER_WORDS[name]} for name in HEADERS}
    return {"type": "object", "required": _REQUIRED_HEADERS, "properties": properties}


def summary_of(model: type[Model]) -> str:
    """The first paragraph of a model's docstring, on one line."""
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split()) or model.__name__
