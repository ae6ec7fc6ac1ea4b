"""The broker's jars, exactly as jgo.lock.toml names them: fetched once by jgo, compared with their SHA-256 each time.

jgo records checksums and never compares them; a jar that differs is deleted here and the start fails.
`python -m local.jars` writes the lock anew from jgo.toml (`make lock`)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent
SPEC, LOCK = ROOT / "jgo.toml", ROOT / "jgo.lock.toml"
DOWNLOADS_AT_ONCE = 8
_KEPT_FIELDS = ("groupId", "artifactId", "version", "packaging", "classifier", "sha256")


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One jar of the lock."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def read_lock(lock: Path = LOCK) -> tuple[LockedJar, ...]:
    """Every jar of the lock; LocalError when the file is missing or a jar has no checksum."""
    try:
        rows = tomllib.loads(lock.read_text())["dependencies"]
        jars = tuple(
            LockedJar(
                row["groupId"],
                row["artifactId"],
                row["version"],
                row.get("packaging", "jar"),
                row.get("classifier", ""),
                row["sha256"],
            )
            for row in rows
        )
    except FileNotFoundError:
        raise LocalError(f"{lock.name} is missing", "restore it from the repository") from None
    except (KeyError, TypeError, tomllib.TOMLDecodeError):
        raise LocalError(f"{lock.name} is damaged", "restore it from the repository, or run make lock") from None
    if not jars:
        raise LocalError(f"{lock.name} names no jar", "restore it from the repository, or run make lock")
    return jars


def repository() -> Path:
    """Where jars are kept between runs: M2_REPO, else the user's Maven folder, else var/ when home is not writable."""
    named = os.environ.get("M2_REPO")
    if named:
        return Path(named)
    home = Path(os.environ.get("HOME", "/nonexistent"))
    return home / ".m2" / "repository" if os.access(home, os.W_OK) else ROOT / "var" / "cache" / "m2"


def classpath(lock: Path = LOCK, repo: Path | None = None) -> list[Path]:
    """Paths of all jars, fetched where missing, each compared with the lock."""
    jars = read_lock(lock)
    folder = repo or repository()
    # Two starts at once must not read each other's half-written downloads.
    with _only_one(folder):
        paths = [_path(folder, jar) for jar in jars]
        missing = [jar for jar, path in zip(jars, paths, strict=True) if not path.exists()]
        if missing:
            _fetch(missing, folder)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_compare, jars, paths))
    return paths


def fetched(lock: Path = LOCK, repo: Path | None = None) -> tuple[int, int]:
    """How many jars are on this machine already, and how many there are (for `claimflow doctor`)."""
    jars = read_lock(lock)
    folder = repo or repository()
    return sum(_path(folder, jar).exists() for jar in jars), len(jars)


def write_lock(spec: Path = SPEC, lock: Path = LOCK) -> int:
    """Resolve jgo.toml and write the lock without times or hosts; gives the number of jars."""
    import tomli_w
    from jgo.env import EnvironmentBuilder, EnvironmentSpec

    context = _maven(repository())
    with tempfile.TemporaryDirectory() as scratch:
        builder = EnvironmentBuilder(context=context, cache_dir=Path(scratch))
        resolved = builder.resolve_lockfile(EnvironmentSpec.load(spec))
    rows = [_row(dependency) for dependency in resolved.dependencies]
    rows.sort(key=lambda row: (row["groupId"], row["artifactId"]))
    lock.write_text(tomli_w.dumps({"dependencies": rows}))
    return len(rows)


def _row(dependency: Any) -> dict[str, str]:
    row = {name: getattr(dependency, name) for name in _KEPT_FIELDS}
    if not row["sha256"]:
        raise LocalError(f"{row['artifactId']} has no checksum", "run make lock again")
    return {name: value for name, value in row.items() if value}


def _path(folder: Path, jar: LockedJar) -> Path:
    suffix = f"-{jar.classifier}" if jar.classifier else ""
    name = f"{jar.artifact}-{jar.version}{suffix}.{jar.packaging}"
    return folder.joinpath(*jar.group.split("."), jar.artifact, jar.version, name)


def _fetch(jars: list[LockedJar], folder: Path) -> None:
    context = _maven(folder)

    def one(jar: LockedJar) -> None:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        component.artifact(jar.classifier, jar.packaging).resolve()

    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        tasks = [(jar, pool.submit(one, jar)) for jar in jars]
        for jar, task in tasks:
            fault = task.exception()
            if fault is not None:
                raise LocalError(
                    f"the broker's jar {jar} could not be fetched ({type(fault).__name__})",
                    "check the connection to a Maven repository, or name a broker in CLAIMFLOW_KAFKA",
                ) from fault


def _maven(folder: Path) -> Any:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    # A machine that reaches a mirror only says so in jgo's own settings file.
    return MavenContext(repo_cache=folder, remote_repos=GlobalSettings.load().repositories or None)


def _compare(jar: LockedJar, path: Path) -> None:
    with path.open("rb") as source:
        found = hashlib.file_digest(source, "sha256").hexdigest()
    if found != jar.sha256:
        path.unlink()
        raise LocalError(
            f"the jar {jar} differs from its checksum in {LOCK.name} and was deleted",
            "start again to fetch it anew; if this repeats, do not trust the repository it comes from",
        )


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".claimflow.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise LocalError(
            f"the folder for jars {folder} cannot be used: {problem.strerror}", "name another one in M2_REPO"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    print(f"{LOCK.name}: {write_lock()} jars")
