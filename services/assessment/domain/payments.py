"""What the bank's answers, as payment tells them, make of an approved claim: closed when paid, else a person looks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.assessment import ClaimClosed, ClaimOutcome, ClaimReferred, ReferralReason
from schemas.outcomes import ErrorClass, Nothing, Reject
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentRejected
from services.assessment.domain.assess import Decided, tell
from services.assessment.domain.claim import ClaimState, Status, fold
from services.assessment.domain.rule_book import RuleBook

_NOTHING_APPROVED = Reject("payment-without-approval", "no approval of this claim stands", ErrorClass.RULE)
_OTHER_CURRENCY = Reject("payment-currency-differs", "/amount/currency", ErrorClass.RULE)


def take_confirmed(state: ClaimState, event: PaymentConfirmed, cause_id: UUID) -> Decided:
    """Money went out. The claim closes when everything approved is confirmed, whatever question was still open."""
    if state.status is Status.closed:
        return Nothing(), fold(state, event, cause_id)
    approved = state.decision.payable if state.decision is not None else state.advanced
    if approved is None:
        return _NOTHING_APPROVED, state
    if event.amount.currency != approved.currency:
        return _OTHER_CURRENCY, state
    state = fold(state, event, cause_id)
    if not state.is_paid:
        return Nothing(), state
    return tell(state, cause_id, (ClaimClosed(outcome=ClaimOutcome.paid, paid=state.paid_total),))


def take_rejected(state: ClaimState, event: PaymentRejected, rules: RuleBook, cause_id: UUID, now: datetime) -> Decided:
    """The bank refused for good: no blind retry, a person looks. An advance that failed is paid with the whole."""
    return _refer(fold(state, event, cause_id), ReferralReason.payment_rejected, rules, cause_id, now)


def take_held(state: ClaimState, event: PaymentHeld, rules: RuleBook, cause_id: UUID, now: datetime) -> Decided:
    """A hold of an earlier decision's payment is no longer a question, unless it was an advance on this one."""
    standing = {one.decision_id for one in (*state.advances, *((state.decision,) if state.decision else ()))}
    if standing and event.decision_id not in standing:
        return Nothing(), state
    return _refer(state, ReferralReason.payment_held, rules, cause_id, now)


def _refer(state: ClaimState, reason: ReferralReason, rules: RuleBook, cause_id: UUID, now: datetime) -> Decided:
    if state.status is Status.closed:
        return Nothing(), state
    if state.decision is None:
        # Before the whole is decided the question about it is still open, and its payment makes up for the advance's.
        return (Nothing() if state.advances else _NOTHING_APPROVED), state
    desk = rules.decisions.at(now).payments_desk
    return tell(state, cause_id, (ClaimReferred(reasons=(reason,), desk=desk, decision=state.decision),))
