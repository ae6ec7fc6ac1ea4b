"""claimflow rules: a rehearsal by command, what it shows, writes and leaves alone; drafts and files that are wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from hosting.exits import CannotStartError
from local.home import ROOT
from local.rehearsing.recorded import Raw, decoded, read_file, read_topics, topics, write_file
from local.rehearsing.rehearse import instant_of
from messaging.record import Outgoing
from schemas.topics import topic_of
from tests.builders.assessment import an_assessment_house
from tests.builders.events import a_claim_id, a_claim_registered, on_the_wire
from tests.builders.rehearsals import LIMIT_FIRST, a_draft, an_unchanged_draft, limited, play_sample, recorded

CLAIMS = 60


def quiet(_: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def raws() -> list[Raw]:
    async def play() -> list[Raw]:
        async with an_assessment_house() as house:
            await play_sample(house, CLAIMS)
            return await recorded(house)

    return asyncio.run(play())


@pytest.fixture
def exported(raws: list[Raw], tmp_path: Path) -> Path:
    file = tmp_path / "claims.ndjson"
    write_file(file, raws, quiet)
    return file


def replay(draft: Path, source: Path, *more: str) -> int:
    return main(["rules", "replay", "--draft", str(draft), "--claims", str(source), *more])


def test_the_command_shows_who_would_get_what_instead(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = a_draft(tmp_path / "draft", *LIMIT_FIRST, limited("20000.00"))

    assert replay(draft, exported, "--json", str(tmp_path / "out.json")) == 0

    said = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    result = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert said["claims"] == f"{CLAIMS}\t0"
    assert said["would go to a person instead of being paid"] == f"{result['by_rules']['to_person']}\t0"
    assert result["by_rules"]["to_person"] > 0
    assert len(result["claims_differing"]) == result["differing"] > 0
    assert all("first_difference" in one for one in result["claims_differing"])


def test_the_same_rules_give_no_difference(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(an_unchanged_draft(tmp_path / "draft"), exported, "--json", "-") == 0

    result = json.loads(capsys.readouterr().out)
    assert (result["claims"], result["by_rules"]["same"], result["claims_differing"]) == (CLAIMS, CLAIMS, [])


def test_a_limit_takes_the_first_claims(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(an_unchanged_draft(tmp_path / "draft"), exported, "--limit", "5", "--json", "-") == 0

    assert json.loads(capsys.readouterr().out)["claims"] == 5


WATCHED = """
import os, sys, tempfile
from pathlib import Path
touched, temp = [], tempfile.gettempdir() + os.sep + "claimflow-draft-"

