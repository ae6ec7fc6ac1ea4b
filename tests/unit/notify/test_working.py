"""The arithmetic of a decision in one sentence a line, exact, in both languages."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessment import DecisionLine, Step
from schemas.currencies import CURRENCY_DECIMALS
from schemas.money import Money
from services.notify.adapters.text_files import TEXTS
from services.notify.domain.figures import LANGUAGES, Figures
from services.notify.domain.notices import Explained
from services.notify.domain.templates import TextError
from services.notify.domain.working import LINES_TOLD, Working
from tests.builders.events import usd

FIGURES = [Figures(language) for language in LANGUAGES]


def the_words(language: str) -> dict[str, Any]:
    return tomllib.loads((TEXTS / f"words.{language}.v1.toml").read_text(encoding="utf-8"))


def working(language: str = "en") -> Working:
    return Working(the_words(language), Figures(language), language)


def a_step(op: str, before: str, after: str, amount: str | None = None) -> Step:
    return Step(op=op, amount_in=before, amount_out=after, params={"amount": amount} if amount else None)


def a_line(payable: str, *steps: Step, coverage: str = "building", asked: str | None = "2200.00") -> DecisionLine:
    return DecisionLine(
        line_id="1",
        coverage_code=coverage,
        asked=usd(asked) if asked else None,
        payable=usd(payable),
        steps=steps,
    )


def an_explanation(*lines: DecisionLine, payable: str | None = None) -> Explained:
    computed = Money.total((line.payable for line in lines), "USD")
    return Explained(computed=computed, payable=usd(payable) if payable else computed, lines=lines)


DEDUCTIBLE = a_step("deductible", "2200", "1200", "1000.00")


@pytest.mark.parametrize(
    "line, said",
    [
        pytest.param(
            a_line("1200.00", DEDUCTIBLE, a_step("limit", "1200", "1200", "250000.00")),
            "Building: damage of $2,200.00, less your deductible of $1,000.00, so we pay $1,200.00.",
            id="the limit is not reached and not mentioned",
        ),
        pytest.param(
            a_line("250000.00", a_step("deductible", "300000", "299000"), a_step("limit", "299000", "250000")),
            "Building: damage of $300,000.00, less your deductible of $1,000.00, up to the limit of your cover, "
            "$250,000.00, so we pay $250,000.00.",
            id="the limit is reached",
        ),
        pytest.param(
            a_line("100000.00", a_step("limit", "150000", "100000", "250000.00"), coverage="contents"),
            "Contents: damage of $150,000.00, up to this item's share of the limit of your cover, $100,000.00, "
            "so we pay $100,000.00.",
            id="two lines share a limit",
        ),
        pytest.param(
            a_line("0.00", a_step("deductible", "300", "0", "1000.00"), coverage="contents"),
            "Contents: damage of $300.00, which is not more than your deductible ($1,000.00 is borne by you), "
            "so nothing is payable.",
            id="below the deductible",
        ),
        pytest.param(
            a_line("0.00", a_step("deductible", "300", "0")),
            "Building: damage of $300.00, which is not more than your deductible ($300.00 is borne by you), "
            "so nothing is payable.",
            id="below a deductible that is not named",
        ),
        pytest.param(
            a_line("666.67", a_step("proportion", "1000", "2000/3")),
            "Building: damage of $1,000.00, after share insured $666.67, so we pay $666.67.",
            id="another operation, rounded only to be written",
        ),
        pytest.param(
            a_line("5.00", a_step("odd_rule", "10", "5"), coverage="dock"),
            "dock: damage of $10.00, after odd_rule $5.00, so we pay $5.00.",
            id="codes without a name are told as they are",
        ),
        pytest.param(a_line("2200.00"), "Building: damage of $2,200.00, so we pay $2,200.00.", id="no steps"),
        pytest.param(
            a_line("0.00", asked=None),
            "Building: no amount of damage was stated, so nothing is payable.",
            id="nothing was stated",
        ),
    ],
)
def test_a_line_is_told_from_the_damage_to_the_payable_amount(line: DecisionLine, said: str) -> None:
    assert working().explain(an_explanation(line)) == said


def test_several_lines_end_in_their_sum_and_in_chinese() -> None:
    explained = an_explanation(a_line("1200.00", DEDUCTIBLE), a_line("50.00", coverage="contents", asked="50.00"))

    assert working("zh-CN").explain(explained) == (
        "建筑物：损失 US$2,200.00，减去免赔额 US$1,000.00，应付 US$1,200.00。\n"
        "室内财产：损失 US$50.00，应付 US$50.00。\n"
        "合计：US$1,250.00。"
    )


def test_another_amount_set_by_a_person_is_said_to_be_one() -> None:
    said = working().explain(an_explanation(a_line("1200.00", DEDUCTIBLE), payable="900.00"))

    assert said.endswith("\nA claims specialist looked at this and set the amount to $900.00 instead of $1,200.00.")


def test_a_decision_that_is_not_known_is_not_guessed_at() -> None:
    assert working().explain(None) == working().explain(Explained()) != ""


def test_many_lines_are_cut_with_a_word_about_the_rest() -> None:
    lines = [a_line("1.00", asked="1.00")] * 100

    said = working().explain(an_explanation(*lines)).split("\n")

    assert len(said) == LINES_TOLD + 2
    assert said[-2:] == [
        "There are 88 more items; reply to this mail if you would like the full list.",
        "Together: $100.00.",
    ]


def test_words_without_a_sentence_are_refused() -> None:
    words = the_words("en")
    del words["working"]["limit"]

    with pytest.raises(TextError, match="limit"):
        Working(words, Figures("en"), "words.en")


def test_both_languages_have_the_same_words() -> None:
    english, chinese = (the_words(language) for language in LANGUAGES)

    assert {part: set(words) for part, words in english.items()} == {
        part: set(words) for part, words in chinese.items()
    }


@pytest.mark.parametrize(
    "amount, currency, english, chinese",
    [
        ("1234567.89", "USD", "$1,234,567.89", "US$1,234,567.89"),
        ("0.05", "CNY", "CN¥0.05", "¥0.05"),
        ("1234", "JPY", "¥1,234", "JP¥1,234"),
        ("1.234", "KWD", "KWD 1.234", "KWD 1.234"),
        ("12.50", "AFN", "AFN 12.50", "AFN 12.50"),
    ],
)
def test_amounts_are_written_with_exactly_their_decimals(
    amount: str, currency: str, english: str, chinese: str
) -> None:
    money = Money.of_text(amount, currency)

    written = [Figures(language).money(money) for language in LANGUAGES]

    assert written == [english, chinese]


def test_every_currency_keeps_all_its_digits() -> None:
    for currency, decimals in CURRENCY_DECIMALS.items():
        written = Figures("en").money(Money(9_007_199_254_740_993, currency))

        digits = "".join(character for character in written if character.isdigit())
        assert digits == "9007199254740993", (currency, decimals)


@given(amount=st.integers(0, 2**63 - 1), currency=st.sampled_from(sorted(CURRENCY_DECIMALS)))
def test_the_prepared_way_of_writing_an_amount_is_babels(amount: int, currency: str) -> None:
    money = Money(amount, currency)

    for figures in FIGURES:
        assert figures.money(money) == figures.by_babel(money)


def test_a_negative_amount_keeps_its_sign() -> None:
    assert Figures("en").money(usd("-12.50")) == "-$12.50"
