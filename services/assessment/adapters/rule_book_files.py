"""The whole rule book from its files; what is wrong is named by file, row and field before anything starts."""

from __future__ import annotations

from pathlib import Path

from services.assessment.adapters.rule_files import load_rules
from services.assessment.adapters.sorting_files import load_reserves
from services.assessment.adapters.table_files import load_tables
from services.assessment.domain.rule_book import RuleBook
from services.assessment.settings import DUPLICATES_FILE, RESERVES_FILE, RULES_FILE, TABLES_FOLDER


def load_rule_book(
    rules_file: Path = RULES_FILE,
    tables_folder: Path = TABLES_FOLDER,
    duplicates_file: Path = DUPLICATES_FILE,
    reserves_file: Path = RESERVES_FILE,
) -> RuleBook:
    """The rules that are shipped, unless others are named; RuleFileError otherwise."""
    return RuleBook(
        decisions=load_rules(rules_file),
        tables=load_tables(tables_folder, duplicates_file),
        reserves=load_reserves(reserves_file),
    )
