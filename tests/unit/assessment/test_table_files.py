"""Files of tables, duplicate and reserve rules: the shipped ones load, a wrong one is named by file, row and field."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.assessment.adapters.sorting_files import load_duplicates, load_reserves
from services.assessment.adapters.table_files import load_tables
from services.assessment.adapters.yaml_files import RuleFileError
from services.assessment.domain.decision_cells import Kind
from services.assessment.domain.triage import FACTS
from services.assessment.settings import DUPLICATES_FILE, RESERVES_FILE, TABLES_FOLDER

SEGMENTS = "triage-segment.2026-01.csv"
LANES = "triage-lane.2026-01.csv"
FLAGS = "fraud-flags.2026-01.csv"
WAYS = "straight-through.2026-01.csv"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "change-a-rule.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped tables to break."""
    return Path(shutil.copytree(TABLES_FOLDER, tmp_path / "tables"))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_tables_that_are_shipped_load() -> None:
    tables = load_tables()

    assert tables.stated == {"catastrophe": Kind.code, "uninhabitable": Kind.flag, "vulnerable": Kind.flag}
    assert [table.table_id for table in (tables.segment, tables.lane, tables.flags, tables.decide)] == [
        "triage-segment",
        "triage-lane",
        "fraud-flags",
        "straight-through",
    ]


