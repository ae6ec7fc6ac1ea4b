"""The jar lock: read strictly, and a jar that differs is deleted, never used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from local.errors import LocalError
from local.jars import classpath, fetched, read_lock

CONTENT = b"a jar, as far as checksums care"


def a_lock(folder: Path, sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> Path:
    lock = folder / "jgo.lock.toml"
    lock.write_text(f'[[dependencies]]\ngroupId = "org.a"\nartifactId = "b"\nversion = "1.0"\nsha256 = "{sha256}"\n')
    return lock


def a_jar(repo: Path) -> Path:
    jar = repo / "org" / "a" / "b" / "1.0" / "b-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    return jar


def test_a_jar_with_the_locked_checksum_is_used(tmp_path: Path) -> None:
    jar = a_jar(tmp_path / "repo")

    assert classpath(a_lock(tmp_path), tmp_path / "repo") == [jar]
    assert fetched(a_lock(tmp_path), tmp_path / "repo") == (1, 1)


def test_a_jar_that_differs_is_deleted_and_the_start_fails(tmp_path: Path) -> None:
    jar = a_jar(tmp_path / "repo")

    with pytest.raises(LocalError, match=r"org\.a:b:1\.0 differs from its checksum"):
        classpath(a_lock(tmp_path, "0" * 64), tmp_path / "repo")

    assert not jar.exists()


@pytest.mark.parametrize("text", ["", "dependencies = 3", '[[dependencies]]\ngroupId = "a"\n', "= ="])
def test_a_damaged_lock_is_one_clear_line(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "jgo.lock.toml"
    lock.write_text(text)

    with pytest.raises(LocalError, match=r"jgo\.lock\.toml"):
        read_lock(lock)


def test_the_committed_lock_names_the_broker_and_only_checked_jars() -> None:
    jars = read_lock()

    assert [jar.version for jar in jars if jar.artifact == "kafka_2.13"] == ["4.1.1"]
    assert all(len(jar.sha256) == 64 for jar in jars)
