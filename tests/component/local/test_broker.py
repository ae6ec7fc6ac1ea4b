"""The session's broker as other tests rely on it: topics by the registry, and data that outlive a kill."""

from __future__ import annotations

import pytest

from local.broker import EmbeddedBroker
from local.providers import Broker
from messaging.topic_admin import open_topic_admin
from schemas.topics import TopicSpec, registry

pytestmark = pytest.mark.broker


def test_a_second_apply_plans_nothing(kafka: str, topics: tuple[TopicSpec, ...]) -> None:
    with open_topic_admin(kafka) as admin:
        changes = admin.plan(topics)

    assert changes == []


def test_more_partitions_are_refused_and_never_made(kafka: str, topics: tuple[TopicSpec, ...]) -> None:
    with open_topic_admin(kafka) as admin:
        wanted = registry(partitions=6)

        refused = {change.topic for change in admin.apply(wanted) if change.action == "refused"}

        assert refused == {spec.name for spec in wanted if spec.partitions == 6}
        assert admin.plan(topics) == []


def test_a_setting_that_was_changed_by_hand_is_put_back(kafka: str, topics: tuple[TopicSpec, ...]) -> None:
    from dataclasses import replace

    first = topics[0]
    with open_topic_admin(kafka) as admin:
        admin.apply([replace(first, configs={**first.configs, "retention.ms": "1000000"})])

        changes = admin.apply(topics)

        assert [(change.action, change.topic, change.detail) for change in changes] == [
            ("configure", first.name, "retention.ms=-1")
        ]
        assert admin.plan(topics) == []


def test_topics_outlive_a_killed_broker_at_the_same_address(broker: Broker, topics: tuple[TopicSpec, ...]) -> None:
    if not isinstance(broker, EmbeddedBroker):
        pytest.skip("the broker is not ours to kill")
    address = broker.bootstrap

    broker.kill()
    assert not broker.running
    assert broker.start() == address

    with open_topic_admin(address) as admin:
        assert admin.plan(topics) == []


def test_fresh_topics_are_all_there(fresh_kafka: str) -> None:
    with open_topic_admin(fresh_kafka) as admin:
        assert admin.plan(registry(4)) == []
