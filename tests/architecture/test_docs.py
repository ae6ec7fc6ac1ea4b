"""The documents are true where a machine can tell: links lead somewhere, what is named exists, decisions are whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.operations_page import command_names
from tests.architecture.sources import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
LINE_MAX = 165
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE_PATH = re.compile(
    r"`((?:schemas|hosting|messaging|privacy|explain|services|simulators|local|cli|deploy|tests|benchmarks|docs|data)/[\w./-]+)"
    r"(?:::(\w+))?`"
)
_TEST = re.compile(r"`(test_\w+)`")
_COMMAND = re.compile(r"(?:\./)?\bclaimflow ((?:[a-z]+(?: [a-z]+)?))")
_TARGET = re.compile(r"\bmake ([a-z-]+)\b(?=[`\n ]|$)")
_FENCE = re.compile(r"^```(\S*).*?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in _LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_and_test_named_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = []
    for path, member in _CODE_PATH.findall(text):
        file = ROOT / path
        if not file.exists() or (member and not re.search(rf"\b(?:def|class) {member}\b", file.read_text("utf-8"))):
            missing.append(f"{path}::{member}" if member else path)
    defined = _tests_defined()
    missing += [test for test in _TEST.findall(text) if test not in defined]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_target_named_exists(page: Path) -> None:
    commands = command_names()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    unknown = []
    for spoken in _commands_in(page):
        for words in _COMMAND.findall(spoken):
            first, _, second = words.partition(" ")
            group = {one.partition(" ")[2] for one in commands if one.startswith(f"{first} ")}
            known = second in group if group and second else first in commands or group
            if not known:
                unknown.append(words)
        unknown += [f"make {target}" for target in _TARGET.findall(spoken) if target not in targets]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_stay_readable(page: Path) -> None:
    # The target of a link is not read by anybody.
    text = _LINK.sub("]", _FENCE.sub("", page.read_text("utf-8")))
    long = [line[:60] for line in text.splitlines() if len(line) > LINE_MAX and not line.startswith("|")]

    assert long == [], f"break lines before {LINE_MAX} characters"


def test_every_promise_names_tests() -> None:
    promises = re.split(r"^## ", (DOCS / "promises.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    numbered = [part for part in promises if re.match(r"P\d\.", part)]

    assert [part[:2] for part in numbered] == [f"P{number}" for number in range(1, 8)]
    assert [part[:2] for part in numbered if not re.search(r"\(\.\./tests/\S+\)", part)] == []
    assert [part[:2] for part in numbered if "Limits:" not in part] == []


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_says_why_what_follows_what_was_left_out_and_what_enforces_it(page: Path) -> None:
    text = page.read_text("utf-8")

    assert text.startswith(f"# {page.name[:4]}. ")
    parts = [text.find(word) for word in ("**Context.**", "**Decision.**", "**Consequence.**", "**Enforced by.**")]
    assert -1 not in parts and parts == sorted(parts)
    assert "Left out" in text


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DOCS / "decisions" / "README.md").read_text("utf-8"))

    assert listed == [page.name for page in DECISIONS]
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_dependency_has_its_reason() -> None:
    text = (DOCS / "decisions" / "0016-dependencies.md").read_text("utf-8")
    declared = set(_declared())

    assert [one for one in sorted(declared) if not re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)] == []


def _declared() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    for one in [entry for entries in [*lists, *project["dependency-groups"].values()] for entry in entries]:
        yield re.split(r"[\[=<>~! ]", one, maxsplit=1)[0]


def _tests_defined() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"def (test_\w+)", file.read_text("utf-8")))
    return found | {file.stem for file in (ROOT / "tests").rglob("test_*.py")}


def _commands_in(page: Path) -> Iterator[str]:
    """What a page shows as to be typed: code fences, and code in lines."""
    text = page.read_text("utf-8")
    for language, body in _FENCE.findall(text):
        if language in ("sh", "bash", ""):
            yield body
    for code in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)):
        if code.startswith(("claimflow ", "./claimflow ", "make ")):
            yield code
