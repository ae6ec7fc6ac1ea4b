"""Files of rules and terms: what is shipped loads, what is wrong is named by file, row and field, without its value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.money import Money
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.rule_files import load_rules
from services.assessment.adapters.yaml_files import RuleFileError
from services.assessment.settings import RULES_FILE, TERMS_FOLDER

RULES_TEXT = RULES_FILE.read_text(encoding="utf-8")
TERMS_TEXT = (TERMS_FOLDER / "flood.yaml").read_text(encoding="utf-8")


def rules_of(folder: Path, text: str) -> None:
    file = folder / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    load_rules(file)


def terms_of(folder: Path, text: str) -> None:
    (folder / "flood.yaml").write_text(text, encoding="utf-8")
    load_terms(folder)


def test_the_rules_that_are_shipped_load() -> None:
    rules = load_rules()

    flood = rules.at(datetime(2026, 6, 1, tzinfo=UTC)).of_line("flood")
    assert flood.automatic_limit("USD") == Money.of_text("500000.00", "USD")
    assert flood.automatic_limit("EUR") == Money.zero("EUR")


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"500000.00"', '"500000.0"', "rules.yaml: versions row 1, lines row 1, automatic_limits row 1"),
        ('"500000.00"', "500000", "rules.yaml: versions row 1, lines row 1, automatic_limits row 1"),
        ('"500000.00"', '"-5.00"', "must not be negative"),
        ("    payments_desk: payments\n", "", "rules.yaml: versions row 1, payments_desk: Field required"),
        ("desk: flood", "desk: the flood desk", "rules.yaml: versions row 1, lines row 1, desk"),
        ("desk: flood", "desk: flood\n        limits: none", "rules.yaml: versions row 1, lines row 1, limits"),
        ("unknown: [60,", "unknown: [0,", "rules.yaml: policy_wait, unknown row 1"),
        ("unknown: [60,", "unknown: [sixty,", "rules.yaml: policy_wait, unknown row 1"),
        ("id: assessment-rules", "id: assessment-rules\nid: again", "rules.yaml: line"),
        ("id: assessment-rules", "id: [", "rules.yaml: line"),
        ('"2026-01-01T00:00:00+00:00"', '"2026-01-01"', "rules.yaml: versions row 1, effective_from"),
    ],
)
def test_a_wrong_rule_is_named_by_file_row_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in RULES_TEXT

    with pytest.raises(RuleFileError) as refused:
        rules_of(tmp_path, RULES_TEXT.replace(old, new, 1))

    assert said in str(refused.value)
    assert "500000.0" not in str(refused.value) and "sixty" not in str(refused.value)


def test_versions_out_of_order_are_refused(tmp_path: Path) -> None:
    start = RULES_TEXT.index('  - version: "2026-01"')
    end = RULES_TEXT.index("# Seconds between tries")
    older = RULES_TEXT[start:end].replace("2026-01", "2025-01")

    with pytest.raises(RuleFileError, match="versions stand oldest first"):
        rules_of(tmp_path, RULES_TEXT[:end] + older + RULES_TEXT[end:])


def test_the_version_that_holds_at_an_instant_is_used(tmp_path: Path) -> None:
    start = RULES_TEXT.index('  - version: "2026-01"')
    end = RULES_TEXT.index("# Seconds between tries")
    newer = RULES_TEXT[start:end].replace("2026-01", "2027-01").replace('"500000.00"', '"1.00"')
    file = tmp_path / "rules.yaml"
    file.write_text(RULES_TEXT[:end] + newer + RULES_TEXT[end:], encoding="utf-8")

    rules = load_rules(file)

    assert rules.at(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)).version == "2026-01"
    assert rules.at(datetime(2027, 1, 1, tzinfo=UTC)).of_line("flood").automatic_limit("USD") == Money(100, "USD")
    assert rules.at(datetime(2020, 1, 1, tzinfo=UTC)).version == "2026-01"


def test_the_terms_that_are_shipped_load_and_are_silent_about_other_lines() -> None:
    terms = load_terms()

    at = datetime(2012, 1, 1, tzinfo=UTC)
    building = terms.coverage("nfip-dwelling", "building", at)
    assert building is not None and building.form is not None
    assert [one.op for one in building.operations] == ["value", "deductible", "limit", "sublimit"]
    assert building.form.startswith("nfip-dwelling:1995-03:")
    assert terms.form_of("flood") == "nfip-dwelling"
    assert terms.form_of("no-such-line") is None
    assert terms.coverage("nfip-dwelling", "roof", at) is None
    assert terms.coverage("nfip-dwelling", "building", datetime(1899, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("op: deductible", "op: magic", "flood.yaml: versions row 1: coverages row 1, operations row 1: op is one of"),
        (
            "          - {op: limit, clause_id: SFIP.III.A}\n",
            "",
            "versions row 1: coverages row 1, operations: must include",
        ),
        ("code: contents", "code: building", "flood.yaml: versions row 1: each coverage stands once"),
        ("line: flood", "line: flood\nlimits: none", "flood.yaml: limits: is no field there is"),
        ("op: deductible", "op: deductible, of: 'term:limit'", "operations row 1: deductible takes no of"),
        ("op: limit,", "op: subtract,", "operations row 2: subtract needs of"),
        ("op: limit,", "op: limit, of: 'fact:worth',", "operations row 2: the fact worth is not declared"),
    ],
)
def test_a_wrong_term_is_named_by_file_row_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TERMS_TEXT

    with pytest.raises(RuleFileError) as refused:
        terms_of(tmp_path, TERMS_TEXT.replace(old, new, 1))

    assert said in str(refused.value)


def test_two_files_of_one_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(TERMS_TEXT, encoding="utf-8")

    with pytest.raises(RuleFileError, match="another file has the terms of this form"):
        terms_of(tmp_path, TERMS_TEXT)


def test_a_folder_or_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="must hold 1 to"):
        load_terms(tmp_path)
    with pytest.raises(RuleFileError, match=r"none\.yaml: is not there"):
        load_rules(tmp_path / "none.yaml")
