"""The words of each language from the files beside the code, read once; wrong ones are refused at the start."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from explain.figures import Figures
from explain.working import Working

FOLDER = Path(__file__).parent / "texts"
VERSION = 1


@cache
def working(language: str) -> Working:
    """The renderer of one language (explain.figures.LANGUAGES); TextError if its file is not whole."""
    return Working(words(language), Figures(language), file_of(language).name)


def words(language: str) -> dict[str, Any]:
    """The tables of a language's file."""
    return tomllib.loads(file_of(language).read_text(encoding="utf-8"))


def file_of(language: str) -> Path:
    """Where a language's words stand."""
    return FOLDER / f"explain.{language}.v{VERSION}.toml"
