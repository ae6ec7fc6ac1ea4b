"""Settings of assessment: CLAIMFLOW_ASSESSMENT_* beside the shared ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hosting.settings import ProcessSettings

RULES_FILE = Path(__file__).parent / "rules" / "assessment.yaml"
TERMS_FOLDER = Path(__file__).parent / "terms"
TABLES_FOLDER = Path(__file__).parent / "rules" / "tables"
DUPLICATES_FILE = Path(__file__).parent / "rules" / "duplicates.yaml"
RESERVES_FILE = Path(__file__).parent / "rules" / "reserves.yaml"


class AssessmentSettings(ProcessSettings):
    """`lookup_seconds`: the deadline of one look-up for a whole batch. Rules and terms: files, those shipped if unset.

    The breaker opens after `lookup_failures_max` look-ups without an answer, for at most `lookup_pause_seconds_max`.
    """

    policy_url: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$")
    lookup_seconds: float = Field(2.0, gt=0, le=30)
    lookup_failures_max: int = Field(3, ge=1, le=100)
    lookup_pause_seconds_max: float = Field(30.0, ge=1, le=3600)
    rules_file: Path = RULES_FILE
    tables_folder: Path = TABLES_FOLDER
    duplicates_file: Path = DUPLICATES_FILE
    reserves_file: Path = RESERVES_FILE
    terms_folder: Path = TERMS_FOLDER
