"""Past claims decided once more under draft rules, in the order they were decided in, beside what was decided then.

Pure: recorded events go in one by one, answers come out, nothing is told. Two courses run side by side, each with its
own neighbours and ledgers: the one that was, and the one that would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
)
from schemas.decision import LedgerUse
from schemas.event import Event
from schemas.ids import ClaimId, claim_reference
from schemas.intake import ClaimReported, ClaimWithdrawn
from schemas.money import Money
from schemas.payment import PaymentConfirmed, PaymentRejected
from schemas.policy import PolicySnapshot
from services.assessment.domain.around import Vicinity, shares_ledgers
from services.assessment.domain.assess import WRITER
from services.assessment.domain.claim import ClaimState, Status, fold, neighbour_of
from services.assessment.domain.differences import Answer, Difference, Way, first_difference, is_same
from services.assessment.domain.propose import Proposal, propose
from services.assessment.domain.rule_book import RuleBook

OF_OTHERS = (ClaimReported, ClaimWithdrawn, PaymentConfirmed, PaymentRejected)
"""Events of other writers that a rehearsal looks at; of assessment's own it looks at all."""

_KEEP_USES = frozenset({ClaimOutcome.paid, ClaimOutcome.nil})


class KeptWhy(StrEnum):
    """Why a coverage's terms are not the draft's."""

    no_form = "names no form"
    form_unknown = "names a form version that is not at hand"
    not_in_draft = "is not in the draft's form for the policy's beginning"


@dataclass(frozen=True, slots=True)
class Kept:
    """A coverage that could not be filled from the draft."""

    coverage_code: str
    why: KeptWhy


@dataclass(frozen=True, slots=True)
class Refilled:
    """A policy with the draft's text and its own amounts."""

    policy: PolicySnapshot
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What claims are decided by instead. `as_of`: all by the versions of that instant, not of their own time.

    `in_force` are today's rules: they say which row was taken, which the log does not keep.
    """

    rules: RuleBook
    in_force: RuleBook
    refill: Callable[[PolicySnapshot], Refilled]
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as it lies in the log."""

    claim_id: ClaimId
    event: Event
    event_id: UUID
    cause_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Claims reported from `starts` up to, but not at, `ends` are looked at, the first `limit` of them."""

    starts: datetime | None = None
    ends: datetime | None = None
    limit: int | None = None

    def holds(self, at: datetime, taken: int) -> bool:
        """Whether a claim reported then is looked at, after `taken` others."""
        if (self.starts is not None and at < self.starts) or (self.ends is not None and at >= self.ends):
            return False
        return self.limit is None or taken < self.limit


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One claim: what was proposed or paid at its registration, and what would have been.

    `person` is what a person made of it, if one had to: never compared, only told. `difference` None: all the same.
    `in_force_differs`: today's rules too give something else than was recorded, so not all of it is the draft's.
    """

    claim_id: ClaimId
    reference: str
    line: str
    at: datetime
    was: Answer
    then: Answer
    kept: tuple[Kept, ...] = ()
    person: str | None = None
    difference: Difference | None = None
    in_force_differs: bool = False


@dataclass(frozen=True, slots=True)
class Uncompared:
    """Claims that were read and could not be compared: never reported here, never registered, not decided yet."""

    unreported: int
    unregistered: int
    undecided: int


@dataclass(slots=True)
class _Case:
    """A claim registered: its answer under the draft, and what is needed to say why it differs.

    `state` is the claim as it was when it was decided, `flags` and `advance` what was told of that decision so far.
    """

    registered: Recorded
    state: ClaimState
    proposal: Proposal
    kept: tuple[Kept, ...]
    shown: bool
    flags: tuple[str, ...] = ()
    advance: Money | None = None
    found: Rehearsed | None = None

    @property
    def pays(self) -> bool:
        """Whether software pays under the draft."""
        return not self.proposal.reasons


class _Course:
    """One course of things: states of claims, and what stands around each."""

    def __init__(self) -> None:
        self.states: dict[ClaimId, ClaimState] = {}
        self._vicinity = Vicinity()
        self._noted: set[ClaimId] = set()

    def state(self, claim_id: ClaimId) -> ClaimState:
        return self.states.get(claim_id) or ClaimState(claim_id)

    def put(self, state: ClaimState, noted: bool = True) -> None:
        """`noted`: assessment knows the claim, so its neighbours see it."""
        self.states[state.claim_id] = state
        neighbour = neighbour_of(state)
        known = noted or state.claim_id in self._noted
        if not known or neighbour is None or state.report is None:
            return
        self._vicinity.note(state.report.policy_number, neighbour, state.uses, is_new=state.claim_id not in self._noted)
        self._noted.add(state.claim_id)

    def looked_around(self, state: ClaimState) -> ClaimState:
        """The state with its near neighbours and the ledgers as they stand in this course."""
        if state.report is None:
            return state
        known, report = state.claim_id in self._noted, state.report
        around = self._vicinity.around(report.policy_number, state.claim_id, known, report.loss_at)
        return replace(state, around=around)


