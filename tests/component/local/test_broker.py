"""The session's broker as other tests rely on it: the registry's topics, and data that outlive a kill."""

from __future__ import annotations

import pytest

from local.broker import EmbeddedBroker
from local.providers import Broker
from messaging.kafka_client.admin import TopicAdmin
from messaging.kafka_client.settings import KafkaSettings
from schemas.topics import TopicSpec, registry

pytestmark = pytest.mark.broker


def test_a_second_apply_plans_nothing(kafka: str, topics: tuple[TopicSpec, ...]) -> None:
    assert TopicAdmin(KafkaSettings(kafka)).plan(topics) == []


def test_topics_outlive_a_killed_broker_at_the_same_address(broker: Broker, topics: tuple[TopicSpec, ...]) -> None:
    if not isinstance(broker, EmbeddedBroker):
        pytest.skip("the broker is not ours to kill")
    address = broker.bootstrap

    broker.kill()
    assert not broker.running
    assert broker.start() == address

    assert TopicAdmin(KafkaSettings(address)).plan(topics) == []


def test_fresh_topics_are_all_there(fresh_kafka: str) -> None:
    admin = TopicAdmin(KafkaSettings(fresh_kafka))

    assert admin.plan(registry(4)) == []
    assert {state.name: state.records for state in admin.describe(["claims.intake.v1"])} == {"claims.intake.v1": 0}
