"""A decision in words: every operation and reason in both languages, and amounts that add up."""

from __future__ import annotations

import copy
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES, Figures
from explain.filling import TextError
from explain.texts import words, working
from explain.working import Working
from schemas.decision import DecisionLine, Step
from schemas.money import Money, exact_text
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.domain.operations import capping, cover, taking, worth
from services.assessment.domain.vocabulary import OPERATIONS
from tests.builders.events import usd

_AMOUNT = r"(-?)(?:US)?\$([0-9,]+\.[0-9]{2})"
_MOVES = {
    "en": re.compile(rf"- .*: (less|plus) {_AMOUNT}, (?:leaves|makes) {_AMOUNT}\."),
    "zh-CN": re.compile(rf"- .*：(减|加) {_AMOUNT}，(?:余|得) {_AMOUNT}。"),
}
_ENDS = {
    "en": re.compile(rf"So (?:we pay {_AMOUNT}\.|nothing is payable\.)"),
    "zh-CN": re.compile(rf"因此(?:应付 {_AMOUNT}。|没有应付金额。)"),
}
_STARTS = {
    "en": re.compile(rf".*: (?:damage of {_AMOUNT}\.|no amount was stated\.)"),
    "zh-CN": re.compile(rf".*：(?:损失 {_AMOUNT}。|未填写损失金额。)"),
}


def a_step(op: str, before: str, after: str, amount: str | None = None, **more: Any) -> Step:
    params = {"amount": amount} if amount else None
    return Step(**{"op": op, "amount_in": before, "amount_out": after, "params": params} | more)


def a_line(payable: str, *steps: Step, coverage: str = "building", asked: str | None = "2200.00") -> DecisionLine:
    return DecisionLine(
        line_id="1",
        coverage_code=coverage,
        asked=usd(asked) if asked else None,
        payable=usd(payable),
        steps=steps,
    )


def told(*lines: DecisionLine, language: str = "en", payable: str | None = None, lines_told: int = 100) -> str:
    computed = Money.total((line.payable for line in lines), "USD")
    return working(language).explain(lines, computed, usd(payable) if payable else computed, lines_told)


DEDUCTIBLE = a_step("deductible", "2200", "1200", "1000.00", clause_id="SFIP.VI")
BORNE = {"amount": "4000", "borne": "2650", "lines": "3"}


