"""What a person's verdict makes of a referred claim. Only here software writes a refusal or a reduction.

A verdict answers one referral, the open one, once. What a person may not approve is referred again, never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    DocumentsRequested,
    ReferralReason,
)
from schemas.decision import Decision, DecisionKind, LedgerUse, Override
from schemas.event import Event
from schemas.ids import DecisionId
from schemas.money import Money, exact_amount
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Nothing
from schemas.policy import PolicySnapshot
from services.assessment.domain.around import shares_ledgers
from services.assessment.domain.assess import Decided, look_again, refer_anew, tell
from services.assessment.domain.claim import ClaimState, Referral, Report
from services.assessment.domain.limits import limits_total
from services.assessment.domain.propose import DECISION_NAME, input_hash, propose, reserves_of
from services.assessment.domain.rule_book import RuleBook
from services.assessment.domain.rules import RulesVersion

AS_PROPOSED = "approved as proposed, without the lines in question"
_OF_PAYMENT = frozenset({ReferralReason.payment_rejected, ReferralReason.payment_held})


@dataclass(frozen=True, slots=True)
class _Case:
    """A verdict with what it is about."""

    state: ClaimState
    referral: Referral
    report: Report
    event: ReviewRecorded
    rules: RuleBook
    cause_id: UUID
    now: datetime

    @property
    def version(self) -> RulesVersion:
        return self.rules.decisions.at(self.now)

    def tell(self, *events: Event) -> Decided:
        return tell(self.state, self.cause_id, events)


def take_review(state: ClaimState, event: ReviewRecorded, rules: RuleBook, cause_id: UUID, now: datetime) -> Decided:
    """The verdict on the open referral; one on an earlier referral, or a second one, changes nothing."""
    referral = state.referral
    if referral is None or referral.event_id != event.referral_event_id or state.report is None:
        return Nothing(), state
    case = _Case(state, referral, state.report, event, rules, cause_id, now)
    match event.verdict:
        case Verdict.deny:
            return _deny(case)
        case Verdict.ask_documents:
            return _ask_documents(case)
        case Verdict.duplicate:
            return _close_as_duplicate(case)
    if state.policy is None:
        return look_again(state, cause_id, now)
    if _ledgers_moved(case, state.policy):
        return refer_anew(state, state.policy, rules, cause_id, now, ReferralReason.ledger_changed)
    if event.amount is not None:
        return _approve_amount(case, event.amount, state.policy)
    if referral.decision is None:
        return _refer_again(case, referral.reasons)
    return _approve(case, referral.decision, state.policy)


def _ledgers_moved(case: _Case, policy: PolicySnapshot) -> bool:
    """Whether other claims have meanwhile used what this proposal counts on."""
    proposed = case.referral.decision
    if proposed is None or case.state.snapshot_hash is None or not shares_ledgers(policy):
        return False
    fresh = propose(case.state, policy, case.state.snapshot_hash, case.rules, case.cause_id, case.now).decision
    return fresh is None or (fresh.computed, fresh.uses) != (proposed.computed, proposed.uses)


def _deny(case: _Case) -> Decided:
    event, state = case.event, case.state
    if event.reason is None or event.clause_id is None or event.fact is None:
        raise ValueError("a denial names its reason, clause and fact")
    if state.advanced is not None and state.policy is not None and case.referral.decision is not None:
        # A part was approved before and stays: what is refused is the rest.
        rest = _decided(case, case.referral.decision, DecisionKind.partial, state.advanced)
        return _pay(case, rest, state.policy)
    denied = ClaimDenied(
        person=event.person,
        reason=event.reason,
        clause_id=event.clause_id,
        fact=event.fact,
        appeal=case.version.of_line(case.report.line).appeal,
        decision=case.referral.decision,
    )
    return case.tell(denied, ClaimClosed(outcome=ClaimOutcome.denied))


def _ask_documents(case: _Case) -> Decided:
    """One complete list; asking again needs a reason, without which the question stays open."""
    event, round_ = case.event, case.state.paper_rounds + 1
    if event.documents is None or (round_ > 1 and event.reason is None):
        return _refer_again(case, case.referral.reasons)
    return case.tell(
        DocumentsRequested(documents=event.documents, round=round_, reason=event.reason, person=event.person)
    )


def _close_as_duplicate(case: _Case) -> Decided:
    """The other claim goes on in its stead. Nothing may have been approved on this one, and the other must be named."""
    if case.state.duplicate_of is None or case.state.decision is not None or case.state.advances:
        return _refer_again(case, case.referral.reasons)
    return case.tell(ClaimClosed(outcome=ClaimOutcome.duplicate))


def _approve(case: _Case, proposed: Decision, policy: PolicySnapshot) -> Decided:
    decision_id = DecisionId.of(case.cause_id, DECISION_NAME)
    if _OF_PAYMENT.intersection(case.referral.reasons):
        # Approved once already, for the same amount: a new decision lets payment replace what failed, never add to it.
        return _pay(case, proposed.model_copy(update={"decision_id": decision_id}), policy)
    if not proposed.payable:
        decided = _decided(case, proposed, DecisionKind.nil)
        nil = ClaimDecidedNil(decision=decided, person=case.event.person, reason=case.event.reason)
        return case.tell(nil, ClaimClosed(outcome=ClaimOutcome.nil))
    is_less = bool(_left_out(proposed)) or proposed.proposed is DecisionKind.partial
    return _pay(case, _decided(case, proposed, DecisionKind.partial if is_less else DecisionKind.pay), policy)


def _approve_amount(case: _Case, amount: Money, policy: PolicySnapshot) -> Decided:
    state, referral = case.state, case.referral
    if state.snapshot_hash is None:
        raise ValueError("a claim with a policy has its snapshot's hash")
    if amount.currency != policy.currency:
        return _refer_again(case, (ReferralReason.currency_differs,))
    most = limits_total(case.report, policy, referral.decision)
    if most is not None and amount > most:
        return _refer_again(case, (ReferralReason.above_coverage_limits,))
    zero = Money.zero(policy.currency)
    rule = case.rules.decisions.named(case.version)
    proposed = referral.decision or Decision(
        decision_id=DecisionId.of(case.cause_id, DECISION_NAME),
        kind=DecisionKind.refer,
        computed=zero,
        payable=zero,
        lines=(),
        rules=(rule,),
        input_hash=input_hash(case.report, state.snapshot_hash, rule),
    )
    expected = proposed.computed + _left_out(proposed, zero) if referral.decision else _asked(case.report, zero)
    kind = DecisionKind.partial if amount < expected else DecisionKind.pay
    return _pay(case, _decided(case, proposed, kind, amount), policy)


def _pay(case: _Case, decision: Decision, policy: PolicySnapshot) -> Decided:
    """The approval; where everything of it was paid in advance, the claim is over with it."""
    event = case.event
    reserves = reserves_of(decision, policy, case.report)
    approval: Event
    if decision.kind is DecisionKind.partial:
        approval = ClaimPartlyApproved(
            decision=decision,
            reserves=reserves,
            person=event.person,
            reason=event.reason or (decision.override.reason if decision.override else AS_PROPOSED),
            clause_id=event.clause_id,
            fact=event.fact,
        )
    else:
        approval = ClaimApproved(decision=decision, reserves=reserves, approved_by=event.person)
    outcome, state = case.tell(approval)
    if not state.is_paid:
        return outcome, state
    return case.tell(approval, ClaimClosed(outcome=ClaimOutcome.paid, paid=state.paid_total))


def _refer_again(case: _Case, reasons: tuple[ReferralReason, ...]) -> Decided:
    desk = case.version.of_line(case.report.line).desk
    return case.tell(ClaimReferred(reasons=reasons, desk=desk, decision=case.referral.decision))


def _decided(case: _Case, proposed: Decision, kind: DecisionKind, amount: Money | None = None) -> Decision:
    """The proposal as a person's decision; another amount than the computed one is kept as an override."""
    override = None
    if amount is not None and amount != proposed.computed:
        if case.event.reason is None:
            raise ValueError("another amount needs a reason")
        override = Override(
            computed=proposed.computed, final=amount, reason=case.event.reason, person=case.event.person
        )
    changes = {
        "decision_id": DecisionId.of(case.cause_id, DECISION_NAME),
        "kind": kind,
        "payable": proposed.computed if override is None else override.final,
        "override": override,
        "uses": _uses(proposed, override),
        "advanced": case.state.advanced,
    }
    return proposed.model_copy(update=changes)


