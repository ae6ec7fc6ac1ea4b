"""What comes from the customer after the report: papers that were asked for, and a change of mind."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.assessment import ClaimClosed, ClaimOutcome, ReferralReason
from schemas.intake import ClaimWithdrawn, DocumentsReceived
from schemas.outcomes import Nothing
from services.assessment.domain.assess import Decided, refer_anew, refer_without_policy, tell
from services.assessment.domain.claim import ClaimState, Status, fold
from services.assessment.domain.rule_book import RuleBook


def take_documents(
    state: ClaimState, event: DocumentsReceived, rules: RuleBook, cause_id: UUID, now: datetime
) -> Decided:
    """The claim goes on, to a person, when the last paper that was asked for is there; others are only kept."""
    waited = state.status is Status.awaiting_info
    state = fold(state, event, cause_id)
    if not waited or state.asked_papers:
        return Nothing(), state
    if state.policy is None:
        return refer_without_policy(state, ReferralReason.documents_received, rules, cause_id, now)
    return refer_anew(state, state.policy, rules, cause_id, now, ReferralReason.documents_received)


def take_withdrawal(
    state: ClaimState, event: ClaimWithdrawn, rules: RuleBook, cause_id: UUID, now: datetime
) -> Decided:
    """An open claim on which nothing was approved is closed. After an approval the wish is kept on file only.

    But where papers are awaited that will never come, a person is asked again.
    """
    known = state.status is Status.closed or state.withdrawn
    state = fold(state, event, cause_id)
    if known:
        return Nothing(), state
    if state.decision is not None or state.advances:
        if state.status is not Status.awaiting_info or state.policy is None:
            return Nothing(), state
        return refer_anew(state, state.policy, rules, cause_id, now)
    return tell(state, cause_id, (ClaimClosed(outcome=ClaimOutcome.withdrawn),))
