"""Percentiles, spreads, costs and ratios."""

from __future__ import annotations

import pytest

from benchmarks.figures import by_group, latencies_ms, per_1000, percentile, ratio, spread


@pytest.mark.parametrize("part, wanted", [(0.5, 50), (0.99, 99), (0.999, 100), (0.01, 1), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(part: float, wanted: int) -> None:
    assert percentile([float(number) for number in range(1, 101)], part) == wanted


def test_too_few_samples_hold_no_high_percentile() -> None:
    few, hundred, thousand = (latencies_ms([0.01] * count) for count in (99, 100, 1_000))

    assert (few["p50"], few["p99"]) == (10.0, None)
    assert (hundred["p99"], hundred["p99_9"]) == (10.0, None)
    assert thousand["p99_9"] == 10.0


def test_no_samples_have_no_latency() -> None:
    assert latencies_ms([]) == {"n": 0, "p50": None, "p99": None, "p99_9": None, "max": None}


def test_the_slowest_sample_is_shown_whatever_the_percentiles_say() -> None:
    assert latencies_ms([0.001] * 1_000 + [9.0])["max"] == 9_000.0


def test_a_spread_names_median_smallest_and_largest() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert spread([]) == {"median": None, "min": None, "max": None}


def test_costs_are_per_thousand_and_summed_by_what_belongs_together() -> None:
    costs = per_1000({"intake": 1.0, "ops": 3.0, "broker": 0.5, "load": 0.25}, 2_000)

    groups = by_group(costs)

    assert costs == {"intake": 0.5, "ops": 1.5, "broker": 0.25, "load": 0.125}
    assert (groups["services"], groups["broker"], groups["load generator"]) == (2.0, 0.25, 0.125)
    assert groups["database"] == 0


def test_a_process_of_no_group_is_not_left_out_silently() -> None:
    with pytest.raises(ValueError, match="stranger belongs to no group"):
        by_group({"stranger": 1.0})


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, 0.0) is None
    assert ratio(None, 2.0) is None
