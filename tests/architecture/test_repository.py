"""What the repository as a whole must hold: documented commands, locks without addresses, nothing of one machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.app import main
from cli.commands import COMMANDS
from tests.architecture.sources import ROOT, tracked_files

LOCKS = ("requirements.lock", "requirements-setup.lock", "jgo.lock.toml")
# Written in two parts, so that this file does not find itself.
_MACHINE_PATH = re.compile(r"(?<![\w./])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+)/")


def test_every_make_target_is_documented_and_phony() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.M))

    documented = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.M))
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split())

    assert targets == documented == phony


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()

    assert not re.search(r"[a-z]+://", text), "locks hold versions and hashes only; run make lock"
    assert "sha256" in text


def test_every_locked_package_has_hashes() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())

    loose = [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]

    assert not loose, "run make lock"


def test_no_path_of_one_machine_is_committed() -> None:
    found = []
    for file in tracked_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}: {match.group()}" for match in _MACHINE_PATH.finditer(text)]

    assert not found, f"write paths relative to the repository: {found}"


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("make test")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0

    assert f"Usage: claimflow {name}" in capsys.readouterr().out


def test_the_command_works_from_any_folder(tmp_path: Path) -> None:
    link = tmp_path / "claimflow"
    link.symlink_to(ROOT / "claimflow")

    result = subprocess.run([link, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("claimflow ")
