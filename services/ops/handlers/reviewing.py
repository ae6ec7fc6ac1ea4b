"""A person's verdict on a referral: checked, recorded with its event in one transaction, published, then answered.

One referral takes one review. The same request under the same key gets the same answer again, and is published again
if the broker never acknowledged it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, NoReturn
from uuid import uuid5

from pydantic import BaseModel, ConfigDict, Field

from messaging import crash_points
from messaging.ports import Clock, PublishFailed, Store, Tx
from messaging.publishing import Publisher, Recorder
from messaging.stage import Input, Recorded, Stage
from schemas.assessment import RequestedDocument
from schemas.decision import Person
from schemas.ids import ClaimId, EventId, ReviewId, event_id
from schemas.model import ClauseId, Code, Instant, LongText, canonical_json
from schemas.money import PositiveMoney
from schemas.ops import ReviewRecorded, Verdict
from schemas.outcomes import Outcome
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.people import Staff
from services.ops.domain.review import (
    CONFLICT,
    INCOMPLETE,
    ROLE_MISSING,
    Refused,
    check_authority,
    check_duplicate,
    check_papers,
    check_referral,
)
from services.ops.ports import Desk, NewId, ReviewRow, Views

STAGE = "ops-desk"
PUBLISH_SECONDS = 5.0
DOCUMENTS_MAX = 50


class WantedDocument(BaseModel):
    """A paper to ask for: what kind, and for which line of the claim."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Code
    line_id: Code | None = None


class ReviewRequest(BaseModel):
    """What a person says to a referral. An approval of another amount needs a reason; a denial clause and fact too.

    `ask_documents` names every paper still needed, in one list; when papers were asked for before, it needs a reason.
    `duplicate` needs a reason, and refers to the claims that are linked to this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    referral_event_id: EventId
    verdict: Verdict
    amount: PositiveMoney | None = None
    reason: LongText | None = None
    clause_id: ClauseId | None = None
    fact: LongText | None = None
    documents: Annotated[tuple[WantedDocument, ...], Field(min_length=1, max_length=DOCUMENTS_MAX)] | None = None


class ReviewAnswer(BaseModel):
    """The verdict is on its way to assessment, which decides and tells the outcome."""

    model_config = ConfigDict(frozen=True)

    review_id: ReviewId
    claim_id: ClaimId
    referral_event_id: EventId
    event_id: EventId
    verdict: Verdict
    recorded_at: Instant


class ReviewRefused(Exception):
    """The review cannot be taken; says which rule stands against it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.code)
        self.refused = refused


class NotAcknowledged(Exception):
    """Recorded, but the broker has not acknowledged it; it will be sent."""


class NoInputs:
    """The handler of a stage that reads nothing: people's clicks come over HTTP."""

    async def prepare(self, inputs: Sequence[Input]) -> None:
        return None

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, Any]:
        return dict.fromkeys(claim_ids)

    def decide(self, state: Any, event: Input, facts: None) -> tuple[Outcome, Any]:
        self._refuse()

    async def save(self, states: Mapping[ClaimId, Any], tx: Tx) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise RuntimeError("the desk reads no topic")


def desk_stage() -> Stage:
    """The stage in whose name people's clicks are recorded."""
    return Stage(name=STAGE, writer="ops", reads=(), handles={}, handler=NoInputs())


