"""Sorts a claim by decision tables: how complex, how urgent, what is unusual, and whether software may decide it.

Pure: facts about the claim go through four tables, one after the other. What the tables say is told with the rows and
versions it rests on. They can only ask for a person, never refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from zoneinfo import ZoneInfo

from schemas.assessment import FraudFlag, ReferralReason
from schemas.conditions import FactValue
from schemas.decision import DecisionKind, Rule
from schemas.model import canonical_json_of
from schemas.money import Money, exact_text
from schemas.policy import PolicySnapshot
from services.assessment.domain.adjudicate import Adjudication, in_order
from services.assessment.domain.around import Around, Neighbour
from services.assessment.domain.claim import Report
from services.assessment.domain.decision_cells import Fact, Kind
from services.assessment.domain.decision_table import DecisionTable, Hit, evaluate
from services.assessment.domain.duplicates import (
    UNKNOWN_PERIL,
    DuplicateBook,
    Match,
    asked_total,
    best_match,
)
from services.assessment.domain.limits import most_of
from services.assessment.domain.rules import AssessmentRules
from services.assessment.domain.vocabulary import EXEMPTING

STATED = "stated."
"""A fact with this prefix is one that the claim itself states, under the name that follows."""

LINE_DESK = "line"
"""As a desk: the one the assessment rules name for the line of business."""

SEGMENT_TABLE, LANE_TABLE, FLAG_TABLE, DECIDE_TABLE = "triage-segment", "triage-lane", "fraud-flags", "straight-through"

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FactSpec:
    """A fact tables may ask for. With `values` no other can occur; `never_unknown`: it is always known."""

    kind: Kind
    about: str
    never_unknown: bool = False
    values: tuple[str, ...] = ()


FACTS: Mapping[str, FactSpec] = {
    "line": FactSpec(Kind.code, "line of business, as reported", never_unknown=True),
    "jurisdiction": FactSpec(Kind.code, "where the policy belongs, e.g. US-NY", never_unknown=True),
    "country": FactSpec(Kind.code, "country of the policy, e.g. CN", never_unknown=True),
    "undisclosed_cut": FactSpec(
        Kind.flag, "a clause took something off without proof that it was pointed out at sale", never_unknown=True
    ),
    "peril": FactSpec(Kind.code, "cause of the loss, as reported"),
    "cause_code": FactSpec(Kind.code, "the source's own code of the cause"),
    "asked": FactSpec(Kind.money, "sum of what is asked; unknown if nothing is stated"),
    "asked_lines": FactSpec(Kind.count, "how many lines are asked", never_unknown=True),
    "unasked_lines": FactSpec(Kind.count, "how many lines state no amount", never_unknown=True),
    "coverages": FactSpec(Kind.count, "how many coverages are asked under", never_unknown=True),
    "claimed_over_limit": FactSpec(Kind.flag, "under some coverage more is asked than it can pay", never_unknown=True),
    "days_to_report": FactSpec(Kind.whole, "days from the loss to its report, in the zone of the loss"),
    "loss_days_after_inception": FactSpec(Kind.whole, "days from the contract's beginning, if known, to the loss"),
    "loss_days_after_version": FactSpec(
        Kind.whole, "days from the beginning of the policy version to the loss", never_unknown=True
    ),
    "claims_on_policy": FactSpec(Kind.count, "claims on the policy, this one included", never_unknown=True),
    "duplicate_score": FactSpec(Kind.number, "likeness to the most alike other claim, 0 to 1", never_unknown=True),
    "duplicate_probable": FactSpec(Kind.flag, "the likeness reaches the line's threshold", never_unknown=True),
    "computed": FactSpec(Kind.money, "what the terms come to; unknown if nothing could be computed"),
    "proposed": FactSpec(
        Kind.code,
        "what the terms propose; refer: there are questions",
        True,
        tuple(kind.value for kind in DecisionKind),
    ),
    "within_automatic_limit": FactSpec(
        Kind.flag, "computed is at most what software may pay in that currency", never_unknown=True
    ),
    "segment": FactSpec(Kind.code, "what triage-segment said", never_unknown=True),
    "lane": FactSpec(Kind.code, "what triage-lane said", never_unknown=True),
    "flags": FactSpec(Kind.count, "how many fraud flags were raised", never_unknown=True),
    "flags_weight": FactSpec(Kind.count, "sum of the weights of the fraud flags", never_unknown=True),
    "flags_refer": FactSpec(Kind.flag, "some fraud flag says that a person must look", never_unknown=True),
}
SORTED_FACTS = frozenset({"segment", "lane", "flags", "flags_weight", "flags_refer"})
"""Facts only `straight-through` has: they come out of the other tables."""


@dataclass(frozen=True, slots=True)
class TriageTables:
    """The tables and the duplicate rules, each with all its versions.

    `stated` are the facts the tables ask of the claim itself: no misspelling, although no coverage asks for them.
    """

    segment: DecisionTable
    lane: DecisionTable
    flags: DecisionTable
    decide: DecisionTable
    duplicates: DuplicateBook
    stated: Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Where a claim belongs; No `refer_reasons`: software may decide. `taken` are the rows, in the order of `rules`."""

    segment: str
    lane: str
    flags: tuple[FraudFlag, ...]
    refer_reasons: tuple[ReferralReason, ...]
    desk: str
    rules: tuple[Rule, ...]
    taken: tuple[str, ...]
    match: Match | None
    input_hash: str


