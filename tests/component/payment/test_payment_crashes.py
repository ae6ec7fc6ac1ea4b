"""The process ends at each named point, and before and after each commit; after the restart all is as if it had not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from messaging import crash_points
from schemas.payment import PaymentConfirmed, PaymentInstructed
from tests.builders.payments import PaymentHouse, a_payment_house

pytestmark = pytest.mark.asyncio

POINTS = """
    batch.received decoded handler.returned answer.commit answer.committed publish.send publish.acked published.mark
    published.marked input.ack dispatch.claimed bank.send bank.replied outcome.recorded outcome.marked
""".split()
CLAIMS = 3


class Crash(BaseException):
    """Ends the process: nothing of ours may catch it."""


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    crash_points.disarm()


def crash_at(nth: int) -> Callable[[object], None]:
    left = nth

    def hook(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    return hook


async def run_through_the_crash(house: PaymentHouse) -> int:
    """Runs to the end, with a restart after each crash; the number of crashes."""
    crashes = 0
    await house.report_and_approve(count=CLAIMS, payable="700.00")
    while True:
        try:
            await house.restart()
            await house.settle()
        except Crash:
            crashes += 1
        else:
            return crashes


async def assert_paid_once(house: PaymentHouse) -> None:
    assert len(house.bank.executed) == len(set(house.bank.executed)) == CLAIMS
    assert {event.end_to_end_id for event in house.told(PaymentConfirmed)} == set(house.bank.executed)
    assert len(house.told(PaymentConfirmed)) == len(house.told(PaymentInstructed)) == CLAIMS
    assert await house.totals() == {("claims-incurred", "USD"): 210_000, ("bank", "USD"): -210_000}


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_the_point_pays_once(point: str, nth: int) -> None:
    async with a_payment_house() as house:
        crash_points.arm(point, crash_at(nth))

        crashes = await run_through_the_crash(house)

        assert crashes == 1 or nth == 2
        await assert_paid_once(house)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_around_any_commit_pays_once(moment: Literal["before", "after"]) -> None:
    crashed = 0
    for nth in range(1, 100):
        async with a_payment_house() as house:
            house.memory.at_commit = only(moment, crash_at(nth))

            crashes = await run_through_the_crash(house)

            house.memory.at_commit = lambda _: None
            await assert_paid_once(house)
        if not crashes:
            break
        crashed += 1

    assert 8 <= crashed < 99


def only(moment: str, hook: Callable[[object], None]) -> Callable[[str], None]:
    def at_commit(now: str) -> None:
        if now == moment:
            hook(now)

    return at_commit
