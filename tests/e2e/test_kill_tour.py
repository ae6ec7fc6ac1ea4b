"""Every service and the broker killed with SIGKILL while claims are carried: nothing is lost, nobody paid twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from local.chaos import SERVICES, Plan, storm
from local.replay.nfip import read_rows
from tests.builders.whole_system import FILE, NoBars, whole_system

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
CLAIMS = 300


def test_the_order_of_kills_comes_from_the_seed_and_goes_round_the_services() -> None:
    plan = Plan(kills=12, broker_kills=3, database_kills=1, seed=5)

    order = plan.order()

    assert order == Plan(kills=12, broker_kills=3, database_kills=1, seed=5).order()
    assert [name for name in order if name in SERVICES] == [SERVICES[turn % len(SERVICES)] for turn in range(12)]
    assert (order.count("broker"), order.count("database")) == (3, 1)


@pytest.mark.parametrize(
    ("engine", "databases"),
    [
        ("faust", 0),
        pytest.param("aiokafka", 0, marks=pytest.mark.long),
        pytest.param("faust", 1, marks=pytest.mark.long),
        pytest.param("aiokafka", 1, marks=pytest.mark.long),
    ],
)
async def test_a_replay_outlives_the_kill_of_every_service_and_of_the_servers(
    servers_folder: Path, engine: str, databases: int
) -> None:
    rows, told = list(read_rows(FILE, CLAIMS)), list[str]()
    plan = Plan(kills=len(SERVICES), broker_kills=1, database_kills=databases, seed=3)

    with whole_system(servers_folder / f"tour-{engine}-{databases}", ENGINE=engine) as system:
        found = await storm(system.running, rows, plan, NoBars(), told.append)

    report = found.as_json()
    assert report["findings"] == []
    assert (report["claims"], report["acknowledged"], report["lost"]) == (CLAIMS, CLAIMS, 0)
    assert (report["duplicate_payments"], report["verify"], report["engine"]) == (0, "holds", engine)
    assert set(report["by_state"]) == {"closed", "referred"}
    assert Counter(blow.victim for blow in found.blows) == Counter(plan.order())
    assert all(restarts >= 1 for restarts in report["restarts"].values())
