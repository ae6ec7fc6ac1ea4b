"""What software makes of a claim under its policy: an approval, if the rules let it pay, else a proposal and why not.

Software pays or asks. It never refuses, and it never pays less than the claim's own terms give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from uuid import UUID

from schemas.assessment import (
    CostType,
    Decision,
    DecisionKind,
    DecisionLine,
    LedgerUse,
    ReferralReason,
    ReserveLine,
    Rule,
)
from schemas.ids import DecisionId
from schemas.intake import ReportedLine
from schemas.model import canonical_json
from schemas.money import Money
from schemas.policy import PolicySnapshot, PolicyStatus
from schemas.terms import Coverage
from services.assessment.domain.adjudicate import NOTHING_USED, Used, adjudicate, in_order, unknown_facts
from services.assessment.domain.claim import Report
from services.assessment.domain.position import Use
from services.assessment.domain.rules import RulesVersion

TERMS_RULE = "policy-terms"
DECISION_NAME = "decision"


@dataclass(frozen=True, slots=True)
class Proposal:
    """`decision` is None where nothing could be computed. No reasons: software may approve it."""

    decision: Decision | None
    reasons: tuple[ReferralReason, ...]


def propose(
    report: Report,
    policy: PolicySnapshot,
    snapshot_hash: str,
    rule: Rule,
    rules: RulesVersion,
    cause_id: UUID,
    used: Used = NOTHING_USED,
) -> Proposal:
    """Adjudicates the claim and looks whether software may pay what comes out. `used`: by the policy's other claims."""
    wrong = not_computable(report, policy)
    if wrong:
        return Proposal(None, wrong)
    found = adjudicate(report, policy, used)
    reasons = list(found.questions)
    if unknown_facts(report, policy):
        reasons.append(ReferralReason.fact_unknown)
    if found.kind is DecisionKind.deny:
        reasons.append(ReferralReason.denial_proposed)
    elif found.kind is DecisionKind.partial:
        reasons.append(ReferralReason.reduction_proposed)
    if not found.computed:
        reasons.append(ReferralReason.nothing_payable)
    elif found.computed > rules.of_line(report.line).automatic_limit(found.computed.currency):
        reasons.append(ReferralReason.above_automatic_limit)
    decision = Decision(
        decision_id=DecisionId.of(cause_id, DECISION_NAME),
        kind=DecisionKind.refer if reasons else DecisionKind.pay,
        computed=found.computed,
        payable=found.computed,
        lines=found.lines,
        rules=(rule, *_clauses(found.lines, policy)),
        input_hash=input_hash(report, snapshot_hash, rule),
        proposed=None if found.kind is DecisionKind.pay else found.kind,
        coverages=found.coverages or None,
        uses=ledger_uses(found.uses, policy.currency) or None,
    )
    return Proposal(decision, in_order(reasons))


def not_computable(report: Report, policy: PolicySnapshot) -> tuple[ReferralReason, ...]:
    """Why the claim cannot be held against this policy at all."""
    wrong = []
    if not policy.in_force_at(report.loss_at):
        wrong.append(ReferralReason.loss_outside_policy_period)
    if policy.status is not PolicyStatus.in_force:
        wrong.append(ReferralReason.policy_not_in_force)
    if policy.line != report.line:
        wrong.append(ReferralReason.policy_of_another_line)
    if report.currency != policy.currency or any(
        line.asked is not None and line.asked.currency != policy.currency for line in report.lines
    ):
        wrong.append(ReferralReason.currency_differs)
    return tuple(wrong)


def ledger_uses(uses: Sequence[Use], currency: str) -> tuple[LedgerUse, ...]:
    """What the claim takes from shared ledgers, in whole minor units and once a ledger and period."""
    taken: dict[tuple[str, str, bool], Fraction] = {}
    for use in uses:
        key = (use.aggregate_id, use.period, use.borne)
        taken[key] = taken.get(key, Fraction(0)) + use.amount
    return tuple(
        LedgerUse(aggregate_id=ledger, period=period, amount=Money.of_fraction(amount, currency), borne=borne)
        for (ledger, period, borne), amount in taken.items()
        if amount
    )


