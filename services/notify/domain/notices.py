"""What notify knows of a claim, and the notice it owes: values that go into the database and into a work row as JSON.

A notice is one per (source event, recipient, template) and carries everything its text needs, so that a repeat after
a crash is the same mail, byte for byte, under the same Message-ID.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

from pydantic import Field

from schemas.assessment import RequestedDocument
from schemas.decision import DecisionLine
from schemas.ids import ClaimId, DecisionId, EventId, PaymentId
from schemas.model import Code, Instant, Language, Model, Zone
from schemas.money import Money
from schemas.notify import MessageId, NoticeKind
from schemas.party import SealedParty

MESSAGE_ID_HOST = "notices.claimflow.invalid"
"""Frozen: a Message-ID must not change with a setting, or a repeat would look like another mail."""

DECISIONS_KEPT = 20
PAYMENTS_KEPT = 100


class Explained(Model):
    """What a customer is told of a decision: the amount, its working line by line, and a person's words.

    `advance`: not the whole was decided, only a part that is paid before.
    """

    decision_id: DecisionId | None = None
    payable: Money | None = None
    computed: Money | None = None
    lines: tuple[DecisionLine, ...] = ()
    reduced: bool = False
    advance: bool = False
    reason: str | None = None
    clause_id: str | None = None
    fact: str | None = None
    appeal: str | None = None


class PaymentSeen(Model):
    payment_id: PaymentId
    decision_id: DecisionId | None = None
    confirmed: bool = False
    partial: bool = False


class ClaimNotices(Model):
    """What notify has followed of one claim. `announced` names the decisions whose approval was told or left out.

    `coverages` are the coverages of the reported lines, `with_a_person`: the customer knows that somebody looks at it,
    `duplicate_of` is the reference of the claim it was linked to.
    """

    reference: str | None = None
    language: Language = "en"
    recipient: SealedParty | None = None
    loss_on: date | None = None
    zone: Zone = "UTC"
    decisions: tuple[Explained, ...] = ()
    announced: tuple[DecisionId, ...] = ()
    payments: tuple[PaymentSeen, ...] = ()
    asked_for_details: bool = False
    coverages: dict[Code, Code] = Field(default_factory=dict)
    with_a_person: bool = False
    duplicate_of: Code | None = None

    def decision(self, decision_id: DecisionId | None) -> Explained | None:
        return next((one for one in reversed(self.decisions) if one.decision_id == decision_id), None)

    def whole(self) -> Explained | None:
        """What was decided last about the claim as a whole."""
        return next((one for one in reversed(self.decisions) if not one.advance), None)

    def payment(self, payment_id: PaymentId) -> PaymentSeen | None:
        return next((one for one in self.payments if one.payment_id == payment_id), None)

    def confirmed(self) -> frozenset[PaymentId]:
        """The payments the bank has carried out."""
        return frozenset(one.payment_id for one in self.payments if one.confirmed)


class Notice(Model):
    """One notice that is owed. `made_at` is the mail's date; after `expires_at` it is no longer tried.

    `before` is what was paid, or approved to be paid, before `amount`; `about` chooses between wordings of a kind.
    """

    source_event_id: EventId
    claim_id: ClaimId
    kind: NoticeKind
    version: int
    language: Language
    reference: str
    recipient: SealedParty
    made_at: Instant
    expires_at: Instant
    loss_on: date | None = None
    by_on: date | None = None
    executed_on: date | None = None
    amount: Money | None = None
    explained: Explained | None = None
    decision_id: DecisionId | None = None
    payment_id: PaymentId | None = None
    task: Code | None = None
    about: Code | None = None
    before: Money | None = None
    papers: tuple[RequestedDocument, ...] = ()
    coverages: dict[Code, Code] = Field(default_factory=dict)
    address: str | None = None
    duplicate_of: Code | None = None

    @property
    def notice_id(self) -> UUID:
        """Follows from source event, recipient and template alone."""
        return uuid5(self.source_event_id, f"notice:{self.recipient.subject_id}:{self.kind.value}")

    @property
    def message_id(self) -> MessageId:
        return f"<{self.notice_id}@{MESSAGE_ID_HOST}>"
