"""House rules that a machine can check. Each message says what to do instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import ROOT, code_lines, functions, place, product_files, tree

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
# Longer modules, each with the reason why splitting it would read worse.
LONGER_MODULES: dict[str, str] = {}

# Lines of code by room; docs/decisions/0017.
RUNNER_CODE_LINES_MAX = {"messaging": 2000, "messaging/kafka_client": 1000, "messaging/stores": 1000}

# Clock, ids and randomness are passed in. These make them: the places where a process is put together, the simulators
# (which stand for other people's systems) and what runs the machine.
ROOTS = ("hosting/", "local/", "cli/", "simulators/", "benchmarks/", "messaging/process.py", "privacy/wiring.py")
ROOT_NAMES = ("app.py", "__main__.py")
SOURCES_OF_CHANCE = frozenset(
    {
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.time_ns",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid4",
        "uuid1",
        "os.urandom",
    }
)
CHANCE_MODULES = ("random.", "secrets.")
MONEY_FOLDERS = ("schemas", "services/assessment/domain", "services/payment/domain")


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{place(file, function)} {function.name} has {lines} lines"
        for file in product_files()
        for function in functions(file)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not long, f"split by meaning, at most {FUNCTION_LINES_MAX} lines: {long}"


def test_modules_stay_small() -> None:
    long = [
        f"{place(file)} has {lines} lines"
        for file in product_files()
        if (lines := len(file.read_text().splitlines())) > MODULE_LINES_MAX and place(file) not in LONGER_MODULES
    ]

    assert not long, f"split by subject, at most {MODULE_LINES_MAX} lines: {long}"


def test_the_runner_can_be_read_in_an_afternoon() -> None:
    size = {
        room: sum(code_lines(file) for file in sorted((ROOT / room).glob("*.py"))) for room in RUNNER_CODE_LINES_MAX
    }

    over = {room: lines for room, lines in size.items() if not 0 < lines <= RUNNER_CODE_LINES_MAX[room]}
    assert not over, f"take something out of the runner, see docs/decisions/0017: {over}"


def test_modules_open_with_what_they_are_for() -> None:
    silent = [place(file) for file in product_files() if not ast.get_docstring(tree(file)) and file.read_text().strip()]

    assert not silent, f"open with one to five lines on what the module is for and what it promises: {silent}"


def test_no_float_comes_near_money() -> None:
    files = [file for file in product_files() if place(file).startswith(MONEY_FOLDERS)]

    floats = [place(file, node) for file in files for node in _without_type_checks(tree(file)) if _is_float(node)]

    assert files and not floats, f"use Money, int of minor units, Fraction or Decimal: {floats}"


def test_clock_ids_and_randomness_are_made_where_processes_are_put_together() -> None:
    loose = [
        f"{place(file, node)} {name}"
        for file in product_files()
        if not place(file).startswith(ROOTS) and file.name not in ROOT_NAMES
        for node, name in _uses(tree(file))
        if name in SOURCES_OF_CHANCE or name.startswith(CHANCE_MODULES)
    ]

    assert not loose, f"take the clock, the ids or the random bytes as a parameter, and pass them in app.py: {loose}"


def test_no_fault_is_swallowed() -> None:
    swallowed = [
        place(file, node)
        for file in product_files()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ExceptHandler)
        and _is_broad(node.type)
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]

    assert not swallowed, f"name the exception, and answer it: {swallowed}"


def _without_type_checks(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below, without what stands in isinstance(): code that refuses floats must name them."""
    yield node
    for child in ast.iter_child_nodes(node):
        checks = isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "isinstance"
        if not checks:
            yield from _without_type_checks(child)


def _is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return isinstance(node, ast.Name) and node.id == "float"


def _uses(module: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """References, called or handed on: a default of `now=time.time` is as loose as a call."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node, node.id


def _is_broad(kind: ast.expr | None) -> bool:
    return kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))


def test_the_longer_modules_are_still_there_and_still_long() -> None:
    stale = [
        name
        for name in LONGER_MODULES
        if not (ROOT / name).exists() or len(Path(ROOT / name).read_text().splitlines()) <= MODULE_LINES_MAX
    ]

    assert not stale, f"take these off the list: {stale}"
