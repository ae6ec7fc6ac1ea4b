"""Payment against the bank's real server, with every fault it can play: the ledger and the bank's own record agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.ids import end_to_end_id
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentRejected
from services.payment.adapters.payment_gateway_http import PaymentGatewayHttp
from simulators.bank.app import serve
from simulators.bank.record import FILE_NAME, read_executed
from tests.builders.payments import PaymentHouse, SteppedClock

pytestmark = pytest.mark.asyncio
CLAIMS = 7


@asynccontextmanager
async def a_house_with_a_bank(folder: Path, *faults: dict[str, Any]) -> AsyncIterator[tuple[PaymentHouse, str]]:
    """The stage, the bank on a socket with these faults standing, and a client of little patience between them."""
    clock = SteppedClock()
    async with serve(folder, seed=3) as address, httpx2.AsyncClient(base_url=address, timeout=0.25) as client:
        assert (await client.post("/faults", json={"faults": list(faults)})).status_code == 200
        house = PaymentHouse(PaymentGatewayHttp(client, clock.monotonic), clock)
        await house.restart()
        yield house, address
        await house.engine.stop()


def executed_in(folder: Path) -> list[tuple[str, Fraction]]:
    return [(entry.end_to_end_id, Fraction(entry.amount)) for entry in read_executed(folder / FILE_NAME)]


async def assert_paid_as_the_bank_says(house: PaymentHouse, folder: Path, claims: int = CLAIMS) -> None:
    executed, totals = executed_in(folder), await house.totals()
    assert Counter(one for one, _ in executed) == Counter(
        end_to_end_id(event.payment_id, 1) for event in house.told(PaymentInstructed)
    )
    assert len(executed) == len(house.told(PaymentConfirmed)) == claims
    assert -totals["bank", "USD"] == sum(amount for _, amount in executed) * 100
    assert ("bank-clearing", "USD") not in totals
    assert not house.told(PaymentHeld) and not house.told(PaymentRejected)


async def hits(address: str) -> int:
    """How often a standing fault struck."""
    async with client_of(address) as client:
        return sum(fault["hits"] for fault in (await client.get("/faults")).json()["faults"])


@pytest.mark.parametrize(
    "fault",
    [
        {"mode": "timeout_before", "times": 2, "seconds": 1},
        {"mode": "timeout_after", "times": 2, "seconds": 1},
        {"mode": "hang", "times": 2, "seconds": 1},
        {"mode": "slow", "times": 2, "seconds": 0.5},
        {"mode": "slow", "times": 2, "seconds": 0.05},
        {"mode": "error500", "times": 3},
        {"mode": "error500", "once_per_id": True},
        {"mode": "error500_after", "times": 2},
        {"mode": "error429", "times": 3, "seconds": 7},
        {"mode": "down", "times": 9},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_each_payment_is_executed_once_through_the_fault(fault: dict[str, Any], tmp_path: Path) -> None:
    async with a_house_with_a_bank(tmp_path, fault) as (house, address):
        await house.report_and_approve(CLAIMS)

        await house.settle()

        assert await hits(address) > 0
        await assert_paid_as_the_bank_says(house, tmp_path)


async def test_each_payment_is_executed_once_through_a_mixture_of_faults(tmp_path: Path) -> None:
    modes = ("timeout_before", "timeout_after", "error500", "error500_after", "error429", "down")
    faults = [{"mode": mode, "rate": 0.25, "seconds": 1, "times": 3} for mode in modes]
    async with a_house_with_a_bank(tmp_path, *faults) as (house, _):
        house.stage.effects[0].batch_max = 3
        await house.report_and_approve(25)

        await house.settle()

        await assert_paid_as_the_bank_says(house, tmp_path, 25)


async def test_a_bank_that_restarts_is_asked_again_and_pays_nothing_twice(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with serve(tmp_path) as address, httpx2.AsyncClient(base_url=address, timeout=0.25) as client:
        await client.post("/faults", json={"mode": "error500_after"})
        house = PaymentHouse(PaymentGatewayHttp(client, clock.monotonic), clock)
        await house.restart()
        await house.report_and_approve(CLAIMS)
        await house.engine.run_dry()
        await house.dispatcher.step(house.stage.effects[0])
        port = int(address.rpartition(":")[2])
    async with serve(tmp_path, port), client_of(address) as client:
        house.gateway = PaymentGatewayHttp(client, clock.monotonic)
        await house.restart()

        await house.settle()

        await assert_paid_as_the_bank_says(house, tmp_path)


def client_of(address: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=address, timeout=1)


async def test_a_hundred_and_one_instructions_take_two_requests(tmp_path: Path) -> None:
    async with a_house_with_a_bank(tmp_path) as (house, _):
        await house.report_and_approve(101)
        await house.engine.run_dry()
        [effect] = house.stage.effects

        taken = [await house.dispatcher.step(effect) for _ in range(3)]

        assert taken == [100, 1, 0]
        await assert_paid_as_the_bank_says(house, tmp_path, 101)
