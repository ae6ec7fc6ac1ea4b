"""The forms: what the contract's text says about each coverage, from reviewed files; the policy adds its amounts.

A file holds the versions of one form, oldest first, without gaps. What is wrong is named by file, row and field, and
nothing starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.model import Code, Instant, Model, ShortText, canonical_json
from schemas.terms import Coverage, Deductible, Depreciation
from services.assessment.adapters.rule_files import in_order
from services.assessment.adapters.yaml_files import FileModel, RuleFileError, read_yaml
from services.assessment.domain.vocabulary import flaws
from services.assessment.settings import TERMS_FOLDER

FILES_MAX = 200
HASH_CHARACTERS = 12
NAMED_PARTS = frozenset({"deductibles", "extensions"})
"""What a policy says part by part, each under the name the form gives it."""

_FIGURES: Mapping[type[Model], frozenset[str]] = {
    Deductible: frozenset({"kind", "amount", "rate", "rate_of", "of", "min", "max"}),
    Depreciation: frozenset({"method", "of", "age", "life"}),
}
"""What says how much a part takes: one figure of several fields, which a policy replaces as a whole."""


class _VersionFile(FileModel):
    version: Code
    effective_from: Instant
    effective_to: Instant | None = None
    coverages: Annotated[tuple[Coverage, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="before")
    @classmethod
    def _of_this_version(cls, content: Any) -> Any:
        """A coverage has the version of its text from the version it stands in, unless it says otherwise."""
        if not isinstance(content, dict) or not isinstance(content.get("coverages"), list):
            return content
        version = content.get("version")
        coverages = [
            {"clause_version": version, **one} if isinstance(one, dict) else one for one in content["coverages"]
        ]
        return content | {"coverages": coverages}

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if len({coverage.code for coverage in self.coverages}) != len(self.coverages):
            raise ValueError("each coverage stands once in coverages")
        for row, coverage in enumerate(self.coverages, start=1):
            flaw = next(flaws(coverage, whole=False), None)
            if flaw is not None:
                raise ValueError(f"coverages row {row}, {flaw.place}: {flaw.rule}")
        return self


class _FormFile(FileModel):
    form: Code
    line: Code
    title: ShortText
    versions: Annotated[tuple[_VersionFile, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        in_order([one.version for one in self.versions], [one.effective_from for one in self.versions])
        for one, following in zip(self.versions, self.versions[1:], strict=False):
            if one.effective_to is not None and one.effective_to != following.effective_from:
                raise ValueError("a version ends where the next one begins: no gap, no overlap")
        return self


@dataclass(frozen=True, slots=True)
class FormVersion:
    """One version of a form: `named` is what a coverage carries so that anybody finds the very text it ran by."""

    form: str
    line: str
    version: str
    effective_from: datetime
    effective_to: datetime | None
    coverages: Mapping[str, Coverage]
    named: str


class PolicyTerms:
    """Coverages by form (or by line of business, where a line has one form) and the time the policy began."""

    def __init__(self, versions: Mapping[str, tuple[FormVersion, ...]]) -> None:
        self._versions = versions
        self._lines: dict[str, str] = {}
        for form, held in versions.items():
            # A line with several forms has no form of its own: the policy has to name the one it means.
            line = held[0].line
            self._lines[line] = "" if line in self._lines else form

    @property
    def forms(self) -> Mapping[str, tuple[FormVersion, ...]]:
        """Every form with its versions, oldest first."""
        return self._versions

    def form_of(self, line: str) -> str | None:
        """The form of a line of business that has only one."""
        return self._lines.get(line) or None

    def coverage(self, form: str, code: str, policy_from: datetime, version: str | None = None) -> Coverage | None:
        """The form's coverage as the policy that began then has it, or in the version named; None if there is none."""
        for held in reversed(self._versions.get(form, ())):
            if held.version == version if version is not None else _holds(held, policy_from):
                return held.coverages.get(code)
        return None


def load_terms(folder: Path = TERMS_FOLDER) -> PolicyTerms:
    """Every file of the folder, one form each; RuleFileError names file, row and field."""
    files = sorted(folder.glob("*.yaml"))
    if not files or len(files) > FILES_MAX:
        raise RuleFileError(folder, "", f"must hold 1 to {FILES_MAX} files of terms")
    found: dict[str, tuple[FormVersion, ...]] = {}
    for file in files:
        read = read_yaml(file, _FormFile)
        if read.form in found:
            raise RuleFileError(file, "form", "another file has the terms of this form")
        found[read.form] = tuple(_version(read, one) for one in read.versions)
    return PolicyTerms(found)


def filled(form: Coverage, own: Coverage) -> Coverage:
    """The form's coverage with everything the policy itself says about it put in its place.

    A rule of several figures (coinsurance, waiting) is filled figure by figure. Of deductibles and extensions, the form
    gives to those of its own names what the policy leaves open (conditions, clause, caps), in the form's order.
    """
    update: dict[str, Any] = {}
    for name in own.model_fields_set - {"form"}:
        theirs, ours = getattr(form, name), getattr(own, name)
        if name in NAMED_PARTS and theirs and ours:
            update[name] = _named_parts(theirs, ours)
        elif isinstance(theirs, Model) and isinstance(ours, Model):
            update[name] = _over(theirs, ours)
        else:
            update[name] = ours
    return form.model_copy(update=update)


def _named_parts(theirs: Sequence[Any], ours: Sequence[Any]) -> tuple[Any, ...]:
    slots = {one.name: (place, one) for place, one in enumerate(theirs)}
    placed = [(slots[one.name][0], _over(slots[one.name][1], one)) for one in ours if one.name in slots]
    free = [(len(slots), one) for one in ours if one.name not in slots]
    return tuple(one for _, one in sorted([*placed, *free], key=lambda pair: pair[0]))


def _over(theirs: Model, ours: Model) -> Model:
    """What the policy says over what the form says; a figure of the policy's own replaces the form's whole figure."""
    said = {name: getattr(ours, name) for name in ours.model_fields_set if getattr(ours, name) is not None}
    figures = figures_of(theirs) if figures_of(theirs) & said.keys() else frozenset()
    kept = {name: value for name, value in dict(theirs).items() if name not in figures and name not in said}
    return type(theirs)(**{name: value for name, value in kept.items() if value is not None}, **said)


def figures_of(part: Model) -> frozenset[str]:
    """The fields of a part that are one figure together, if any: all of them are the policy's, or the form's."""
    return _FIGURES.get(type(part), frozenset())


def _holds(held: FormVersion, at: datetime) -> bool:
    return held.effective_from <= at and (held.effective_to is None or at < held.effective_to)


def _version(file: _FormFile, read: _VersionFile) -> FormVersion:
    content = [one.model_dump(mode="json", exclude_none=True) for one in read.coverages]
    digest = sha256(canonical_json({"coverages": content})).hexdigest()[:HASH_CHARACTERS]
    named = f"{file.form}:{read.version}:{digest}"
    return FormVersion(
        form=file.form,
        line=file.line,
        version=read.version,
        effective_from=read.effective_from,
        effective_to=read.effective_to,
        coverages={one.code: one.model_copy(update={"form": named}) for one in read.coverages},
        named=named,
    )
