"""Decision tables: what a cell means, which row is taken, and which tables are refused, against a second opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.money import Money
from services.assessment.domain.decision_cells import CellError, Fact, Input, Kind, read_cell
from services.assessment.domain.decision_checks import TableFlaw, table_flaws
from services.assessment.domain.decision_table import HitPolicy, TableVersion, evaluate
from tests.builders.triage import a_column, a_table

PERIL = a_column("peril", Kind.code)
FLAG = a_column("flag", Kind.flag)
COUNT = a_column("count", Kind.count)
WHOLE = a_column("whole", Kind.whole)
NUMBER = a_column("number", Kind.number)
MONEY = a_column("asked", Kind.money)
ALWAYS = a_column("always", Kind.flag, can_be_unknown=False)
CLOSED = a_column("closed", Kind.code, values=("a", "b"), closed=True, can_be_unknown=False)


def flaws_of(columns: Sequence[Input], rows: Sequence[Sequence[str]], hit: HitPolicy) -> list[TableFlaw]:
    return list(table_flaws(a_table(columns, rows, hit)))


def rows_taken(table: TableVersion, facts: Mapping[str, Fact]) -> list[str]:
    return [hit.row_id for hit in table.taken(facts)]


@pytest.mark.parametrize(
    "column, text, accepted, refused",
    [
        (PERIL, "-", ["flood", "fire", None], []),
        (PERIL, "flood", ["flood"], ["fire", "floods", None]),
        (PERIL, "flood|hurricane", ["flood", "hurricane"], ["fire", None]),
        (PERIL, "!theft", ["flood"], ["theft", None]),
        (PERIL, "unknown", [None], ["flood"]),
        (PERIL, "unknown | flood", [None, "flood"], ["fire"]),
        (PERIL, "!unknown", ["flood"], [None]),
        (FLAG, "true", [True], [False, None]),
        (FLAG, "TRUE", [True], [False, None]),
        (FLAG, "false|unknown", [False, None], [True]),
        (NUMBER, ">= 5", [Fraction(5), Fraction(6)], [Fraction(49, 10), None]),
        (NUMBER, "> 5", [Fraction(51, 10)], [Fraction(5)]),
        (NUMBER, "<3", [Fraction(29, 10)], [Fraction(3), None]),
        (NUMBER, "<= -0.5", [Fraction(-1, 2)], [Fraction(0)]),
        (NUMBER, "[1..3]", [Fraction(1), Fraction(3)], [Fraction(0), Fraction(301, 100)]),
        (NUMBER, "(1..3]", [Fraction(2), Fraction(3)], [Fraction(1)]),
        (NUMBER, "[1..3)", [Fraction(1)], [Fraction(3)]),
        (NUMBER, "7", [Fraction(7)], [Fraction(71, 10)]),
        (NUMBER, "< 1 | > 2", [Fraction(0), Fraction(3)], [Fraction(1), Fraction(2)]),
        (MONEY, ">= 5000.00", [Money(500000, "USD")], [Money(499999, "USD"), Money(900000, "EUR"), None]),
        (MONEY, "unknown", [Money(500000, "EUR"), None], [Money(500000, "USD")]),
        (COUNT, "!unknown", [Fraction(0)], [None]),
    ],
)
def test_a_cell_accepts_what_it_says(column: Input, text: str, accepted: list[Fact], refused: list[Fact]) -> None:
    table = a_table([column], [[text]], HitPolicy.collect)

    assert [fact for fact in accepted if not table.taken({column.name: fact})] == []
    assert [fact for fact in refused if table.taken({column.name: fact})] == []


@pytest.mark.parametrize(
    "column, text, said",
    [
        (PERIL, "", "any value is written as -"),
        (PERIL, "two words", "is no code"),
        (PERIL, "flood|flood", "names a value twice"),
        (PERIL, "!flood|fire", "excludes one value"),
        (CLOSED, "c", "names a value that is none of a, b"),
        (CLOSED, "unknown", "always known"),
        (FLAG, "yes", "must be true, false, unknown or -"),
        (FLAG, "!true", "can only exclude a code"),
        (NUMBER, "=> 5", "is no number, comparison"),
        (NUMBER, "1e3", "is no number, comparison"),
        (NUMBER, "[3..1]", "holds nothing"),
        (NUMBER, "(1..1]", "holds nothing"),
        (NUMBER, "[1..9", "is no number, comparison"),
        (NUMBER, "\u0663", "is no number, comparison"),
        (COUNT, "< 2.5", "must be in whole numbers"),
        (MONEY, "< 2.505", "must be in the currency's minor units"),
        (PERIL, "a" * 301, "is longer than"),
    ],
)
def test_a_cell_that_cannot_be_read_is_refused_without_being_shown(column: Input, text: str, said: str) -> None:
    with pytest.raises(CellError, match=said) as refused:
        read_cell(text, column)

    assert text in ("", "unknown") or text not in str(refused.value)


def test_first_takes_the_first_row_that_fits_and_collect_takes_all() -> None:
    rows = [["flood", "-"], ["-", "> 2"], ["-", "-"]]
    facts: dict[str, Fact] = {"peril": "flood", "count": Fraction(3)}

    first = a_table([PERIL, COUNT], rows, HitPolicy.first)
    collect = a_table([PERIL, COUNT], rows, HitPolicy.collect)

    assert [hit.outputs["way"] for hit in evaluate(first, facts)] == ["r1"]
    assert [hit.row_id for hit in evaluate(collect, facts)] == ["r1", "r2", "r3"]
    assert rows_taken(first, {"peril": "fire", "count": Fraction(3)}) == ["r2"]
    assert rows_taken(first, {}) == ["r3"]


def test_a_fact_of_another_kind_is_never_compared() -> None:
    table = a_table([COUNT, PERIL], [["> 1", "-"], ["-", "-"]])

    with pytest.raises(TypeError, match="the fact count is not a count"):
        table.taken({"count": "2"})
    with pytest.raises(TypeError, match="the fact peril is not a code"):
        table.taken({"peril": Money(1, "USD")})
    with pytest.raises(TypeError, match="the fact peril is not a code"):
        table.taken({"peril": True})


@pytest.mark.parametrize(
    "columns, rows, example",
    [
        ([PERIL], [["flood"], ["!flood"]], "no row takes peril = unknown"),
        ([PERIL], [["flood"], ["fire"], ["unknown"]], "no row takes peril = any other"),
        ([FLAG], [["true"], ["unknown"]], "no row takes flag = false"),
        ([COUNT], [["< 3"], ["> 3"], ["unknown"]], "no row takes count = 3"),
        ([COUNT], [["[0..3]"], ["[5..9]"], ["> 9|unknown"]], "no row takes count = 4"),
        ([MONEY], [["< 5.00"], ["> 5.01|unknown"]], "no row takes asked = 5"),
        ([NUMBER], [["[1..2)"], ["> 2|unknown|< 1"]], "no row takes number = 2"),
        ([PERIL, FLAG], [["flood", "true"], ["!flood", "-"], ["unknown", "-"]], "peril = flood"),
    ],
)
def test_a_missing_combination_is_named_by_an_example(
    columns: list[Input], rows: list[list[str]], example: str
) -> None:
    for hit in (HitPolicy.first, HitPolicy.unique):
        [flaw] = flaws_of(columns, rows, hit)

        assert example in flaw.rule and flaw.row is None


@pytest.mark.parametrize(
    "columns, rows",
    [
        ([ALWAYS], [["true"], ["false"]]),
        ([CLOSED], [["a"], ["b"]]),
        ([CLOSED], [["a"], ["!a"]]),
        ([COUNT], [["< 3"], ["[3..4]"], [">= 5"], ["unknown"]]),
        ([COUNT], [["[0..2]"], ["[3..9]"], [">= 10|unknown"]]),
        ([WHOLE], [["<= -1"], [">= 0"], ["unknown"]]),
        ([MONEY], [["<= 4999.99"], [">= 5000.00"], ["unknown"]]),
        ([PERIL], [["flood"], ["!flood"], ["unknown"]]),
    ],
)
def test_whole_numbers_minor_units_and_closed_lists_leave_no_gap(columns: list[Input], rows: list[list[str]]) -> None:
    assert flaws_of(columns, rows, HitPolicy.unique) == []
    assert flaws_of(columns, rows, HitPolicy.first) == []


def test_two_rows_of_a_unique_table_that_take_the_same_case_are_both_named() -> None:
    rows = [["flood", "-"], ["-", "[2..4]"], ["!flood", "< 2|> 4|unknown"], ["unknown", "< 2|> 4|unknown"]]

    [flaw] = flaws_of([PERIL, COUNT], rows, HitPolicy.unique)

    assert (flaw.row, flaw.rule) == (2, "r1 and r2 both take peril = flood, count = 2")


def test_a_row_of_a_first_table_that_is_never_reached_is_named() -> None:
    rows = [["flood", "-"], ["!flood", "true"], ["flood|fire", "true"], ["-", "-"]]

    [flaw] = flaws_of([PERIL, FLAG], rows, HitPolicy.first)

    assert (flaw.row, flaw.field) == (3, "row")
    assert "r3 is never reached" in flaw.rule


def test_a_condition_that_no_fact_can_fulfil_is_named() -> None:
    [flaw] = flaws_of([COUNT], [["< 0"], ["-"]], HitPolicy.collect)

    assert (flaw.row, flaw.field, flaw.rule) == (1, "count", "can never hold")


def test_a_table_beyond_the_bound_is_refused_and_never_half_checked() -> None:
    columns = [a_column(f"c{number}", Kind.flag) for number in range(12)]
    rows = [["-"] * number + ["true"] + ["-"] * (11 - number) for number in range(12)] + [["-"] * 12]
    table = a_table(columns, rows)

    assert "more combinations than can be checked" in next(iter(table_flaws(table, steps_max=20))).rule
    assert list(table_flaws(table)) == []


# A second opinion, written another way: it reads the texts of the cells itself, for every fact that could matter.

NUMBERS = ["-", "unknown", "!unknown", "< 2", "<= 2", "> 2", ">= 1", "[1..3]", "(1..3]", "[0..2)", "2", "0|unknown"]
CODES = ["-", "unknown", "!unknown", "a", "b", "a|b", "!a", "a|unknown"]
FLAGS = ["-", "unknown", "!unknown", "true", "false", "false|unknown"]
FACTS: dict[Kind, list[Fact]] = {
    Kind.number: [None, *(Fraction(number, 2) for number in range(-1, 9))],
    Kind.count: [None, *(Fraction(number) for number in range(6))],
    Kind.code: [None, "a", "b", "z"],
    Kind.flag: [None, True, False],
}
TEXTS = {Kind.number: NUMBERS, Kind.count: NUMBERS, Kind.code: CODES, Kind.flag: FLAGS}


def holds(text: str, fact: Fact) -> bool:
    return text == "-" or any(_holds_part(part.strip(), fact) for part in text.split("|"))


def _holds_part(part: str, fact: Fact) -> bool:
    if part in ("unknown", "!unknown"):
        return (fact is None) == (part == "unknown")
    if fact is None:
        return False
    if isinstance(fact, bool):
        return part == str(fact).lower()
    if isinstance(fact, str):
        return fact != part[1:] if part.startswith("!") else fact == part
    assert isinstance(fact, Fraction)
    if ".." in part:
        low, high = (Fraction(side) for side in part[1:-1].split(".."))
        return (fact > low or (part[0] == "[" and fact == low)) and (fact < high or (part[-1] == "]" and fact == high))
    sign, _, number = part.rpartition(" ")
    bound = Fraction(number)
    return {"": fact == bound, "<": fact < bound, "<=": fact <= bound, ">": fact > bound, ">=": fact >= bound}[sign]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Input], list[list[str]]]:
    kinds = draw(st.lists(st.sampled_from(list(TEXTS)), min_size=1, max_size=3))
    columns = [a_column(f"c{number}", kind) for number, kind in enumerate(kinds)]
    row = st.tuples(*(st.sampled_from(TEXTS[kind]) for kind in kinds)).map(list)
    return columns, draw(st.lists(row, min_size=1, max_size=6))


def by_brute_force(columns: list[Input], rows: list[list[str]]) -> list[tuple[dict[str, Fact], list[str]]]:
    """Every combination of facts, with the rows that take it."""
    found = []
    for facts in product(*(FACTS[column.kind] for column in columns)):
        taking = [
            f"r{number}"
            for number, texts in enumerate(rows, start=1)
            if all(holds(text, fact) for text, fact in zip(texts, facts, strict=True))
        ]
        found.append((dict(zip((column.name for column in columns), facts, strict=True)), taking))
    return found


@settings(deadline=None, max_examples=150)
@given(tables())
def test_the_rows_taken_are_those_of_a_brute_force_reading(drawn: tuple[list[Input], list[list[str]]]) -> None:
    columns, rows = drawn
    first, collect = a_table(columns, rows), a_table(columns, rows, HitPolicy.collect)

    for facts, taking in by_brute_force(columns, rows):
        assert rows_taken(collect, facts) == taking
        assert rows_taken(first, facts) == taking[:1]


@settings(deadline=None, max_examples=150)
@given(tables())
def test_gaps_overlaps_and_idle_rows_are_found_exactly_when_there_are_any(
    drawn: tuple[list[Input], list[list[str]]],
) -> None:
    columns, rows = drawn
    cases = [taking for _, taking in by_brute_force(columns, rows)]
    gap = any(not taking for taking in cases)
    overlapping = {(one, other) for taking in cases for one in taking for other in taking if one < other}
    idle = {f"r{number}" for number in range(1, len(rows) + 1)} - {taking[0] for taking in cases if taking}

    unique = flaws_of(columns, rows, HitPolicy.unique)
    first = flaws_of(columns, rows, HitPolicy.first)

    assert {tuple(flaw.rule.split(" both")[0].split(" and ")) for flaw in unique if flaw.row} == overlapping
    assert {flaw.rule.split(" is never")[0] for flaw in first if flaw.row} == idle
    assert [any(flaw.row is None for flaw in flaws) for flaws in (unique, first)] == [gap, gap]
