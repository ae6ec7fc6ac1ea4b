"""The circuit breaker: opens after failures in a row, tries once, and closes on the first success."""

from __future__ import annotations

from datetime import timedelta

from services.payment.adapters.breaker import Breaker
from tests.builders.payments import SteppedClock


def a_breaker(clock: SteppedClock) -> Breaker:
    return Breaker(clock.monotonic_ns, failures_max=3, rest=timedelta(seconds=5))


def test_it_stays_closed_while_failures_are_not_in_a_row() -> None:
    breaker = a_breaker(SteppedClock())

    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()

    assert breaker.admit() is None


def test_it_opens_after_failures_in_a_row_and_says_for_how_long() -> None:
    clock = SteppedClock()
    breaker = a_breaker(clock)

    for _ in range(3):
        assert breaker.admit() is None
        breaker.failed()
    clock.advance(timedelta(seconds=2))

    assert breaker.admit() == timedelta(seconds=3)


def test_after_its_rest_one_request_is_tried_and_the_others_stay_away() -> None:
    clock = SteppedClock()
    breaker = a_breaker(clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(timedelta(seconds=5))

    admitted = [breaker.admit() for _ in range(3)]

    assert admitted == [None, timedelta(seconds=5), timedelta(seconds=5)]


def test_a_failed_trial_opens_it_again_and_a_good_one_closes_it() -> None:
    clock = SteppedClock()
    breaker = a_breaker(clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(timedelta(seconds=5))
    assert breaker.admit() is None
    breaker.failed()

    assert breaker.admit() == timedelta(seconds=5)
    clock.advance(timedelta(seconds=5))
    assert breaker.admit() is None
    breaker.succeeded()
    assert [breaker.admit(), breaker.admit()] == [None, None]


def test_it_stays_away_as_long_as_the_bank_asks() -> None:
    clock = SteppedClock()
    breaker = a_breaker(clock)

    breaker.rest_for(timedelta(seconds=30))

    assert breaker.admit() == timedelta(seconds=30)
    clock.advance(timedelta(seconds=30))
    assert breaker.admit() is None
