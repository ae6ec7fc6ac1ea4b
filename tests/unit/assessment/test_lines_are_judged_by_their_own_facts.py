"""What one line of a claim is refused for says nothing about the others; what a fact is compared with may be a fact."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.assessment import ReferralReason
from schemas.conditions import Condition, DeclaredFact, FactKind, Facts
from schemas.decision import DecisionKind
from schemas.intake import ReportedLine
from schemas.terms import (
    Coverage,
    Deductible,
    DeductibleKind,
    Exclusion,
    Extension,
    Frequency,
    Operation,
    Sublimit,
    WaitingPeriod,
)
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from tests.builders.assessment import a_loss
from tests.builders.events import a_policy_snapshot, usd

FACTS = {"cause": DeclaredFact(kind=FactKind.code), "begun": DeclaredFact(kind=FactKind.date)} | {
    name: DeclaredFact(kind=FactKind.date) for name in ("last", "opened")
}


def a_line(line_id: str, asked: str = "100.00", category: str | None = None, **facts: str) -> ReportedLine:
    own: Facts | None = dict(facts) or None
    return ReportedLine(line_id=line_id, coverage_code="building", asked=usd(asked), category=category, facts=own)


def what_comes_of(op: str, *lines: ReportedLine, **terms: Any) -> Adjudication:
    operations = (Operation(op=op), Operation(op="unlimited"))
    coverage = Coverage(code="building", clause_version="1", operations=operations, facts=FACTS, **terms)
    return adjudicate(a_loss(list(lines)), a_policy_snapshot(coverages=(coverage,)))


def paid(found: Adjudication) -> dict[str, str]:
    return {line.line_id: line.payable.to_text() for line in found.lines}


def test_each_line_waits_by_its_own_facts_whichever_comes_first() -> None:
    rule = WaitingPeriod(
        days=30, since="opened", at="begun", when=(Condition(fact="cause", equals="illness"),), clause_id="3"
    )
    early = a_line("early", cause="illness", begun="2026-01-20", opened="2026-01-01")
    late = a_line("late", cause="illness", begun="2026-02-20", opened="2026-01-01")
    accident = a_line("accident", cause="accident", begun="2026-01-02", opened="2026-01-01")

    found = what_comes_of("waiting", accident, early, late, waiting=rule)

    assert paid(found) == {"accident": "100.00", "early": "0.00", "late": "100.00"}
    assert found.kind is DecisionKind.partial
    assert [one.line_id for one in found.coverages[0].refusals or ()] == ["early"]


def test_each_line_is_too_soon_by_its_own_last_time() -> None:
    soon = a_line("soon", last="2026-02-01", begun="2026-02-09")
    again = a_line("again", last="2025-02-01", begun="2026-02-09")

    found = what_comes_of("frequency", again, soon, frequency=Frequency(days=30, previous="last", at="begun"))

    assert paid(found) == {"again": "100.00", "soon": "0.00"}


def test_each_line_is_excluded_by_the_first_exclusion_that_is_about_it() -> None:
    exclusions = tuple(
        Exclusion(clause_id=clause, text_version="1", reason=cause, when=(Condition(fact="cause", equals=cause),))
        for clause, cause in (("5.1", "WEAR"), ("5.2", "WAR"))
    )
    lines = [a_line("war", cause="WAR"), a_line("fire", cause="FIRE"), a_line("wear", cause="WEAR")]

    found = what_comes_of("exclusions", *lines, exclusions=exclusions)

    assert paid(found) == {"war": "0.00", "fire": "100.00", "wear": "0.00"}
    refused = [(one.line_id, one.reason, one.clause_id) for one in found.coverages[0].refusals or ()]
    assert refused == [("war", "WAR", "5.2"), ("wear", "WEAR", "5.1")]


def test_a_reason_and_its_clause_are_told_only_with_the_lines_they_are_about() -> None:
    exclusion = Exclusion(
        clause_id="5.1", text_version="1", reason="WEAR", when=(Condition(fact="cause", equals="wear"),)
    )

    found = what_comes_of("exclusions", a_line("wear", cause="wear"), a_line("fire"), exclusions=(exclusion,))

    told = {line.line_id: (line.steps[0].reason, line.steps[0].clause_id) for line in found.lines}
    assert told == {"wear": ("WEAR", "5.1"), "fire": (None, None)}


@pytest.mark.parametrize("begun, excluded", [("2025-12-31", True), ("2026-01-01", False), (None, False)])
def test_a_fact_may_be_compared_with_another(begun: str | None, excluded: bool) -> None:
    before = Exclusion(
        clause_id="5",
        text_version="1",
        reason="BEFORE",
        when=(Condition(fact="begun", less_than="fact:opened"),),
    )
    facts = {"opened": "2026-01-01"} | ({} if begun is None else {"begun": begun})

    found = what_comes_of("exclusions", a_line("1", **facts), exclusions=(before,))

    assert (found.kind is DecisionKind.deny) == excluded


@pytest.mark.parametrize(
    "asked, left", [(["19.99"], "0.00"), (["20.00"], "0.00"), (["20.01"], "20.01"), (["15.00", "15.00"], "30.00")]
)
def test_a_franchise_is_borne_only_by_a_loss_that_is_not_more_than_it(asked: list[str], left: str) -> None:
    lines = [a_line(str(number), one) for number, one in enumerate(asked)]

    found = what_comes_of("deductible", *lines, deductibles=(Deductible(amount=usd("20.00"), franchise=True),))

    assert found.computed == usd(left)


def test_a_franchise_may_be_a_part_of_the_limit() -> None:
    deductible = Deductible(kind=DeductibleKind.pct_of_limit, rate="0.03", franchise=True)

    found = what_comes_of("deductible", a_line("1"), deductibles=(deductible,), limit=usd("1000.00"))

    assert found.computed == usd("100.00")


def test_a_deductible_for_some_of_the_lines_is_a_question_and_for_all_of_them_is_shared() -> None:
    deductible = Deductible(amount=usd("20.00"), when=(Condition(fact="cause", equals="wear"),))

    mixed = what_comes_of("deductible", a_line("1", cause="wear"), a_line("2"), deductibles=(deductible,))
    alike = what_comes_of("deductible", a_line("1", cause="wear"), a_line("2", cause="wear"), deductibles=(deductible,))

    assert mixed.questions == (ReferralReason.fact_unreadable,)
    assert paid(alike) == {"1": "90.00", "2": "90.00"}
    assert (alike.lines[0].steps[0].params or {})["lines"] == "2"


def test_a_sublimits_own_clause_stands_with_its_step() -> None:
    sublimit = Sublimit(category="dental", limit=usd("50.00"), clause_id="4.3")

    found = what_comes_of("sublimit", a_line("1", category="dental"), sublimits=(sublimit,))

    assert found.lines[0].steps[0].clause_id == "4.3"


def paid_beside(*lines: ReportedLine, **facts: str) -> Adjudication:
    """A coverage that excludes war and pays up to 50 for clearing up beside the loss."""
    coverage = Coverage(
        code="building",
        clause_version="1",
        facts=FACTS,
        exclusions=(
            Exclusion(clause_id="5", text_version="1", reason="WAR", when=(Condition(fact="cause", equals="war"),)),
        ),
        extensions=(Extension(name="clearing", category="clearing", additional_limit=usd("50.00")),),
        operations=(
            Operation(op="in_force"),
            Operation(op="exclusions"),
            Operation(op="unlimited"),
            Operation(op="extension", name="clearing"),
        ),
    )
    return adjudicate(a_loss(list(lines), facts=facts or None), a_policy_snapshot(coverages=(coverage,)))


@pytest.mark.parametrize("own", [{"cause": "war"}, {}])
def test_where_the_loss_itself_is_refused_nothing_is_paid_beside_it(own: dict[str, str]) -> None:
    clearing = a_line("clearing", "40.00", "clearing")
    facts = {} if own else {"cause": "war"}

    found = paid_beside(a_line("loss", **own), clearing, **facts)

    assert found.kind is DecisionKind.deny
    assert paid(found) == {"loss": "0.00", "clearing": "0.00"}
    assert [one.line_id for one in found.coverages[0].refusals or ()] == ["loss", "clearing"]


def test_where_a_part_of_the_loss_is_refused_what_stands_beside_the_rest_is_paid() -> None:
    lines = (a_line("war", cause="war"), a_line("fire"), a_line("clearing", "40.00", "clearing"))

    assert paid(paid_beside(*lines)) == {"war": "0.00", "fire": "100.00", "clearing": "40.00"}


def test_what_is_asked_beside_a_loss_alone_needs_cover_as_well() -> None:
    assert paid_beside(a_line("clearing", "40.00", "clearing"), cause="war").kind is DecisionKind.deny
    assert paid(paid_beside(a_line("clearing", "40.00", "clearing"))) == {"clearing": "40.00"}
