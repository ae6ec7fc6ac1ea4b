"""From the system's description to commands: every address filled in, the caller's settings winning, ports free."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hosting.settings import load_settings
from local.configuration import hidden, settings_models, show
from local.errors import LocalError
from local.home import Home
from local.launching import Launch, mail_channel, plan_launches, plan_ports
from local.ports import kept_port
from local.settings import LocalSettings
from local.system import DATABASES, PROCESSES

FREE_PORTS = LocalSettings.model_validate({"first_port": 0})
SHARED = {
    "CLAIMFLOW_KAFKA": "127.0.0.1:9092",
    "CLAIMFLOW_KEYS_DATABASE": "postgresql+asyncpg://u:p@h:1/keys",
    "CLAIMFLOW_MASTER_KEY_FILE": "/nowhere/master.key",
}


def launches(home: Home, environment: dict[str, str] | None = None, without: str = "") -> dict[str, Launch]:
    specs = [spec for spec in PROCESSES if spec.name != without]
    names = [name for spec in specs for name in (spec.name, *spec.more_ports)]
    ports = {name: 9_000 + number for number, name in enumerate(names)}
    databases = {name: f"postgresql+asyncpg://u:p@h:1/{name}" for name in DATABASES}
    return {launch.name: launch for launch in plan_launches(specs, ports, databases, SHARED, environment or {}, home)}


@pytest.mark.parametrize("service", ["intake", "assessment", "payment", "notify", "ops"])
def test_every_service_accepts_the_settings_it_is_started_with(tmp_path: Path, service: str) -> None:
    launch = launches(Home(tmp_path))[service]

    settings = load_settings(settings_models()[service], service, launch.environment)

    assert getattr(settings, "port") == launch.port  # noqa: B009
    assert getattr(settings, "database").endswith(f"/{service}")  # noqa: B009


def test_neighbours_are_told_each_others_addresses(tmp_path: Path) -> None:
    planned = launches(Home(tmp_path))

    environment = planned["assessment"].environment

    assert environment["CLAIMFLOW_ASSESSMENT_POLICY_URL"] == planned["policy_system"].url
    assert "--folder" in planned["bank"].command and str(tmp_path / "simulators" / "bank") in planned["bank"].command


def test_the_callers_setting_wins_and_administrators_passwords_are_not_handed_on(tmp_path: Path) -> None:
    environment = {
        "CLAIMFLOW_PAYMENT_BANK_URL": "http://bank.example",
        "CLAIMFLOW_POSTGRES": "postgresql://root:secret@db",
    }

    launch = launches(Home(tmp_path), environment)["payment"]

    assert launch.environment["CLAIMFLOW_PAYMENT_BANK_URL"] == "http://bank.example"
    assert "CLAIMFLOW_POSTGRES" not in launch.environment


def test_a_neighbour_that_was_left_out_is_not_made_up(tmp_path: Path) -> None:
    launch = launches(Home(tmp_path), without="policy_system")["assessment"]

    assert "CLAIMFLOW_ASSESSMENT_POLICY_URL" not in launch.environment


def test_a_busy_port_is_one_line_naming_port_and_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {"CLAIMFLOW_INTAKE_PORT": str(port)}

        with pytest.raises(LocalError, match=f"port {port} wanted for intake is in use"):
            plan_ports(PROCESSES, FREE_PORTS, environment, Home(tmp_path))


def test_free_ports_are_kept_for_the_next_start(tmp_path: Path) -> None:
    first = plan_ports(PROCESSES, FREE_PORTS, {}, Home(tmp_path))

    assert plan_ports(PROCESSES, FREE_PORTS, {}, Home(tmp_path)) == first
    assert len(set(first.values())) == len(first)


def test_a_kept_port_that_somebody_took_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        file = tmp_path / "port"
        file.write_text(str(listener.getsockname()[1]))

        assert kept_port(file) != listener.getsockname()[1]


def test_settings_are_shown_with_their_origin_and_without_secrets() -> None:
    environment = {
        "CLAIMFLOW_ENGINE": "aiokafka",
        "CLAIMFLOW_INTAKE_DATABASE": "postgresql+asyncpg://app:hunter2@db:5432/intake",
        "CLAIMFLOW_KAFKA_PASSWORD": "hunter2",
        "CLAIMFLOW_POSTGRES": "postgresql://app:hunter2@db",
    }

    rows = {row.variable: row for row in show(environment)}

    assert (rows["CLAIMFLOW_ENGINE"].value, rows["CLAIMFLOW_ENGINE"].origin) == ("aiokafka", "environment")
    assert rows["CLAIMFLOW_PARTITIONS"].origin == "default"
    assert rows["CLAIMFLOW_PAYMENT_DATABASE"].origin == "supplied"
    assert not any("hunter2" in row.value for row in rows.values())
    assert hidden("CLAIMFLOW_POSTGRES", "postgresql://app:hunter2@db") == "postgresql://app:(hidden)@db"


@pytest.mark.parametrize(
    ("environment", "without", "said"),
    [({}, "", "on"), ({"CLAIMFLOW_NOTIFY_MAIL": "off"}, "", "off"), ({}, "notify", "unknown")],
)
def test_whether_mail_is_sent_is_what_notify_was_started_with(
    tmp_path: Path, environment: dict[str, str], without: str, said: str
) -> None:
    planned = launches(Home(tmp_path), environment, without)

    assert mail_channel(planned.values()) == said


def test_a_setting_in_a_file_says_whether_mail_is_sent_too(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("off\n")

    planned = launches(Home(tmp_path), {"CLAIMFLOW_NOTIFY_MAIL_FILE": str(tmp_path / "mail")})

    assert mail_channel(planned.values()) == "off"