def watch(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if not str(args[0]).startswith(temp) and str(args[0]) != os.devnull:
            touched.append(f"open {args[0]}")
    elif event in ("socket.connect", "socket.sendto", "subprocess.Popen", "os.rename", "sqlite3.connect"):
        touched.append(event)
    elif event in ("os.remove", "os.rmdir", "os.mkdir") and not str(args[0]).startswith(temp):
        if args[-1] == -1:
            touched.append(f"{event} {args[0]}")

sys.dont_write_bytecode = True
sys.addaudithook(watch)
from cli.app import main
code = main(sys.argv[1:])
print(*(f"touched {one}" for one in touched), sep="\\n", file=sys.stderr)
sys.exit(code)
"""


def touched(*words: str) -> list[str]:
    """What a command of its own process opened for writing, connected to or started, but for its own passing folder."""
    command = [sys.executable, "-c", WATCHED, "rules", "replay", *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    return [line for line in found.stderr.splitlines() if line.startswith("touched ")]


def test_a_rehearsal_opens_nothing_for_writing_and_calls_nobody(exported: Path, tmp_path: Path) -> None:
    draft = a_draft(tmp_path / "draft", *LIMIT_FIRST)
    asked = ("--draft", str(draft), "--claims", str(exported))

    nothing, only_the_answer = touched(*asked), touched(*asked, "--json", str(tmp_path / "out.json"))

    assert nothing == []
    assert only_the_answer == [f"touched open {tmp_path / 'out.json'}"]


# ---- files of recorded events


@pytest.mark.parametrize("name", ["claims.ndjson", "claims.ndjson.gz"])
def test_a_file_holds_what_the_log_holds_without_the_parties(raws: list[Raw], name: str, tmp_path: Path) -> None:
    write_file(tmp_path / name, raws, quiet)

    again = list(read_file(tmp_path / name, quiet))

    assert list(decoded(again)) == list(decoded(raws))
    content = (tmp_path / name).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    assert "subject_id" not in text and "reporter" not in text and "payee" not in text


def test_no_file_is_replaced_by_an_export(exported: Path, raws: list[Raw]) -> None:
    before = exported.read_bytes()

    with pytest.raises(CannotStartError, match="is there already"):
        write_file(exported, raws, quiet)

    assert exported.read_bytes() == before


async def test_second_copies_are_read_once_and_foreign_records_are_counted() -> None:
    async with an_assessment_house() as house:
        await play_sample(house, 3)
        [first, *_] = house.log.records(topic_of("intake"))
        for value, headers in ((first.value, first.headers), (b"{", first.headers[:3]), (b"\xff", ())):
            house.log.append(Outgoing(first.topic, first.partition, first.key, value, headers))

        found = await read_topics(house.log.tail(topics()), quiet)

    assert found.unreadable == 2
    assert len([raw for raw in found.in_order() if raw.type.endswith("ClaimReported.v1")]) == 3


async def test_an_event_that_is_not_what_its_type_says_is_passed_over_in_the_log_and_refused_in_a_file(
    tmp_path: Path,
) -> None:
    key, _, headers = on_the_wire(a_claim_registered(), a_claim_id())
    async with an_assessment_house() as house:
        house.log.append(Outgoing(topic_of("assessment"), 0, key, b'{"policy":"secret"}', headers))
        found = await read_topics(house.log.tail(topics()), quiet)

    assert list(decoded(found.in_order(), pass_over=found.pass_over)) == []
    assert found.unreadable == 1
    with pytest.raises(CannotStartError, match=r"ClaimRegistered of claim .* cannot be read: claim_number") as refused:
        list(decoded(found.in_order()))
    assert "secret" not in str(refused.value)


def test_a_report_comes_before_what_followed_from_it_even_if_clocks_differ(raws: list[Raw]) -> None:
    seen = set()
    for raw in raws:
        if raw.type.endswith("ClaimReported.v1"):
            seen.add(raw.claim_id)
        assert raw.claim_id in seen


@pytest.mark.parametrize(
    "change, place",
    [
        (lambda line: {**line, "claim_id": "secret"}, "claim_id"),
        (lambda line: {**line, "time": "2026-01-01T00:00:00"}, "time"),
        (lambda line: {name: value for name, value in line.items() if name != "cause_id"}, "cause_id"),
        (lambda line: {**line, "data": ["secret"]}, "data"),
    ],
)
def test_a_wrong_line_is_named_and_not_echoed(
    change: Callable[[dict[str, Any]], dict[str, Any]], place: str, exported: Path, tmp_path: Path
) -> None:
    lines = exported.read_text("utf-8").splitlines()
    wrong = tmp_path / "wrong.ndjson"
    wrong.write_text("\n".join([lines[0], json.dumps(change(json.loads(lines[1])))]), "utf-8")

    with pytest.raises(CannotStartError, match=rf"wrong\.ndjson: line 2: {place}: ") as refused:
        list(read_file(wrong, quiet))

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("content", [b"no json\n", b"\x00\xff\n", b"[" * 100_000 + b"\n", b"x" * 600_000])
def test_what_is_no_event_is_refused_by_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wrong.ndjson"
    file.write_bytes(content)

    with pytest.raises(CannotStartError, match=r"line 1: is (too long|no event as)"):
        list(read_file(file, quiet))


def test_a_file_that_is_not_there_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(an_unchanged_draft(tmp_path / "draft"), tmp_path / "none.ndjson") == 2

    assert capsys.readouterr().err == "claimflow: none.ndjson cannot be read: FileNotFoundError\n"


# ---- drafts that are wrong


def write(folder: Path, name: str, content: str = "id: x\n") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, "utf-8")
    return folder


@pytest.mark.parametrize(
    "name, rule",
    [
        ("rules/assesment.yaml", "is read by nothing"),
        ("terms/deep/flood.yaml", "is read by nothing"),
        ("assessment.yaml", "is read by nothing"),
        ("rules/tables/new-table.yaml", "is read by nothing"),
        ("rules/tables/fraud-flags.2030-01.csv", "no version of a table names this file"),
        ("rules/reserves.yaml", "versions: Field required"),
        ("terms/flood-2.yaml", "form: Field required"),
        ("README.md", "must hold 1 to 500 files"),
    ],
)
def test_a_draft_that_is_wrong_is_refused_by_file(
    name: str, rule: str, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(write(tmp_path / "draft", name), exported) == 2

    said = capsys.readouterr().err
    assert rule in said and len(said.splitlines()) == 1
    if rule != "must hold 1 to 500 files":
        assert Path(name).name in said


def test_a_draft_that_is_not_there_is_refused(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(tmp_path / "none", exported) == 2

    assert "none: is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-01-01T00:00:00", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CannotStartError, match="--from"):
        instant_of(text, "--from")
