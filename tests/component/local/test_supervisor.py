"""The whole system as real processes: it comes up, what is killed comes back, and nothing is left when it goes down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosting.exits import Exit
from local import processes, running
from local.home import ROOT, Home
from local.running import Running
from local.system import PROCESSES

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
WAIT_SECONDS = 60.0


def claimflow(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    environment |= {"CLAIMFLOW_HOME": str(home), "CLAIMFLOW_LOCAL_FIRST_PORT": "0", **more}
    command = [str(ROOT / "claimflow"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def home(servers_folder: Path) -> Iterator[Path]:
    folder = servers_folder / "system"
    started = claimflow(folder, "up", "--detach", "--json")
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout).keys() == {"kafka", "postgres", *(spec.name for spec in PROCESSES)}
    yield folder
    claimflow(folder, "down")


@pytest.fixture
def system(home: Path) -> Running:
    return running.require(Home(home))


def test_every_process_is_ready_and_private(system: Running) -> None:
    assert [name for name, url in system.urls.items() if not ready(url)] == []
    assert (system.home.run / running.SECRETS_FILE).stat().st_mode & 0o077 == 0
    assert system.master_key_file.stat().st_mode & 0o077 == 0
    assert (system.settings["engine"], system.settings["mail"]) == ("faust", "on")
    assert system.kafka_settings("test").username is None


def test_topics_are_as_the_registry_says(home: Path, system: Running) -> None:
    planned = claimflow(home, "topics", "plan", "--json")

    assert (planned.returncode, json.loads(planned.stdout)) == (0, [])


@pytest.mark.parametrize("name", ["assessment", "bank", "intake"])
def test_a_killed_process_comes_back_at_its_address(system: Running, name: str) -> None:
    before = system.pid(name)
    assert before is not None

    os.kill(before, signal.SIGKILL)

    assert processes.wait_until(lambda: system.pid(name) not in (None, before), WAIT_SECONDS)
    assert processes.wait_until(lambda: ready(system.url(name)), WAIT_SECONDS)
    assert system.process(name)["last_exit"] == -signal.SIGKILL


@pytest.mark.parametrize("name", ["broker", pytest.param("database", marks=pytest.mark.long)])
def test_a_killed_server_comes_back_and_services_go_on(system: Running, name: str) -> None:
    before = system.pid(name)
    assert before is not None

    os.kill(before, signal.SIGKILL)

    assert processes.wait_until(lambda: system.pid(name) not in (None, before), WAIT_SECONDS)
    assert processes.wait_until(lambda: all(ready(url) for url in system.urls.values()), WAIT_SECONDS)


def test_a_second_up_over_the_same_folder_is_refused(home: Path, system: Running) -> None:
    second = claimflow(home, "up", "--detach")

    assert second.returncode == Exit.unavailable
    assert "runs already" in second.stderr and len(second.stderr.splitlines()) == 2


def test_down_leaves_nothing_behind(home: Path, system: Running) -> None:
    pids = [pid for name in (*system.urls, "broker", "database") if (pid := system.pid(name))]
    assert len(pids) == len(system.urls) + 2

    stopped = claimflow(home, "down")

    assert stopped.returncode == 0
    assert [pid for pid in pids if processes.start_ticks(pid) is not None] == []
    assert running.find(Home(home)) is None


@pytest.mark.long
def test_it_comes_up_again_with_its_data_and_dies_with_its_supervisor(home: Path) -> None:
    assert claimflow(home, "up", "--detach").returncode == 0
    system = running.require(Home(home))
    pids = [pid for name in (*system.urls, "broker", "database") if (pid := system.pid(name))]

    os.kill(system.supervisor_pid, signal.SIGKILL)

    assert processes.wait_until(lambda: not any(processes.start_ticks(pid) for pid in pids), WAIT_SECONDS)
    assert running.find(Home(home)) is None
