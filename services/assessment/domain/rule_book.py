"""Every rule assessment decides by, each with all its versions: who decides what, how claims are sorted, reserves."""

from __future__ import annotations

from dataclasses import dataclass

from services.assessment.domain.reserves import ReserveRules
from services.assessment.domain.rules import AssessmentRules
from services.assessment.domain.triage import TriageTables


@dataclass(frozen=True, slots=True)
class RuleBook:
    decisions: AssessmentRules
    tables: TriageTables
    reserves: ReserveRules
