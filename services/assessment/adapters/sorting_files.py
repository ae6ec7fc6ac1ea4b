"""Duplicate and reserve rules from their files, checked: versions in order, each line and coverage once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.conditions import Rate
from schemas.model import Code, Instant
from schemas.money import NonNegativeMoney
from services.assessment.adapters.rule_files import in_order
from services.assessment.adapters.yaml_files import FileModel, read_yaml
from services.assessment.domain.duplicates import DuplicateBook, DuplicateRules, DuplicateVersion, Nearness
from services.assessment.domain.reserves import LineReserves, ReserveRule, ReserveRules, ReserveVersion
from services.assessment.settings import DUPLICATES_FILE, RESERVES_FILE

_Amounts = Annotated[tuple[NonNegativeMoney, ...], Field(max_length=50)]


class _NearnessFile(FileModel):
    hours: Annotated[int, Field(ge=1, le=24 * 366)]
    weight: Rate


class _LikenessFile(FileModel):
    line: Code
    threshold: Rate
    same_policy: Rate
    loss_within: Annotated[tuple[_NearnessFile, ...], Field(min_length=1, max_length=10)]
    same_peril: Rate
    same_place: Rate
    same_amount: Rate
    amount_within: Rate

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        hours = [one.hours for one in self.loss_within]
        weights = [Fraction(one.weight) for one in self.loss_within]
        if hours != sorted(set(hours)) or weights != sorted(weights, reverse=True):
            raise ValueError("loss_within stands with the smallest window first, and a larger one never counts more")
        others = (self.same_policy, self.same_peril, self.same_place, self.same_amount)
        if sum(map(Fraction, others), weights[0]) > 1:
            raise ValueError("the weights are together at most 1")
        # Else every other claim on a policy would be a probable duplicate.
        if Fraction(self.threshold) <= Fraction(self.same_policy):
            raise ValueError("threshold must be more than same_policy")
        return self


class _DuplicateVersionFile(FileModel):
    version: Code
    effective_from: Instant
    lines: Annotated[tuple[_LikenessFile, ...], Field(max_length=100)]
    other_lines: _LikenessFile

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        _once([rules.line for rules in self.lines], "each line stands once in lines")
        return self


class _DuplicateFile(FileModel):
    id: Code
    versions: Annotated[tuple[_DuplicateVersionFile, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        return self


class _CoverageFile(FileModel):
    coverage: Code
    share: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,9})?$", max_length=13)]
    least: _Amounts = ()
    most: _Amounts = ()
    unasked: _Amounts = ()

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        for name in ("least", "most", "unasked"):
            _once([amount.currency for amount in getattr(self, name)], f"each currency stands once in {name}")
        most = {amount.currency: amount for amount in self.most}
        if any(amount.currency in most and amount > most[amount.currency] for amount in self.least):
            raise ValueError("least must not be more than most")
        return self


class _LineReservesFile(FileModel):
    line: Code
    coverages: Annotated[tuple[_CoverageFile, ...], Field(max_length=100)]
    other_coverages: _CoverageFile

    @model_validator(mode="after")
    def _each_coverage_once(self) -> Self:
        _once([rule.coverage for rule in self.coverages], "each coverage stands once in coverages")
        return self


class _ReserveVersionFile(FileModel):
    version: Code
    effective_from: Instant
    lines: Annotated[tuple[_LineReservesFile, ...], Field(max_length=100)]
    other_lines: _LineReservesFile

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        _once([rules.line for rules in self.lines], "each line stands once in lines")
        return self


class _ReserveFile(FileModel):
    id: Code
    versions: Annotated[tuple[_ReserveVersionFile, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        return self


def load_duplicates(file: Path = DUPLICATES_FILE) -> DuplicateBook:
    """When two claims are probably one; RuleFileError names file, row and field of what is wrong."""
    read = read_yaml(file, _DuplicateFile)
    versions = (
        DuplicateVersion(one.version, one.effective_from, tuple(map(_likeness, one.lines)), _likeness(one.other_lines))
        for one in read.versions
    )
    return DuplicateBook(read.id, tuple(versions))


def load_reserves(file: Path = RESERVES_FILE) -> ReserveRules:
    """What is set aside at registration; RuleFileError names file, row and field of what is wrong."""
    read = read_yaml(file, _ReserveFile)
    versions = (
        ReserveVersion(one.version, one.effective_from, tuple(map(_reserves, one.lines)), _reserves(one.other_lines))
        for one in read.versions
    )
    return ReserveRules(read.id, tuple(versions))


def _likeness(read: _LikenessFile) -> DuplicateRules:
    return DuplicateRules(
        line=read.line,
        threshold=Fraction(read.threshold),
        same_policy=Fraction(read.same_policy),
        loss_within=tuple(Nearness(one.hours, Fraction(one.weight)) for one in read.loss_within),
        same_peril=Fraction(read.same_peril),
        same_place=Fraction(read.same_place),
        same_amount=Fraction(read.same_amount),
        amount_within=Fraction(read.amount_within),
    )


def _reserves(read: _LineReservesFile) -> LineReserves:
    return LineReserves(read.line, tuple(map(_rule, read.coverages)), _rule(read.other_coverages))


def _rule(read: _CoverageFile) -> ReserveRule:
    return ReserveRule(read.coverage, Fraction(read.share), read.least, read.most, read.unasked)


def _once(names: Sequence[str], rule: str) -> None:
    if len(set(names)) != len(names):
        raise ValueError(rule)
