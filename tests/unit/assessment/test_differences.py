"""Two answers side by side: what changes for whom, and the first place where they part."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.assessment import ReferralReason
from schemas.decision import Step
from schemas.money import Money
from services.assessment.domain.differences import Answer, Change, Way, change_of, first_difference, is_same
from tests.builders.events import a_decision, usd


def an_answer(amount: str | None = "100.00", **changes: Any) -> Answer:
    """Paid by software, one line of one step."""
    fields: dict[str, Any] = {
        "way": Way.software,
        "amount": None if amount is None else usd(amount),
        "segment": "simple",
        "lane": "fast",
        "decision": None if amount is None else a_decision(amount),
        "way_row": "WAY-10",
    }
    return Answer(**fields | changes)


def asked(*reasons: ReferralReason, **changes: Any) -> Answer:
    return an_answer(**{"way": Way.person, "reasons": reasons, "desk": "flood"} | changes)


@pytest.mark.parametrize(
    "was, then, change",
    [
        ("100.00", "100.00", Change.same),
        ("100.00", "100.01", Change.more),
        ("100.00", "99.99", Change.less),
        ("100.00", "0.00", Change.nothing),
        ("100.00", None, Change.nothing),
        (None, "100.00", Change.more),
        ("0.00", None, Change.same),
    ],
)
def test_an_amount_becomes_more_less_or_nothing(was: str | None, then: str | None, change: Change) -> None:
    assert change_of(an_answer(was), an_answer(then)) is change


@pytest.mark.parametrize(
    "change",
    [
        {"way": Way.person},
        {"reasons": (ReferralReason.fraud_flag,)},
        {"segment": "complex"},
        {"lane": "slow"},
        {"flags": ("FLAG-01",)},
        {"advance": Money(1, "USD")},
    ],
)
def test_an_answer_that_is_reached_otherwise_is_not_the_same(change: dict[str, Any]) -> None:
    assert is_same(an_answer(), an_answer())
    assert not is_same(an_answer(), an_answer(**change))


def test_only_another_row_of_the_last_table_is_the_same_answer() -> None:
    assert is_same(an_answer(), an_answer(way_row="WAY-11"))


def test_the_first_step_that_comes_out_otherwise_is_named() -> None:
    steps = [Step(op="deductible", clause_id="VI", amount_in="2200", amount_out="1200")]
    before = a_decision("1200.00")
    after = a_decision("900.00")
    was = before.model_copy(update={"lines": (before.lines[0].model_copy(update={"steps": tuple(steps)}),)})
    more = (*steps, Step(op="sublimit", amount_in="1200", amount_out="900", reason="CAPPED"))
    then = after.model_copy(update={"lines": (after.lines[0].model_copy(update={"steps": more}),)})

    found = first_difference(an_answer("1200.00", decision=was), an_answer("900.00", decision=then))

    assert found.where == "line 1 building, step 2"
    assert (found.was, found.then) == ("no such step", "sublimit 1200 -> 900 (CAPPED)")


def test_what_could_not_be_computed_is_named_by_what_is_asked() -> None:
    found = first_difference(an_answer(), asked(ReferralReason.fact_missing, amount=None, decision=None))

    assert (found.where, found.was, found.then) == ("computing", "100.00 USD", "fact_missing")


@pytest.mark.parametrize(
    "was, then, where",
    [
        (an_answer(), an_answer(segment="complex", lane="slow"), "triage-segment"),
        (an_answer(), an_answer(lane="slow", flags=("F1",)), "triage-lane"),
        (an_answer(), an_answer(flags=("F1",), way_row="WAY-01"), "fraud-flags rows"),
        (an_answer(), asked(ReferralReason.fraud_flag, way_row="WAY-02"), "straight-through row"),
        (an_answer(way_row=None), asked(ReferralReason.fraud_flag), "what is asked"),
        (asked(ReferralReason.fraud_flag), asked(ReferralReason.fraud_flag, desk="other"), "desk"),
        (an_answer(), an_answer(advance=usd("1.00")), "advance"),
    ],
)
def test_the_first_table_that_gives_another_result_is_named(was: Answer, then: Answer, where: str) -> None:
    assert first_difference(was, then).where == where
