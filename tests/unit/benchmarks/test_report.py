"""From rounds to the report, and what a broken promise does to it."""

from __future__ import annotations

from typing import Any

from benchmarks.progress import bar_text
from benchmarks.report import is_good, marks, summarise, table, tables
from benchmarks.results import Hop, Phase, SystemRound


def a_phase(name: str = "bulk", **changes: Any) -> Phase:
    """A thousand claims in ten seconds, each process a second of CPU."""
    fields: dict[str, Any] = {
        "name": name,
        "claims": 1_000,
        "settled": 1_000,
        "settled_seconds": 10.0,
        "told_seconds": 20.0,
        "ack_seconds": [0.01] * 1_000,
        "end_to_end_seconds": [0.5] * 1_000,
        "cpu_seconds": {"intake": 1.0, "payment": 1.0, "bank": 1.0, "broker": 1.0, "load": 1.0, "observer": 1.0},
        "memory_bytes": {"intake": 100 * 1024 * 1024},
    }
    return Phase(**fields | changes)


def a_round(engine: str = "faust", number: int = 1, *phases: Phase, findings: tuple[str, ...] = ()) -> SystemRound:
    return SystemRound(engine, number, phases or (a_phase(),), {"intake": 0.01, "broker": 0.02}, findings)


def a_hop(kind: str = "stage", engine: str = "faust", **changes: Any) -> Hop:
    fields: dict[str, Any] = {
        "round": 1,
        "events": 1_000,
        "timed_events": 800,
        "seconds": 1.0,
        "cpu_seconds": {"worker": 0.3, "broker": 0.1, "database": 0.1},
        "memory_bytes": 0,
    }
    return Hop(kind, engine, **fields | changes)


def test_rates_count_completed_claims_up_to_the_last_of_them() -> None:
    phase = a_phase(settled=900)

    assert (phase.claims_per_s, phase.told_per_s) == (90.0, 45.0)


def test_a_phase_with_something_wrong_counts_as_zero() -> None:
    phase = a_phase(wrong=("1 claims lost",))

    assert (phase.claims_per_s, phase.told_per_s) == (0.0, 0.0)


def test_rounds_are_told_by_median_and_spread_and_their_latencies_together() -> None:
    rounds = [a_round("faust", number, a_phase(settled_seconds=seconds)) for number, seconds in ((1, 10.0), (2, 5.0))]

    bulk = summarise(rounds, [])["pipeline"]["faust"]["bulk"]

    assert bulk["claims_per_s"] == {"median": 150.0, "min": 100.0, "max": 200.0}
    assert bulk["end_to_end_ms"]["n"] == 2_000


def test_the_observer_is_no_part_of_what_a_claim_costs_and_the_load_is_told_apart() -> None:
    costs = summarise([a_round()], [])["pipeline"]["faust"]["bulk"]["cpu_s_per_1000"]

    assert costs["all processes"]["median"] == 5.0
    assert costs["system"]["median"] == 3.0
    assert costs["load generator"]["median"] == costs["observer"]["median"] == 1.0


def test_engines_stand_side_by_side_with_their_ratios() -> None:
    rounds = [a_round("faust"), a_round("aiokafka", 1, a_phase(settled_seconds=4.0))]

    ratios = summarise(rounds, [])["ratios"]

    assert ratios["bulk aiokafka : faust, claims/s"] == 2.5
    assert ratios["bulk faust : aiokafka, CPU of the system"] == 1.0


def test_a_hop_is_compared_with_the_relay_in_its_worker_and_as_a_whole() -> None:
    relay = a_hop("relay", "aiokafka", cpu_seconds={"worker": 0.1, "broker": 0.1, "database": 0.0})

    ratios = summarise([], [relay, a_hop()])["ratios"]

    assert ratios["hop faust : relay, CPU of the worker"] == 3.0
    assert ratios["hop faust : relay, CPU of worker, broker and database"] == 2.5


def test_marks_are_met_or_not_and_left_out_when_not_measured() -> None:
    found = summarise(
        [a_round("faust", 1, a_phase(settled_seconds=5.0), a_phase("bulk_mail", settled_seconds=50.0))], []
    )

    assert [(one["what"], one["met"]) for one in marks(found)] == [
        ("bulk, mail off, claims/s", True),
        ("bulk, mail on, claims/s", False),
    ]


def test_a_broken_promise_fails_the_run_and_its_latency_meets_no_mark() -> None:
    broken = a_phase("single", wrong=("an invariant is broken",))

    found = summarise([a_round("faust", 1, broken, findings=("I2 paid twice",))], [])

    assert not is_good(found)
    assert [one["met"] for one in found["marks"]] == [False]


def test_a_hop_is_timed_from_its_first_answer_and_charged_for_all() -> None:
    hop = a_hop(seconds=2.0)

    assert hop.events_per_s == 400.0
    assert hop.cpu_per_1000["worker"] == 0.3


def test_a_hop_that_answered_too_often_fails_the_run() -> None:
    assert is_good(summarise([a_round()], [a_hop()]))
    assert not is_good(summarise([], [a_hop(wrong=("3 events too many",))]))


def test_the_tables_show_what_was_measured_and_nothing_else() -> None:
    hops = [a_hop("relay", "aiokafka"), a_hop()]

    text = tables(summarise([a_round("faust"), a_round("aiokafka")], hops))

    assert "faust : aiokafka" in text and "bulk, mail off" in text and "stage-faust" in text
    assert "mail on" not in text
    assert "mark" not in tables(summarise([a_round()], []), with_marks=False)


def test_a_round_becomes_plain_data_without_samples() -> None:
    data = a_round("faust", 1, a_phase(), findings=("I1 x: lost",)).as_json()

    assert data["verify"] == {"holds": False, "findings": ["I1 x: lost"], "counts": {}}
    assert data["idle_cpu_percent"] == {"intake": 1.0, "broker": 2.0}
    assert data["phases"][0]["ack_ms"]["p50"] == 10.0


def test_table_columns_line_up() -> None:
    lines = table(("what", "n"), [("a", "1"), ("bb", "1,000")]).splitlines()

    assert lines == ["what      n", "----  -----", "a         1", "bb    1,000"]


def test_a_bar_has_one_width() -> None:
    assert len(bar_text("short", 0.0, 0, 10)) == len(bar_text("t" * 80, 1.0, 10, 10))