class Reviewer:
    """Takes reviews."""

    def __init__(
        self,
        store: Store,
        views: Views,
        desk: Desk,
        recorder: Recorder,
        publisher: Publisher,
        clock: Clock,
        new_id: NewId,
        publish_seconds: float = PUBLISH_SECONDS,
    ) -> None:
        self._store, self._views, self._desk = store, views, desk
        self._recorder, self._publisher, self._clock, self._new_id = recorder, publisher, clock, new_id
        self._publish_seconds = publish_seconds

    async def review(self, claim_id: ClaimId, staff: Staff, asked: ReviewRequest, key: str | None) -> str:
        """The answer's JSON, the same for the same key. ReviewRefused, or NotAcknowledged when the broker is away."""
        request_hash = _hash_of(claim_id, staff, asked)
        name = str(self._new_id()) if key is None else f"{staff.id}:{key}"
        review_id = ReviewId(uuid5(claim_id, f"review:{name}"))
        async with self._store.begin() as tx:
            row = await self._desk.review(tx, review_id)
            if row is None:
                row = await self._record(tx, review_id, claim_id, staff, asked, request_hash)
        if row.request_hash != request_hash:
            raise ReviewRefused(Refused("idempotency-key-reused", "this key was used for another review", INCOMPLETE))
        if not row.published:
            await self._publish(row)
        return row.answer

    async def _record(
        self, tx: Tx, review_id: ReviewId, claim_id: ClaimId, staff: Staff, asked: ReviewRequest, request_hash: str
    ) -> ReviewRow:
        view = (await self._views.load(tx, [claim_id])).get(claim_id)
        if view is None:
            raise ReviewRefused(Refused("not-referred", "the claim waits for no person at the moment", CONFLICT))
        person = _checked(view, staff, asked)
        now = self._clock.now()
        event = _event(review_id, person, asked, now)
        answer = ReviewAnswer(
            review_id=review_id,
            claim_id=claim_id,
            referral_event_id=asked.referral_event_id,
            event_id=event_id(review_id, ReviewRecorded.WRITER, 0),
            verdict=asked.verdict,
            recorded_at=now,
        )
        text = answer.model_dump_json()
        row = ReviewRow(review_id, claim_id, asked.referral_event_id, staff.id, request_hash, text, now)
        if not await self._desk.add_review(tx, row):
            raced = await self._desk.review(tx, review_id)
            if raced is not None:
                return raced
            raise ReviewRefused(
                Refused("already-reviewed", "this referral has been answered by an earlier review", CONFLICT)
            )
        seen = {writer: number for writer, number in view.applied.items() if writer != ReviewRecorded.WRITER}
        await self._recorder.record(tx, [Recorded(claim_id, review_id, (event,), after=seen)])
        return row

    async def _publish(self, row: ReviewRow) -> None:
        crash_points.reach("click.recorded")
        try:
            await self._publisher.publish([row.claim_id], self._publish_seconds)
        except PublishFailed as failed:
            raise NotAcknowledged from failed
        crash_points.reach("click.published")
        async with self._store.begin() as tx:
            await self._desk.mark_review(tx, row.review_id)
        crash_points.reach("click.marked")


def _checked(view: ClaimView, staff: Staff, asked: ReviewRequest) -> Person:
    """The person as the event names them; ReviewRefused if a rule stands against this review."""
    referral = check_referral(view, asked.referral_event_id)
    if isinstance(referral, Refused):
        raise ReviewRefused(referral)
    refused = check_authority(staff, referral, asked.verdict, asked.amount)
    if refused is None and asked.verdict is Verdict.duplicate:
        refused = check_duplicate(view)
    if refused is None and asked.verdict is Verdict.ask_documents:
        refused = check_papers(view, _documents(asked) or (), asked.reason)
    person = staff.as_person()
    if refused is not None or person is None:
        raise ReviewRefused(refused or ROLE_MISSING)
    return person


def _event(review_id: ReviewId, person: Person, asked: ReviewRequest, now: datetime) -> ReviewRecorded:
    """ValidationError, without values, when the request lacks what its verdict needs."""
    return ReviewRecorded(
        review_id=review_id,
        referral_event_id=asked.referral_event_id,
        verdict=asked.verdict,
        amount=asked.amount,
        reason=asked.reason,
        clause_id=asked.clause_id,
        fact=asked.fact,
        documents=_documents(asked),
        person=person,
        recorded_at=now,
    )


def _documents(asked: ReviewRequest) -> tuple[RequestedDocument, ...] | None:
    if asked.documents is None:
        return None
    return tuple(RequestedDocument(kind=one.kind, line_id=one.line_id) for one in asked.documents)


def _hash_of(claim_id: ClaimId, staff: Staff, asked: ReviewRequest) -> str:
    content = {"claim_id": str(claim_id), "person": staff.id, "asked": _plain(asked)}
    return sha256(canonical_json(content)).hexdigest()


def _plain(asked: ReviewRequest) -> dict[str, Any]:
    # Without papers it is what earlier releases hashed, so that a review begun under one can be repeated under another.
    return asked.model_dump(mode="json", exclude=None if asked.documents else {"documents"})
