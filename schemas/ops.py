"""What ops tells: what a person decided at the desk. Their words are internal: bounded, for the file and the letter."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.assessment import RequestedDocument
from schemas.decision import Person
from schemas.event import Event
from schemas.ids import EventId, ReviewId
from schemas.model import ClauseId, Instant, LongText, Privacy
from schemas.money import PositiveMoney


class Verdict(StrEnum):
    approve = "approve"
    approve_amount = "approve_amount"
    deny = "deny"
    ask_documents = "ask_documents"
    duplicate = "duplicate"


class ReviewRecorded(Event):
    """A person's verdict on the referral it names. Another amount needs a reason; a denial a clause and a fact too.

    `ask_documents` carries one complete list of papers; `duplicate` says that another claim tells of the same loss.
    """

    TYPE: ClassVar[str] = "claimflow.ReviewRecorded.v1"
    WRITER: ClassVar[str] = "ops"

    review_id: Annotated[ReviewId, Privacy.internal]
    referral_event_id: Annotated[EventId, Privacy.internal]
    verdict: Annotated[Verdict, Privacy.internal]
    amount: Annotated[PositiveMoney | None, Privacy.internal] = None
    reason: Annotated[LongText | None, Privacy.internal] = None
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None
    fact: Annotated[LongText | None, Privacy.internal] = None
    documents: Annotated[
        Annotated[tuple[RequestedDocument, ...], Field(min_length=1, max_length=50)] | None, Privacy.internal
    ] = None
    person: Annotated[Person, Privacy.internal]
    recorded_at: Annotated[Instant, Privacy.internal]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.verdict is Verdict.approve_amount) != (self.amount is not None):
            raise ValueError("an amount belongs to the verdict approve_amount, and only to it")
        if (self.verdict is Verdict.ask_documents) != (self.documents is not None):
            raise ValueError("documents belong to the verdict ask_documents, and only to it")
        if self.verdict not in (Verdict.approve, Verdict.ask_documents) and self.reason is None:
            raise ValueError("another amount, a denial and a duplicate need a reason")
        if self.verdict is Verdict.deny and (self.clause_id is None or self.fact is None):
            raise ValueError("a denial needs a clause_id and a fact")
        if self.verdict is Verdict.approve and (self.clause_id is not None or self.fact is not None):
            raise ValueError("an approval as proposed carries no clause_id and no fact")
        return self


EVENTS: tuple[type[Event], ...] = (ReviewRecorded,)