class Rehearsal:
    """Takes the log event by event and keeps one answer a claim. Nothing leaves it but `results`."""

    def __init__(self, draft: Draft, window: Window | None = None) -> None:
        self._draft, self._window = draft, window or Window()
        self._recorded, self._drafted = _Course(), _Course()
        self._cases: dict[ClaimId, _Case] = {}
        self._shown = 0
        self._unreported: set[ClaimId] = set()

    def take(self, one: Recorded) -> None:
        """One more event, in the order of the log."""
        event, claim_id = one.event, one.claim_id
        if isinstance(event, ClaimReported):
            if claim_id not in self._recorded.states:
                state = fold(ClaimState(claim_id), event, one.event_id)
                self._recorded.put(state, noted=False)
                self._drafted.put(state, noted=False)
            return
        if claim_id not in self._recorded.states:
            self._unreported.add(claim_id)
            return
        if isinstance(event, ClaimRegistered):
            self._decide(one, event)
        before = self._recorded.state(claim_id)
        after = fold(before, event, one.event_id)
        case = self._cases.get(claim_id)
        if case is None:
            self._drafted.put(fold(self._drafted.state(claim_id), event, one.event_id), noted=event.WRITER == WRITER)
        else:
            self._follow(case, one, after)
        self._recorded.put(after, noted=event.WRITER == WRITER)

    def results(self) -> Iterator[Rehearsed]:
        """The claims looked at, in the order they were decided in."""
        return (case.found for case in self._cases.values() if case.shown and case.found is not None)

    def uncompared(self) -> Uncompared:
        """What is left over."""
        return Uncompared(
            unreported=len(self._unreported),
            unregistered=len(self._recorded.states) - len(self._cases),
            undecided=sum(case.shown and case.found is None for case in self._cases.values()),
        )

    # ---- the decision

    def _decide(self, one: Recorded, event: ClaimRegistered) -> None:
        if one.claim_id in self._cases:
            return
        state = self._drafted.looked_around(self._drafted.state(one.claim_id))
        filled = self._draft.refill(event.policy)
        snapshot_hash = event.snapshot_hash if filled.policy == event.policy else filled.policy.snapshot_hash()
        now = self._draft.as_of or one.at
        proposal = propose(state, filled.policy, snapshot_hash, self._draft.rules, one.cause_id, now)
        reported = state.report.reported_at if state.report is not None else None
        shown = self._window.holds(reported or one.at, self._shown)
        self._shown += shown
        recorded = self._recorded.looked_around(self._recorded.state(one.claim_id))
        self._cases[one.claim_id] = _Case(one, recorded, proposal, filled.kept, shown)
        advances = () if proposal.advance is None else (proposal.advance,)
        decided = proposal.advance if proposal.reasons else proposal.decision
        uses = () if decided is None else decided.uses or ()
        self._drafted.put(
            replace(state, policy=filled.policy, snapshot_hash=snapshot_hash, advances=advances, uses=uses)
        )

    def _compare(self, case: _Case, was: Answer) -> None:
        one, then = case.registered, answer_of(case.proposal)
        report = case.state.report
        difference, in_force_differs = None, False
        if case.shown and not is_same(was, then):
            today = self._today(case)
            in_force_differs = not is_same(was, today)
            known = was if in_force_differs else replace(was, way_row=today.way_row)
            difference = first_difference(known, then)
        case.found = Rehearsed(
            claim_id=one.claim_id,
            reference=claim_reference(one.claim_id),
            line="" if report is None else report.line,
            at=one.at,
            was=was,
            then=then,
            kept=case.kept,
            difference=difference,
            in_force_differs=in_force_differs,
        )

    def _today(self, case: _Case) -> Answer:
        """What today's rules give for the claim as it was, with what stood around it then."""
        one = case.registered
        assert isinstance(one.event, ClaimRegistered)
        rules, event = self._draft.in_force, one.event
        return answer_of(propose(case.state, event.policy, event.snapshot_hash, rules, one.cause_id, one.at))

    # ---- what came afterwards

    def _follow(self, case: _Case, one: Recorded, recorded: ClaimState) -> None:
        """What happened to a registered claim, as it would have gone on under the draft."""
        event = one.event
        if case.found is None:
            match event:
                case ClaimSegmented():
                    case.flags = tuple(flag.row for flag in event.flags)
                case AdvanceApproved():
                    case.advance = event.decision.payable
                case ClaimApproved() | ClaimReferred():
                    self._compare(case, _was(case, event, recorded))
                    self._as_if_approved(case, event)
            return
        said = _said(event)
        if said is not None and case.found.was.way is Way.person:
            case.found = replace(case.found, person=said)
        self._drafted.put(self._gone_on(case, one, self._drafted.state(one.claim_id)))

    def _as_if_approved(self, case: _Case, event: Event) -> None:
        """Paid then, asked now: nobody knows the answer. As proposed, so that later claims differ by rules alone."""
        decision = case.proposal.decision
        if isinstance(event, ClaimApproved) and not case.pays and decision is not None:
            state = self._drafted.state(case.registered.claim_id)
            self._drafted.put(replace(state, uses=decision.uses or ()))

    def _gone_on(self, case: _Case, one: Recorded, state: ClaimState) -> ClaimState:
        """What people did with the claim holds in the draft's course too, unless software had paid it there before."""
        event = one.event
        match event:
            case ClaimWithdrawn() | PaymentConfirmed() | PaymentRejected():
                return fold(state, event, one.event_id)
            case ClaimApproved() | ClaimPartlyApproved() | ClaimDecidedNil():
                if case.pays and state.uses:
                    return state
                # What a person set is theirs under any rules; what they approved as proposed is the draft's proposal.
                recorded = event.decision.override is not None
                uses = event.decision.uses or () if recorded else self._uses_now(one, state)
                return replace(state, uses=uses)
            case ClaimDenied():
                return state if case.pays else replace(state, uses=())
            case ClaimClosed() if event.outcome in _KEEP_USES:
                return replace(state, status=Status.closed, outcome=event.outcome)
            case ClaimClosed() if not case.pays:
                return replace(state, status=Status.closed, outcome=event.outcome, uses=())
        return state

    def _uses_now(self, one: Recorded, state: ClaimState) -> tuple[LedgerUse, ...]:
        """What the draft's proposal takes from shared ledgers as they stand when a person approves."""
        if state.policy is None or state.snapshot_hash is None or not shares_ledgers(state.policy):
            return ()
        around, now = self._drafted.looked_around(state), self._draft.as_of or one.at
        found = propose(around, state.policy, state.snapshot_hash, self._draft.rules, one.cause_id, now)
        return () if found.decision is None else found.decision.uses or ()


