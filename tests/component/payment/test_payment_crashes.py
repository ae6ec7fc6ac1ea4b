"""The process ends at each named point, and before and after each commit; after the restart all is as if it had not."""

from __future__ import annotations

import pytest

from messaging import crash_points
from schemas.payment import PaymentConfirmed, PaymentInstructed, PaymentKind
from tests.builders.crashes import Moment, nth_time, only, run_through_crashes
from tests.builders.events import a_claim_id
from tests.builders.payments import PaymentHouse, a_payment_house

pytestmark = pytest.mark.asyncio

POINTS = """
    batch.received decoded handler.returned answer.commit answer.committed publish.send publish.acked published.mark
    published.marked input.ack dispatch.claimed bank.send bank.replied outcome.recorded outcome.marked
""".split()
CLAIMS = 3


async def tell_stories(house: PaymentHouse) -> None:
    await house.report_and_approve(count=CLAIMS, payable="700.00")


async def assert_paid_once(house: PaymentHouse) -> None:
    assert len(house.bank.executed) == len(set(house.bank.executed)) == CLAIMS
    assert {event.end_to_end_id for event in house.told(PaymentConfirmed)} == set(house.bank.executed)
    assert len(house.told(PaymentConfirmed)) == len(house.told(PaymentInstructed)) == CLAIMS
    assert await house.totals() == {("claims-incurred", "USD"): 210_000, ("bank", "USD"): -210_000}


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_the_point_pays_once(point: str, nth: int) -> None:
    async with a_payment_house() as house:
        await tell_stories(house)
        crash_points.arm(point, nth_time(nth))

        crashes = await run_through_crashes(house)

        assert crashes == 1 or nth == 2
        await assert_paid_once(house)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_around_any_commit_pays_once(moment: Moment) -> None:
    crashed = 0
    for nth in range(1, 100):
        async with a_payment_house() as house:
            await tell_stories(house)
            house.memory.at_commit = only(moment, nth_time(nth))

            crashes = await run_through_crashes(house)

            house.memory.at_commit = lambda _: None
            await assert_paid_once(house)
        if not crashes:
            break
        crashed += 1

    assert 8 <= crashed < 99


async def tell_of_an_advance_and_the_rest(house: PaymentHouse) -> None:
    for number in range(1, CLAIMS + 1):
        await house.report_and_reserve(number, "900.00")
        house.tell_of_advance(number, "300.00", reserve="900.00")
        house.tell_of_approval(number, "700.00")
        house.tell_of_close(number)


async def assert_advanced_and_paid_once(house: PaymentHouse) -> None:
    assert len(house.bank.executed) == len(set(house.bank.executed)) == 2 * CLAIMS
    assert {event.end_to_end_id for event in house.told(PaymentConfirmed)} == set(house.bank.executed)
    instructed = sorted((event.kind, event.amount.to_text()) for event in house.told(PaymentInstructed))
    assert instructed == [(PaymentKind.final, "400.00")] * CLAIMS + [(PaymentKind.partial, "300.00")] * CLAIMS
    assert await house.totals() == {("claims-incurred", "USD"): 210_000, ("bank", "USD"): -210_000}
    files = [await house.file(a_claim_id(number)) for number in range(1, CLAIMS + 1)]
    assert [file.reserves for file in files] == [()] * CLAIMS


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_the_point_pays_an_advance_and_the_rest_once(point: str, nth: int) -> None:
    async with a_payment_house() as house:
        await tell_of_an_advance_and_the_rest(house)
        crash_points.arm(point, nth_time(nth))

        crashes = await run_through_crashes(house)

        assert crashes == 1 or nth > 1
        await assert_advanced_and_paid_once(house)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_around_any_commit_pays_an_advance_and_the_rest_once(
    moment: Moment,
) -> None:
    crashed = 0
    for nth in range(1, 100):
        async with a_payment_house() as house:
            await tell_of_an_advance_and_the_rest(house)
            house.memory.at_commit = only(moment, nth_time(nth))

            crashes = await run_through_crashes(house)

            house.memory.at_commit = lambda _: None
            await assert_advanced_and_paid_once(house)
        if not crashes:
            break
        crashed += 1

    assert 8 <= crashed < 99
