"""The command as scripts see it: exit codes, one-line faults on standard error, JSON on standard output."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cli import app
from hosting.exits import CannotStartError, Exit
from local.errors import LocalError
from local.home import ROOT


def claimflow(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    environment |= {"CLAIMFLOW_HOME": str(home), "CLAIMFLOW_LOCAL_FIRST_PORT": "0", **more}
    command = [str(ROOT / "claimflow"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", [("nope",), ("up", "--nope"), ("topics",), ("up", "--without", "nope")])
def test_wrong_words_are_exit_code_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = claimflow(tmp_path, *words)

    assert result.returncode == Exit.usage
    assert "Traceback" not in result.stderr


def test_a_misspelt_setting_is_one_line_with_a_guess(tmp_path: Path) -> None:
    result = claimflow(tmp_path, "up", CLAIMFLOW_ENGIN="aiokafka")

    assert result.returncode == Exit.usage
    assert result.stderr == "claimflow: CLAIMFLOW_ENGIN is no setting; did you mean CLAIMFLOW_ENGINE?\n"


def test_what_needs_a_running_system_says_how_to_start_one(tmp_path: Path) -> None:
    result = claimflow(tmp_path, "topics", "plan")

    assert result.returncode == Exit.unavailable
    assert result.stderr.splitlines()[-1] == "hint: start it with claimflow up --detach"


def test_down_of_nothing_is_done(tmp_path: Path) -> None:
    assert claimflow(tmp_path, "down").returncode == 0


def test_a_folder_that_cannot_be_used_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = claimflow(tmp_path / "file", "up")

    assert result.returncode == Exit.unavailable
    assert len(result.stderr.splitlines()) == 2


def test_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    result = claimflow(tmp_path, "doctor", "--json")

    findings = json.loads(result.stdout)
    assert {finding["name"] for finding in findings} >= {"python", "java", "broker", "database", "ports", "disk"}
    assert (result.returncode == 0) == all(finding["ok"] for finding in findings)


def test_config_shows_origins_as_json(tmp_path: Path) -> None:
    result = claimflow(tmp_path, "config", "show", "--json", CLAIMFLOW_ENGINE="aiokafka")

    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert rows["CLAIMFLOW_ENGINE"] == {
        "variable": "CLAIMFLOW_ENGINE",
        "value": "aiokafka",
        "origin": "environment",
    }


@pytest.mark.parametrize(
    "fault, code, lines",
    [
        (LocalError("no tea", "make some"), 69, ["claimflow: no tea", "hint: make some"]),
        (CannotStartError("later", Exit.try_again), 75, ["claimflow: later"]),
        (KeyboardInterrupt(), 130, []),
    ],
)
def test_faults_have_their_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: BaseException,
    code: int,
    lines: list[str],
) -> None:
    def failing(**_: object) -> None:
        raise fault

    monkeypatch.setattr(app, "build", lambda: failing)

    assert app.main([]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_a_fault_of_our_own_is_one_line_and_its_details_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def failing(**_: object) -> None:
        raise ValueError("a name that must not be on the screen")

    monkeypatch.setattr(app, "build", lambda: failing)
    monkeypatch.setenv("CLAIMFLOW_HOME", str(tmp_path))

    assert app.main([]) == Exit.internal
    said = capsys.readouterr().err
    assert "ValueError" in said and "must not" not in said and len(said.splitlines()) == 1
    assert "Traceback" in (tmp_path / "log" / "claimflow.log").read_text()
