"""The golden cases and our own variations of them, and that the translation decides nothing by itself."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.assessment.adapters.policy_terms import load_terms
from tests.golden.__main__ import main
from tests.golden.cases import judge, read_cases
from tests.golden.contract import policies_of, reports_of
from tests.golden.deliveries import deliver
from tests.golden.shapes import SHAPES
from tests.golden.translate import CaseError, translate

HERE = Path(__file__).parent
CASES = read_cases(HERE / "adjudication.json")
VARIATIONS = read_cases(HERE / "variations.json")
TERMS = load_terms()
TRANSLATION = (
    "translate.py",
    "parts.py",
    "tables.py",
    "shapes.py",
    "shapes_property.py",
    "shapes_prc.py",
    "shapes_other.py",
    "contract.py",
)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
CALCULATORS = frozenset({"sum", "min", "max", "abs", "round", "divmod", "pow", "Fraction", "Decimal", "prod", "fsum"})


def by_id(case: Any) -> str:
    return str(case["id"])


def a_case(**inputs: Any) -> dict[str, Any]:
    """A plain loss of 1,000 with a deductible of 200, and changes to its inputs."""
    plain: dict[str, Any] = {"loss": "1000.00", "deductible": {"type": "flat", "amount": "200.00"}}
    return {
        "id": "T-1",
        "currency": "USD",
        "inputs": {name: value for name, value in (plain | inputs).items() if value is not ...},
        "expected": {"decision": "pay", "payable": "800.00"},
    }


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_a_golden_case_comes_out_exactly_as_published(case: dict[str, Any]) -> None:
    found = judge(case, TERMS)

    assert found.ok, f"expected {found.expected}, got {found.got}, {found.error}"


@pytest.mark.parametrize("case", VARIATIONS, ids=by_id)
def test_a_variation_comes_out_as_worked_out_by_hand(case: dict[str, Any]) -> None:
    found = judge(case, TERMS)

    assert case["arithmetic"]
    assert found.ok, f"expected {found.expected}, got {found.got}, {found.error}"


def test_there_are_enough_cases_and_each_has_its_own_id() -> None:
    ids = [case["id"] for case in [*CASES, *VARIATIONS]]

    assert len(CASES) == 65
    assert len(VARIATIONS) >= 40
    assert len(set(ids)) == len(ids)


def calculations(file: Path) -> Iterator[str]:
    """Everything in a module that calculates."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ARITHMETIC):
            yield f"{file.name}:{node.lineno} calculates"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALCULATORS:
            yield f"{file.name}:{node.lineno} calls {node.func.id}"


@pytest.mark.parametrize("name", TRANSLATION)
def test_the_translation_holds_no_arithmetic(name: str) -> None:
    assert list(calculations(HERE / name)) == []


