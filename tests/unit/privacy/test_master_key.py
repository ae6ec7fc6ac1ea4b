"""The master key file: made once, readable by its owner only, refused in one clear line otherwise."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from privacy.errors import MasterKeyError
from privacy.master_key import MasterKeys, add_master_key_version, create_master_key_file, load_master_keys


def test_a_new_key_file_belongs_to_its_owner_only_and_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"

    made = create_master_key_file(path, os.urandom)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (made.current, made.versions) == (1, (1,))
    assert load_master_keys(path).version(1) == made.version(1)
    with pytest.raises(MasterKeyError, match="exists already"):
        create_master_key_file(path, os.urandom)


def test_a_new_version_keeps_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first = create_master_key_file(path, os.urandom)

    second = add_master_key_version(path, os.urandom)

    assert (second.current, second.versions) == (2, (1, 2))
    assert second.version(1) == first.version(1) != second.version(2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("path", [None, ""])
def test_an_unset_path_is_one_line_that_names_the_setting(path: str | None) -> None:
    with pytest.raises(MasterKeyError) as refused:
        load_master_keys(path)

    assert "CLAIMFLOW_MASTER_KEY_FILE" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="does not exist") as refused:
        load_master_keys(tmp_path / "none")

    assert "\n" not in str(refused.value)


def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    create_master_key_file(path, os.urandom)
    path.chmod(0o644)

    with pytest.raises(MasterKeyError, match="chmod 600"):
        load_master_keys(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"canary",
        b"1 canary!",
        b"1 Y2FuYXJ5\n",
        b"0 " + b"A" * 43 + b"=\n",
        (b"1 " + b"A" * 43 + b"=\n") * 2,
        b"\xff\xfe",
        b"x" * 70_000,
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_echo(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(MasterKeyError) as refused:
        load_master_keys(path)

    assert "canary" not in str(refused.value) and "AAAA" not in str(refused.value)


def test_key_material_is_never_shown() -> None:
    keys = MasterKeys({1: b"canary-canary-canary-canary-1234"})

    assert "canary" not in repr(keys)
