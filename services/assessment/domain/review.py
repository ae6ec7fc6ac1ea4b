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
from schemas.decision import Decision, DecisionKind, LedgerUse, Override, ReserveLine
from schemas.event import Event
from schemas.ids import DecisionId
from schemas.money import Money
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Nothing
from schemas.policy import PolicySnapshot
from services.assessment.domain.around import shares_ledgers
from services.assessment.domain.assess import Decided, look_again, refer_anew, tell
from services.assessment.domain.claim import ClaimState, Referral, Report
from services.assessment.domain.limits import computed_by_coverage, limits_total
from services.assessment.domain.periods import shared_limits
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
    return _approve(case, state.policy)


def _approve(case: _Case, policy: PolicySnapshot) -> Decided:
    """An approval counts on shared limits as they are now: if others have used them meanwhile, it is asked again."""
    state, proposed = case.state, case.referral.decision
    fresh = _fresh(case, policy)
    if fresh is not None and proposed is not None and _moved(case, proposed, fresh, policy):
        return refer_anew(state, policy, case.rules, case.cause_id, case.now, ReferralReason.ledger_changed)
    if case.event.amount is not None:
        return _approve_amount(case, case.event.amount, policy)
    if proposed is None:
        return _refer_again(case, case.referral.reasons)
    return _approve_proposed(case, proposed, fresh or proposed, policy)


def _fresh(case: _Case, policy: PolicySnapshot) -> Decision | None:
    """What comes out now, where other claims can have changed it."""
    state = case.state
    if state.snapshot_hash is None or not shares_ledgers(policy):
        return None
    return propose(state, policy, state.snapshot_hash, case.rules, case.cause_id, case.now).decision


def _moved(case: _Case, proposed: Decision, fresh: Decision, policy: PolicySnapshot) -> bool:
    """Whether other claims have meanwhile used what this proposal counts on."""
    if fresh.computed != proposed.computed:
        return True
    if proposed.override is None:
        return fresh.uses != proposed.uses
    most = limits_total(case.report, policy, fresh, case.state.around.used)
    return most is not None and proposed.override.final > most


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
    """The other claim goes on in its stead. Nothing may have been approved on this one, and the other must be named,
    and not itself be over without payment: two claims cannot both be closed for each other's sake.
    """
    state = case.state
    other = next((one for one in state.around.near if one.claim_id == state.duplicate_of), None)
    is_over = other is not None and not other.open_or_paid
    if state.duplicate_of is None or state.decision is not None or state.advances or is_over:
        return _refer_again(case, case.referral.reasons)
    return case.tell(ClaimClosed(outcome=ClaimOutcome.duplicate))


def _approve_proposed(case: _Case, proposed: Decision, base: Decision, policy: PolicySnapshot) -> Decided:
    decision_id = DecisionId.of(case.cause_id, DECISION_NAME)
    if _OF_PAYMENT.intersection(case.referral.reasons):
        # Approved once already, for the same amount: a new decision lets payment replace what failed, never add to it.
        return _pay(case, proposed.model_copy(update={"decision_id": decision_id, "uses": base.uses}), policy)
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
    most = limits_total(case.report, policy, referral.decision, state.around.used)
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
    reserves = reserves_of(decision, policy, case.report, case.state.around.used)
    decision = decision.model_copy(update={"uses": _uses(case, decision, reserves, policy)})
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
        "advanced": case.state.advanced,
    }
    return proposed.model_copy(update=changes)


def _uses(
    case: _Case, decision: Decision, reserves: tuple[ReserveLine, ...], policy: PolicySnapshot
) -> tuple[LedgerUse, ...] | None:
    """What is taken from shared ledgers: less where less is paid, but never less than an advance has taken; more, by
    the coverages it goes to, where more is paid. `decision` still has what the terms take.
    """
    override = decision.override
    if override is None or override.final == override.computed:
        return decision.uses
    if override.final > override.computed:
        return _raised(case.report, decision, reserves, policy)
    part = Fraction(override.final.amount_minor, override.computed.amount_minor)
    taken = {_ledger(one): one for advance in case.state.advances for one in advance.uses or ()}
    for one in decision.uses or ():
        scaled = one if one.borne else one.model_copy(update={"amount": _part_of(one.amount, part)})
        before = taken.get(_ledger(one))
        taken[_ledger(one)] = scaled if before is None or before.amount < scaled.amount else before
    return tuple(one for one in taken.values() if one.amount) or None


def _raised(
    report: Report, decision: Decision, reserves: tuple[ReserveLine, ...], policy: PolicySnapshot
) -> tuple[LedgerUse, ...] | None:
    computed = computed_by_coverage(decision)
    taken = {_ledger(one): one for one in decision.uses or ()}
    for line in reserves:
        coverage = policy.coverage(line.coverage_code)
        extra = line.amount - computed.get(line.coverage_code, Money.zero(policy.currency))
        if coverage is None or not extra:
            continue
        for ledger, period in shared_limits(coverage, policy, report.loss_at, report.loss_zone):
            before = taken.get((ledger, period, False))
            amount = extra if before is None else before.amount + extra
            taken[ledger, period, False] = LedgerUse(aggregate_id=ledger, period=period, amount=amount)
    return tuple(taken.values()) or None


def _ledger(use: LedgerUse) -> tuple[str, str, bool]:
    return use.aggregate_id, use.period, use.borne


def _part_of(amount: Money, part: Fraction) -> Money:
    """Rounded up: what is taken from a ledger is never less than what is paid from it."""
    exact = amount.amount_minor * part
    return Money(-(-exact.numerator // exact.denominator), amount.currency)


def _left_out(decision: Decision, zero: Money | None = None) -> Money:
    """What was asked on lines the terms were not run on: to leave it out is a reduction."""
    zero = zero or Money.zero(decision.computed.currency)
    left = [line.asked for line in decision.lines if not line.steps and line.asked is not None]
    return Money.total(left, zero.currency)


def _asked(report: Report, zero: Money) -> Money:
    """What was asked in the policy's currency."""
    asked = [line.asked for line in report.lines if line.asked is not None and line.asked.currency == zero.currency]
    return Money.total(asked, zero.currency)
