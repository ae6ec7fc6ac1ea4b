"""Pure parts of messaging: partitions as Kafka's clients count them, fingerprints, back-off, crash points."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from messaging import crash_points
from messaging.deciding import RETRY_SECONDS, backoff, fingerprint_of
from messaging.record import partition_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@given(key=st.binary(min_size=1, max_size=60), partitions=st.integers(1, 64))
def test_a_key_goes_where_the_clients_put_it(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))

    assert partition_of(key, partitions) == DefaultPartitioner()(key, numbers, numbers)


def caught(raising: Callable[[], object]) -> Exception:
    try:
        raising()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_same_fault_on_other_values_has_the_same_fingerprint_in_one_stage() -> None:
    def failing(value: str) -> Exception:
        def fail() -> None:
            raise ValueError(f"claim {value} has 'this {value}' 12345")

        return caught(fail)

    first, second = failing("0a1b2c3d4e"), failing("99999999ff")

    assert fingerprint_of("payment", first) == fingerprint_of("payment", second)
    assert fingerprint_of("payment", first) != fingerprint_of("notify", first)
    assert fingerprint_of("payment", first) != fingerprint_of("payment", KeyError("other"))


def test_waiting_grows_to_its_bound_and_stays_there() -> None:
    waits = [(backoff(NOW, attempts) - NOW).total_seconds() for attempts in range(1, 9)]

    assert waits[: len(RETRY_SECONDS)] == list(RETRY_SECONDS)
    assert set(waits[len(RETRY_SECONDS) :]) == {RETRY_SECONDS[-1]}


def test_a_crash_point_needs_a_name_of_the_registry_and_the_test_profile() -> None:
    with pytest.raises(crash_points.UnknownCrashPoint):
        crash_points.arm("no.such.point", print)
    with pytest.raises(crash_points.UnknownCrashPoint):
        crash_points.arm_from({"CLAIMFLOW_CRASH_AT": "publish.send", "CLAIMFLOW_PROFILE": "production"})
    crash_points.arm_from({})
    crash_points.reach("publish.send")
