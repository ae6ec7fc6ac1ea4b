"""Assessment for the runner: looks policies up for a batch, decides in the pure core, tries again by work row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import BaseModel

from messaging.ports import Tx
from messaging.stage import Input, WorkDone, WorkItem
from schemas.ids import ClaimId, work_cause
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentsReceived
from schemas.ops import ReviewRecorded
from schemas.outcomes import Nothing, Outcome
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentRejected
from schemas.policy import PolicySnapshot
from services.assessment.domain.around import Vicinity, Wanted, Within, shares_ledgers
from services.assessment.domain.assess import LOOKUP_WORK, take_finding, take_report
from services.assessment.domain.claim import ClaimState, Status, neighbour_of
from services.assessment.domain.papers import take_documents, take_withdrawal
from services.assessment.domain.payments import take_confirmed, take_held, take_rejected
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing
from services.assessment.domain.review import take_review
from services.assessment.domain.rule_book import RuleBook
from services.assessment.ports import Claims, PolicyBook, Surroundings

HANDLES: Mapping[str, type[BaseModel]] = {
    model.TYPE: model
    for model in (
        ClaimReported,
        DocumentsReceived,
        ClaimWithdrawn,
        ReviewRecorded,
        PaymentConfirmed,
        PaymentRejected,
        PaymentHeld,
    )
}
LOOKUP_BATCH_MAX = 500
LEASE_SPARE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch's decisions need from outside: the policies looked up, and whose report came in."""

    findings: Mapping[PolicyKey, PolicyFinding]
    reported: Mapping[ClaimId, PolicyKey]


class AssessmentHandler:
    """The four parts of a decision. One look-up serves a batch, and never waits longer than its deadline."""

    def __init__(
        self,
        claims: Claims,
        surroundings: Surroundings,
        book: PolicyBook,
        rules: RuleBook,
        lookup_seconds: float,
    ) -> None:
        self._claims = claims
        self._surroundings = surroundings
        self._book = book
        self._rules = rules
        self._lookup_seconds = lookup_seconds

    async def prepare(self, inputs: Sequence[Input]) -> Facts:
        reported = {
            one.claim_id: PolicyKey(one.data.policy_number, one.data.loss_at)
            for one in inputs
            if isinstance(one.data, ClaimReported)
        }
        keys = set(reported.values())
        return Facts(await self._book.get_many(keys, self._lookup_seconds) if keys else {}, reported)

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: Facts | None) -> dict[ClaimId, ClaimState]:
        found = await self._claims.load(claim_ids, tx)
        states = {claim_id: found.get(claim_id) or ClaimState(claim_id) for claim_id in claim_ids}
        wanted = {claim_id: one for claim_id, state in states.items() if (one := _wanted(state, facts)) is not None}
        if not wanted:
            return states
        vicinity = await self._surroundings.read(wanted, tx)
        # The batch's other claims of these policies are noted too: what is decided about them changes what is around.
        return {claim_id: _placed(state, vicinity, wanted.get(claim_id), found) for claim_id, state in states.items()}

    def decide(self, state: ClaimState, event: Input, facts: Facts | None) -> tuple[Outcome, ClaimState]:
        outcome, decided = self._decide(looked_around(state), event, facts)
        return outcome, noted(state, decided)

    def _decide(self, state: ClaimState, event: Input, facts: Facts | None) -> tuple[Outcome, ClaimState]:
        data, cause_id, now = event.data, event.cause_id, event.now
        match data:
            case ClaimReported():
                key = PolicyKey(data.policy_number, data.loss_at)
                finding = (facts.findings if facts is not None else {}).get(key, PolicyMissing.unavailable)
                return take_report(state, data, finding, self._rules, cause_id, now)
            case ReviewRecorded():
                return take_review(state, data, self._rules, cause_id, now)
            case DocumentsReceived():
                return take_documents(state, data, self._rules, cause_id, now)
            case ClaimWithdrawn():
                return take_withdrawal(state, data, self._rules, cause_id, now)
            case PaymentConfirmed():
                return take_confirmed(state, data, cause_id)
            case PaymentRejected():
                return take_rejected(state, data, self._rules, cause_id, now)
            case PaymentHeld():
                return take_held(state, data, self._rules, cause_id, now)
        return Nothing(), state

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        await self._claims.save(states, tx)
        await self._surroundings.keep(states, tx)


def _wanted(state: ClaimState, facts: Facts | None) -> Wanted | None:
    """A claim that may be decided or proposed now needs what stands around it; without it, an approved one does not."""
    if state.report is None:
        key = facts.reported.get(state.claim_id) if facts is not None else None
        finding = facts.findings.get(key) if facts is not None and key is not None else None
        ledgers = isinstance(finding, PolicySnapshot) and shares_ledgers(finding)
        return None if key is None else Wanted(key.policy_number, key.as_of, ledgers)
    if state.status is Status.closed:
        return None
    # Without a policy yet, nobody knows whether it shares ledgers: they are read, to be there when it comes.
    ledgers = state.policy is None or shares_ledgers(state.policy)
    if state.decision is not None and not ledgers:
        return None
    return Wanted(state.report.policy_number, state.report.loss_at, ledgers)


def _placed(state: ClaimState, vicinity: Vicinity, wanted: Wanted | None, stored: Collection[ClaimId]) -> ClaimState:
    report = state.report
    number = wanted.policy_number if wanted is not None else report.policy_number if report is not None else None
    if number is None or number not in vicinity.policies or state.status is Status.closed:
        return state
    loss_at = wanted.loss_at if wanted is not None else report.loss_at if report is not None else None
    # A claim that was never reported stands on no policy yet, even if something of it is stored.
    is_stored = state.claim_id in stored and report is not None
    return replace(state, within=Within(vicinity, number, is_stored, loss_at))


def looked_around(state: ClaimState) -> ClaimState:
    """The state with what stands around it now, after whatever the batch decided before."""
    if state.within is None:
        return state
    within = state.within
    around = within.vicinity.around(within.policy_number, state.claim_id, within.is_stored, within.loss_at)
    return replace(state, around=around)


def noted(before: ClaimState, after: ClaimState) -> ClaimState:
    """Tells the rest of the batch what was just decided."""
    within, neighbour = before.within, neighbour_of(after)
    if within is not None and neighbour is not None and after is not before:
        is_new = before.report is None and not within.is_stored
        within.vicinity.note(within.policy_number, neighbour, after.uses, is_new)
        return replace(after, within=replace(within, is_stored=True))
    return after


class PolicyLookup:
    """The work of looking a policy up again for a claim that awaits it: reading only, so safe to repeat."""

    kind = LOOKUP_WORK
    batch_max = LOOKUP_BATCH_MAX
    concurrency = 1

    def __init__(self, book: PolicyBook, rules: RuleBook, lookup_seconds: float) -> None:
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
        outcome, decided = take_finding(looked_around(state), done.result, item.attempt, self._rules, cause_id, now)
        return outcome, noted(state, decided)


def _key(item: WorkItem) -> PolicyKey:
    return PolicyKey(item.payload["policy_number"], datetime.fromisoformat(item.payload["as_of"]))
