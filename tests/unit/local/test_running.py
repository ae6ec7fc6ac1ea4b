"""What the supervisor wrote down is what commands find: addresses, settings, and the way into a secured broker."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import processes, running
from local.home import Home
from local.running import Running


def a_running_system(home: Home, secrets: dict[str, Any]) -> Running:
    home.make()
    written = {
        "pid": os.getpid(),
        "start_ticks": processes.start_ticks(os.getpid()),
        "state": "ready",
        "kafka": "broker.example:9092",
        "postgres": "db.example:5432",
        "urls": {"ops": "http://127.0.0.1:8105"},
        "settings": {"engine": "aiokafka", "partitions": "8", "mail": "off"},
    }
    running.write_json(home.run / running.SECRETS_FILE, secrets, private=True)
    running.write_json(home.run / running.SYSTEM_FILE, written)
    return running.require(home)


def test_commands_read_the_log_as_the_services_do(tmp_path: Path) -> None:
    login = {"username": "claims", "password": "hidden"}

    found = a_running_system(Home(tmp_path), {"broker_login": login})

    settings = found.kafka_settings("verify")
    assert (settings.bootstrap, settings.client_id) == ("broker.example:9092", "verify")
    assert (settings.username, settings.password) == ("claims", "hidden")
    assert settings.client()["security_protocol"] == "SASL_PLAINTEXT"
    assert "hidden" not in repr(found) + repr(settings)


def test_a_broker_that_asks_nobody_is_read_without_a_login(tmp_path: Path) -> None:
    found = a_running_system(Home(tmp_path), {"broker_login": {"username": None, "password": None}})

    assert "security_protocol" not in found.kafka_settings("replay").client()


def test_since_when_mail_is_on_is_kept_until_it_is_off(tmp_path: Path) -> None:
    found = a_running_system(Home(tmp_path), {})
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
    seen = [found.mail_since]

    for channel, day in zip(("on", "on", "off", "on", "unknown"), days, strict=True):
        running.note_mail(found.home, channel, day)
        seen.append(found.mail_since)

    assert seen == [None, days[0], days[0], None, days[3], None]
