"""Whether another claim on the same policy probably tells of the same loss: a score, and what speaks for it.

Pure and exact. A match is a reason to look, never a reason to refuse: a person says whether it is a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from schemas.decision import Rule
from schemas.intake import ReportedLine
from schemas.money import Money, exact_text
from services.assessment.domain.around import Neighbour

SAME_POLICY = "same_policy"
LOSS_WITHIN_HOURS = "loss_within_hours"
SAME_PERIL = "same_peril"
SAME_PLACE = "same_place"
SAME_AMOUNT = "same_amount"
UNKNOWN_PERIL = "unknown"


@dataclass(frozen=True, slots=True)
class Nearness:
    """Losses at most so many hours apart count so much; the smallest window that holds is taken."""

    hours: int
    weight: Fraction


@dataclass(frozen=True, slots=True)
class DuplicateRules:
    """What each likeness counts for one line of business; together at most 1. From `threshold` on it is probable."""

    line: str
    threshold: Fraction
    same_policy: Fraction
    loss_within: tuple[Nearness, ...]
    same_peril: Fraction
    same_place: Fraction
    same_amount: Fraction
    amount_within: Fraction


@dataclass(frozen=True, slots=True)
class DuplicateVersion:
    version: str
    effective_from: datetime
    lines: tuple[DuplicateRules, ...]
    other_lines: DuplicateRules

    def of_line(self, line: str) -> DuplicateRules:
        return next((rules for rules in self.lines if rules.line == line), self.other_lines)


@dataclass(frozen=True, slots=True)
class DuplicateBook:
    """Every version, oldest first."""

    rule_id: str
    versions: tuple[DuplicateVersion, ...]

    def at(self, now: datetime) -> DuplicateVersion:
        """The version that holds at an instant; the oldest one for anything before."""
        return next((one for one in reversed(self.versions) if one.effective_from <= now), self.versions[0])

    def named(self, version: DuplicateVersion) -> Rule:
        return Rule(id=self.rule_id, version=version.version)


@dataclass(frozen=True, slots=True)
class Match:
    """The most alike of the other claims. `probable`: the score reaches the threshold of the line."""

    other: Neighbour
    score: Fraction
    reasons: tuple[str, ...]
    probable: bool

    @property
    def score_text(self) -> str:
        """The score as decimal text from 0 to 1, as DuplicateLinked carries it."""
        return exact_text(self.score)


def asked_total(lines: Iterable[ReportedLine], currency: str) -> Money | None:
    """The sum of what is stated in the currency; None if nothing is, or if another currency is among it."""
    stated = [line.asked for line in lines if line.asked is not None]
    if not stated or any(amount.currency != currency for amount in stated):
        return None
    return Money.total(stated, currency)


def best_match(claim: Neighbour, neighbours: Iterable[Neighbour], rules: DuplicateRules) -> Match | None:
    """Of the other claims on the policy the most alike; of equals the one with the earliest loss, then by its id.

    None if nothing but the policy is alike. Claims that are over without payment are not compared: what a closed
    duplicate repeats is itself a neighbour, and whoever took a claim back may report anew.
    """
    others = (one for one in neighbours if one.claim_id != claim.claim_id and one.open_or_paid)
    found = [_match(claim, other, rules) for other in others]
    alike = [one for one in found if set(one.reasons) - {SAME_POLICY}]
    return min(alike, key=_rank) if alike else None


def _rank(match: Match) -> tuple[Fraction, datetime, str]:
    return -match.score, match.other.loss_at, str(match.other.claim_id)


def _match(claim: Neighbour, other: Neighbour, rules: DuplicateRules) -> Match:
    likenesses = [(reason, weight) for reason, weight in _likenesses(claim, other, rules) if weight]
    score = sum((weight for _, weight in likenesses), Fraction(0))
    return Match(other, score, tuple(reason for reason, _ in likenesses), score >= rules.threshold)


def _likenesses(claim: Neighbour, other: Neighbour, rules: DuplicateRules) -> Iterator[tuple[str, Fraction]]:
    """What is not known on either side speaks neither for nor against."""
    yield SAME_POLICY, rules.same_policy
    apart = abs(claim.loss_at - other.loss_at)
    near = next((one for one in rules.loss_within if apart <= timedelta(hours=one.hours)), None)
    if near is not None:
        yield LOSS_WITHIN_HOURS, near.weight
    if claim.peril == other.peril and claim.peril != UNKNOWN_PERIL:
        yield SAME_PERIL, rules.same_peril
    if claim.place is not None and claim.place == other.place:
        yield SAME_PLACE, rules.same_place
    if claim.asked is not None and other.asked is not None and _same_amount(claim.asked, other.asked, rules):
        yield SAME_AMOUNT, rules.same_amount


def _same_amount(one: Money, other: Money, rules: DuplicateRules) -> bool:
    if one.currency != other.currency or not one or not other:
        return False
    larger, smaller = max(one.amount_minor, other.amount_minor), min(one.amount_minor, other.amount_minor)
    return larger - smaller <= rules.amount_within * larger
