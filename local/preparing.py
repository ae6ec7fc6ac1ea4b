"""What services expect to find when they start: topics, the key ring's tables, the master key. Safe to repeat."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from local.errors import LocalError
from local.settings import LocalSettings
from messaging.kafka_client.admin import AdminError, Change, TopicAdmin
from messaging.kafka_client.log import kafka_settings
from privacy.errors import MasterKeyError
from privacy.master_key import create_master_key_file, load_master_keys
from privacy.migrate import migrate_key_ring
from schemas.topics import registry


def topic_admin(bootstrap: str, settings: LocalSettings) -> TopicAdmin:
    """An admin for the topics of the broker at this address."""
    return TopicAdmin(kafka_settings(settings.model_copy(update={"kafka": bootstrap}), "admin"), settings.replicas)


def plan_topics(bootstrap: str, settings: LocalSettings) -> list[Change]:
    """What the registry would change on this broker."""
    return topic_admin(bootstrap, settings).plan(registry(settings.partitions))


def make_topics(bootstrap: str, settings: LocalSettings) -> list[Change]:
    """Apply the registry; gives what was changed. LocalError when the broker has them with other partitions."""
    try:
        return topic_admin(bootstrap, settings).apply(registry(settings.partitions))
    except AdminError as refused:
        first, *more = str(refused).split("; ")
        others = f" (and {len(more)} more)" if more else ""
        raise LocalError(
            f"the topics cannot be made: {first}{others}", "set CLAIMFLOW_PARTITIONS to what the broker has"
        ) from None


def make_master_key(file: Path) -> None:
    """Make the key file unless it is there, readable by this user only; an existing one must be sound."""
    try:
        if not file.exists():
            create_master_key_file(file, os.urandom)
        load_master_keys(file)
    except MasterKeyError as wrong:
        raise LocalError(str(wrong)) from None


def migrate_keys(database_url: str) -> None:
    """Bring the key ring's tables up to date."""
    asyncio.run(migrate_key_ring(database_url))
