"""A draft of rules and terms: a folder laid out as services/assessment, with only what changes. The rest is in force.

Every file of the draft has its place: one that nothing reads would be a change that nobody rehearses.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from services.assessment.adapters.policy_terms import PolicyTerms, load_terms
from services.assessment.adapters.refilling import Refiller
from services.assessment.adapters.rule_book_files import load_rule_book
from services.assessment.adapters.table_files import ROLES
from services.assessment.adapters.yaml_files import FILE_BYTES_MAX, RuleFileError, yaml_content
from services.assessment.domain.rehearsal import Draft
from services.assessment.domain.rule_book import RuleBook
from services.assessment.settings import DUPLICATES_FILE, RESERVES_FILE, RULES_FILE, TABLES_FOLDER, TERMS_FOLDER

DRAFT_FILES_MAX = 500
_RULES = ("assessment.yaml", "duplicates.yaml", "reserves.yaml")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files in force are; those shipped, unless the service was given others."""

    rules_file: Path = RULES_FILE
    tables_folder: Path = TABLES_FOLDER
    duplicates_file: Path = DUPLICATES_FILE
    reserves_file: Path = RESERVES_FILE
    terms_folder: Path = TERMS_FOLDER

    def rules(self) -> RuleBook:
        """The rule book of these files."""
        return load_rule_book(self.rules_file, self.tables_folder, self.duplicates_file, self.reserves_file)

    def terms(self) -> PolicyTerms:
        """The forms of these files."""
        return load_terms(self.terms_folder)


def load_draft(folder: Path, in_force: Places | None = None) -> Draft:
    """The draft over what is in force; RuleFileError names file, row and field of what is wrong."""
    in_force = in_force or Places()
    drafted = _files(folder)
    with _overlaid(folder, drafted, in_force) as places:
        rules, terms = places.rules(), places.terms()
    known = in_force.terms()
    # A form that only the draft has may be named by a policy all the same, in another place than this one.
    return Draft(rules=rules, in_force=in_force.rules(), refill=Refiller(terms, terms, known))


def _files(folder: Path) -> list[Path]:
    """What the draft has, as paths below its folder."""
    if not folder.is_dir():
        raise RuleFileError(folder, "", "is no folder")
    found = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file() and _is_rules(file))
    if not found or len(found) > DRAFT_FILES_MAX:
        raise RuleFileError(
            folder, "", f"must hold 1 to {DRAFT_FILES_MAX} files of terms/, rules/ or rules/tables/, as assessment has"
        )
    for file in found:
        if not _has_a_place(file):
            raise RuleFileError(file, "", "is read by nothing: see how services/assessment lays out terms and rules")
        if (folder / file).stat().st_size > FILE_BYTES_MAX:
            raise RuleFileError(file, "", f"is larger than {FILE_BYTES_MAX} bytes")
    return found


def _is_rules(file: Path) -> bool:
    return file.suffix in (".yaml", ".yml", ".csv")


def _has_a_place(file: Path) -> bool:
    where = file.parent.as_posix()
    if where == "terms":
        return file.suffix == ".yaml"
    if where == "rules":
        return file.name in _RULES
    tables = {f"{role.table_id}.yaml" for role in ROLES}
    return where == "rules/tables" and (file.suffix == ".csv" or file.name in tables)


@contextmanager
def _overlaid(folder: Path, drafted: list[Path], in_force: Places) -> Iterator[Places]:
    """Tables and terms are read a folder at once, so both are laid together in a place that is gone afterwards."""
    with TemporaryDirectory(prefix="claimflow-draft-") as made:
        tables, terms = Path(made) / "tables", Path(made) / "terms"
        for target, source in ((tables, in_force.tables_folder), (terms, in_force.terms_folder)):
            target.mkdir()
            for file in sorted(source.glob("*")):
                if _is_rules(file) and file.is_file():
                    shutil.copyfile(file, target / file.name)
        for one in drafted:
            target = {"terms": terms, "rules/tables": tables}.get(one.parent.as_posix(), Path())
            if target != Path():
                shutil.copyfile(folder / one, target / one.name)
        _demand_named_rows(tables, [one for one in drafted if one.suffix == ".csv"])
        yield Places(
            rules_file=_either(folder / "rules" / "assessment.yaml", in_force.rules_file),
            tables_folder=tables,
            duplicates_file=_either(folder / "rules" / "duplicates.yaml", in_force.duplicates_file),
            reserves_file=_either(folder / "rules" / "reserves.yaml", in_force.reserves_file),
            terms_folder=terms,
        )


def _either(drafted: Path, in_force: Path) -> Path:
    return drafted if drafted.is_file() else in_force


def _demand_named_rows(tables: Path, rows: list[Path]) -> None:
    """A file of rows that no version of a table names would never be read."""
    named = set()
    for role in ROLES:
        content = yaml_content(tables / f"{role.table_id}.yaml")
        versions = content.get("versions") if isinstance(content, dict) else None
        for one in versions if isinstance(versions, list) else ():
            named.add(str(one.get("rows")) if isinstance(one, dict) else "")
    for file in rows:
        if file.name not in named:
            raise RuleFileError(file, "", "no version of a table names this file in its rows")
