"""What is set aside for a claim when it is registered, by rule, coverage by coverage; a decision replaces it.

Pure and exact: a share of what is asked, within the rule's bounds and the most the coverage can pay, rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from schemas.decision import CostType, ReserveLine, Rule
from schemas.money import Money
from schemas.policy import PolicySnapshot
from services.assessment.domain.claim import Report
from services.assessment.domain.limits import most_of


@dataclass(frozen=True, slots=True)
class ReserveRule:
    """For one coverage: `share` of what is asked, at least and at most so much; `unasked` where nothing is stated.

    Amounts stand once a currency. A currency without `least` or `most` is not bounded there; one without `unasked`
    has nothing set aside until an amount is known.
    """

    coverage: str
    share: Fraction
    least: tuple[Money, ...] = ()
    most: tuple[Money, ...] = ()
    unasked: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True)
class LineReserves:
    """One line of business: its coverages, and what holds for those not named."""

    line: str
    coverages: tuple[ReserveRule, ...]
    other_coverages: ReserveRule

    def of_coverage(self, code: str) -> ReserveRule:
        return next((rule for rule in self.coverages if rule.coverage == code), self.other_coverages)


@dataclass(frozen=True, slots=True)
class ReserveVersion:
    version: str
    effective_from: datetime
    lines: tuple[LineReserves, ...]
    other_lines: LineReserves

    def of_line(self, line: str) -> LineReserves:
        return next((rules for rules in self.lines if rules.line == line), self.other_lines)


@dataclass(frozen=True, slots=True)
class ReserveRules:
    """Every version, oldest first."""

    rule_id: str
    versions: tuple[ReserveVersion, ...]

    def at(self, now: datetime) -> ReserveVersion:
        """The version that holds at an instant; the oldest one for anything before."""
        return next((one for one in reversed(self.versions) if one.effective_from <= now), self.versions[0])

    def named(self, version: ReserveVersion) -> Rule:
        return Rule(id=self.rule_id, version=version.version)


def initial_reserves(report: Report, policy: PolicySnapshot, rules: ReserveVersion) -> tuple[ReserveLine, ...]:
    """One line a coverage that is claimed and on the policy, in the order reported, in the policy's currency."""
    of_line = rules.of_line(report.line)
    asked: dict[str, list[Money]] = {}
    for line in report.lines:
        amounts = asked.setdefault(line.coverage_code, [])
        # An amount in another currency says nothing in this one: a person will ask.
        if line.asked is not None and line.asked.currency == policy.currency:
            amounts.append(line.asked)
    found = []
    for code, amounts in asked.items():
        coverage = policy.coverage(code)
        if coverage is None:
            continue
        amount = _by_rule(of_line.of_coverage(code), amounts, policy.currency)
        most = most_of(coverage)
        reserve = amount if most is None else min(amount, most)
        found.append(ReserveLine(coverage_code=code, cost_type=CostType.indemnity, amount=reserve))
    return tuple(found)


def _by_rule(rule: ReserveRule, asked: list[Money], currency: str) -> Money:
    if not asked:
        return _in(rule.unasked, currency) or Money.zero(currency)
    # The bounds are whole minor units, so rounding first and bounding then is the same as the other way round.
    amount = Money.of_fraction(rule.share * Money.total(asked, currency).as_fraction(), currency)
    least, most = _in(rule.least, currency), _in(rule.most, currency)
    amount = amount if least is None else max(amount, least)
    return amount if most is None else min(amount, most)


def _in(amounts: tuple[Money, ...], currency: str) -> Money | None:
    return next((amount for amount in amounts if amount.currency == currency), None)