class Watched(dict[str, Any]):
    """A case that remembers which of its fields were asked for."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__(case)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("case", [*CASES, *VARIATIONS], ids=by_id)
def test_the_translation_reads_the_inputs_and_the_currency_and_no_label(case: dict[str, Any]) -> None:
    """Two insurers' method of contribution stands in no input of the published cases, only in the words of the title:
    equal shares and by limits have the very same inputs there. It is the one thing read from it."""
    watched = Watched(case)

    translate(watched, SHAPES)

    titled = "policies" in case["inputs"] and not {"contribution", "method"} & set(case["inputs"])
    assert watched.asked - ({"title"} if titled else set()) == {"inputs", "currency"}


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_other_labels_give_the_same_answer(case: dict[str, Any]) -> None:
    others = case | {"id": "Z", "rule": "another", "line": "another", "why": "", "note": "", "arithmetic": ""}

    found, again = judge(case, TERMS), judge(others, TERMS)

    assert again.got == found.got


def test_two_storms_of_a_year_share_one_hurricane_deductible_through_all_services() -> None:
    [case] = [case for case in CASES if case["id"] == "HO-17"]
    task = translate(case, SHAPES)
    [policy], reports = policies_of(task, TERMS), reports_of(task)

    told = deliver(policy, [(f"storm-{number}", report) for number, report in enumerate(reports)])

    assert told.claims == 2
    assert [one.to_text() for one in told.payments] == case["expected"]["by_event"]


def test_equal_shares_and_by_limits_are_told_apart_by_an_input_if_there_is_one() -> None:
    untold = a_case(policies=[{"id": "A", "limit": "600.00"}, {"id": "B", "limit": "3000.00"}], deductible=...)

    with pytest.raises(CaseError, match="method of contribution is stated nowhere"):
        translate(untold, SHAPES)
    told = translate(a_case(**untold["inputs"], deductible=..., contribution="by_limits"), SHAPES)
    assert told.coverage == "shared_by_limits"


@pytest.mark.parametrize(
    "words, coverage",
    [
        ({"title": "Contribution by limits (pro rata)"}, "shared_by_limits"),
        ({"title": "Two policies", "why": "equal until the lowest limit is exhausted"}, "shared_equally"),
        ({"title": "Equal shares or by limits", "arithmetic": "own limit / sum of limits"}, "shared_by_limits"),
    ],
)
def test_where_no_input_tells_how_policies_share_the_words_of_the_case_do(words: dict[str, str], coverage: str) -> None:
    case = a_case(policies=[{"id": "A", "limit": "600.00"}, {"id": "B", "limit": "3000.00"}], deductible=...)

    assert translate(case | words, SHAPES).coverage == coverage


def test_a_currency_nobody_has_is_an_error_of_its_case() -> None:
    assert judge(a_case() | {"currency": "usd"}, TERMS).error == "currency: is not a code of ISO 4217"


@pytest.mark.parametrize(
    "inputs, error",
    [
        ({"foo": "1"}, "inputs.foo: no form knows it"),
        ({"loss": ..., "foo": "1"}, "inputs: no form knows these together: deductible, foo"),
        ({"deductible": {"type": "flat", "sum": "1"}}, "inputs.deductible.sum: no form knows it"),
        ({"loss": "much"}, "inputs.loss: is not an amount in the currency of the case"),
        ({"loss": "1000.001"}, "inputs.loss: is not an amount in the currency of the case"),
        (
            {"deductibles": {"volcano": {"type": "flat", "amount": "1.00"}}, "deductible": ..., "limit": "9.00"},
            "volcano",
        ),
        ({"loss_at": "yesterday"}, "inputs.loss_at: is neither a date nor an instant with its offset"),
        ({"loss_at": "2026-05-01T00:00:00"}, "inputs.loss_at: is neither a date nor an instant with its offset"),
        ({"effective_from": "0001-01-01"}, "inputs.effective_from: is neither a date nor an instant"),
        ({"loss_at": "2026-05-02", "reported": "2026-05-01"}, "inputs.reported: lies before the loss"),
        ({"loss": ..., "purchase_price": "9.00", "excess": "1.00"}, "inputs.excess: stands beside inputs.deductible"),
        (
            {"loss": ..., "deductible": ..., "observed": "1", "schedule": ["zqx"]},
            "inputs.schedule: row 0 is none that the form knows",
        ),
        ({"limit": "5.00", "sum_insured": "6.00"}, "inputs.sum_insured: does not agree with inputs.limit"),
        ({"clause_version": "1850"}, "inputs.clause_version: property is not known in this version"),
        (
            {"insured_value": "9.00", "sum_insured": "9.00", "otherwise_agreed": "zqx"},
            "inputs.otherwise_agreed: is neither",
        ),
        ({"loss": ..., "lines": ["zqx"]}, "inputs.lines: row 0 is none that the form knows"),
        (
            {"loss": ..., "lines": [{"id": "A", "price": "1.00"}, {"id": "A", "price": "2.00"}]},
            "inputs.lines.id: stands twice",
        ),
        (
            {"loss": ..., "lines": [{"price": "9.00"}], "deductible_remaining": "5.00"},
            "inputs.deductible_remaining: another deductible stands in its place",
        ),
        ({"loss": ..., "price": "9.00", "frequency_days": "３0"}, "inputs.frequency_days: is not a whole number"),
        (
            {"loss": ..., "rcv": "9.00", "depreciation": "1.00", "depreciation_rate": "0.5"},
            "inputs.depreciation_rate: stands beside inputs.depreciation",
        ),
        ({"loss": ..., "rcv": "9.005", "depreciation": "1.00"}, "inputs.rcv: is not an amount in the currency"),
        (
            {"loss": ..., "deductible": ..., "actual": {"food": "9.00"}, "limit": "9.00", "deductible_applies": True},
            "inputs: no coverage of the form goes with these values",
        ),
        (
            {"deductible": ..., "deductibles": {"all_other": "1.00"}, "limit": "9.00"}
            | {"last_watch_or_warning_ended": "2026-09-10T06:00:00Z"},
            "inputs.last_watch_or_warning_ended: no form knows it",
        ),
    ],
)
def test_an_input_no_form_knows_is_a_named_error_of_its_case(inputs: dict[str, Any], error: str) -> None:
    found = judge(a_case(**inputs), TERMS)

    assert not found.ok
    assert error in (found.error or "")
    assert "zqx" not in (found.error or "")


def test_a_result_nobody_gives_is_not_as_expected() -> None:
    case = a_case() | {"expected": {"decision": "pay", "payable": "800.00", "bonus": "1.00"}}

    assert not judge(case, TERMS).ok


def test_one_bad_case_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([a_case(foo="1"), a_case(), 7, {"id": "none"}]))

    code = main([str(file), "--json"])

    rows = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [row["ok"] for row in rows] == [False, True, False, False]
    assert set(rows[1]) == {"id", "ok", "expected", "got"}
    assert rows[1]["got"]["payable"] == "800.00"
    assert rows[0]["error"] == "inputs.foo: no form knows it"


def test_the_command_tells_by_its_exit_code_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, broken = tmp_path / "good.json", tmp_path / "broken.json"
    good.write_text(json.dumps([a_case()]))
    broken.write_text("{")

    codes = [main([str(good)]), main([str(broken)]), main([str(tmp_path / "missing.json")])]

    assert codes == [0, 2, 2]
    assert "T-1  yes" in capsys.readouterr().out
