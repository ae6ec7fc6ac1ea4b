"""The cost of one adjudication is measured on what the engine really gives, and shown with its mark."""

from __future__ import annotations

from benchmarks.adjudicating import a_flood_claim, measure, two_operations
from benchmarks.report import summarise, tables
from services.assessment.domain.adjudicate import adjudicate


def test_what_is_compared_gives_the_same_lines() -> None:
    report, policy = a_flood_claim()

    assert adjudicate(report, policy).lines == two_operations(report, policy)


def test_the_cost_stands_in_the_report_with_its_mark() -> None:
    found = summarise([], [], measure(claims=2, rounds=1))

    assert set(found["adjudicating_us"]) == {"engine", "two_operations", "engine : two operations"}
    assert [one["what"] for one in found["marks"]] == ["adjudicating a flood claim, us of CPU"]
    assert "adjudicating one flood claim" in tables(found)


def test_without_a_measurement_nothing_is_said() -> None:
    found = summarise([], [])

    assert "adjudicating_us" not in found and found["marks"] == []
