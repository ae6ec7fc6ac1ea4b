"""The list of Faust's settings that lose events: each one alone is refused at start-up. Needs no broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types.enums import ProcessingGuarantee
from mode import OneForOneSupervisor

from messaging.kafka_client.engine_faust import FaustEngine, UnsafeFaust, make_app, refuse_unsafe
from messaging.kafka_client.settings import KafkaSettings
from tests.builders.kafka_stage import Group, Member


def an_app(**settings: Any) -> Any:
    def leave(reason: str, error: BaseException | None = None) -> NoReturn:
        raise AssertionError(reason)

    group = Group("127.0.0.1:1", "faust")
    return make_app(FaustEngine(Member(group).runner, KafkaSettings("127.0.0.1:1", **settings), leave))


async def test_the_app_of_the_engine_is_accepted() -> None:
    app = an_app(instance="assessment-1", username="assessment", password="secret")

    refuse_unsafe(app)

    assert (app.conf.id, app.conf.consumer_group_instance_id) == (app.engine.feed.group, "assessment-1")


def _conf(name: str, value: Any) -> Callable[[Any], None]:
    return lambda app: setattr(app.conf, name, value)


def _agent(name: str, value: Any) -> Callable[[Any], None]:
    return lambda app: setattr(next(iter(app.agents.values())), name, value)


def _schema(name: str, value: Any) -> Callable[[Any], None]:
    return lambda app: setattr(next(iter(app.agents.values())).channel.schema, name, value)


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("exactly_once", _conf("processing_guarantee", ProcessingGuarantee.EXACTLY_ONCE)),
        ("producer_threaded", _conf("producer_threaded", True)),
        ("stream_publish_on_commit", _conf("stream_publish_on_commit", True)),
        ("stream_wait_empty=False", _conf("stream_wait_empty", False)),
        ("stream_buffer_maxsize below 4096", _conf("stream_buffer_maxsize", 1024)),
        ("topic_allow_declare", _conf("topic_allow_declare", True)),
        ("a leader topic", _conf("topic_disable_leader", False)),
        ("standby replicas", _conf("table_standby_replicas", 1)),
        ("the web server", _conf("web_enabled", True)),
        ("tables", lambda app: app.Table("counts")),
        ("a consumer that commits by itself", lambda app: vars(app.transport).update(Consumer=driver.Consumer)),
        ("concurrency above 1", _agent("concurrency", 2)),
        ("a supervisor that restarts", _agent("supervisor_strategy", OneForOneSupervisor)),
        ("isolated partitions", _agent("isolated_partitions", True)),
        ("a value type or codec", _schema("value_type", str)),
        ("a value type or codec", _schema("value_serializer", "json")),
        ("a key type or codec", _schema("key_serializer", "json")),
        ("refused tombstones", _schema("allow_empty", False)),
        ("automatic acks", lambda app: setattr(next(iter(app.agents.values())).channel, "acks", True)),
    ],
)
async def test_a_setting_that_loses_events_is_refused(reason: str, spoil: Callable[[Any], None]) -> None:
    app = an_app()
    spoil(app)

    with pytest.raises(UnsafeFaust, match=reason):
        refuse_unsafe(app)


@pytest.mark.parametrize(
    "settings",
    [
        {"username": "u"},
        {"password": "p"},
        {"session_seconds": 5.0},
        {"request_seconds": 9.0},
        {"heartbeat_seconds": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kafka"):
        KafkaSettings("127.0.0.1:1", **settings)


def test_a_password_is_not_shown_by_the_settings() -> None:
    assert "hidden" not in repr(KafkaSettings("127.0.0.1:1", username="u", password="hidden"))
