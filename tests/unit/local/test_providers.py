"""Where broker and database come from: settings first, else embedded, else one clear line that shows no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosting.exits import Exit
from local import providers
from local.broker import EmbeddedBroker
from local.containers import DockerBroker, DockerDatabase, kafka_environment
from local.database import EmbeddedDatabase
from local.errors import LocalError
from local.providers import ExternalBroker, ExternalDatabase, choose_broker, choose_database


def test_without_settings_both_are_embedded(tmp_path: Path) -> None:
    assert isinstance(choose_broker({}, tmp_path), EmbeddedBroker)
    assert isinstance(choose_database({}, tmp_path), EmbeddedDatabase)


def test_an_address_in_the_settings_wins_even_over_docker(tmp_path: Path) -> None:
    environment = {
        "CLAIMFLOW_KAFKA": "kafka:9092",
        "CLAIMFLOW_POSTGRES": "postgresql://app:pw@db:5433",
        "CLAIMFLOW_TEST_PROVIDER": "docker",
    }

    broker = choose_broker(environment, tmp_path, testing=True)
    database = choose_database(environment, tmp_path, testing=True)

    assert isinstance(broker, ExternalBroker) and broker.bootstrap == "kafka:9092"
    assert isinstance(database, ExternalDatabase) and (database.host, database.port) == ("db", 5433)


def test_docker_is_for_tests_only(tmp_path: Path) -> None:
    environment = {"CLAIMFLOW_TEST_PROVIDER": "docker"}

    assert isinstance(choose_broker(environment, tmp_path, testing=True), DockerBroker)
    assert isinstance(choose_database(environment, tmp_path, testing=True), DockerDatabase)
    assert isinstance(choose_broker(environment, tmp_path), EmbeddedBroker)


def test_an_unknown_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="embedded or docker") as refused:
        choose_broker({"CLAIMFLOW_TEST_PROVIDER": "podman"}, tmp_path, testing=True)

    assert refused.value.code == Exit.usage


@pytest.mark.parametrize(
    "address", ["db:5432", "mysql://a:secret@db", "postgresql://db/x", "postgresql://a:secret@db:port"]
)
def test_a_wrong_database_address_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(LocalError) as refused:
        ExternalDatabase.at(address)

    assert refused.value.code == Exit.usage
    assert "secret" not in str(refused.value)


def test_escapes_in_user_and_password_are_taken_as_meant() -> None:
    server = ExternalDatabase.at("postgresql+asyncpg://us%40er:p%3Aw@db")

    assert (server.user, server.port) == ("us@er", 5432)


def test_a_broker_that_is_not_there_is_one_line_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "REACH_SECONDS_MAX", 0.0)

    with pytest.raises(LocalError, match=r"no Kafka broker answers at 127\.0\.0\.1:1") as refused:
        ExternalBroker("127.0.0.1:1").start()

    assert refused.value.code == Exit.unavailable
    assert "CLAIMFLOW_KAFKA" in refused.value.hint


def test_no_docker_engine_is_one_line_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    with pytest.raises(LocalError, match="no Docker engine answers") as refused:
        DockerBroker().start()

    assert refused.value.code == Exit.unavailable
    assert "\n" not in str(refused.value)


def test_the_broker_in_a_container_sends_clients_to_the_port_chosen_on_the_host() -> None:
    environment = kafka_environment("127.0.0.1", 23_456)

    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:23456"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert all(name.startswith("KAFKA_") for name in environment.keys() - {"CLUSTER_ID"})


def test_images_come_from_the_environment() -> None:
    assert DockerBroker.from_environment({"CLAIMFLOW_KAFKA_IMAGE": "local/kafka:1"}).image == "local/kafka:1"
    assert DockerDatabase.from_environment({}).image == "postgres:18"
