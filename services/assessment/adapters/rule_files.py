"""Assessment's rules from their file, checked: versions in order, each line once, limits in one currency each once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.model import Code, Instant, LongText
from schemas.money import NonNegativeMoney
from services.assessment.adapters.yaml_files import FileModel, read_yaml
from services.assessment.domain.rules import AssessmentRules, LineRules, PolicyWait, RulesVersion
from services.assessment.settings import RULES_FILE

_Seconds = Annotated[int, Field(ge=1, le=7 * 24 * 3600)]
_Intervals = Annotated[tuple[_Seconds, ...], Field(min_length=1, max_length=100)]


class _LineFile(FileModel):
    line: Code
    desk: Code
    automatic_limits: Annotated[tuple[NonNegativeMoney, ...], Field(max_length=50)]
    appeal: LongText

    @model_validator(mode="after")
    def _one_limit_a_currency(self) -> Self:
        _once([limit.currency for limit in self.automatic_limits], "each currency stands once in automatic_limits")
        return self


class _VersionFile(FileModel):
    version: Code
    effective_from: Instant
    payments_desk: Code
    lines: Annotated[tuple[_LineFile, ...], Field(max_length=100)]
    other_lines: _LineFile

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        _once([rules.line for rules in self.lines], "each line stands once in lines")
        return self


class _WaitFile(FileModel):
    unavailable: _Intervals
    unknown: _Intervals
    unreadable: _Intervals


class _RulesFile(FileModel):
    id: Code
    versions: Annotated[tuple[_VersionFile, ...], Field(min_length=1, max_length=1000)]
    policy_wait: _WaitFile

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        return self


def load_rules(file: Path = RULES_FILE) -> AssessmentRules:
    """The rules; RuleFileError names file, row and field of what is wrong."""
    read = read_yaml(file, _RulesFile)
    wait = PolicyWait(read.policy_wait.unavailable, read.policy_wait.unknown, read.policy_wait.unreadable)
    return AssessmentRules(read.id, tuple(_version(one) for one in read.versions), wait)


def in_order(names: Sequence[str], starts: Sequence[object]) -> None:
    """Versions stand oldest first, each with its own name and beginning: no overlap, no gap."""
    _once(names, "each version has its own name")
    if list(starts) != sorted(set(starts)):  # type: ignore[type-var]
        raise ValueError("versions stand oldest first, each with its own effective_from")


def _once(names: Sequence[str], rule: str) -> None:
    if len(set(names)) != len(names):
        raise ValueError(rule)


def _version(read: _VersionFile) -> RulesVersion:
    lines = tuple(_line(rules) for rules in read.lines)
    return RulesVersion(read.version, read.effective_from, lines, _line(read.other_lines), read.payments_desk)


def _line(read: _LineFile) -> LineRules:
    return LineRules(read.line, read.desk, read.automatic_limits, read.appeal)
