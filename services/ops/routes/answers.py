"""The JSON that ops answers with, and how it is made of views. No personal data: parties appear by id and state."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from schemas.ids import ClaimId, DecisionId, EventId, PaymentId, SubjectId
from schemas.model import Instant
from schemas.money import Money
from services.ops.domain.claim_view import AT_REST, ClaimView
from services.ops.domain.timeline import TimelineEntry
from services.ops.handlers.reading import KnownParty
from services.ops.routes.part_answers import (
    PARTS_EXAMPLE,
    AdvanceAnswer,
    Answer,
    DecisionAnswer,
    DuplicateAnswer,
    PapersAnswer,
    ReserveAnswer,
    advance_answers,
    decision_answer,
    duplicate_answers,
    papers_answer,
    reserve_answers,
)

SHOWN = {"sealed": "[sealed]", "erased": "[erased]", "unknown": "[unknown]"}
_CLAIM = "5b9d1f3c-7d0e-5c59-9a4e-0d2a7c1f4b11"


class ReferralAnswer(Answer):
    """What a person has to answer; a review names `event_id`. `proposal` is what could be computed, if anything."""

    event_id: EventId
    desk: str
    reasons: tuple[str, ...]
    computed: Money | None = None
    payable: Money | None = None
    proposal: DecisionAnswer | None = None
    referred_at: Instant


class PaymentAnswer(Answer):
    payment_id: PaymentId | None = None
    decision_id: DecisionId | None = None
    kind: str | None = None
    state: str
    amount: Money | None = None
    end_to_end_id: str | None = None
    attempt: int | None = None
    reason: str | None = None
    at: Instant


class PartyAnswer(Answer):
    """A person on the claim. `shown` is what may be read of them here."""

    who: Literal["reporter", "payee"]
    subject_id: SubjectId
    state: Literal["sealed", "erased", "unknown"]
    shown: str


class Notices(Answer):
    sent: int
    failed: int


class ClaimAnswer(Answer):
    """A claim as ops sees it. `state` is the lifecycle's status, or REFERRED while a person has to look.

    Lists leave out parties, papers, `decision` and the referral's `proposal`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "claim_id": _CLAIM,
                "reference": "CF-7Q4N-0V2K-M8XD-3",
                "state": "CLOSED",
                "status": "CLOSED",
                "review": "NONE",
                "outcome": "paid",
                "reasons": [],
                "policy_number": "FL-000001",
                "computed": {"amount": "1200.00", "currency": "USD"},
                "payable": {"amount": "1200.00", "currency": "USD"},
                "paid": {"amount": "1200.00", "currency": "USD"},
                **PARTS_EXAMPLE,
                "payments": [],
                "notices": {"sent": 3, "failed": 0},
                "events": 8,
                "applied": {"intake": 1, "assessment": 3, "payment": 2, "notify": 3},
                "synthetic": False,
            }
        }
    )
    claim_id: ClaimId
    reference: str
    state: str
    status: str
    review: str
    outcome: str | None = None
    reasons: tuple[str, ...]
    client: str | None = None
    policy_number: str | None = None
    policy_version: str | None = None
    claim_number: str | None = None
    line: str | None = None
    peril: str | None = None
    channel: str | None = None
    currency: str | None = None
    loss_at: Instant | None = None
    loss_zone: str | None = None
    reported_at: Instant | None = None
    registered_at: Instant | None = None
    decided_at: Instant | None = None
    decided_by: str | None = None
    closed_at: Instant | None = None
    changed_at: Instant | None = None
    computed: Money | None = None
    payable: Money | None = None
    paid: Money | None = None
    referral_event_id: EventId | None = None
    referral: ReferralAnswer | None = None
    segment: str | None = None
    lane: str | None = None
    flags: tuple[str, ...] = ()
    duplicates: tuple[DuplicateAnswer, ...] = ()
    papers: PapersAnswer | None = None
    reserves: tuple[ReserveAnswer, ...] = ()
    advances: tuple[AdvanceAnswer, ...] = ()
    decision: DecisionAnswer | None = None
    withdrawn_at: Instant | None = None
    payments: tuple[PaymentAnswer, ...]
    parties: tuple[PartyAnswer, ...] | None = None
    notices: Notices
    events: int
    applied: dict[str, int]
    synthetic: bool


