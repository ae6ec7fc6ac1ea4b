"""python -m tests.golden FILE.json [--json]: judges every case of a file in the format of the golden cases.

Exit code 0: all cases came out as expected; 1: some did not; 2: the file cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from services.assessment.adapters.policy_terms import load_terms
from tests.golden.cases import Judged, UnreadableError, judge, read_cases


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description="Judge a file of golden cases.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parser.parse_args(arguments)
    try:
        cases = read_cases(options.file)
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    terms = load_terms()
    judged = [judge(case, terms, number) for number, case in enumerate(cases, start=1)]
    if options.json:
        print(json.dumps([one.as_row() for one in judged], ensure_ascii=False, indent=1))
    else:
        print(table(judged))
    return 0 if all(one.ok for one in judged) else 1


def table(judged: Sequence[Judged]) -> str:
    """One case a row: id, ok, expected, got."""
    width = max([2, *(len(one.id) for one in judged)])
    rows = [f"{'id':{width}}  ok   expected | got"]
    for one in judged:
        wanted = one.expected if isinstance(one.expected, dict) else {}
        got = {name: one.got.get(name) for name in wanted} if isinstance(one.got, dict) else one.got
        said = f" | {one.error}" if one.error else ""
        rows.append(f"{one.id:{width}}  {'yes' if one.ok else 'NO ':3}  {_text(one.expected)} | {_text(got)}{said}")
    rows.append(f"{sum(one.ok for one in judged)} of {len(judged)} as expected")
    return "\n".join(rows)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
