"""Reads files of golden cases and judges every case: what was expected against what the product gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.assessment.adapters.policy_terms import PolicyTerms
from tests.golden.run import run
from tests.golden.shapes import SHAPES
from tests.golden.translate import CaseError, translate

CASES_MAX = 100_000
BYTES_MAX = 100_000_000


class UnreadableError(ValueError):
    """The file is not a list of cases."""


@dataclass(frozen=True)
class Judged:
    """One case: `ok` if everything expected came out exactly so. `error` names the input that no form knows."""

    id: str
    ok: bool
    expected: Any
    got: Any
    error: str | None = None

    def as_row(self) -> dict[str, Any]:
        row = {"id": self.id, "ok": self.ok, "expected": self.expected, "got": self.got}
        return row if self.error is None else row | {"error": self.error}


def read_cases(file: Path) -> list[Any]:
    """The cases of a file; UnreadableError says what is wrong with it."""
    try:
        if file.stat().st_size > BYTES_MAX:
            raise UnreadableError(f"{file.name}: is larger than {BYTES_MAX} bytes")
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise UnreadableError(f"{file.name}: cannot be read") from None
    except (ValueError, RecursionError):
        raise UnreadableError(f"{file.name}: is not JSON") from None
    if not isinstance(found, list) or len(found) > CASES_MAX:
        raise UnreadableError(f"{file.name}: is not a list of at most {CASES_MAX} cases")
    return found


def judge(case: Any, terms: PolicyTerms, number: int = 0) -> Judged:
    """One case. What cannot be put into documents, or run, is an error of this case alone."""
    if not isinstance(case, Mapping):
        return Judged(f"row {number}", False, None, None, "the case is not an object")
    case_id, expected = str(case.get("id", f"row {number}")), case.get("expected")
    if not isinstance(expected, Mapping) or not expected:
        return Judged(case_id, False, expected, None, "expected: is not an object with at least one result")
    try:
        got = run(translate(case, SHAPES), terms)
    except CaseError as error:
        return Judged(case_id, False, expected, None, str(error))
    # One bad case never stops the others. Only the kind of fault is told: its words may hold what the case says.
    except Exception as error:
        return Judged(case_id, False, expected, None, f"inputs: cannot be run ({type(error).__name__})")
    problems = got.pop("problems", None)
    ok = all(name in got and got[name] == value for name, value in expected.items())
    return Judged(case_id, ok, expected, got, "; ".join(problems) if problems else None)