def answer_of(proposal: Proposal) -> Answer:
    """A proposal as an answer to compare."""
    decision, found = proposal.decision, proposal.sorted
    asks = bool(proposal.reasons)
    return Answer(
        way=Way.person if asks else Way.software,
        amount=None if decision is None else decision.computed,
        reasons=proposal.reasons,
        desk=proposal.desk if asks else None,
        segment=found.segment,
        lane=found.lane,
        flags=tuple(flag.row for flag in found.flags),
        advance=None if proposal.advance is None else proposal.advance.payable,
        decision=decision,
        way_row=found.taken[-1],
    )


def _was(case: _Case, event: ClaimApproved | ClaimReferred, recorded: ClaimState) -> Answer:
    """What was told when the claim was registered."""
    asks = isinstance(event, ClaimReferred)
    return Answer(
        way=Way.person if asks else Way.software,
        amount=None if event.decision is None else event.decision.computed,
        reasons=event.reasons if isinstance(event, ClaimReferred) else (),
        desk=event.desk if isinstance(event, ClaimReferred) else None,
        segment=recorded.segment,
        lane=recorded.lane,
        flags=case.flags,
        advance=case.advance,
        decision=event.decision,
    )


def _said(event: Event) -> str | None:
    """What a person made of a claim, in a word."""
    match event:
        case ClaimApproved() if event.approved_by != "system":
            return "approved"
        case ClaimPartlyApproved():
            return "partly approved"
        case ClaimDecidedNil():
            return "nil"
        case ClaimDenied():
            return "denied"
        case ClaimClosed() if event.outcome is ClaimOutcome.duplicate:
            return "duplicate"
    return None