def triage_facts(
    report: Report,
    policy: PolicySnapshot,
    adjudication: Adjudication | None,
    around: Around,
    match: Match | None,
    automatic_limit: Money,
    stated: Mapping[str, Kind],
) -> dict[str, Fact]:
    """Everything a table may ask, but what other tables say. No adjudication: the claim cannot be held against it."""
    zone = ZoneInfo(report.loss_zone)
    lost = report.loss_at.astimezone(zone).date()

    def days_since(moment: datetime | None) -> Fraction | None:
        return None if moment is None else Fraction((lost - moment.astimezone(zone).date()).days)

    unasked = sum(line.asked is None for line in report.lines)
    computed = None if adjudication is None or not adjudication.coverages else adjudication.computed
    before_report = days_since(report.reported_at)
    given = report.facts or {}
    facts: dict[str, Fact] = {STATED + name: _stated(given.get(name), kind) for name, kind in stated.items()}
    return facts | {
        "line": report.line,
        "jurisdiction": policy.jurisdiction,
        "country": policy.jurisdiction[:2],
        "undisclosed_cut": adjudication is not None and _undisclosed(adjudication, policy),
        "peril": None if report.peril == UNKNOWN_PERIL else report.peril,
        "cause_code": report.cause_code,
        "asked": asked_total(report.lines, report.currency),
        "asked_lines": Fraction(len(report.lines) - unasked),
        "unasked_lines": Fraction(unasked),
        "coverages": Fraction(len({line.coverage_code for line in report.lines})),
        "claimed_over_limit": _over_limit(report, policy),
        "days_to_report": None if before_report is None else -before_report,
        "loss_days_after_inception": days_since(policy.inception),
        "loss_days_after_version": days_since(policy.effective_from),
        "claims_on_policy": Fraction(around.claims_on_policy + 1),
        "duplicate_score": match.score if match is not None else Fraction(0),
        "duplicate_probable": match is not None and match.probable,
        "computed": computed,
        "proposed": (adjudication.kind if adjudication is not None else DecisionKind.refer).value,
        "within_automatic_limit": (
            computed is not None
            and computed.currency == automatic_limit.currency
            and computed.amount_minor <= automatic_limit.amount_minor
        ),
    }


