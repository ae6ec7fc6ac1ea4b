"""Each image holds what its process needs and nothing else: its folders and its lock, laid out as the Dockerfile says.

No container engine is needed: every target is put together in a folder with an environment of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from local.home import ROOT
from schemas.topics import WRITERS

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
FOREIGN = {"intake": "babel", "assessment": "fastapi", "payment": "babel", "notify": "fastapi", "ops": "babel"}
"""A package of another service's lock that must not be in this one's image."""


def stages() -> dict[str, tuple[str, list[str]]]:
    """Target to the target it builds on and its instructions."""
    found: dict[str, tuple[str, list[str]]] = {}
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        if begun := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[begun[2]] = (begun[1], [])
        elif found and line and not line.startswith("#"):
            found[list(found)[-1]][1].append(line)
    return found


def instructions(target: str) -> list[str]:
    """Everything a target runs, from its base on."""
    known = stages()
    on, own = known[target]
    return [*(instructions(on) if on in known else []), *own]


def test_every_service_has_a_target_and_a_place_in_compose() -> None:
    for service in WRITERS:
        assert service in stages()
        described = COMPOSE["services"][service]
        assert described["build"]["target"] == service
        assert described["depends_on"]["postgres"] == {"condition": "service_healthy"}
        assert described["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
        assert "healthcheck" in described
        assert described["read_only"]


def test_ports_are_bound_to_loopback_only() -> None:
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_image_runs_as_root_or_needs_a_newer_builder() -> None:
    for target in (*WRITERS, "prepare", "simulators"):
        assert "USER claimflow" in instructions(target)
    assert "--mount" not in DOCKERFILE
    assert "<<" not in DOCKERFILE


@pytest.mark.long
@pytest.mark.parametrize("service", WRITERS)
def test_a_service_starts_from_its_image_alone(service: str, tmp_path: Path) -> None:
    app, environment = tmp_path / "app", tmp_path / "venv"
    app.mkdir()
    lock = ""
    for line in instructions(service):
        if copied := re.fullmatch(r"COPY (\S+) (\S+)", line):
            source, target = ROOT / copied[1], app / copied[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
            lock = str(target) if copied[2].endswith(".lock") else lock
    subprocess.run([ROOT / ".venv/bin/python", "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    install = '. local/mirrors.sh; UV_NO_CONFIG=1 .venv/setup/bin/uv pip sync -q --python "$1" --require-hashes "$2"'
    subprocess.run(
        ["sh", "-ec", f"python=.venv/bin/python; root=$PWD; {install}", "-", environment / "bin/python", lock],
        cwd=ROOT,
        check=True,
        timeout=300,
    )

    ended = subprocess.run(
        [environment / "bin/python", "-m", f"services.{service}"],
        cwd=app,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    foreign = subprocess.run(
        [environment / "bin/python", "-c", f"import {FOREIGN[service]}"], capture_output=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert f"CLAIMFLOW_{service.upper()}_" in ended.stderr or "CLAIMFLOW_KEYS_DATABASE" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert foreign.returncode != 0
