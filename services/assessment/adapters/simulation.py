"""Tries a claim against a policy: the full adjudication with its explanation, and nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from explain.figures import LANGUAGES
from explain.texts import working
from schemas.assessment import ReferralReason
from schemas.decision import CoverageResult, DecisionKind, DecisionLine, LedgerUse
from schemas.model import Language, Model
from schemas.money import Money
from services.assessment.adapters.adjudication_document import Case, read_case
from services.assessment.adapters.policy_terms import PolicyTerms
from services.assessment.adapters.yaml_files import RuleFileError, file_bytes, place_of, yaml_content
from services.assessment.domain.adjudicate import adjudicate, in_order
from services.assessment.domain.documents import DocumentError, Fault
from services.assessment.domain.propose import ledger_uses, not_computable


class Simulated(Model):
    """What the terms give: proposed, never decided. `questions` are what only a person may answer.

    A document may name the ledgers of `uses` under `used`."""

    proposed: DecisionKind
    computed: Money
    lines: tuple[DecisionLine, ...]
    coverages: tuple[CoverageResult, ...]
    questions: tuple[ReferralReason, ...]
    problems: tuple[str, ...]
    uses: tuple[LedgerUse, ...]
    explanation: Annotated[dict[Language, str], Field(min_length=2)]


def simulate(case: Case) -> Simulated:
    """The same case gives the same answer, byte for byte."""
    found = adjudicate(case.report, case.policy, case.used)
    # A refusal by the terms already says that the loss lies outside the policy; else it is a person's question.
    outside = () if found.kind is DecisionKind.deny else not_computable(case.report, case.policy)
    valuation = found.kind is DecisionKind.value
    return Simulated(
        proposed=DecisionKind.refer if outside else found.kind,
        computed=found.computed,
        lines=found.lines,
        coverages=found.coverages,
        questions=in_order({*found.questions, *outside}),
        problems=found.problems,
        uses=ledger_uses(found.uses, case.policy.currency),
        explanation={
            language: working(language).explain(found.lines, found.computed, found.computed, valuation=valuation)
            for language in LANGUAGES
        },
    )


def simulate_json(raw: bytes, terms: PolicyTerms) -> dict[str, Any]:
    """The answer to a JSON document, as JSON; DocumentError if it cannot be adjudicated."""
    return as_json(simulate(read_case(parse_json(raw), terms)))


def as_json(answer: Simulated) -> dict[str, Any]:
    """The one JSON form of an answer, of the command and of the API."""
    return answer.model_dump(mode="json", exclude_none=True)


def simulate_file(file: Path, terms: PolicyTerms) -> Simulated:
    """The answer to a document in a file, JSON or else YAML; RuleFileError names file, place and rule."""
    try:
        if file.suffix != ".json":
            return simulate(read_case(yaml_content(file), terms))
        return simulate(read_case(parse_json(file_bytes(file)), terms))
    except DocumentError as wrong:
        first, more = wrong.faults[0], len(wrong.faults) - 1
        rest = f" ({more} more after this)" if more else ""
        raise RuleFileError(file, place_of(first.path), first.rule + rest) from None


def parse_json(raw: bytes) -> Any:
    """The document's content, its numbers as they are written; a DocumentError if it is no JSON."""
    try:
        return json.loads(
            raw.decode("utf-8"),
            parse_float=str,
            parse_int=str,
            parse_constant=_refused_constant,
            object_pairs_hook=_without_repeats,
        )
    except _Repeated as wrong:
        raise DocumentError([Fault((), str(wrong))]) from None
    except json.JSONDecodeError as wrong:
        two = wrong.msg == "Extra data"
        rule = "holds more than one document" if two else "is not well-formed JSON in UTF-8"
        raise DocumentError([Fault((), f"{rule}: line {wrong.lineno}")]) from None
    except (ValueError, RecursionError):
        raise DocumentError([Fault((), "is not well-formed JSON in UTF-8")]) from None


class _Repeated(ValueError):
    pass


def _without_repeats(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise _Repeated("a member of a JSON object stands twice")
    return found


def _refused_constant(name: str) -> Any:
    raise ValueError("no such number in JSON")