def sort(
    report: Report,
    policy: PolicySnapshot,
    adjudication: Adjudication | None,
    claim: Neighbour,
    around: Around,
    tables: TriageTables,
    rules: AssessmentRules,
    now: datetime,
) -> Sorted:
    """Flags first, then segment and lane, then whether software may decide; by the versions that hold now."""
    likeness = tables.duplicates.at(now)
    match = best_match(claim, around.near, likeness.of_line(report.line))
    of_line = rules.at(now).of_line(report.line)
    limit = of_line.automatic_limit(policy.currency)
    facts = triage_facts(report, policy, adjudication, around, match, limit, tables.stated)
    [segment], [lane] = _taken(tables.segment, facts, now), _taken(tables.lane, facts, now)
    flags = _taken(tables.flags, facts, now)
    [way] = _taken(tables.decide, facts | _sorted_facts(segment, lane, flags), now)
    desk = str(way.outputs["desk"])
    used = (tables.segment, tables.lane, tables.flags, tables.decide)
    return Sorted(
        segment=str(segment.outputs["segment"]),
        lane=str(lane.outputs["lane"]),
        flags=tuple(FraudFlag(code=hit.reason or hit.row_id, row=hit.row_id) for hit in flags),
        refer_reasons=(ReferralReason(way.reason),) if way.outputs["refer"] and way.reason else (),
        desk=of_line.desk if desk == LINE_DESK else desk,
        rules=(*(table.named(table.at(now)) for table in used), tables.duplicates.named(likeness)),
        taken=tuple(hit.row_id for hit in (segment, lane, *flags, way)),
        match=match,
        input_hash=facts_hash(facts),
    )


def _taken(table: DecisionTable, facts: Mapping[str, Fact], now: datetime) -> tuple[Hit, ...]:
    return evaluate(table.at(now), facts)


def with_sorting(reasons: Iterable[ReferralReason], found: Sorted) -> tuple[ReferralReason, ...]:
    """What the decision itself asks a person, and what the tables ask. That rules sent it adds nothing to a reason."""
    both = {*reasons, *found.refer_reasons}
    if len(both) > 1:
        both.discard(ReferralReason.sorted_to_a_person)
    return in_order(both)


def facts_hash(facts: Mapping[str, Fact]) -> str:
    """SHA-256 over the canonical form of the facts: equal facts, equal hash."""
    return sha256(canonical_json_of(facts, _canonical)).hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, Fraction):
        return exact_text(value)
    if isinstance(value, Money):
        return str(value)
    raise TypeError("a fact is text, a flag, a number or money")


def _sorted_facts(segment: Hit, lane: Hit, raised: tuple[Hit, ...]) -> dict[str, Fact]:
    weights = (weight for hit in raised if isinstance(weight := hit.outputs["weight"], Fraction))
    return {
        "segment": segment.outputs["segment"],
        "lane": lane.outputs["lane"],
        "flags": Fraction(len(raised)),
        "flags_weight": sum(weights, Fraction(0)),
        "flags_refer": any(hit.outputs["refers"] is True for hit in raised),
    }


def _stated(value: FactValue | None, kind: Kind) -> Fact:
    """What the claim states as the kind the tables ask for; what does not fit is not known."""
    if kind is Kind.flag:
        return value if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if kind is Kind.code:
        return value if _CODE.fullmatch(value) else None
    return Fraction(value) if _DECIMAL.fullmatch(value) else None


def _undisclosed(adjudication: Adjudication, policy: PolicySnapshot) -> bool:
    shown = {one.clause_id for one in policy.disclosure_evidence or ()}
    return any(
        step.op in EXEMPTING and step.amount_in != step.amount_out and step.clause_id not in shown
        for line in adjudication.lines
        for step in line.steps
    )


def _over_limit(report: Report, policy: PolicySnapshot) -> bool:
    for code in {line.coverage_code for line in report.lines}:
        coverage = policy.coverage(code)
        most = None if coverage is None else most_of(coverage)
        asked = asked_total((line for line in report.lines if line.coverage_code == code), policy.currency)
        if most is not None and asked is not None and asked > most:
            return True
    return False
