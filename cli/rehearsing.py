"""How a rehearsal is shown: progress on standard error, counts and sums and the largest differences as tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cli.output import note, print_table

if TYPE_CHECKING:
    from services.assessment.domain.differences import Answer
    from services.assessment.domain.rehearsal import Rehearsed

LINES_EVERY = 50_000
_WORDS = {
    "claims": "claims",
    "same": "the same",
    "more": "would get more",
    "less": "would get less",
    "nothing": "would get nothing",
    "to_person": "would go to a person instead of being paid",
    "to_software": "would be paid instead of going to a person",
    "otherwise": "same amount and way, sorted or asked otherwise",
}
_SUMS = {"was": "sum, then", "then": "sum, under the draft"}
_PAID = {"paid_was": "of it paid by software, then", "paid_then": "of it paid by software, under the draft"}


class Counter(Protocol):
    """Progress for people."""

    def of(self, what: str, total: int | None = None) -> Callable[[int], None]:
        """A bar for one thing counted; without a total it only counts."""


@contextmanager
def counting() -> Iterator[Counter]:
    """A bar each on a terminal; in a pipe a line now and then."""
    if not sys.stderr.isatty():
        yield _LineCounter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _RichCounter(progress)


class _RichCounter:
    def __init__(self, progress: Any) -> None:
        self._progress = progress

    def of(self, what: str, total: int | None = None) -> Callable[[int], None]:
        task = self._progress.add_task(what, total=total)
        return lambda done: self._progress.advance(task, done)


class _LineCounter:
    def of(self, what: str, total: int | None = None) -> Callable[[int], None]:
        seen, of_all = [0], "" if total is None else f" of {total}"

        def told(done: int) -> None:
            before, seen[0] = seen[0], seen[0] + done
            if seen[0] // LINES_EVERY > before // LINES_EVERY:
                note(f"{what}: {seen[0]}{of_all}")

        return told


def show(result: Mapping[str, Any], found: Sequence[Rehearsed]) -> None:
    """Counts and sums, then the claims whose amount changes most, then what could not be compared."""
    blocks = (result["by_rules"], result["decided_by_a_person"])
    rows = [(words, *(str(block[name]) for block in blocks)) for name, words in _WORDS.items()]
    currencies = sorted({currency for block in blocks for currency in block["sums"]})
    for currency in currencies:
        for name, words in (_SUMS | _PAID).items():
            sums = [block["sums"].get(currency, {}).get(name, "-") for block in blocks]
            rows.append((f"{words}, {currency}", *sums))
    print_table(("", "by rules", "a person decided (proposals)"), rows, title="Rehearsal")
    _show_largest(found)
    for line in _remarks(result):
        note(line)


def _show_largest(found: Sequence[Rehearsed]) -> None:
    from local.rehearsing.result import largest

    rows = []
    for one in largest(found):
        part = one.difference
        where = "" if part is None else f"{part.where}: {part.was} => {part.then}"
        rows.append((one.reference, f"{_amount(one.was)} -> {_amount(one.then)}", where))
    if rows:
        print_table(("claim", "amount", "first difference"), rows, title="Largest differences")


def _amount(one: Answer) -> str:
    return "not computed" if one.amount is None else str(one.amount)


def _remarks(result: Mapping[str, Any]) -> Iterator[str]:
    if result["not_as_in_force"]:
        yield (
            f"{result['not_as_in_force']} of the claims that differ differ under today's rules too: "
            "rules have changed since they were decided"
        )
    for why, claims in result["terms_kept"].items():
        yield f"{claims} claims have a coverage that {why}: its terms are not the draft's"
    words = {
        "report_missing": "claims have no report in what was read",
        "never_registered": "claims were never registered: no rule has decided them",
        "not_decided": "claims were registered, and their decision is not in what was read",
    }
    for name, claims in result["not_compared"].items():
        if claims:
            yield f"{claims} {words[name]}"


def write(result: Mapping[str, Any], path: Path) -> None:
    """The result as a file; an existing one is replaced, as reports are."""
    from hosting.exits import CannotStartError, Exit

    try:
        path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as problem:
        raise CannotStartError(f"{path.name} cannot be written: {type(problem).__name__}", Exit.usage) from None
