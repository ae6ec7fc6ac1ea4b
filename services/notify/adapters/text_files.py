"""Reads the texts, the words and the rules that ship beside the code; wrong ones are refused at the start."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from explain.figures import LANGUAGES
from explain.filling import TextError
from explain.texts import working
from schemas.notify import NoticeKind
from services.notify.domain.letters import Letters, TextKey
from services.notify.domain.rules import Rules

FOLDER = Path(__file__).parent.parent
TEXTS = FOLDER / "texts"
RULES = FOLDER / "rules.v1.toml"
WORDS_VERSION = 1
_NAME = re.compile(r"(?P<kind>[a-z_]+)\.(?P<language>en|zh-CN)\.v(?P<version>[1-9][0-9]{0,4})\.txt")


def load_letters(folder: Path = TEXTS) -> Letters:
    """Every text of the folder, prepared; TextError if one is missing, misnamed or not like its translations."""
    words = {language: _toml(folder / f"words.{language}.v{WORDS_VERSION}.toml") for language in LANGUAGES}
    return Letters(read_texts(folder), words, {language: working(language) for language in LANGUAGES})


def load_rules(path: Path = RULES) -> Rules:
    """The rules in use."""
    return Rules.model_validate(_toml(path))


def read_texts(folder: Path = TEXTS) -> dict[TextKey, str]:
    """The raw texts by kind, language and version."""
    found: dict[TextKey, str] = {}
    for path in sorted(folder.glob("*.txt")):
        name = _NAME.fullmatch(path.name)
        if name is None or name["kind"] not in NoticeKind.__members__:
            raise TextError(f"{path.name}: a text is named <kind>.<language>.v<version>.txt")
        found[NoticeKind(name["kind"]), name["language"], int(name["version"])] = path.read_text(encoding="utf-8")
    return found


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