@pytest.mark.parametrize(
    "name, old, new, said",
    [
        (SEGMENTS, "> 3", "=> 3", f"{SEGMENTS}: row 1, coverages: is no number, comparison"),
        (SEGMENTS, "100000.00", "100000.001", "row 2, asked_usd: must be in the currency's minor units"),
        (SEGMENTS, "complex", "huge", "row 1, segment: names a value that is none of simple, standard, complex"),
        (SEGMENTS, "complex", "simple|complex", "row 1, segment: must be one value"),
        (SEGMENTS, "SEG-02,", "SEG-01,", "row 2, row: another row has this name"),
        (SEGMENTS, "SEG-02,", ",", "row 2, row: is empty"),
        (SEGMENTS, "SEG-02,-,", "SEG-02,", "row 2: must have 9 cells"),
        (SEGMENTS, "row,line", "row,country", "heading: must be row,line,coverages"),
        (SEGMENTS, "SEG-07,-,-,-,-,-", "SEG-07,flood,-,-,-,-", "no row takes line = any other, coverages = "),
        (SEGMENTS, "SEG-07,", "SEG-06a,-,-,-,-,-,simple,-,all\nSEG-07,", "row 8, row: SEG-07 is never reached"),
        (SEGMENTS, "A large loss", '"A large loss', "is not comma-separated text"),
        (LANES, "LANE-02,unknown", "LANE-02,-", "row 2, row: LANE-01 and LANE-02 both take"),
        (
            LANES,
            "LANE-03,unknown,false|unknown",
            "LANE-03,unknown,unknown",
            "no row takes stated.catastrophe = unknown, ",
        ),
        (FLAGS, "true,40,LOSS", "true,many,LOSS", "row 1, weight: is no number"),
        (FLAGS, "true,40,LOSS", "true,-40,LOSS", "row 1, weight: must not be negative"),
        (FLAGS, "true,40,LOSS", "true,> 4,LOSS", "row 1, weight: must be one number"),
        (FLAGS, "LOSS_SOON_AFTER_START", "-", "rows row 1, reason: a flag needs a reason code"),
        (FLAGS, "LOSS_SOON_AFTER_START", "two words", "row 1, reason: is no code"),
        (WAYS, "duplicate_probable,A", "because,A", "rows row 1, reason: a referral has one of the reasons"),
        (WAYS, "WAY-01,-,-,-,-,-", "WAY-01,-,-,-,huge,-", "row 1, segment: names a value that is none of simple"),
        (WAYS, "denial_proposed,", "-,", "rows row 4, reason: a referral has one of the reasons"),
        (WAYS, "-,refer|value", "-,refer|guess", "row 7, proposed: names a value that is none of pay, partial"),
        ("triage-lane.yaml", "stated.vulnerable, kind: flag", "vulnerable, kind: flag", "inputs row 3: no such fact"),
        ("triage-lane.yaml", "triage-lane\n", "triage-lanes\n", "triage-lane.yaml: id: the file is named as its table"),
        ("triage-lane.yaml", "name: lane, kind: code", "name: way, kind: code", "heading: must be row,stated"),
        ("triage-segment.yaml", "coverages, kind: count", "coverages, kind: flag", "the kind of this fact is count"),
        ("triage-segment.yaml", ", currency: USD", "", "inputs row 4: money needs a currency"),
        ("triage-segment.yaml", "currency: USD", "currency: USB", "inputs row 4, currency"),
        ("triage-segment.yaml", "hit: first", "hit: any", "versions row 1, hit"),
        ("triage-segment.yaml", "rows: triage", "rows: ../triage", "versions row 1, rows"),
        ("triage-segment.yaml", "{name: line, kind: code}", "{name: lane, kind: code}", "heading: must be row,lane"),
        (
            "straight-through.yaml",
            "standard, complex]",
            "standard, odd]",
            "segment: names a segment that triage-segment",
        ),
        ("fraud-flags.yaml", "hit: collect", "hit: first", "no row takes"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_by_file_row_and_field(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    change(folder / name, old, new)

    with pytest.raises(RuleFileError) as refused:
        load_tables(folder)

    assert said in str(refused.value)
    assert name.partition(".")[0] in str(refused.value)


def test_a_spreadsheets_mark_line_ends_and_capitals_are_read(folder: Path) -> None:
    file = folder / LANES
    text = file.read_text(encoding="utf-8").replace("true", "TRUE").replace("\n", "\r\n")

    file.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n,,,,,,\r\n")

    assert len(load_tables(folder).lane.versions[0].rows) == 4


def test_a_table_that_is_not_there_or_not_text_is_one_line(folder: Path) -> None:
    (folder / LANES).write_bytes(b"\xff\xfe")
    with pytest.raises(RuleFileError, match=r"triage-lane\.2026-01\.csv: cannot be read as UTF-8 text"):
        load_tables(folder)

    (folder / LANES).unlink()
    with pytest.raises(RuleFileError, match=r"triage-lane\.2026-01\.csv: is not there"):
        load_tables(folder)

    (folder / "triage-lane.yaml").unlink()
    with pytest.raises(RuleFileError, match=r"triage-lane\.yaml: is not there"):
        load_tables(folder)


def test_the_version_that_holds_at_an_instant_is_used_and_the_old_one_stays(folder: Path) -> None:
    header = folder / "triage-lane.yaml"
    text = header.read_text(encoding="utf-8")
    entry = text[text.index('  - version: "2026-01"') :]
    header.write_text(text + entry.replace("2026-01", "2027-01"), encoding="utf-8")
    shutil.copy(folder / LANES, folder / "triage-lane.2027-01.csv")

    lane = load_tables(folder).lane

    assert lane.at(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)).version == "2026-01"
    assert lane.named(lane.at(datetime(2027, 1, 1, tzinfo=UTC))).version == "2027-01"
    assert lane.at(datetime(2001, 1, 1, tzinfo=UTC)).version == "2026-01"


def test_versions_out_of_order_or_sharing_rows_are_refused(folder: Path) -> None:
    header = folder / "triage-lane.yaml"
    text = header.read_text(encoding="utf-8")
    entry = text[text.index('  - version: "2026-01"') :]

    header.write_text(text + entry.replace('"2026-01"', '"2025"').replace("2026-01-01T", "2025-01-01T"), "utf-8")
    with pytest.raises(RuleFileError, match="versions stand oldest first"):
        load_tables(folder)

    header.write_text(text + entry.replace('"2026-01"', '"2027"').replace("2026-01-01T", "2027-01-01T"), "utf-8")
    with pytest.raises(RuleFileError, match="each version has its own file of rows"):
        load_tables(folder)


def test_one_fact_a_claim_states_is_of_one_kind_in_all_tables(folder: Path) -> None:
    change(folder / "triage-segment.yaml", "{name: line, kind: code}", "{name: stated.vulnerable, kind: code}")
    change(folder / SEGMENTS, "row,line", "row,stated.vulnerable")

    with pytest.raises(RuleFileError, match=r"the fact stated\.vulnerable is of another kind elsewhere"):
        load_tables(folder)


def test_only_the_last_table_may_ask_what_the_others_said(folder: Path) -> None:
    change(folder / "triage-segment.yaml", "{name: line, kind: code}", "{name: lane, kind: code}")
    change(folder / SEGMENTS, "row,line", "row,lane")

    with pytest.raises(RuleFileError, match="only straight-through knows the fact lane"):
        load_tables(folder)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('threshold: "0.9"', 'threshold: "0.1"', "lines row 1: threshold must be more than same_policy"),
        ('same_amount: "0.1"', 'same_amount: "0.2"', "other_lines: the weights are together at most 1"),
        ("hours: 72", "hours: 24", "other_lines: loss_within stands with the smallest window first"),
        ('weight: "0.2"', 'weight: "0.4"', "a larger one never counts more"),
        ('"0.15"', '"1.5"', "same_peril"),
    ],
)
def test_what_is_wrong_in_the_duplicate_rules_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = Path(shutil.copy(DUPLICATES_FILE, tmp_path / "duplicates.yaml"))
    change(file, old, new)

    with pytest.raises(RuleFileError) as refused:
        load_duplicates(file)

    assert str(refused.value).startswith("duplicates.yaml: versions row 1, ") and said in str(refused.value)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('share: "1"', 'share: "-1"', "lines row 1, coverages row 1, share"),
        ("coverage: contents", "coverage: building", "lines row 1: each coverage stands once"),
        ('"30000.00"', '"30000"', "lines row 1, coverages row 1, unasked row 1"),
        (
            "unasked: [{",
            'least: [{amount: "2.00", currency: USD}]\n            most: [{amount: "1.00", currency: USD}]\n'
            "            unasked: [{",
            "lines row 1, coverages row 1: least must not be more than most",
        ),
        ("currency: CNY", "currency: USD", "other_lines, other_coverages: each currency stands once in unasked"),
    ],
)
def test_what_is_wrong_in_the_reserve_rules_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = Path(shutil.copy(RESERVES_FILE, tmp_path / "reserves.yaml"))
    change(file, old, new)

    with pytest.raises(RuleFileError) as refused:
        load_reserves(file)

    assert f"reserves.yaml: versions row 1, {said}" in str(refused.value)


def test_the_page_for_business_people_lists_every_fact_with_its_kind() -> None:
    listed = dict(re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))

    assert listed == {name: spec.kind.value for name, spec in FACTS.items()}
