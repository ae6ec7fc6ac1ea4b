"""Kafka as one `Log`: producer, tail readers, what is known of the log, and the engine of the settings' choice."""

from __future__ import annotations

from collections.abc import Sequence

from hosting.settings import SharedSettings
from messaging.kafka_client.producer import KafkaProducer
from messaging.kafka_client.reading import KafkaLogInfo, KafkaTail
from messaging.kafka_client.settings import KafkaSettings
from messaging.ports import Engine, Feed, Leave


class KafkaLog:
    """See `Log`. An engine's package is imported when the engine is made: the other one is not paid for."""

    def __init__(self, settings: KafkaSettings, engine: str, leave: Leave) -> None:
        self._settings, self._engine, self._leave = settings, engine, leave

    def producer(self) -> KafkaProducer:
        return KafkaProducer(self._settings)

    def info(self) -> KafkaLogInfo:
        return KafkaLogInfo(self._settings)

    def tail(self, topics: Sequence[str]) -> KafkaTail:
        return KafkaTail(topics, self._settings)

    def engine(self, feed: Feed) -> Engine:
        if self._engine == "faust":
            from messaging.kafka_client.engine_faust import FaustEngine

            return FaustEngine(feed, self._settings, self._leave)
        from messaging.kafka_client.engine_aiokafka import AiokafkaEngine

        return AiokafkaEngine(feed, self._settings, self._leave)


def kafka_settings(settings: SharedSettings, client_id: str) -> KafkaSettings:
    """The addresses, credentials and static membership name that a process's settings give."""
    password = settings.kafka_password.get_secret_value() if settings.kafka_password else None
    return KafkaSettings(
        bootstrap=settings.kafka,
        username=settings.kafka_username,
        password=password,
        client_id=f"claimflow-{client_id}",
        instance=f"{client_id}-{settings.instance}",
    )