class ClaimsAnswer(Answer):
    """`next` goes into `after` for the next page; absent on the last one."""

    claims: tuple[ClaimAnswer, ...]
    next: ClaimId | None = None


class EntryAnswer(Answer):
    event_id: EventId
    type: str
    writer: str
    sequence: int
    cause_id: str
    time: Instant
    topic: str
    partition: int
    offset: int
    appended_at: Instant
    trace_id: str | None = None
    facts: dict[str, Any]


class TimelineAnswer(Answer):
    """By the broker's append time. `next` goes into `after` for what follows."""

    claim_id: ClaimId
    reference: str
    events: tuple[EntryAnswer, ...]
    next: int | None = None


class SummaryAnswer(Answer):
    """Claims by state. `at_rest` are closed or wait for a person; `moving` are the others."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"claims": 2000, "by_state": {"CLOSED": 1950, "REFERRED": 50}, "at_rest": 2000, "moving": 0}
        }
    )
    claims: int
    by_state: dict[str, int]
    at_rest: int
    moving: int


class KnownIdAnswer(Answer):
    kind: str
    claim_id: ClaimId


class LookUpAnswer(Answer):
    found: tuple[KnownIdAnswer, ...]


Limit = Annotated[int, Field(ge=1, le=200)]


def claim_answer(view: ClaimView, parties: list[KnownParty] | None = None) -> ClaimAnswer:
    """The answer about one claim; lists, which give no parties, leave out what only the whole shows."""
    referral, whole = view.open_referral, parties is not None
    plain = (
        "claim_id reference client policy_number policy_version claim_number line peril channel currency loss_at "
        "loss_zone reported_at registered_at decided_at decided_by closed_at changed_at computed payable paid events "
        "applied synthetic reasons segment lane flags withdrawn_at"
    )
    return ClaimAnswer(
        **{name: getattr(view, name) for name in plain.split()},
        state=view.state,
        status=view.status.value,
        review=view.review.value,
        outcome=view.outcome.value if view.outcome else None,
        referral_event_id=referral.event_id if referral else None,
        referral=ReferralAnswer(
            event_id=referral.event_id,
            desk=referral.desk,
            reasons=tuple(reason.value for reason in referral.reasons),
            computed=referral.computed,
            payable=referral.payable,
            proposal=decision_answer(referral.proposal) if whole else None,
            referred_at=referral.referred_at,
        )
        if referral
        else None,
        duplicates=duplicate_answers(view),
        papers=papers_answer(view) if whole else None,
        reserves=reserve_answers(view),
        advances=advance_answers(view),
        decision=decision_answer(view.working) if whole else None,
        payments=tuple(PaymentAnswer(**dict(one)) for one in view.payments),
        notices=Notices(sent=view.notices_sent, failed=view.notices_failed),
        parties=None if parties is None else tuple(_party(one) for one in parties),
    )


def entry_answer(entry: TimelineEntry) -> EntryAnswer:
    return EntryAnswer(
        event_id=EventId(entry.event_id),
        type=entry.type,
        writer=entry.writer,
        sequence=entry.sequence,
        cause_id=str(entry.cause_id),
        time=entry.time,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        appended_at=entry.appended_at,
        trace_id=entry.trace_id,
        facts=entry.facts,
    )


def summary_answer(counts: dict[str, int]) -> SummaryAnswer:
    total = sum(counts.values())
    at_rest = sum(counts.get(state, 0) for state in AT_REST)
    return SummaryAnswer(claims=total, by_state=dict(sorted(counts.items())), at_rest=at_rest, moving=total - at_rest)


def _party(party: KnownParty) -> PartyAnswer:
    return PartyAnswer(
        who=party.row.who,
        subject_id=party.row.sealed.subject_id,
        state=party.state,
        shown=SHOWN[party.state],
    )
