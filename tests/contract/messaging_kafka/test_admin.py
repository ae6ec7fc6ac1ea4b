"""Topics on a real broker: planned in words, applied once, never repartitioned; and how far a group is."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from messaging.kafka_client.admin import AdminError, TopicAdmin
from messaging.kafka_client.reading import KafkaLogInfo
from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Fatal
from schemas.topics import CONTROL_TOPIC, TopicSpec, registry, topic_of
from tests.builders.kafka_stage import PARTITIONS, Group, Member, reports, until, write

pytestmark = pytest.mark.broker

INTAKE = topic_of("intake")


@pytest.fixture
def admin(fresh_kafka: str) -> TopicAdmin:
    return TopicAdmin(KafkaSettings(fresh_kafka))


def named(prefix: str) -> tuple[TopicSpec, ...]:
    return tuple(replace(spec, name=f"{prefix}.{spec.name}") for spec in registry(PARTITIONS))


def test_a_second_apply_plans_nothing(admin: TopicAdmin) -> None:
    specs = named("second-apply")
    assert [change.kind for change in admin.plan(specs)] == ["create"] * len(specs)
    assert admin.plan(specs)[0].words == f"create {specs[0].name} with {PARTITIONS} partitions"

    admin.apply(specs)

    assert admin.plan(specs) == []
    assert admin.apply(specs) == []


def test_the_topics_are_made_as_the_registry_says(admin: TopicAdmin) -> None:
    specs = {spec.name: spec for spec in registry(PARTITIONS)}

    states = admin.describe(specs)

    assert {state.name: state.partitions for state in states} == {name: spec.partitions for name, spec in specs.items()}
    for state in states:
        assert dict(specs[state.name].configs).items() <= dict(state.configs).items()
        assert state.records == 0
    assert len({state.topic_id for state in states}) == len(specs)


def test_a_config_that_differs_is_planned_in_words_and_set(admin: TopicAdmin) -> None:
    specs = named("config-differs")
    admin.apply(specs)
    changed = (replace(specs[0], configs={**specs[0].configs, "retention.ms": "60000"}), *specs[1:])

    [change] = admin.apply(changed)

    assert change.words == f"set on {specs[0].name}: retention.ms from -1 to 60000"
    assert admin.plan(changed) == []


def test_another_number_of_partitions_is_refused_and_then_nothing_is_changed(admin: TopicAdmin) -> None:
    specs = named("more-partitions")
    admin.apply(specs[:1])
    more = tuple(replace(spec, partitions=spec.partitions + 1) for spec in specs)

    with pytest.raises(AdminError, match=f"{specs[0].name} has {PARTITIONS} partitions, not {PARTITIONS + 1}"):
        admin.apply(more)

    assert admin.describe([spec.name for spec in specs[1:]]) == []


def test_a_config_the_broker_does_not_take_is_an_error_that_says_which_topic(admin: TopicAdmin) -> None:
    spec = replace(named("bad-config")[0], configs={"cleanup.policy": "nonsense"})

    with pytest.raises(AdminError, match=spec.name):
        admin.apply([spec])


async def test_lag_is_the_way_from_the_hint_to_the_end(fresh_kafka: str, admin: TopicAdmin) -> None:
    group = Group(fresh_kafka, "aiokafka")
    await write(fresh_kafka, reports(range(40)))
    before = await asyncio.to_thread(admin.lag, group.stage.name, [INTAKE])
    assert sum(lag.behind for lag in before) == 40
    assert {lag.committed for lag in before} == {None}

    async with Member(group):

        async def hinted() -> bool:
            lags = await asyncio.to_thread(admin.lag, group.stage.name, [INTAKE])
            return sum(lag.behind for lag in lags) == 0

        await until(hinted)


async def test_a_topic_made_again_has_another_id(fresh_kafka: str, admin: TopicAdmin) -> None:
    info = KafkaLogInfo(KafkaSettings(fresh_kafka))
    ids = await info.topic_ids([INTAKE, CONTROL_TOPIC])

    assert await info.partitions([INTAKE, CONTROL_TOPIC]) == {INTAKE: PARTITIONS, CONTROL_TOPIC: 1}
    assert ids[INTAKE] != ids[CONTROL_TOPIC]
    with pytest.raises(Fatal, match="create the topics first"):
        await info.topic_ids(["no-such-topic"])
