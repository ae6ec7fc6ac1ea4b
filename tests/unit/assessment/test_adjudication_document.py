"""A document written by hand becomes the case it means; what is wrong is named by place and rule, never by value."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES
from schemas.conditions import FactKind
from schemas.decision import DecisionKind
from schemas.money import Money
from services.assessment.adapters.adjudication_document import Case, read_case
from services.assessment.adapters.adjudication_schema import document_schema
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import as_json, parse_json, simulate, simulate_json
from services.assessment.domain.documents import DocumentError

TERMS = load_terms()
SCHEMA = jsonschema.Draft202012Validator(document_schema())
Change = Callable[[dict[str, Any]], object]


def a_document(change: Change = lambda _: None) -> dict[str, Any]:
    """Building cover of 100,000 less 5,000 on the shipped flood form; 150,000 are asked."""
    document: dict[str, Any] = {
        "policy": {
            "currency": "USD",
            "effective_from": "2026-01-01",
            "coverages": [
                {"form": "nfip-dwelling", "code": "building", "limit": "100000", "deductibles": [{"amount": "5000"}]}
            ],
        },
        "claim": {"loss_at": "2026-06-15", "loss_zone": "America/New_York", "lines": [{"asked": "150000"}]},
    }
    change(document)
    return document


def its_own_coverage(document: dict[str, Any], **fields: Any) -> None:
    document["policy"]["coverages"] = [{"code": "building", "operations": [{"op": "limit"}], "limit": "10"} | fields]


def the_case(change: Change = lambda _: None) -> Case:
    return read_case(a_document(change), TERMS)


def the_faults(change: Change) -> list[tuple[str, str]]:
    with pytest.raises(DocumentError) as refused:
        the_case(change)
    return [("/".join(map(str, path)), rule) for path, rule in refused.value.faults]


def test_what_a_document_leaves_out_has_its_default() -> None:
    case = the_case()

    assert simulate(case).computed == Money.of_text("100000.00", "USD")
    assert case.policy.line == case.report.line == "flood"
    assert case.report.loss_at == datetime(2026, 6, 15, 4, tzinfo=UTC)
    assert [(line.line_id, line.coverage_code) for line in case.report.lines] == [("1", "building")]
    [coverage] = case.policy.coverages
    assert coverage.form is not None and coverage.form.startswith(f"nfip-dwelling:{coverage.clause_version}")


@pytest.mark.parametrize("asked", ["150000", "150000.0", 150000, {"amount": "150000.00", "currency": "USD"}])
def test_an_amount_may_be_plain_or_in_full(asked: Any) -> None:
    case = the_case(lambda document: document["claim"]["lines"][0].update(asked=asked))

    assert case.report.lines[0].asked == Money.of_text("150000.00", "USD")


def test_a_number_in_json_is_taken_as_it_is_written() -> None:
    raw = json.dumps(a_document()).replace('"150000"', "7000.10").encode()

    assert simulate_json(raw, TERMS)["computed"] == {"amount": "2000.10", "currency": "USD"}


@pytest.mark.parametrize(
    "written, instant",
    [
        ("2026-06-15", "2026-06-15T04:00:00+00:00"),
        ("2026-06-15T10:30", "2026-06-15T14:30:00+00:00"),
        ("2026-06-15T10:30:00Z", "2026-06-15T10:30:00+00:00"),
    ],
)
def test_a_day_or_a_time_is_the_losses_own(written: str, instant: str) -> None:
    case = the_case(lambda document: document["claim"].update(loss_at=written))

    assert case.report.loss_at.isoformat() == instant


def test_what_the_document_says_stands_in_place_of_its_form() -> None:
    turned = [{"op": "limit"}, {"op": "deductible"}]

    case = the_case(lambda document: document["policy"]["coverages"][0].update(operations=turned))

    assert [one.op for one in case.policy.coverages[0].operations] == ["limit", "deductible"]


def test_a_shown_clause_may_be_named_alone() -> None:
    case = the_case(lambda document: document["policy"].update(disclosure_evidence=["art. 8"]))

    assert case.policy.disclosure_evidence is not None
    assert [one.clause_id for one in case.policy.disclosure_evidence] == ["art. 8"]


def test_what_other_claims_used_counts_for_the_period_of_the_loss() -> None:
    def shared(document: dict[str, Any]) -> None:
        aggregates = [{"aggregate_id": "year", "limit": "1000"}]
        its_own_coverage(document, aggregates=aggregates, operations=[{"op": "aggregate"}], limit=None)
        document["used"] = [{"aggregate_id": "year", "amount": "900"}]

    answer = simulate(the_case(shared))

    assert (answer.computed, answer.proposed) == (Money.of_text("100.00", "USD"), DecisionKind.partial)
    assert [(one.aggregate_id, one.amount.to_text()) for one in answer.uses] == [("year", "100.00")]


def test_a_loss_outside_the_policy_is_a_question_and_still_shown() -> None:
    answer = simulate(the_case(lambda document: document["claim"].update(loss_at="2025-06-15")))

    assert answer.proposed is DecisionKind.refer
    assert [one.value for one in answer.questions] == ["loss_outside_policy_period"]


def test_a_fact_that_is_missing_is_a_question_that_names_it() -> None:
    def asks(document: dict[str, Any]) -> None:
        operations = [{"op": "value", "of": "fact:repair_cost"}, {"op": "limit"}]
        its_own_coverage(document, operations=operations, facts={"repair_cost": {"kind": FactKind.money.value}})

    answer = simulate(the_case(asks))

    assert answer.proposed is DecisionKind.refer
    assert "repair_cost is needed" in answer.problems[0]
    assert set(answer.explanation) == set(LANGUAGES)


CASES: list[tuple[str, Change, str, str]] = [
    ("no claim", lambda one: one.pop("claim"), "claim", "is required"),
    ("no currency", lambda one: one["policy"].pop("currency"), "policy/currency", "ISO 4217"),
    ("no zone", lambda one: one["claim"].update(loss_zone="Mars/Base"), "claim/loss_zone", "IANA"),
    ("no lines", lambda one: one["claim"].update(lines=[]), "claim/lines", "at least 1"),
    ("no day", lambda one: one["claim"].update(loss_at="soon"), "claim/loss_at", "a day there is (2026-06-15)"),
    ("fine", lambda one: one["claim"]["lines"][0].update(asked="1.001"), "claim/lines/0/asked", "2 decimals"),
    ("words", lambda one: one["claim"]["lines"][0].update(asked="much"), "claim/lines/0/asked", "plain decimals"),
    ("minus", lambda one: one["claim"]["lines"][0].update(asked="-5"), "claim/lines/0/asked", "plain decimals"),
    (
        "euro",
        lambda one: one["claim"]["lines"][0].update(asked={"amount": "1.00", "currency": "EUR"}),
        "claim/lines/0/asked",
        "currency",
    ),
    ("field", lambda one: one["claim"]["lines"][0].update(askd="5"), "claim/lines/0/askd", "did you mean asked"),
    ("part", lambda one: one.update(extra=1), "extra", "no field"),
    ("form", lambda one: one["policy"]["coverages"][0].update(form="x"), "policy/coverages/0/form", "nfip-dwelling"),
    (
        "version",
        lambda one: one["policy"]["coverages"][0].update(form="nfip-dwelling:0"),
        "policy/coverages/0/form",
        "nfip-dwelling:2014-06",
    ),
    (
        "code",
        lambda one: one["policy"]["coverages"][0].update(code="x"),
        "policy/coverages/0/code",
        "building, contents",
    ),
    ("limit", lambda one: one["policy"]["coverages"][0].pop("limit"), "policy/coverages/0", "needs the term limit"),
    ("op", lambda one: its_own_coverage(one, operations=[{"op": "x"}]), "policy/coverages/0/operations/0", "in_force"),
    (
        "term",
        lambda one: its_own_coverage(one, operations=[{"op": "limit"}, {"op": "limit", "of": "term:x"}]),
        "policy/coverages/0",
        "needs the term x, as an amount or a rate; those it has: limit",
    ),
    (
        "nearly an op",
        lambda one: its_own_coverage(one, operations=[{"op": "limits"}]),
        "policy/coverages/0/operations/0",
        "did you mean limit",
    ),
    (
        "nearly a test",
        lambda one: its_own_coverage(
            one, operations=[{"op": "unlimited", "when": [{"fact": "peril", "equal": "flood"}]}]
        ),
        "policy/coverages/0/operations/0/when/0/equal",
        "did you mean equals",
    ),
    (
        "nearly a fact",
        lambda one: its_own_coverage(
            one, operations=[{"op": "unlimited", "when": [{"fact": "perl", "equals": "flood"}]}]
        ),
        "policy/coverages/0/operations/0",
        "did you mean peril",
    ),
    (
        "two words",
        lambda one: one["claim"]["lines"][0].update(category="gold rings"),
        "claim/lines/0/category",
        "must be one word",
    ),
    (
        "no figure",
        lambda one: its_own_coverage(one, schedule=[{"at_least": "ten", "share": "1"}]),
        "policy/coverages/0/schedule/0/at_least",
        "must be a figure",
    ),
    (
        "no name",
        lambda one: its_own_coverage(one, operations=[{"op": "holdback", "name": "Repaired!"}]),
        "policy/coverages/0/operations/0/name",
        "must be a name of small letters",
    ),
    (
        "none of a few",
        lambda one: its_own_coverage(one, selection="biggest"),
        "policy/coverages/0/selection",
        "must be one of sum, largest, first",
    ),
    ("no such day", lambda one: one["claim"].update(loss_at="2026-02-30"), "claim/loss_at", "a day there is"),
    ("nearly a zone", lambda one: one["claim"].update(loss_zone="Asia/Shangai"), "claim/loss_zone", "Asia/Shanghai"),
    ("fact", lambda one: one["claim"].update(facts={"x": "1"}), "claim/facts/x", "occupancy"),
    (
        "coverage",
        lambda one: one["claim"]["lines"][0].update(coverage_code="x"),
        "claim/lines/0/coverage_code",
        "of the policy: building",
    ),
    ("ledger", lambda one: one.update(used=[{"aggregate_id": "x", "amount": "5"}]), "used/0/aggregate_id", "no ledger"),
    ("period", lambda one: one["policy"].update(effective_to="2020-01-01"), "policy", "later than effective_from"),
    ("reported", lambda one: one["claim"].update(reported_at="2001-01-01"), "claim/reported_at", "not before the day"),
    (
        "per cent",
        lambda one: its_own_coverage(one, rates={"plan": "20%"}),
        "policy/coverages/0/rates/plan",
        "a part of the whole from 0 to 1",
    ),
    (
        "source",
        lambda one: its_own_coverage(one, operations=[{"op": "limit", "of": "plan"}]),
        "policy/coverages/0/operations/0/of",
        "fact:name, term:name, result:name",
    ),
    (
        "elsewhere",
        lambda one: its_own_coverage(one, operations=[{"op": "limit", "rate": "0.2"}]),
        "policy/coverages/0/operations/0/rate",
        "is no field here",
    ),
    ("no list", lambda one: its_own_coverage(one, sublimits="x"), "policy/coverages/0/sublimits", "must be a list"),
    (
        "bound",
        lambda one: its_own_coverage(
            one, operations=[{"op": "unlimited", "when": [{"fact": "loss_at", "less_than": "reported_at"}]}]
        ),
        "policy/coverages/0/operations/0",
        "fact:name",
    ),
    (
        "undeclared bound",
        lambda one: its_own_coverage(
            one, operations=[{"op": "unlimited", "when": [{"fact": "loss_at", "less_than": "fact:opened"}]}]
        ),
        "policy/coverages/0/operations/0",
        "opened is not declared",
    ),
]


@pytest.mark.parametrize("change, place, rule", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_wrong_is_named_by_place_and_rule(change: Change, place: str, rule: str) -> None:
    found = the_faults(change)

    assert found[0][0] == place
    assert rule in found[0][1]


def test_the_terms_shown_on_the_page_are_terms() -> None:
    page = (Path(__file__).parents[3] / "docs" / "terms.md").read_text("utf-8")
    shown = page.partition("## The other terms")[2].partition("```yaml\n")[2].partition("```")[0]
    facts = {name: {"kind": "date"} for name in ("first_signs", "last_cleaning")}
    facts |= {name: {"kind": "number"} for name in ("cleanings_before", "age", "life")} | {"cause": {"kind": "code"}}
    terms = yaml.load(shown, yaml.BaseLoader)
    document = a_document()

    taken = "waiting frequency exclusions depreciate proportion sublimit contribute step_schedule aggregate limit"
    operations = [*({"op": one} for one in taken.split()), {"op": "extension", "name": "debris"}]

    its_own_coverage(document, **terms, facts=facts, operations=operations, limit_basis="item")

    coverage = read_case(document, TERMS).policy.coverages[0]
    assert terms.keys() <= coverage.model_dump(exclude_none=True).keys()


def test_no_value_of_the_document_is_repeated() -> None:
    secret = "s3cret-value"
    for place in ("currency", "effective_from", "status", "jurisdiction", "line"):
        found = json.dumps(the_faults(lambda one, place=place: one["policy"].update({place: f"{secret} !"})))  # type: ignore[misc]
        assert secret not in found


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1, "a": 2}'])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_json(raw)


@pytest.mark.parametrize("content", [None, [], "x", {"policy": 1, "claim": {}}, [[[[]]]]])
def test_what_is_no_document_is_refused(content: Any) -> None:
    with pytest.raises(DocumentError):
        read_case(content, TERMS)


def test_a_document_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]

    assert "nested" in the_faults(lambda document: document["claim"].update(facts={"x": deep}))[0][1]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data(), value=_JSON)
def test_whatever_stands_anywhere_a_document_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    document = copy.deepcopy(a_document())
    at: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = value

    with contextlib.suppress(DocumentError):
        assert as_json(simulate(read_case(document, TERMS)))


def test_the_schema_takes_what_is_taken_and_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA.schema)

    SCHEMA.validate(a_document())
    assert not SCHEMA.is_valid(a_document(lambda document: document["claim"].update(loss_att="x")))
    assert not SCHEMA.is_valid(a_document(lambda document: document["policy"].pop("currency")))
