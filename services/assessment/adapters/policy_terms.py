"""The order of operations of a coverage, from files: what the core policy system does not send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.model import Code, Instant
from schemas.policy import Operation
from services.assessment.adapters.rule_files import in_order
from services.assessment.adapters.yaml_files import FileModel, RuleFileError, read_yaml
from services.assessment.domain.operations import OPERATIONS
from services.assessment.settings import TERMS_FOLDER

FILES_MAX = 200


class _OperationFile(FileModel):
    op: Code
    clause_id: Code | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.op not in OPERATIONS:
            raise ValueError(f"op is one of {', '.join(sorted(OPERATIONS))}")
        return self


class _CoverageFile(FileModel):
    code: Code
    operations: Annotated[tuple[_OperationFile, ...], Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _caps(self) -> Self:
        if all(operation.op != "limit" for operation in self.operations):
            raise ValueError("the operations of a coverage include its limit")
        return self


class _VersionFile(FileModel):
    version: Code
    effective_from: Instant
    coverages: Annotated[tuple[_CoverageFile, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({coverage.code for coverage in self.coverages}) != len(self.coverages):
            raise ValueError("each coverage stands once in coverages")
        return self


class _TermsFile(FileModel):
    line: Code
    versions: Annotated[tuple[_VersionFile, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        return self


@dataclass(frozen=True, slots=True)
class _Version:
    effective_from: datetime
    operations: Mapping[str, tuple[Operation, ...]]


class PolicyTerms:
    """Operations by line, coverage and the beginning of the policy version."""

    def __init__(self, versions: Mapping[str, tuple[_Version, ...]]) -> None:
        self._versions = versions

    def operations(self, line: str, coverage_code: str, policy_from: datetime) -> tuple[Operation, ...]:
        """Empty where the terms are silent: such a coverage goes to a person."""
        for version in reversed(self._versions.get(line, ())):
            if version.effective_from <= policy_from:
                return version.operations.get(coverage_code, ())
        return ()


def load_terms(folder: Path = TERMS_FOLDER) -> PolicyTerms:
    """Every file of the folder, one line of business each; RuleFileError names file, row and field."""
    files = sorted(folder.glob("*.yaml"))
    if not files or len(files) > FILES_MAX:
        raise RuleFileError(folder, "", f"must hold 1 to {FILES_MAX} files of terms")
    found: dict[str, tuple[_Version, ...]] = {}
    for file in files:
        read = read_yaml(file, _TermsFile)
        if read.line in found:
            raise RuleFileError(file, "line", "another file has the terms of this line")
        found[read.line] = tuple(_version(one) for one in read.versions)
    return PolicyTerms(found)


def _version(read: _VersionFile) -> _Version:
    operations = {
        coverage.code: tuple(Operation(op=one.op, clause_id=one.clause_id) for one in coverage.operations)
        for coverage in read.coverages
    }
    return _Version(read.effective_from, operations)
