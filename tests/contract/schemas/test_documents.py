"""The committed documents say what the models say, every released sample decodes for ever, every field has a class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli import schema_files
from schemas.documents import asyncapi, model_documents, privacy_gaps
from schemas.envelope import Envelope
from schemas.event import decode, decode_strictly, encode, registered_types
from schemas.topics import EVENT_TYPES, READS, WRITERS, registry, topic_of

FOLDER = Path(schema_files.FOLDER)
SAMPLES = sorted((FOLDER / "samples").glob("*.json"))


def sample(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_the_committed_files_are_what_the_models_generate() -> None:
    assert schema_files.verdicts() == {}
    assert [path.name for path in schema_files.differing()] == []


def test_every_field_of_every_event_order_and_status_has_a_privacy_class() -> None:
    assert privacy_gaps() == []


def test_every_event_type_has_a_sample_and_a_topic() -> None:
    types = set(registered_types())

    assert {path.stem for path in SAMPLES} >= types
    assert {name for names in EVENT_TYPES.values() for name in names} == types
    assert all(writer == registered_types()[name].WRITER for writer, names in EVENT_TYPES.items() for name in names)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_released_sample_decodes_for_ever(path: Path) -> None:
    data = sample(path)["data"]

    event = decode_strictly(path.stem, json.dumps(data).encode())

    assert json.loads(encode(event)) == data


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_holds_under_its_json_schema(path: Path) -> None:
    schema = json.loads((FOLDER / "json" / path.name).read_text("utf-8"))

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(sample(path)["data"], schema)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_samples_headers_are_a_whole_envelope(path: Path) -> None:
    headers = sample(path)["headers"]

    envelope = Envelope.from_headers([(name, value.encode()) for name, value in headers.items()])

    assert envelope.type == path.stem
    assert envelope.to_headers() == [(name, value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_reader_passes_over_fields_it_does_not_know(path: Path) -> None:
    data = sample(path)["data"]
    newer = json.dumps({**data, "a_field_of_tomorrow": {"deep": [1, 2]}}).encode()

    assert encode(decode(path.stem, newer)) == encode(decode(path.stem, json.dumps(data).encode()))
    with pytest.raises(ValueError):
        decode_strictly(path.stem, newer)


def test_asyncapi_names_one_sender_a_topic_and_every_reader() -> None:
    document = asyncapi()
    sends = [name for name, operation in document["operations"].items() if operation["action"] == "send"]

    assert len(sends) == len(document["channels"]) == len(registry())
    for reader, writers in READS.items():
        for writer in writers:
            assert f"{reader}.receives.{topic_of(writer)}" in document["operations"]
    for message in document["components"]["messages"].values():
        assert (FOLDER / message["payload"]["schema"]["$ref"]).is_file()


def test_each_service_writes_three_topics_only_and_ops_the_control_topic_besides() -> None:
    written = {writer: {spec.name for spec in registry() if spec.writer == writer} for writer in WRITERS}

    for writer in WRITERS:
        own = {topic_of(writer), f"claims.{writer}.dead-letter.v1", f"claims.{writer}.status.v1"}
        assert written[writer] == own | ({"claims.control.v1"} if writer == "ops" else set())
    assert len({spec.partitions for spec in registry() if spec.kind in ("claim", "dead-letter")}) == 1


def test_no_party_travels_in_the_clear() -> None:
    for name, schema in model_documents().items():
        text = json.dumps(schema)
        assert '"x-privacy": "personal"' not in text, name
        assert '"email"' not in text, name
