"""Assessment for the runner: looks policies up for a batch, decides in the pure core, tries again by work row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel

from messaging.ports import Tx
from messaging.stage import Input, WorkDone, WorkItem
from schemas.ids import ClaimId, work_cause
from schemas.intake import ClaimReported
from schemas.ops import ReviewRecorded
from schemas.outcomes import Nothing, Outcome
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentRejected
from services.assessment.domain.assess import LOOKUP_WORK, take_finding, take_report
from services.assessment.domain.claim import ClaimState
from services.assessment.domain.payments import take_confirmed, take_held, take_rejected
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing
from services.assessment.domain.review import take_review
from services.assessment.domain.rules import AssessmentRules
from services.assessment.ports import Claims, PolicyBook

HANDLES: Mapping[str, type[BaseModel]] = {
    model.TYPE: model for model in (ClaimReported, ReviewRecorded, PaymentConfirmed, PaymentRejected, PaymentHeld)
}
LOOKUP_BATCH_MAX = 500
LEASE_SPARE_SECONDS = 30.0

Findings = Mapping[PolicyKey, PolicyFinding]


class AssessmentHandler:
    """The four parts of a decision. One look-up serves a batch, and never waits longer than its deadline."""

    def __init__(self, claims: Claims, book: PolicyBook, rules: AssessmentRules, lookup_seconds: float) -> None:
        self._claims = claims
        self._book = book
        self._rules = rules
        self._lookup_seconds = lookup_seconds

    async def prepare(self, inputs: Sequence[Input]) -> Findings:
        reports = [one.data for one in inputs if isinstance(one.data, ClaimReported)]
        keys = {PolicyKey(report.policy_number, report.loss_at) for report in reports}
        return await self._book.get_many(keys, self._lookup_seconds) if keys else {}

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimState]:
        found = await self._claims.load(claim_ids, tx)
        return {claim_id: found.get(claim_id) or ClaimState(claim_id) for claim_id in claim_ids}

    def decide(self, state: ClaimState, event: Input, facts: Findings | None) -> tuple[Outcome, ClaimState]:
        data, cause_id, now = event.data, event.cause_id, event.now
        match data:
            case ClaimReported():
                key = PolicyKey(data.policy_number, data.loss_at)
                finding = (facts or {}).get(key, PolicyMissing.unavailable)
                return take_report(state, data, finding, self._rules, cause_id, now)
            case ReviewRecorded():
                return take_review(state, data, self._rules, cause_id, now)
            case PaymentConfirmed():
                return take_confirmed(state, data, cause_id)
            case PaymentRejected():
                return take_rejected(state, data, self._rules, cause_id, now)
            case PaymentHeld():
                return take_held(state, data, self._rules, cause_id, now)
        return Nothing(), state

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        await self._claims.save(states, tx)


class PolicyLookup:
    """The work of looking a policy up again for a claim that awaits it: reading only, so safe to repeat."""

    kind = LOOKUP_WORK
    batch_max = LOOKUP_BATCH_MAX
    concurrency = 1

    def __init__(self, book: PolicyBook, rules: AssessmentRules, lookup_seconds: float) -> None:
        self._book = book
        self._rules = rules
        self._lookup_seconds = lookup_seconds
        self.lease_seconds = lookup_seconds + LEASE_SPARE_SECONDS

    async def act(self, items: Sequence[WorkItem]) -> Sequence[PolicyFinding]:
        keys = [_key(item) for item in items]
        found = await self._book.get_many(set(keys), self._lookup_seconds)
        return [found.get(key, PolicyMissing.unavailable) for key in keys]

    def conclude(self, state: ClaimState, done: WorkDone, now: datetime) -> tuple[Outcome, ClaimState]:
        item = done.item
        cause_id = work_cause(item.work_id, item.attempt)
        return take_finding(state, done.result, item.attempt, self._rules, cause_id, now)


def _key(item: WorkItem) -> PolicyKey:
    return PolicyKey(item.payload["policy_number"], datetime.fromisoformat(item.payload["as_of"]))
