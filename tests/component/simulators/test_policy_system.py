"""The policy system over real sockets: versions by instant, many in one call, kept across restarts, and its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from simulators.policy_system.app import serve

pytestmark = pytest.mark.asyncio


def a_version(number: str = "NY-000001", version: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "number": number,
        "version": version,
        "effective_from": "2012-01-01T00:00:00-05:00",
        "effective_to": "2013-01-01T00:00:00-05:00",
        "status": "in_force",
        "currency": "USD",
        "line": "flood",
        "jurisdiction": "US-NY",
        "coverages": [
            {
                "code": "building",
                "limit": "250000.00",
                "deductible": "1000.00",
                "valuation": "ACV",
                "insured_value": None,
                "clause_version": "SFIP-2009",
            }
        ],
    } | changes


@asynccontextmanager
async def a_policy_system(folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(folder) as address, httpx2.AsyncClient(base_url=address, timeout=10) as client:
        yield client


async def put(system: httpx2.AsyncClient, *versions: object) -> dict[str, Any]:
    response = await system.put("/policies", json=list(versions))
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


async def look_up(system: httpx2.AsyncClient, *queries: tuple[str, str]) -> list[dict[str, Any]]:
    body = {"queries": [{"policy_number": number, "as_of": as_of} for number, as_of in queries]}
    response = await system.post("/policies:lookup", json=body)
    assert response.status_code == 200
    results: list[dict[str, Any]] = response.json()["results"]
    return results


async def test_the_version_in_force_at_the_instant_is_found_by_half_open_intervals(tmp_path: Path) -> None:
    first = a_version(effective_to="2012-06-01T00:00:00-04:00")
    second = a_version(version=2, effective_from="2012-06-01T00:00:00-04:00")

    async with a_policy_system(tmp_path) as system:
        assert await put(system, first, second) == {"stored": 2, "refused": []}
        found = await look_up(
            system,
            ("NY-000001", "2012-01-01T05:00:00Z"),
            ("NY-000001", "2012-06-01T03:59:59.999999Z"),
            ("NY-000001", "2012-06-01T04:00:00Z"),
        )

    assert [result["policy"]["version"] for result in found] == [1, 1, 2]
    assert found[2]["policy"] == second


async def test_why_a_version_is_not_found_is_said_with_the_nearest_ones(tmp_path: Path) -> None:
    later = a_version(version=2, effective_from="2014-01-01T00:00:00-05:00", effective_to=None, status="in_force")

    async with a_policy_system(tmp_path) as system:
        await put(system, a_version(), later)
        unknown, end, gap, open_end, bad = await look_up(
            system,
            ("NY-404", "2012-10-29T12:00:00Z"),
            ("NY-000001", "2011-10-29T12:00:00Z"),
            ("NY-000001", "2013-01-01T05:00:00Z"),
            ("NY-000001", "2031-01-01T05:00:00Z"),
            ("NY-000001", "2012-10-29T12:00:00"),
        )

    assert (unknown["found"], unknown["reason"]) == (False, "unknown")
    assert (end["reason"], [one["version"] for one in end["nearest"]]) == ("not_in_force", [1])
    assert [one["version"] for one in gap["nearest"]] == [1, 2]
    assert gap["nearest"][0]["effective_to"] == "2013-01-01T00:00:00-05:00"
    assert open_end["policy"]["version"] == 2
    assert (bad["reason"], bad["field"]) == ("invalid", "as_of")


async def test_a_cancelled_version_is_not_in_force(tmp_path: Path) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version(status="cancelled"))
        [result] = await look_up(system, ("NY-000001", "2012-10-29T12:00:00Z"))

    assert (result["found"], result["reason"], result["nearest"][0]["status"]) == (False, "not_in_force", "cancelled")


async def test_thousands_of_ndjson_rows_are_stored_in_one_call_and_found_many_in_one_call(tmp_path: Path) -> None:
    rows = [a_version(f"NY-{number:06d}") for number in range(5_000)]
    body = "\n".join(json.dumps(row) for row in rows)

    async with a_policy_system(tmp_path) as system:
        stored = await system.put("/policies", content=body, headers={"content-type": "application/x-ndjson"})
        found = await look_up(system, *((row["number"], "2012-10-29T12:00:00Z") for row in rows[:1_000]))
        too_many = await system.post("/policies:lookup", json={"queries": [{}] * 1_001})

    assert stored.json() == {"stored": 5_000, "refused": []}
    assert [result["policy"]["number"] for result in found] == [row["number"] for row in rows[:1_000]]
    assert too_many.status_code == 422


async def test_a_restart_keeps_every_policy(tmp_path: Path) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version())
    async with a_policy_system(tmp_path) as system:
        kept = await system.get("/policies/NY-000001")
        missing = await system.get("/policies/NY-404")

    assert kept.json() == {"number": "NY-000001", "versions": [a_version()]}
    assert missing.status_code == 404


async def test_putting_a_version_again_corrects_it(tmp_path: Path) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version())
        await put(system, a_version(effective_to="2012-07-01T00:00:00-04:00"))
        [result] = await look_up(system, ("NY-000001", "2012-10-29T12:00:00Z"))
        count = (await system.get("/policies")).json()

    assert result["reason"] == "not_in_force"
    assert count == {"versions": 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 2}, "effective_from"),
        ({"effective_to": "2012-01-01T00:00:00-05:00"}, "effective_to"),
        ({"effective_from": "2012-01-01"}, "effective_from"),
        ({"currency": "dollars"}, "currency"),
        ({"status": "canary"}, "status"),
        ({"number": ""}, "number"),
        ({"coverages": []}, "coverages"),
        ({"coverages": [a_version()["coverages"][0] | {"limit": 250000.0}]}, "coverages/0/limit"),
        ({"coverages": [a_version()["coverages"][0] | {"deductible": "-5"}]}, "coverages/0/deductible"),
        ({"coverages": a_version()["coverages"] * 2}, "coverages"),
        ({"canary": 1}, "row"),
    ],
)
async def test_a_bad_row_is_named_without_echo_and_its_neighbours_are_stored(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version())
        answer = await put(system, a_version(**changes), a_version("NY-000002"))

    assert answer["stored"] == 1
    assert [(refused["row"], refused["field"]) for refused in answer["refused"]] == [(0, field)]
    assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize(("mode", "status"), [("error429", 429), ("error500", 500), ("error503", 503)])
async def test_error_faults_answer_their_status_until_cleared(tmp_path: Path, mode: str, status: int) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version())
        await system.post("/faults", json={"mode": mode, "seconds": 3})

        failed = await system.post("/policies:lookup", json={"queries": [{}]})
        stored = await put(system, a_version("NY-000002"))
        await system.post("/faults", json={"mode": "none"})
        [found] = await look_up(system, ("NY-000001", "2012-10-29T12:00:00Z"))

    assert failed.status_code == status
    assert failed.headers.get("retry-after") == (None if status == 500 else "3")
    assert stored["stored"] == 1
    assert found["found"]


async def test_down_cuts_look_ups_and_slow_delays_them(tmp_path: Path) -> None:
    async with a_policy_system(tmp_path) as system:
        await put(system, a_version())
        await system.post("/faults", json={"mode": "down", "times": 1})
        with pytest.raises(httpx2.TransportError):
            await look_up(system, ("NY-000001", "2012-10-29T12:00:00Z"))

        await system.post("/faults", json={"mode": "slow", "seconds": 0.3})
        loop = asyncio.get_running_loop()
        begun = loop.time()
        [found] = await look_up(system, ("NY-000001", "2012-10-29T12:00:00Z"))

    assert found["found"]
    assert loop.time() - begun >= 0.3


async def test_a_hanging_look_up_lets_the_clients_own_deadline_end_it(tmp_path: Path) -> None:
    async with a_policy_system(tmp_path) as system:
        await system.post("/faults", json={"mode": "hang", "seconds": 600})

        with pytest.raises(httpx2.TimeoutException):
            await system.post("/policies:lookup", json={"queries": [{}]}, timeout=0.2)

        assert (await system.get("/readyz")).status_code == 200