def _clauses(lines: Sequence[DecisionLine], policy: PolicySnapshot) -> list[Rule]:
    """The text versions of the terms that were run."""
    codes = dict.fromkeys(line.coverage_code for line in lines if line.steps)
    covered = [coverage for code in codes if (coverage := policy.coverage(code)) is not None]
    return [Rule(id=f"{TERMS_RULE}:{one.code}"[:64], version=one.clause_version) for one in covered]


def input_hash(report: Report, snapshot_hash: str, rule: Rule) -> str:
    """SHA-256 of everything the decision depends on: what is asked, the terms, the version of the rules."""
    facts = {
        "line": report.line,
        "policy_number": report.policy_number,
        "loss_at": report.loss_at.isoformat(),
        "currency": report.currency,
        "lines": [_line_facts(line) for line in report.lines],
        "snapshot": snapshot_hash,
        "rules": [rule.id, rule.version],
    }
    return sha256(canonical_json(facts)).hexdigest()


def _line_facts(line: ReportedLine) -> list[str | None]:
    amounts = (line.asked, line.insured_value, line.replacement_cost)
    return [line.line_id, line.coverage_code, *(None if amount is None else str(amount) for amount in amounts)]


def reserves_of(decision: Decision, policy: PolicySnapshot, report: Report) -> tuple[ReserveLine, ...]:
    """The reserve the approval uses, per coverage: what was computed; an override lowers it in proportion.

    What an override adds goes where there is room under the limits, in proportion to the room.
    """
    computed: dict[str, Money] = {}
    for line in decision.lines:
        if line.payable:
            before = computed.get(line.coverage_code, Money.zero(line.payable.currency))
            computed[line.coverage_code] = before + line.payable
    if decision.payable < decision.computed:
        parts = decision.payable.allocate([amount.amount_minor for amount in computed.values()])
        computed = dict(zip(computed, parts, strict=True))
    elif decision.payable > decision.computed:
        computed = _raised(decision, policy, report, computed)
    return tuple(
        ReserveLine(coverage_code=code, cost_type=CostType.indemnity, amount=amount)
        for code, amount in computed.items()
        if amount
    )


def _raised(decision: Decision, policy: PolicySnapshot, report: Report, computed: dict[str, Money]) -> dict[str, Money]:
    """What an override adds goes where there is room; a coverage without a limit takes it all."""
    zero, covered = Money.zero(policy.currency), claimed(report, policy)
    extra = decision.payable - decision.computed
    for one in covered:
        if most_of(one) is None:
            return computed | {one.code: computed.get(one.code, zero) + extra}
    room = [max(0, ((most_of(one) or zero) - computed.get(one.code, zero)).amount_minor) for one in covered]
    parts = extra.allocate(room)
    return {one.code: computed.get(one.code, zero) + part for one, part in zip(covered, parts, strict=True)}


def claimed(report: Report, policy: PolicySnapshot) -> list[Coverage]:
    """The policy's coverages that are claimed under; all of them where none of what is claimed is on the policy."""
    asked = {line.coverage_code for line in report.lines}
    return [one for one in policy.coverages if one.code in asked] or list(policy.coverages)


def most_of(coverage: Coverage) -> Money | None:
    """The most a coverage can pay for one loss, with what its extensions pay on top; None if it has no limit."""
    if coverage.limit is None:
        return None
    most = coverage.limit
    for one in coverage.extensions or ():
        most = most + coverage.limit if one.expense else most
        most = most if one.additional_limit is None else most + one.additional_limit
    return most


def limits_total(report: Report, policy: PolicySnapshot) -> Money | None:
    """The most the claimed coverages can pay together; None if one of them has no limit."""
    most = [most_of(one) for one in claimed(report, policy)]
    known = [amount for amount in most if amount is not None]
    return Money.total(known, policy.currency) if len(known) == len(most) else None