def _uses(proposed: Decision, override: Override | None) -> tuple[LedgerUse, ...] | None:
    """What is taken from shared ledgers: less where less is paid; more where more is, up to what a ledger has left."""
    if override is None or not proposed.uses:
        return proposed.uses
    if override.final < override.computed:
        part = Fraction(override.final.amount_minor, override.computed.amount_minor)
        scaled = [
            one if one.borne else one.model_copy(update={"amount": _part_of(one.amount, part)}) for one in proposed.uses
        ]
        return tuple(one for one in scaled if one.amount) or None
    more, left = override.final - override.computed, _left(proposed)
    return tuple(
        one if one.borne else one.model_copy(update={"amount": one.amount + min(more, left)}) for one in proposed.uses
    )


def _part_of(amount: Money, part: Fraction) -> Money:
    """Rounded up: what is taken from a ledger is never less than what is paid from it."""
    exact = amount.amount_minor * part
    return Money(-(-exact.numerator // exact.denominator), amount.currency)


def _left(proposed: Decision) -> Money:
    """The least that a shared limit of the proposal still has."""
    currency = proposed.computed.currency
    left = [
        Money.of_fraction(exact_amount(one.results["aggregate_remaining_after"]), currency)
        for one in proposed.coverages or ()
        if one.results is not None and "aggregate_remaining_after" in one.results
    ]
    return min(left) if left else Money.zero(currency)


def _left_out(decision: Decision, zero: Money | None = None) -> Money:
    """What was asked on lines the terms were not run on: to leave it out is a reduction."""
    zero = zero or Money.zero(decision.computed.currency)
    left = [line.asked for line in decision.lines if not line.steps and line.asked is not None]
    return Money.total(left, zero.currency)


def _asked(report: Report, zero: Money) -> Money:
    """What was asked in the policy's currency."""
    asked = [line.asked for line in report.lines if line.asked is not None and line.asked.currency == zero.currency]
    return Money.total(asked, zero.currency)
