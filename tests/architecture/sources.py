"""The product's Python files as parsed trees, for the tidy rules."""

from __future__ import annotations

import ast
import functools
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "schemas",
    "hosting",
    "messaging",
    "privacy",
    "explain",
    "services",
    "simulators",
    "local",
    "cli",
    "benchmarks",
)


@functools.cache
def product_files() -> tuple[Path, ...]:
    """Every module of the product, migrations left out: Alembic dictates their shape."""
    found = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return tuple(sorted(file for file in found if "migrations" not in file.parts))


@functools.cache
def tree(file: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def place(file: Path, node: ast.AST | None = None) -> str:
    """Where to look, as path and line."""
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr) else ""
    return f"{file.relative_to(ROOT).as_posix()}{line}"


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Every file under version control that is there."""
    # A checkout may belong to another user than the one who tests it; git asks to be told that this is meant.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    return tuple(ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file())


_NO_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


def code_lines(file: Path) -> int:
    """Lines that hold code: no blank lines, comments, docstrings."""
    with file.open("rb") as source:
        held = {
            line
            for token in tokenize.tokenize(source.readline)
            if token.type not in _NO_CODE and token.type != tokenize.ENCODING
            for line in range(token.start[0], token.end[0] + 1)
        }
    return len(held - set(_docstring_lines(file)))


def _docstring_lines(file: Path) -> Iterator[int]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)
