"""Assessment's rules as versioned data: automatic limits, desks, appeal texts, and how long a policy is waited for.

A version holds from `effective_from` up to, but not at, the next one's. Which version was used stands with the
decision. Loading and checking files is `adapters.rule_files`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.decision import Rule
from schemas.money import Money
from services.assessment.domain.policies import PolicyMissing


@dataclass(frozen=True, slots=True)
class LineRules:
    """What holds for one line of business: the most software pays per claim and currency, who looks, how to appeal."""

    line: str
    desk: str
    automatic_limits: tuple[Money, ...]
    appeal: str

    def automatic_limit(self, currency: str) -> Money:
        """Zero where none is given: then nothing is paid without a person."""
        for limit in self.automatic_limits:
            if limit.currency == currency:
                return limit
        return Money.zero(currency)


@dataclass(frozen=True, slots=True)
class RulesVersion:
    version: str
    effective_from: datetime
    lines: tuple[LineRules, ...]
    other_lines: LineRules
    payments_desk: str

    def of_line(self, line: str) -> LineRules:
        return next((rules for rules in self.lines if rules.line == line), self.other_lines)


@dataclass(frozen=True, slots=True)
class PolicyWait:
    """Seconds between tries. Unavailable: the last interval repeats for ever. Else a person is asked after the last."""

    unavailable: tuple[int, ...]
    unknown: tuple[int, ...]
    unreadable: tuple[int, ...]

    def seconds_after(self, missing: PolicyMissing, tries: int) -> int | None:
        """How long until the next try after `tries` tries with this answer, from 1; None: no further try."""
        intervals = {
            PolicyMissing.unavailable: self.unavailable,
            PolicyMissing.unknown: self.unknown,
            PolicyMissing.unreadable: self.unreadable,
        }.get(missing, ())
        if tries <= len(intervals):
            return intervals[tries - 1]
        return intervals[-1] if missing is PolicyMissing.unavailable else None


@dataclass(frozen=True, slots=True)
class AssessmentRules:
    """Every version, oldest first; the first one's beginning is before any claim."""

    rule_id: str
    versions: tuple[RulesVersion, ...]
    policy_wait: PolicyWait

    def at(self, now: datetime) -> RulesVersion:
        """The version that holds at an instant; the oldest one for anything before."""
        return next((one for one in reversed(self.versions) if one.effective_from <= now), self.versions[0])

    def named(self, version: RulesVersion) -> Rule:
        return Rule(id=self.rule_id, version=version.version)
