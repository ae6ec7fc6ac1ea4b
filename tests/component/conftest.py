"""What the component tests share: a key file of their own, and crash points that no test leaves armed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging import crash_points
from privacy.master_key import create_master_key_file


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    crash_points.disarm()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A fresh master key."""
    path = tmp_path / "master.key"
    create_master_key_file(path, os.urandom)
    return path
