"""The circuit breaker as a state machine under a clock that is moved by hand."""

from __future__ import annotations

from hosting.breaker import Breaker


class Hands:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_breaker(clock: Hands, pause_seconds_max: float = 5.0) -> Breaker:
    return Breaker(clock, failures_max=3, pause_seconds=2.0, pause_seconds_max=pause_seconds_max)


def fail(breaker: Breaker, times: int, asked_seconds: float = 0.0) -> None:
    for _ in range(times):
        assert breaker.admit() == 0
        breaker.failed(asked_seconds)


def test_it_stays_closed_while_failures_are_not_in_a_row() -> None:
    breaker = a_breaker(Hands())

    for _ in range(5):
        fail(breaker, 2)
        breaker.succeeded()

    assert breaker.admit() == 0


def test_while_open_nobody_may_call_and_all_are_told_for_how_long() -> None:
    clock = Hands()
    breaker = a_breaker(clock)

    fail(breaker, 3)

    assert breaker.admit() == 2.0
    clock.seconds = 1.75
    assert [breaker.admit(), breaker.admit()] == [0.25, 0.25]


def test_after_the_pause_one_call_is_tried_and_the_others_stay_away() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)

    clock.seconds = 2.0

    assert [breaker.admit() for _ in range(3)] == [0, 2.0, 2.0]


def test_a_good_trial_closes_it() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)
    clock.seconds = 2.0
    assert breaker.admit() == 0

    breaker.succeeded()

    assert [breaker.admit(), breaker.admit()] == [0, 0]
    fail(breaker, 2)
    assert breaker.admit() == 0


def test_each_failed_trial_doubles_the_pause_up_to_the_bound() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)

    pauses = []
    for _ in range(4):
        pauses.append(breaker.admit())
        clock.seconds += pauses[-1]
        fail(breaker, 1)

    assert pauses == [2.0, 4.0, 5.0, 5.0]


def test_with_both_pauses_the_same_a_failed_trial_does_not_make_it_longer() -> None:
    clock = Hands()
    breaker = a_breaker(clock, pause_seconds_max=2.0)
    fail(breaker, 3)
    clock.seconds = 2.0

    fail(breaker, 1)

    assert breaker.admit() == 2.0


def test_after_a_recovery_the_pause_is_short_again() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)
    clock.seconds = 2.0
    fail(breaker, 1)
    clock.seconds = 6.0
    assert breaker.admit() == 0
    breaker.succeeded()

    fail(breaker, 3)

    assert breaker.admit() == 2.0


def test_the_first_pause_is_within_the_bound_too() -> None:
    breaker = a_breaker(Hands(), pause_seconds_max=1.0)

    fail(breaker, 3)

    assert breaker.admit() == 1.0


def test_a_failure_with_a_wish_to_wait_opens_it_at_once_for_so_long_within_the_bound() -> None:
    clock = Hands()
    breaker = a_breaker(clock)

    fail(breaker, 1, asked_seconds=3.0)

    assert breaker.admit() == 3.0
    clock.seconds = 3.0
    fail(breaker, 1, asked_seconds=3600.0)
    assert breaker.admit() == 5.0
    clock.seconds = 8.0
    assert [breaker.admit(), breaker.admit()] == [0, 4.0]


def test_a_rest_is_as_long_as_asked_and_counts_as_no_failure() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 2)

    breaker.rest(30.0)

    assert breaker.admit() == 30.0
    clock.seconds = 30.0
    assert [breaker.admit(), breaker.admit()] == [0, 0]


def test_a_rest_after_the_trial_leaves_one_trial_to_be_made() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    fail(breaker, 3)
    clock.seconds = 2.0
    assert breaker.admit() == 0

    breaker.rest(30.0)

    clock.seconds = 32.0
    assert [breaker.admit(), breaker.admit()] == [0, 2.0]


def test_what_comes_late_from_earlier_calls_cuts_no_pause_short() -> None:
    clock = Hands()
    breaker = a_breaker(clock)
    breaker.rest(30.0)

    for _ in range(3):
        breaker.failed()
    assert breaker.admit() == 30.0
    breaker.succeeded()
    assert breaker.admit() == 30.0