@pytest.mark.parametrize(
    "line, said",
    [
        pytest.param(
            a_line("1200.00", DEDUCTIBLE, a_step("limit", "1200", "1200", "250000.00")),
            "Building: damage of $2,200.00.\n"
            "- Your deductible of $1,000.00 [SFIP.VI]: less $1,000.00, leaves $1,200.00.\n"
            "So we pay $1,200.00.",
            id="a limit that is not reached is not mentioned",
        ),
        pytest.param(
            a_line("100000.00", a_step("limit", "150000", "100000", "250000"), coverage="contents", asked="150000.00"),
            "Contents: damage of $150,000.00.\n"
            "- The most your cover pays, $250,000.00: less $50,000.00, leaves $100,000.00.\n"
            "So we pay $100,000.00.",
            id="two lines share a limit, and only this line's part is taken from it",
        ),
        pytest.param(
            a_line("0.00", a_step("deductible", "300", "0", "1000.00", reason="BELOW_DEDUCTIBLE"), asked="300.00"),
            "Building: damage of $300.00.\n"
            "- Your deductible of $1,000.00: less $300.00, leaves $0.00. The loss is not more than your deductible.\n"
            "So nothing is payable.",
            id="a deductible that is larger than the loss takes the loss",
        ),
        pytest.param(
            a_line("666.67", a_step("share", "1000", "2000/3", params={"rate": "2/3", "name": "at_fault"})),
            "Building: damage of $2,200.00.\n"
            "- The part that is counted (at fault), 66.67%: less $1,533.33, leaves $666.67.\n"
            "- Rounded once, at the end, from 666.666666….\n"
            "So we pay $666.67.",
            id="rounding is said",
        ),
        pytest.param(
            a_line("0.33", a_step("share", "2200", "0.335"), asked="2200.00"),
            "Building: damage of $2,200.00.\n"
            "- The part that is counted: less $2,199.66, leaves $0.34.\n"
            "- Rounding to the smallest unit of the currency, once at the end: less $0.01, leaves $0.33.\n"
            "So we pay $0.33.",
            id="what rounding the coverage moves between its lines is a step of its own",
        ),
        pytest.param(
            a_line("5.00", a_step("odd_rule", "10", "5", reason="ODD"), coverage="dry_dock", asked="10.00"),
            "dry dock: damage of $10.00.\n"
            "- odd_rule: less $5.00, leaves $5.00. The terms of your policy give this reason: ODD.\n"
            "So we pay $5.00.",
            id="codes without a name are told as they are, as words",
        ),
        pytest.param(
            a_line(
                "80000.00",
                a_step(
                    "step_schedule",
                    "0",
                    "80000",
                    "80000",
                ),
                asked=None,
                coverage="earthquake",
            ),
            "Earthquake: no amount was stated.\n"
            "- The measured index: plus $80,000.00, makes $80,000.00.\n"
            "So we pay $80,000.00.",
            id="a cover that pays by an index needs no amount",
        ),
        pytest.param(
            a_line(
                "2200.00",
                a_step("disclosure", "2200", "2200", reason="CLAUSE_NOT_EFFECTIVE"),
                a_step("holdback", "2200", "2200", "300"),
            ),
            "Building: damage of $2,200.00.\n"
            "- Clauses that lower the payment count only if they were pointed out to you at the sale. "
            "There is no proof that a clause was pointed out to you, so it takes nothing off.\n"
            "- When you have proved the repair, we pay up to $300.00 more.\n"
            "So we pay $2,200.00.",
            id="reasons and news are told though they change no amount",
        ),
        pytest.param(
            a_line(
                "0.00",
                a_step("value", "0", "0", params={"of": "1", "less": "6", "times": "25", "least": "0"}, clause_id="2"),
                a_step("limit", "0", "0", "600"),
                asked=None,
            ),
            "Building: no amount was stated.\n"
            "- What the loss is worth under your policy, (1 − 6) × 25, but no less than $0.00 [2]: nothing.\n"
            "So nothing is payable.",
            id="a value of nothing is told, for it is why nothing is payable",
        ),
        pytest.param(
            a_line(
                "1080.00",
                a_step("value", "0", "1200", params={"of": "1200", "most": "1200"}),
                a_step("value", "1200", "1080", params={"of": "1200", "times": "0.9"}),
                asked=None,
            ),
            "Building: no amount was stated.\n"
            "- What the loss is worth under your policy, 1,200, but no more than $1,200.00: plus $1,200.00, "
            "makes $1,200.00.\n"
            "- What the loss is worth under your policy, 1,200 × 0.9: less $120.00, leaves $1,080.00.\n"
            "So we pay $1,080.00.",
            id="a value is told as it was worked out",
        ),
        pytest.param(
            a_line(
                "1200.00",
                a_step("deductible", "2200", "1200", "4000", params=BORNE | {"rate": "0.02", "base": "200000"}),
            ),
            "Building: damage of $2,200.00.\n"
            "- Your deductible of $4,000.00, which is 2% of $200,000.00, with $2,650.00 of it counted as paid already "
            "and the rest shared by 3 items: less $1,000.00, leaves $1,200.00.\n"
            "So we pay $1,200.00.",
            id="a deductible is told as it comes about",
        ),
        pytest.param(a_line("2200.00"), "Building: damage of $2,200.00.\nSo we pay $2,200.00.", id="no steps"),
        pytest.param(
            a_line("0.00", asked=None),
            "Building: no amount was stated.\nThe terms alone do not give an amount here: a person looks at it.",
            id="nothing was stated",
        ),
    ],
)
def test_a_line_is_told_from_the_damage_to_the_payable_amount(line: DecisionLine, said: str) -> None:
    assert told(line) == said


def test_several_lines_end_in_their_sum_and_in_chinese() -> None:
    lines = (a_line("1200.00", DEDUCTIBLE), a_line("50.00", coverage="contents", asked="50.00"))

    assert told(*lines, language="zh-CN") == (
        "建筑物：损失 US$2,200.00。\n"
        "- 免赔额 US$1,000.00[SFIP.VI]：减 US$1,000.00，余 US$1,200.00。\n"
        "因此应付 US$1,200.00。\n"
        "室内财产：损失 US$50.00。\n"
        "因此应付 US$50.00。\n"
        "合计：US$1,250.00。"
    )


def test_where_nothing_was_computed_no_sum_of_nothing_is_told() -> None:
    assert "Together" not in told(a_line("0.00"), a_line("0.00"))
    assert told(a_line("0.00"), a_line("1200.00", DEDUCTIBLE)).endswith("\nTogether: $1,200.00.")


def test_lines_of_one_coverage_are_told_apart() -> None:
    assert "Building (line 1): damage" in told(a_line("1200.00", DEDUCTIBLE), a_line("2200.00"))
    assert "Building (line 1): damage" in told(a_line("1.00"), a_line("1.00", coverage="building_blanket"))


def test_another_amount_set_by_a_person_is_said_to_be_one() -> None:
    said = told(a_line("1200.00", DEDUCTIBLE), payable="900.00")

    assert said.endswith("\nA claims specialist looked at this and set the amount to $900.00 instead of $1,200.00.")


def test_a_value_is_not_called_a_payment() -> None:
    said = working("en").explain([a_line("2200.00")], usd("2200.00"), usd("2200.00"), valuation=True)

    assert said == "Building: damage of $2,200.00.\nSo the value is $2,200.00."


def test_a_decision_that_is_not_known_is_not_guessed_at() -> None:
    assert working("en").explain([], usd("1.00"), usd("1.00")) == working("en").explain([], None, None) != ""


