"""The policy system's adapter against the real simulator and its faults: always a finding, never an exception."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.policy import PolicySnapshot
from services.assessment.adapters.policy_book_http import HttpPolicyBook
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing
from simulators.policy_system.app import serve
from tests.builders.assessment import NOW, TERMS, a_breaker, a_policy_row
from tests.builders.events import LOSS_AT

pytestmark = pytest.mark.asyncio


@dataclass
class Scene:
    """The adapter, the simulator's other side, and the breaker's time, which only the test moves."""

    book: HttpPolicyBook
    system: httpx2.AsyncClient
    seconds: float = 0.0

    async def put(self, *rows: dict[str, Any]) -> None:
        answer = (await self.system.put("/policies", json=list(rows))).json()
        assert answer == {"stored": len(rows), "refused": []}

    async def fault(self, mode: str, **changes: Any) -> None:
        assert (await self.system.post("/faults", json={"mode": mode, **changes})).status_code == 200

    async def heal(self) -> None:
        await self.system.delete("/faults")

    async def find(self, number: str = "FL-000001", timeout_seconds: float = 5.0) -> PolicyFinding:
        key = PolicyKey(number, LOSS_AT)
        return (await self.book.get_many([key], timeout_seconds))[key]


@asynccontextmanager
async def a_scene(folder: Path) -> AsyncIterator[Scene]:
    async with serve(folder) as address, httpx2.AsyncClient(base_url=address, timeout=10) as client:
        breaker = a_breaker(lambda: scene.seconds)
        scene = Scene(HttpPolicyBook(client, TERMS, breaker, lambda: NOW), client)
        yield scene


async def test_many_policies_come_in_one_call_each_with_its_own_finding(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(
            a_policy_row("FL-1"),
            a_policy_row("FL-2", effective_to="2012-06-01T00:00:00-04:00"),
            a_policy_row("FL-3", status="lapsed"),
        )
        keys = {number: PolicyKey(number, LOSS_AT) for number in ("FL-1", "FL-2", "FL-3", "FL-4")}

        found = await scene.book.get_many(keys.values(), 5.0)

        assert isinstance(found[keys["FL-1"]], PolicySnapshot)
        assert found[keys["FL-2"]] is PolicyMissing.outside_period
        assert found[keys["FL-3"]] is PolicyMissing.not_in_force
        assert found[keys["FL-4"]] is PolicyMissing.unknown


async def test_more_policies_than_one_request_takes_are_asked_in_chunks(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row("FL-0"), a_policy_row("FL-2099"))
        keys = [PolicyKey(f"FL-{number}", LOSS_AT) for number in range(2100)]

        found = await scene.book.get_many(keys, 20.0)

        assert set(found) == set(keys)
        assert [key.policy_number for key in keys if isinstance(found[key], PolicySnapshot)] == ["FL-0", "FL-2099"]


@pytest.mark.parametrize("mode", ["down", "error429", "error500", "error503"])
async def test_a_policy_system_that_fails_is_unavailable(tmp_path: Path, mode: str) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row())
        await scene.fault(mode, seconds=1)

        assert await scene.find() is PolicyMissing.unavailable


@pytest.mark.parametrize("mode", ["slow", "hang"])
async def test_a_policy_system_that_does_not_answer_costs_one_deadline(tmp_path: Path, mode: str) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row())
        await scene.fault(mode, seconds=30)
        began = time.monotonic()

        found = await scene.find(timeout_seconds=0.2)

        assert found is PolicyMissing.unavailable
        assert time.monotonic() - began < 5
        await scene.heal()
        assert isinstance(await scene.find(), PolicySnapshot)


async def test_a_slow_answer_within_the_deadline_is_taken(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row())
        await scene.fault("slow", seconds=0.05)

        assert isinstance(await scene.find(), PolicySnapshot)


async def test_after_failures_in_a_row_nobody_asks_until_the_pause_is_over(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row())
        await scene.fault("error500")
        for _ in range(3):
            await scene.find()
        await scene.heal()

        assert scene.book.breaker.admit() == 2.0
        assert await scene.find() is PolicyMissing.unavailable
        scene.seconds = 2.0
        assert isinstance(await scene.find(), PolicySnapshot)
        assert [scene.book.breaker.admit(), scene.book.breaker.admit()] == [0, 0]


async def test_a_request_to_come_back_later_is_heeded_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row())
        await scene.fault("error429", seconds=7, times=1)

        await scene.find()

        scene.seconds = 6.9
        assert await scene.find() is PolicyMissing.unavailable
        scene.seconds = 7.0
        assert isinstance(await scene.find(), PolicySnapshot)


async def test_what_came_before_the_deadline_is_kept(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.put(a_policy_row("FL-0"), a_policy_row("FL-1099"))
        await scene.fault("hang", seconds=30, match="FL-1099")
        keys = [PolicyKey(f"FL-{number}", LOSS_AT) for number in range(1100)]

        found = await scene.book.get_many(keys, 3.0)

        assert isinstance(found[keys[0]], PolicySnapshot)
        assert found[keys[1099]] is PolicyMissing.unavailable


async def test_an_address_where_nobody_listens_is_unavailable(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        address = scene.system.base_url

    async with httpx2.AsyncClient(base_url=address, timeout=1) as client:
        book = HttpPolicyBook(client, TERMS, a_breaker(lambda: 0.0), lambda: NOW)
        key = PolicyKey("FL-000001", LOSS_AT)

        assert await book.get_many([key], 2.0) == {key: PolicyMissing.unavailable}


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"results": []}', b'{"results": {}}', b'{"results": [{}, {}]}', b"[" * 100_000, b"\xff"],
)
async def test_an_answer_that_is_no_list_of_results_is_unavailable(body: bytes) -> None:
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=body))
    async with httpx2.AsyncClient(base_url="http://policies.example", transport=transport) as client:
        book = HttpPolicyBook(client, TERMS, a_breaker(lambda: 0.0), lambda: NOW)
        key = PolicyKey("FL-000001", LOSS_AT)

        assert await book.get_many([key], 2.0) == {key: PolicyMissing.unavailable}


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.assessment.adapters.policy_book_http.ANSWER_BYTES_MAX", 10_000)
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=b" " * 20_000))
    async with httpx2.AsyncClient(base_url="http://policies.example", transport=transport) as client:
        breaker = a_breaker(lambda: 0.0, failures_max=1)
        book = HttpPolicyBook(client, TERMS, breaker, lambda: NOW)
        key = PolicyKey("FL-000001", LOSS_AT)

        assert await book.get_many([key], 2.0) == {key: PolicyMissing.unavailable}
        assert breaker.admit() == 2.0
