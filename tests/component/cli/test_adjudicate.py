"""claimflow adjudicate: the worked examples of the how-to, the answer as text and as JSON, and faults."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from cli.app import main
from local.home import ROOT
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.simulation import simulate_json

EXAMPLES = ROOT / "examples" / "adjudication"
PAYABLE = {
    "flood.json": ("100000.00", "USD"),
    "commercial-property.yaml": ("775000.00", "USD"),
    "homeowner-hurricane.yaml": ("64350.00", "USD"),
    "motor-own-damage.zh-CN.yaml": ("8000.00", "CNY"),
    "pet.yaml": ("2200.00", "USD"),
    "cargo.yaml": ("63500.00", "USD"),
    "business-interruption.zh-CN.yaml": ("28100.00", "CNY"),
}
REFUSED_IN_PART = {"pet.yaml"}


class _WithoutDays(yaml.SafeLoader):
    """As an editor reads it: numbers and flags, but days as text."""


_WithoutDays.yaml_implicit_resolvers = {
    first: [one for one in known if one[0] != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_every_example_is_worked_in_the_how_to() -> None:
    page = (ROOT / "docs" / "how-to" / "adjudicate-a-claim.md").read_text("utf-8")

    assert {file.name for file in EXAMPLES.iterdir()} == set(PAYABLE)
    assert all(name in page for name in PAYABLE)
    assert (EXAMPLES / "flood.json").read_text("utf-8") in page


@pytest.mark.parametrize("name", PAYABLE)
def test_an_example_gives_the_amount_it_promises(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adjudicate", str(EXAMPLES / name), "--json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    amount, currency = PAYABLE[name]
    assert answer["computed"] == {"amount": amount, "currency": currency}
    assert answer["proposed"] == ("partial" if name in REFUSED_IN_PART else "pay")
    assert answer["questions"] == answer["problems"] == []


@pytest.mark.parametrize("name", PAYABLE)
def test_an_example_fits_the_schema_that_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", "show", "adjudication"]) == 0

    schema = json.loads(capsys.readouterr().out)
    content = yaml.load((EXAMPLES / name).read_text("utf-8"), _WithoutDays)
    jsonschema.validate(content, schema)


def test_the_command_and_the_api_give_the_same_answer(capsys: pytest.CaptureFixture[str]) -> None:
    main(["adjudicate", str(EXAMPLES / "flood.json"), "--json"])

    told = json.loads(capsys.readouterr().out)
    assert told == simulate_json((EXAMPLES / "flood.json").read_bytes(), load_terms())


def test_the_text_shows_every_step_the_total_and_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adjudicate", str(EXAMPLES / "motor-own-damage.zh-CN.yaml"), "--language", "zh-CN"]) == 0

    told = capsys.readouterr().out
    assert "percent_cut\t10000\t8500\tart. 11(1)" in told
    assert "total: 8000.00 CNY\nproposed: pay\n" in told
    assert told.endswith("因此应付 ¥8,000.00。\n")


def test_amounts_without_end_are_cut_with_dots_and_what_was_not_computed_has_no_amount(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "third.yaml"
    file.write_text(
        "policy: {currency: USD, effective_from: 2026-01-01, coverages: [{code: a, facts: {part: {kind: rate}}, "
        "operations: [{op: value, times: 0.1}, {op: share, of: 'fact:part', when: [{fact: peril, equals: fire}]}, "
        "{op: contribute}], limit: 200, other_insurance: by_limits}]}\n"
        "claim: {loss_at: 2026-01-02, lines: [{asked: 1000}], other_policies: [{policy: B, limit: 100}]}",
        "utf-8",
    )
    assert main(["adjudicate", str(file)]) == 0
    assert "contribute\t100\t66.666666..." in capsys.readouterr().out

    file.write_text(file.read_text("utf-8").replace("loss_at: 2026-01-02", "loss_at: 2026-01-02, peril: fire"), "utf-8")
    assert main(["adjudicate", str(file)]) == 0
    told = capsys.readouterr().out
    assert "line 1 a: not computed\n" in told
    assert "not computed: coverage a: part is needed by the terms and was not stated\n" in told


def test_only_the_explanation_may_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adjudicate", str(EXAMPLES / "flood.json"), "--explain"]) == 0

    assert capsys.readouterr().out.splitlines()[0] == "Building: damage of $150,000.00."


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("bad.json", "{", "bad.json: is not well-formed JSON in UTF-8"),
        ("bad.json", "{} \n{}", "bad.json: holds more than one document: line 2"),
        ("bad.yaml", "policy: [", "bad.yaml: line 1: "),
        ("bad.yaml", "policy: {}\n---\nclaim: {}", "bad.yaml: line 2: holds more than one document"),
        (
            "bad.yaml",
            "policy: {}\nclaim: {loss_zone: x}",
            "bad.yaml: policy, currency: is required, an ISO 4217 code in use (1 more after this)",
        ),
        ("bad.yaml", "", "bad.yaml: must be an object with policy and claim"),
        ("bad.yaml", "claim: {}", "bad.yaml: policy: is required, and an object"),
        (
            "bad.yaml",
            "policy: {currency: USD, effective_from: 2026-01-01, coverages: [{code: a, form: s3cret}]}\n"
            "claim: {loss_at: 2026-01-02, lines: [{asked: 1}]}",
            "bad.yaml: policy, coverages row 1, form: is none of the forms: ",
        ),
        (
            "bad.yaml",
            "policy: {currency: USD, effective_from: 2026-01-01, coverages: [{code: a, limit: s3cret}]}\n"
            "claim: {loss_at: 2026-01-02, lines: [{asked: 1}]}",
            "bad.yaml: policy, coverages row 1, limit: ",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_file_place_and_rule(
    file: str, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(text, "utf-8")

    assert main(["adjudicate", str(tmp_path / file)]) == 2

    told = capsys.readouterr()
    assert told.err.startswith(f"claimflow: {said}")
    assert told.err.count("\n") == 1 and told.out == "" and "s3cret" not in told.err


def test_a_file_that_is_not_there_and_a_language_nobody_speaks_are_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adjudicate", str(tmp_path / "none.json")]) == 2
    assert main(["adjudicate", str(tmp_path)]) == 2
    assert main(["adjudicate", str(EXAMPLES / "flood.json"), "--language", "fr"]) == 2
    assert main(["schemas", "show", "nothing"]) == 2

    told = capsys.readouterr().err.splitlines()
    assert told[0] == "claimflow: none.json: is not there"
    assert told[1].endswith(": is a folder, not a file")
    assert len(told) == 4