def test_many_lines_are_cut_with_a_word_about_the_rest() -> None:
    said = told(*[a_line("1.00", asked="1.00")] * 100, lines_told=12).split("\n")

    assert len(said) == 2 * 12 + 2
    assert said[-2:] == [
        "There are 88 more items; reply to this mail if you would like the full list.",
        "Together: $100.00.",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_operation_of_the_vocabulary_has_its_sentence(language: str) -> None:
    assert working(language).operations == set(OPERATIONS)


def reasons_of_the_engine() -> set[str]:
    """The reason codes the operations themselves give: their modules' constants in capitals that are text."""
    modules = (capping, cover, taking, worth)
    named = [pair for module in modules for pair in vars(module).items()]
    return {value for name, value in named if name.isupper() and type(value) is str}


def reasons_of_the_forms() -> set[str]:
    """The reason codes that forms give to exclusions and operations."""
    versions = [version for held in load_terms().forms.values() for version in held]
    held = [coverage for version in versions for coverage in version.coverages.values()]
    exclusions = {one.reason for coverage in held for one in coverage.exclusions or ()}
    return exclusions | {one.reason for coverage in held for one in coverage.operations if one.reason is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_its_words(language: str) -> None:
    assert {"BELOW_DEDUCTIBLE", "WAITING_PERIOD", "AGGREGATE_EXHAUSTED"} <= reasons_of_the_engine()
    assert reasons_of_the_engine() <= working(language).reasons
    other = working(language).reason("X").replace("X", "")
    bare = [code for code in reasons_of_the_forms() if working(language).reason(code).replace(code, "") == other]
    assert bare == [], "word the reason in explain/texts, or give it one of the families there"


def test_both_languages_have_the_same_words() -> None:
    english, chinese = (words(language) for language in LANGUAGES)

    assert {part: set(one) for part, one in english.items()} == {part: set(one) for part, one in chinese.items()}


@pytest.mark.parametrize(
    "part, name, text",
    [
        ("frame", "pay", None),
        ("frame", "pay", "{what}"),
        ("operations", "limit", "a sentence"),
        ("operations", "limit", []),
        ("operations", "limit", ["only with {amount}"]),
    ],
)
def test_words_that_are_not_whole_are_refused(part: str, name: str, text: Any) -> None:
    changed = copy.deepcopy(words("en"))
    changed[part] = {key: value for key, value in changed[part].items() if key != name}
    if text is not None:
        changed[part][name] = text

    with pytest.raises(TextError, match=name if text is None or part == "operations" else "what"):
        Working(changed, Figures("en"), "words.en")


def parsed(sign: str, digits: str) -> Fraction:
    return Fraction(sign + digits.replace(",", ""))


def read_back(said: str, language: str) -> list[tuple[Fraction, list[Fraction], Fraction]]:
    """Per line: what it began with, what each step added (or took, below zero), and what it is said to pay."""
    found: list[tuple[Fraction, list[Fraction], Fraction]] = []
    for row in said.split("\n"):
        if move := _MOVES[language].match(row):
            way, *amounts = move.groups()
            found[-1][1].append(parsed(*amounts[:2]) * (-1 if way in ("less", "减") else 1))
            assert sum(found[-1][1], found[-1][0]) == parsed(*amounts[2:])
        elif end := _ENDS[language].fullmatch(row):
            found[-1] = (*found[-1][:2], parsed(*end.groups()) if end[2] else Fraction(0))
        elif start := _STARTS[language].fullmatch(row):
            found.append((parsed(*start.groups()) if start[2] else Fraction(0), [], Fraction(-1)))
    return found


_STOPS = st.lists(
    st.fractions(0, 10**9, max_denominator=10**6) | st.integers(0, 10**9).map(lambda minor: Fraction(minor, 100)),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("language", LANGUAGES)
@given(asked=st.none() | st.integers(0, 10**11), stops=_STOPS, cent=st.sampled_from((0, 0, 1)), data=st.data())
def test_the_amounts_told_add_up_and_nobody_is_said_to_take_more_than_was_taken(
    language: str, asked: int | None, stops: list[Fraction], cent: int, data: st.DataObject
) -> None:
    at = Fraction(asked or 0, 100)
    steps, moved = [], []
    for after in stops:
        op = data.draw(st.sampled_from(sorted(OPERATIONS)))
        steps.append(a_step(op, exact_text(at), exact_text(after), "123456789.00"))
        if Money.of_fraction(at, "USD") != Money.of_fraction(after, "USD"):
            moved.append(after - at)
        at = after
    payable = Money.of_fraction(at, "USD").as_fraction() + Fraction(cent, 100)
    line = DecisionLine(
        line_id="1",
        coverage_code="building",
        asked=None if asked is None else Money(asked, "USD"),
        payable=Money.of_fraction(payable, "USD"),
        steps=tuple(steps),
    )

    [(start, changes, end)] = read_back(told(line, language=language), language)

    assert start == Fraction(asked or 0, 100)
    assert start + sum(changes) == end == payable
    assert all(abs(said - was) < Fraction(1, 100) for said, was in zip(changes, moved, strict=False))
