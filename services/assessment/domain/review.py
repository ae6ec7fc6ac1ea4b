"""What a person's verdict makes of a referred claim. Only here software writes a refusal or a reduction.

A verdict answers one referral, the open one, once. What a person may not approve is referred again, never cut.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.assessment import (
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    Decision,
    DecisionKind,
    Override,
    ReferralReason,
)
from schemas.ids import DecisionId
from schemas.money import Money
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Nothing
from schemas.policy import PolicySnapshot
from services.assessment.domain.assess import Decided, look_again, tell
from services.assessment.domain.claim import ClaimState, Referral
from services.assessment.domain.propose import DECISION_NAME, input_hash, limits_total, reserves_of
from services.assessment.domain.rules import AssessmentRules, RulesVersion

AS_PROPOSED = "approved as proposed, without the lines in question"
_OF_PAYMENT = frozenset({ReferralReason.payment_rejected, ReferralReason.payment_held})


def take_review(
    state: ClaimState, event: ReviewRecorded, rules: AssessmentRules, cause_id: UUID, now: datetime
) -> Decided:
    """The verdict on the open referral; one on an earlier referral, or a second one, changes nothing."""
    referral = state.referral
    if referral is None or referral.event_id != event.referral_event_id or state.report is None:
        return Nothing(), state
    version = rules.at(now)
    if event.verdict is Verdict.deny:
        return _deny(state, referral, event, version, cause_id)
    if state.policy is None:
        return look_again(state, cause_id, now)
    if event.amount is not None:
        return _approve_amount(state, referral, event, event.amount, state.policy, rules, version, cause_id)
    if referral.decision is None:
        return _refer_again(state, referral, referral.reasons, version, cause_id)
    return _approve(state, referral.reasons, referral.decision, event, state.policy, cause_id)


def _deny(
    state: ClaimState, referral: Referral, event: ReviewRecorded, version: RulesVersion, cause_id: UUID
) -> Decided:
    if state.report is None or event.reason is None or event.clause_id is None or event.fact is None:
        raise ValueError("a denial names its reason, clause and fact")
    denied = ClaimDenied(
        person=event.person,
        reason=event.reason,
        clause_id=event.clause_id,
        fact=event.fact,
        appeal=version.of_line(state.report.line).appeal,
        decision=referral.decision,
    )
    return tell(state, cause_id, (denied, ClaimClosed(outcome=ClaimOutcome.denied)))


def _approve(
    state: ClaimState,
    reasons: tuple[ReferralReason, ...],
    proposed: Decision,
    event: ReviewRecorded,
    policy: PolicySnapshot,
    cause_id: UUID,
) -> Decided:
    decision_id = DecisionId.of(cause_id, DECISION_NAME)
    if _OF_PAYMENT.intersection(reasons):
        # Approved once already, for the same amount: a new decision lets payment replace what failed, never add to it.
        return _pay(state, proposed.model_copy(update={"decision_id": decision_id}), event, policy, cause_id)
    if not proposed.payable:
        decided = _decided(proposed, decision_id, DecisionKind.nil)
        nil = ClaimDecidedNil(decision=decided, person=event.person, reason=event.reason)
        return tell(state, cause_id, (nil, ClaimClosed(outcome=ClaimOutcome.nil)))
    kind = DecisionKind.partial if _left_out(proposed) else DecisionKind.pay
    return _pay(state, _decided(proposed, decision_id, kind), event, policy, cause_id)


def _approve_amount(
    state: ClaimState,
    referral: Referral,
    event: ReviewRecorded,
    amount: Money,
    policy: PolicySnapshot,
    rules: AssessmentRules,
    version: RulesVersion,
    cause_id: UUID,
) -> Decided:
    if state.report is None or state.snapshot_hash is None:
        raise ValueError("a claim with a policy has its report and its snapshot's hash")
    if amount.currency != policy.currency:
        return _refer_again(state, referral, (ReferralReason.currency_differs,), version, cause_id)
    most = limits_total(state.report, policy)
    if most is not None and amount > most:
        return _refer_again(state, referral, (ReferralReason.above_coverage_limits,), version, cause_id)
    zero = Money.zero(policy.currency)
    rule = rules.named(version)
    proposed = referral.decision or Decision(
        decision_id=DecisionId.of(cause_id, DECISION_NAME),
        kind=DecisionKind.refer,
        computed=zero,
        payable=zero,
        lines=(),
        rules=(rule,),
        input_hash=input_hash(state.report, state.snapshot_hash, rule),
    )
    expected = proposed.computed + _left_out(proposed, zero) if referral.decision else _asked(state, zero)
    kind = DecisionKind.partial if amount < expected else DecisionKind.pay
    decision = _decided(proposed, DecisionId.of(cause_id, DECISION_NAME), kind, event, amount)
    return _pay(state, decision, event, policy, cause_id)


def _pay(
    state: ClaimState, decision: Decision, event: ReviewRecorded, policy: PolicySnapshot, cause_id: UUID
) -> Decided:
    if state.report is None:
        raise ValueError("an approved claim was reported")
    reserves = reserves_of(decision, policy, state.report)
    if decision.kind is DecisionKind.partial:
        partly = ClaimPartlyApproved(
            decision=decision,
            reserves=reserves,
            person=event.person,
            reason=event.reason or (decision.override.reason if decision.override else AS_PROPOSED),
            clause_id=event.clause_id,
            fact=event.fact,
        )
        return tell(state, cause_id, (partly,))
    return tell(state, cause_id, (ClaimApproved(decision=decision, reserves=reserves, approved_by=event.person),))


def _refer_again(
    state: ClaimState,
    referral: Referral,
    reasons: tuple[ReferralReason, ...],
    version: RulesVersion,
    cause_id: UUID,
) -> Decided:
    if state.report is None:
        raise ValueError("a referred claim was reported")
    desk = version.of_line(state.report.line).desk
    return tell(state, cause_id, (ClaimReferred(reasons=reasons, desk=desk, decision=referral.decision),))


def _decided(
    proposed: Decision,
    decision_id: DecisionId,
    kind: DecisionKind,
    event: ReviewRecorded | None = None,
    amount: Money | None = None,
) -> Decision:
    """The proposal as a person's decision; another amount than the computed one is kept as an override."""
    override = None
    if event is not None and amount is not None and amount != proposed.computed:
        if event.reason is None:
            raise ValueError("another amount needs a reason")
        override = Override(computed=proposed.computed, final=amount, reason=event.reason, person=event.person)
    return Decision(
        decision_id=decision_id,
        kind=kind,
        computed=proposed.computed,
        payable=proposed.computed if override is None else override.final,
        lines=proposed.lines,
        rules=proposed.rules,
        input_hash=proposed.input_hash,
        override=override,
    )


def _left_out(decision: Decision, zero: Money | None = None) -> Money:
    """What was asked on lines the terms were not run on: to leave it out is a reduction."""
    zero = zero or Money.zero(decision.computed.currency)
    left = [line.asked for line in decision.lines if not line.steps and line.asked is not None]
    return Money.total(left, zero.currency)


def _asked(state: ClaimState, zero: Money) -> Money:
    """What was asked in the policy's currency."""
    lines = state.report.lines if state.report is not None else ()
    asked = [line.asked for line in lines if line.asked is not None and line.asked.currency == zero.currency]
    return Money.total(asked, zero.currency)
