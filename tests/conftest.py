"""Real servers for the tests that ask for them, started once a session; a test that asks for none starts nothing.

`broker` and `postgres` give objects with `kill`, `start` and `restart`; `kafka` and `database_url` give addresses."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.topics import TopicSpec, registry

if TYPE_CHECKING:
    from local.database import PostgresServer
    from local.providers import Broker
    from messaging.kafka_client.admin import TopicState

PARTITIONS = 4
ROOT = Path(__file__).resolve().parent.parent
_names = itertools.count(1)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Where embedded servers keep their data: fresh each session, short, and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="claimflow-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def broker(servers_folder: Path) -> Iterator[Broker]:
    """The session's broker. A test that kills it starts it again before it ends."""
    from local.providers import choose_broker

    chosen = choose_broker(os.environ, servers_folder / "broker", testing=True)
    chosen.start()
    yield chosen
    chosen.stop()


@pytest.fixture
def kafka(broker: Broker) -> str:
    """The broker's address, `host:port`; the broker is brought back if an earlier test left it dead."""
    return broker.start()


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[PostgresServer]:
    """The session's database server."""
    from local.providers import choose_database

    chosen = choose_database(os.environ, servers_folder / "database", testing=True)
    server = chosen.start()
    yield server
    chosen.stop()


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh empty database for one test, as postgresql+asyncpg://..., dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_names)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def _topics_once(broker: Broker) -> tuple[TopicSpec, ...]:
    specs = registry(PARTITIONS)
    _apply(broker.start(), specs)
    return specs


@pytest.fixture
def topics(kafka: str, _topics_once: tuple[TopicSpec, ...]) -> tuple[TopicSpec, ...]:
    """The registry's topics with four partitions; shared, so records of earlier tests may stand in them."""
    return _topics_once


@pytest.fixture
def fresh_kafka(kafka: str) -> str:
    """The broker's address with every topic of the registry empty: deleted and made anew (about half a second)."""
    specs = registry(PARTITIONS)
    old: set[str] = set()
    for _ in range(40):
        old |= _delete(kafka, specs)
        _apply(kafka, specs)
        # A broker that has just come back may still tell of topics that are deleted, or not yet of those there are.
        found = _topics(kafka, specs)
        is_new = len(found) == len(specs) and not old & {state.topic_id for state in found}
        if is_new and not any(state.records for state in found):
            return kafka
    raise AssertionError("the broker keeps telling of topics that were deleted")


def _apply(bootstrap: str, specs: Sequence[TopicSpec]) -> None:
    from messaging.kafka_client.admin import TopicAdmin
    from messaging.kafka_client.settings import KafkaSettings

    TopicAdmin(KafkaSettings(bootstrap)).apply(specs)


def _topics(bootstrap: str, specs: Sequence[TopicSpec]) -> list[TopicState]:
    from messaging.kafka_client.admin import TopicAdmin
    from messaging.kafka_client.settings import KafkaSettings

    return TopicAdmin(KafkaSettings(bootstrap)).describe([spec.name for spec in specs])


def _delete(bootstrap: str, specs: Sequence[TopicSpec]) -> set[str]:
    """Deletes what there is of these topics; the ids they had."""
    from messaging.kafka_client.reading import admin_client, described
    from messaging.kafka_client.settings import KafkaSettings

    names = [spec.name for spec in specs]
    with admin_client(KafkaSettings(bootstrap)) as client:
        present = described(client, names)
        if present:
            client.delete_topics(list(present))
        return {str(topic["topic_id"]) for topic in present.values()}
