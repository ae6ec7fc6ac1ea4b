"""The command line of the benchmarks and the order of what it measures."""

from __future__ import annotations

import pytest

from benchmarks.options import FULL, QUICK, Options, Unit, parse, plan


def test_without_words_everything_is_measured_within_fifteen_minutes() -> None:
    options = parse([])

    assert options == Options()
    assert options.minutes == 15
    assert (options.engines, options.parts) == (("faust", "aiokafka"), ("hops", "pipeline"))


def test_quick_is_tiny_and_single_numbers_can_be_set_again() -> None:
    options = parse(["--quick", "--claims", "500"])

    assert (options.claims, options.seconds, options.minutes) == (500, QUICK["seconds"], 3)
    assert QUICK["claims"] < FULL["claims"]


@pytest.mark.parametrize(
    "words",
    [
        ["--claims", "0"],
        ["--claims", "many"],
        ["--minutes", "100000"],
        ["--engine", "kafka"],
        ["--rounds", "-1"],
        ["x"],
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(words)

    assert refused.value.code == 2
    assert "error" in capsys.readouterr().err


def test_engines_take_turns_round_by_round() -> None:
    units = plan(Options(rounds=2, parts=("pipeline",)))

    assert [(unit.engine, unit.round) for unit in units] == [
        ("faust", 1),
        ("aiokafka", 1),
        ("faust", 2),
        ("aiokafka", 2),
    ]


def test_each_round_of_hops_has_its_own_relay_to_compare_with() -> None:
    units = plan(Options(rounds=2, parts=("hops",), engines=("aiokafka",)))

    assert [unit.kind for unit in units] == ["relay", "stage", "relay", "stage"]


def test_a_unit_says_in_words_what_it_is() -> None:
    assert Unit("stage", "faust", 2).title == "stage hop on faust, round 2"
