"""What software makes of a claim under its policy: an approval, if the rules let it pay, else a proposal and why not.

Software pays or asks. It never refuses, and it never pays less than the claim's own terms give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any
from uuid import UUID

from schemas.assessment import ReferralReason
from schemas.decision import CostType, Decision, DecisionKind, DecisionLine, LedgerUse, ReserveLine, Rule
from schemas.ids import DecisionId
from schemas.intake import ReportedLine
from schemas.model import canonical_json
from schemas.money import Money, exact_text
from schemas.policy import PolicySnapshot, PolicyStatus
from services.assessment.domain.adjudicate import NOTHING_USED, Adjudication, Used, adjudicate, unknown_facts
from services.assessment.domain.claim import ClaimState, Report, neighbour_of
from services.assessment.domain.limits import computed_by_coverage, rooms_left
from services.assessment.domain.position import Use
from services.assessment.domain.rule_book import RuleBook
from services.assessment.domain.rules import RulesVersion
from services.assessment.domain.triage import DECIDE_TABLE, Sorted, sort, with_sorting

TERMS_RULE = "policy-terms"
DECISION_NAME = "decision"
ADVANCE_NAME = "advance"


@dataclass(frozen=True, slots=True)
class Proposal:
    """`decision` is None where nothing could be computed. No reasons: software may approve it.

    `advance` is the part nobody disputes where the rest is a question: it may be paid at once.
    """

    decision: Decision | None
    reasons: tuple[ReferralReason, ...]
    sorted: Sorted
    advance: Decision | None = None

    @property
    def desk(self) -> str:
        return self.sorted.desk


OPEN_QUESTIONS = frozenset(
    {
        ReferralReason.no_amount_stated,
        ReferralReason.coverage_not_on_policy,
        ReferralReason.operation_unknown,
        ReferralReason.fact_missing,
        ReferralReason.fact_unreadable,
    }
)
"""Questions about some lines that leave the others as they are."""


def propose(
    state: ClaimState, policy: PolicySnapshot, snapshot_hash: str, rules: RuleBook, cause_id: UUID, now: datetime
) -> Proposal:
    """Adjudicates the claim, with what stands around it, and looks whether software may pay what comes out."""
    report, claim = state.report, neighbour_of(state)
    if report is None or claim is None:
        raise ValueError("a claim is reported before anything is proposed")
    wrong = not_computable(report, policy)
    found = None if wrong else adjudicate(report, policy, state.around.used)
    sorting = sort(report, policy, found, claim, state.around, rules.tables, rules.decisions, now)
    if found is None:
        return Proposal(None, with_sorting(wrong, sorting), sorting)
    version = rules.decisions.at(now)
    asks = _asks(report, policy, found, rules, version)
    reasons = with_sorting(asks, sorting)
    decision = Decision(
        decision_id=DecisionId.of(cause_id, DECISION_NAME),
        kind=DecisionKind.refer if reasons else DecisionKind.pay,
        computed=found.computed,
        payable=found.computed,
        lines=found.lines,
        rules=(rules.decisions.named(version), *_let_through(sorting), *_clauses(found.lines, policy)),
        input_hash=input_hash(report, snapshot_hash, rules.decisions.named(version), state.around.used),
        proposed=None if found.kind is DecisionKind.pay else found.kind,
        coverages=found.coverages or None,
        uses=ledger_uses(found.uses, policy.currency) or None,
        advanced=state.advanced,
    )
    return Proposal(decision, reasons, sorting, _undisputed(decision, found, asks, sorting, cause_id))


def _let_through(sorting: Sorted) -> Iterator[Rule]:
    """The table by which software decided or asked; the others stand in ClaimSegmented."""
    return (rule for rule in sorting.rules if rule.id == DECIDE_TABLE)


def _asks(
    report: Report, policy: PolicySnapshot, found: Adjudication, rules: RuleBook, version: RulesVersion
) -> list[ReferralReason]:
    """What the decision itself leaves to a person."""
    reasons = list(found.questions)
    if set(unknown_facts(report, policy)) - set(rules.tables.stated):
        reasons.append(ReferralReason.fact_unknown)
    if found.kind is DecisionKind.deny:
        reasons.append(ReferralReason.denial_proposed)
    elif found.kind is DecisionKind.partial:
        reasons.append(ReferralReason.reduction_proposed)
    if not found.computed:
        reasons.append(ReferralReason.nothing_payable)
    elif found.computed > version.of_line(report.line).automatic_limit(found.computed.currency):
        reasons.append(ReferralReason.above_automatic_limit)
    return reasons


def _undisputed(
    decision: Decision, found: Adjudication, asks: Sequence[ReferralReason], sorting: Sorted, cause_id: UUID
) -> Decision | None:
    """The computed lines as a decision of their own, if nothing is asked but questions about other lines."""
    only_open = bool(asks) and OPEN_QUESTIONS.issuperset(asks)
    unsuspected = set(sorting.refer_reasons) <= {ReferralReason.sorted_to_a_person}
    if not only_open or not unsuspected or found.answered is not DecisionKind.pay or decision.advanced is not None:
        return None
    changes = {"decision_id": DecisionId.of(cause_id, ADVANCE_NAME), "kind": DecisionKind.pay, "proposed": None}
    return decision.model_copy(update=changes)


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
        if Money.of_fraction(amount, currency)
    )


def _clauses(lines: Sequence[DecisionLine], policy: PolicySnapshot) -> list[Rule]:
    """The text versions of the terms that were run."""
    codes = dict.fromkeys(line.coverage_code for line in lines if line.steps)
    covered = [coverage for code in codes if (coverage := policy.coverage(code)) is not None]
    return [Rule(id=f"{TERMS_RULE}:{one.code}"[:64], version=one.clause_version) for one in covered]


def input_hash(report: Report, snapshot_hash: str, rule: Rule, used: Used = NOTHING_USED) -> str:
    """SHA-256 of everything the decision depends on: what is asked, the terms, the rules, what others have used."""
    facts = {
        "line": report.line,
        "policy_number": report.policy_number,
        "loss_at": report.loss_at.isoformat(),
        "currency": report.currency,
        "lines": [_line_facts(line) for line in report.lines],
        "snapshot": snapshot_hash,
        "rules": [rule.id, rule.version],
    }
    # What is absent does not enter, so that claims without it hash as they always did.
    beside: dict[str, Any] = {
        "peril": report.peril,
        "cause": report.cause_code,
        "facts": report.facts,
        "others": [[one.policy, str(one.limit)] for one in report.other_policies or ()],
        "used": [[*key, exact_text(amount)] for key, amount in sorted(used.items()) if amount],
    }
    facts |= {name: value for name, value in beside.items() if value}
    return sha256(canonical_json(facts)).hexdigest()


def _line_facts(line: ReportedLine) -> list[Any]:
    amounts = (line.asked, line.insured_value, line.replacement_cost)
    told = [line.line_id, line.coverage_code, *(None if amount is None else str(amount) for amount in amounts)]
    more = (line.category, line.item_id, line.facts)
    return [*told, *more] if any(more) else told


def reserves_of(
    decision: Decision, policy: PolicySnapshot, report: Report, used: Used = NOTHING_USED
) -> tuple[ReserveLine, ...]:
    """The reserve the approval uses, per coverage: what was computed; an override lowers it in proportion.

    What an override adds goes where there is room under the limits, in proportion to the room.
    """
    computed = computed_by_coverage(decision)
    if decision.payable < decision.computed:
        parts = decision.payable.allocate([amount.amount_minor for amount in computed.values()])
        computed = dict(zip(computed, parts, strict=True))
    elif decision.payable > decision.computed:
        computed = _raised(decision, policy, report, computed, used)
    return tuple(
        ReserveLine(coverage_code=code, cost_type=CostType.indemnity, amount=amount)
        for code, amount in computed.items()
        if amount
    )


def _raised(
    decision: Decision, policy: PolicySnapshot, report: Report, computed: dict[str, Money], used: Used
) -> dict[str, Money]:
    """What an override adds goes where there is room; a coverage without a limit takes it all."""
    zero, rooms = Money.zero(policy.currency), rooms_left(report, policy, decision, used)
    extra = decision.payable - decision.computed
    for one, room in rooms:
        if room is None:
            return computed | {one.code: computed.get(one.code, zero) + extra}
    parts = extra.allocate([(room or zero).amount_minor for _, room in rooms])
    return {one.code: computed.get(one.code, zero) + part for (one, _), part in zip(rooms, parts, strict=True)}
