"""The two halves of a test run: together they are what was asked for, and a fault of either is the run's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.halves import SERVERS, both, of_half

ROOT = Path(__file__).parents[3]


def test_what_was_asked_for_is_asked_of_each_half() -> None:
    assert of_half(["-q", "-m", "not long", "tests/unit"], SERVERS) == [
        "-m",
        f"(not long) and ({SERVERS})",
        "-q",
        "tests/unit",
    ]
    assert of_half(["tests/unit"], f"not ({SERVERS})") == ["-m", f"not ({SERVERS})", "tests/unit"]


@pytest.mark.parametrize(
    ("codes", "code"),
    [((0, 0), 0), ((0, 5), 0), ((5, 0), 0), ((5, 5), 5), ((1, 0), 1), ((0, 1), 1), ((5, 2), 2), ((-9, 0), -9)],
)
def test_a_fault_of_either_half_is_the_runs(codes: tuple[int, int], code: int) -> None:
    assert both(codes) == code


def test_a_test_that_fails_in_the_quiet_half_is_shown_and_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")

    ran = subprocess.run(
        [sys.executable, "-m", "tests.halves", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT, capture_output=True, timeout=120, text=True,
    )  # fmt: skip

    assert ran.returncode == 1
    assert "assert 1 == 2" in ran.stdout and "exit 1" in ran.stdout
