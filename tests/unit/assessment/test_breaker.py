"""The circuit breaker as a state machine under a clock that is moved by hand."""

from __future__ import annotations

from services.assessment.adapters.breaker import Breaker, Circuit


class Hands:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_breaker(clock: Hands | None = None) -> Breaker:
    return Breaker(clock or Hands(), failures_max=3, pause_seconds=2.0, pause_seconds_max=5.0)


def fail(breaker: Breaker, times: int, retry_after_seconds: float = 0.0) -> None:
    for _ in range(times):
        assert breaker.permit()
        breaker.failed(retry_after_seconds)


def test_it_opens_only_after_failures_in_a_row() -> None:
    breaker = a_breaker()

    fail(breaker, 2)
    breaker.permit()
    breaker.succeeded()
    fail(breaker, 2)

    assert breaker.circuit is Circuit.closed


def test_while_open_nobody_may_ask() -> None:
    clock = Hands()
    breaker = a_breaker(clock)

    fail(breaker, 3)

    assert breaker.circuit is Circuit.open and not breaker.permit()
    clock.seconds = 1.99
    assert not breaker.permit()


def test_after_the_pause_one_may_try_and_success_closes_it() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)

    clock.seconds = 2.0

    assert breaker.permit()
    assert breaker.circuit is Circuit.half_open
    assert not breaker.permit()
    breaker.succeeded()
    assert [breaker.permit(), breaker.permit()] == [True, True]


def test_each_failed_trial_doubles_the_pause_up_to_the_bound() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)

    pauses = []
    for pause in (2.0, 4.0, 5.0, 5.0):
        clock.seconds += pause - 0.01
        assert not breaker.permit()
        clock.seconds += 0.01
        fail(breaker, 1)
        pauses.append(pause)

    assert pauses == [2.0, 4.0, 5.0, 5.0]


def test_after_a_recovery_the_pause_is_short_again() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)
    clock.seconds = 2.0
    fail(breaker, 1)
    clock.seconds = 6.0
    assert breaker.permit()
    breaker.succeeded()

    fail(breaker, 3)
    clock.seconds += 2.0

    assert breaker.permit()


def test_a_request_to_wait_opens_it_at_once_for_so_long_within_the_bound() -> None:
    clock = Hands()
    breaker = a_breaker(clock)

    fail(breaker, 1, retry_after_seconds=3.0)

    clock.seconds = 2.99
    assert not breaker.permit()
    clock.seconds = 3.0
    fail(breaker, 1, retry_after_seconds=3600.0)
    clock.seconds = 8.0
    assert breaker.permit()
