"""Claims followed to a point, and the notices they owe, for the tests of notify."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from messaging.stage import WorkItem
from privacy.sealing import Sealer
from schemas.assessment import (
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ReferralReason,
    RequestedDocument,
)
from schemas.decision import Decision, DecisionKind, DecisionLine, Override, ReserveLine
from schemas.event import Event
from schemas.ids import DecisionId, EventId, PaymentId, SubjectId, end_to_end_id
from schemas.notify import NoticeKind
from schemas.party import Party, SealedParty
from schemas.payment import HoldReason, PaymentHeld, PaymentInstructed, PaymentKind, PaymentRejected
from services.notify.adapters.text_files import load_letters, load_rules
from services.notify.app import PAPERS_URL
from services.notify.domain.following import Cause, follow
from services.notify.domain.letters import Letters
from services.notify.domain.notices import ClaimNotices, Notice
from services.notify.domain.rules import Rules
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_referred,
    a_claim_reported,
    a_decision,
    a_duplicate_linked,
    a_payment_confirmed,
    a_payment_instructed,
    a_person,
    an_advance_approved,
    an_id,
    documents_requested,
    usd,
)

NOW = REPORTED_AT + timedelta(minutes=5)


@cache
def the_letters() -> Letters:
    """The texts that ship."""
    return load_letters()


@cache
def the_rules() -> Rules:
    """The rules that ship."""
    return load_rules()


def a_claim_partly_approved(**changes: Any) -> ClaimPartlyApproved:
    """A person paid 900.00 where the terms gave 1,200.00."""
    override = Override(
        computed=usd("1200.00"), final=usd("900.00"), reason="The fence is not covered.", person=a_person()
    )
    terms = a_decision(kind=DecisionKind.partial)
    decision = Decision(**dict(terms) | {"payable": usd("900.00"), "override": override})
    fields: dict[str, Any] = {
        "decision": decision,
        "reserves": (ReserveLine(coverage_code="building", amount=usd("900.00")),),
        "person": a_person(),
        "reason": "The fence is not covered.",
        "clause_id": "SFIP-IV-11",
        "fact": "300.00 of the damage is the garden fence.",
    }
    return ClaimPartlyApproved(**fields | changes)


def a_claim_decided_nil(**changes: Any) -> ClaimDecidedNil:
    """Damage below the deductible."""
    decision = a_decision("0.00", kind=DecisionKind.nil)
    fields: dict[str, Any] = {"decision": decision, "person": a_person(), "reason": "Damage below the deductible."}
    return ClaimDecidedNil(**fields | changes)


def a_claim_denied(**changes: Any) -> ClaimDenied:
    fields: dict[str, Any] = {
        "person": a_person(),
        "reason": "The damage is not from a flood.",
        "clause_id": "SFIP-V-D",
        "fact": "The water came from a burst pipe.",
        "appeal": "Write to the appeals desk and say what we should look at again.",
    }
    return ClaimDenied(**fields | changes)


def a_payment_held(**changes: Any) -> PaymentHeld:
    fields: dict[str, Any] = {"decision_id": DecisionId(an_id("decision")), "reason": HoldReason.account_missing}
    return PaymentHeld(**fields | changes)


def a_payment_rejected(name: str = "payment", **changes: Any) -> PaymentRejected:
    payment = PaymentId(an_id(name))
    fields: dict[str, Any] = {
        "payment_id": payment,
        "end_to_end_id": end_to_end_id(payment, 1),
        "code": "AC04",
        "reason": "the account is closed",
    }
    return PaymentRejected(**fields | changes)


def papers_requested(**changes: Any) -> Event:
    """Papers of a line, of a line nobody reported, of the whole claim, and of a kind that has no words."""
    wanted = [("repair_invoice", "1"), ("photo", None), ("police-report", "9"), ("boat_log", None)]
    papers = tuple(RequestedDocument(kind=kind, line_id=line) for kind, line in wanted)
    return documents_requested(**{"documents": papers} | changes)


def an_advance_instructed(**changes: Any) -> PaymentInstructed:
    """The payment of 500.00 beforehand."""
    fields = {"decision_id": DecisionId(an_id("advance")), "kind": PaymentKind.partial, "amount": usd("500.00")}
    return a_payment_instructed("advance-payment", **fields | changes)


def whole_after_advance(payable: str = "1200.00", **changes: Any) -> Decision:
    """The whole decided after 500.00 were advanced."""
    return a_decision(payable, advanced=usd("500.00"), **changes)


def a_rest_denied(**changes: Any) -> ClaimPartlyApproved:
    """A person refused everything but the 500.00 that were advanced."""
    override = Override(
        computed=usd("1200.00"), final=usd("500.00"), reason="The fence is not covered.", person=a_person()
    )
    words = {"payable": usd("500.00"), "override": override, "kind": DecisionKind.partial}
    decision = Decision(**dict(whole_after_advance()) | words)
    return a_claim_partly_approved(decision=decision, **changes)


def an_advance() -> Decision:
    """500.00 for the building, while nobody knows yet what the contents come to."""
    clear = a_decision("500.00", name="advance")
    unclear = DecisionLine(line_id="2", coverage_code="contents", payable=usd("0.00"))
    return clear.model_copy(update={"lines": (*clear.lines, unclear)})


ADVANCED: tuple[Event, ...] = (an_advance_approved(an_advance()), a_claim_referred(), an_advance_instructed())
STORIES: dict[NoticeKind, tuple[Event, ...]] = {
    NoticeKind.received: (),
    NoticeKind.referred: (a_claim_referred(),),
    NoticeKind.documents_requested: (a_claim_referred(), papers_requested()),
    NoticeKind.advance: ADVANCED,
    NoticeKind.settled: (*ADVANCED, a_rest_denied()),
    NoticeKind.withdrawn: (a_claim_closed(outcome=ClaimOutcome.withdrawn, paid=None),),
    NoticeKind.duplicate: (a_duplicate_linked(), a_claim_closed(outcome=ClaimOutcome.duplicate, paid=None)),
    NoticeKind.approved: (a_claim_approved(), a_payment_instructed()),
    NoticeKind.partly_approved: (a_claim_partly_approved(), a_payment_instructed(amount=usd("900.00"))),
    NoticeKind.decided_nil: (a_claim_decided_nil(),),
    NoticeKind.denied: (a_claim_denied(),),
    NoticeKind.paid: (a_claim_approved(), a_payment_instructed(), a_payment_confirmed()),
    NoticeKind.payment_held: (a_claim_approved(), a_payment_held()),
}
"""The events after the report whose last one owes a notice of the kind."""

_REST = (*ADVANCED, a_claim_approved(whole_after_advance()), a_payment_instructed(amount=usd("700.00")))
VARIANTS: dict[str, tuple[Event, ...]] = {
    "paid.part": (*ADVANCED, a_payment_confirmed("advance-payment", amount=usd("500.00"))),
    "decided_nil.beside": (*ADVANCED, a_claim_decided_nil(decision=whole_after_advance("0.00", kind=DecisionKind.nil))),
    "approved.rest": _REST,
    "paid.rest": (*_REST, a_payment_confirmed(amount=usd("700.00"))),
    "referred.papers": (
        papers_requested(),
        a_claim_referred(reasons=(ReferralReason.fraud_flag, ReferralReason.documents_received)),
    ),
    "documents_requested.again": (papers_requested(round=2, reason="The invoice cannot be read."),),
}
"""The same for what a kind says only sometimes."""


def followed(events: Sequence[Event], rules: Rules | None = None) -> tuple[ClaimNotices, list[Notice]]:
    """The claim after these events, and every notice they owe, each event under its own id."""
    claim, owed = ClaimNotices(), list[Notice]()
    for number, event in enumerate(events, start=1):
        cause = Cause(EventId(an_id(f"event:{number}")), a_claim_id(), NOW)
        claim, notice = follow(claim, event, cause, rules or the_rules())
        owed += [notice] if notice is not None else []
    return claim, owed


def a_notice(kind: NoticeKind = NoticeKind.received, language: str = "en", **changes: Any) -> Notice:
    """The notice of this kind as its default story owes it; changes are of the notice."""
    return the_last_of(STORIES[kind], language).model_copy(update=changes)


def the_last_of(events: Sequence[Event], language: str = "en") -> Notice:
    """The notice that the last of these events owes after a report, with the address that the handler gives it."""
    _, owed = followed((a_claim_reported(language=language), *events))
    address = f"{PAPERS_URL}/v1/claims/{owed[-1].reference}/documents" if owed[-1].papers else None
    return owed[-1].model_copy(update={"address": address})


def kinds_of(notices: Iterable[Notice]) -> list[str]:
    return [notice.kind.value for notice in notices]


def a_party(**changes: Any) -> Party:
    fields: dict[str, Any] = {"name": "Ada Example", "email": "ada@example.org"}
    return Party(**fields | changes)


async def sealed(sealer: Sealer, party: Party | None = None, name: str = "ada") -> SealedParty:
    """The party under a key of the sealer's ring."""
    [box] = await sealer.seal_many([(SubjectId(an_id(f"subject:{name}")), party or a_party())])
    assert isinstance(box, SealedParty)
    return box


def an_item(notice: Notice, attempt: int = 1) -> WorkItem:
    """The leased work row of a notice."""
    payload = notice.model_dump(mode="json", exclude_none=True)
    return WorkItem(notice.notice_id, "mail", notice.claim_id, payload, attempt, notice.made_at)
