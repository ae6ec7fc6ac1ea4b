"""Which notices the events of a run owe by mail, judged from the events alone. Pure.

Which notices a held or rejected payment owes is a rule of notify's own and not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from local.replay.evidence import Seen, amount_minor

AFTER_BOOKING = frozenset({"approved", "partly_approved", "advance", "paid"})
OWED_ALWAYS = {
    "ClaimReported": "received",
    "DocumentsRequested": "documents_requested",
    "ClaimDenied": "denied",
    "ClaimDecidedNil": "decided_nil",
    "PaymentConfirmed": "paid",
}
ABOUT_PAYMENT = frozenset({"payment_rejected", "payment_held"})
_CLOSED = {"withdrawn": "withdrawn", "duplicate": "duplicate"}
_WHOLE = frozenset({"ClaimApproved", "ClaimPartlyApproved"})
_BACK_FROM_PERSON = _WHOLE | {"DocumentsRequested"}


def owed(events: Sequence[Seen], since: datetime | None, stuck: set[str]) -> Iterator[tuple[Seen, str]]:
    """Each event since then that owes a notice by mail, with its kind. None: mail is off, or nobody knows."""
    if since is None:
        return
    reduced = {data["decision"]["decision_id"] for name, data in _told(events) if name == "ClaimPartlyApproved"}
    confirmed = {data["payment_id"] for name, data in _told(events) if name == "PaymentConfirmed"}
    asked, settled = _newly_referred(events), _settled(events)
    told: set[tuple[str, ...]] = {(event.claim_id, decision) for event, decision in settled.values()}
    for event in events:
        data, once = event.data or {}, (event.name, event.event_id)
        kind = OWED_ALWAYS.get(event.name)
        if event.name == "PaymentConfirmed":
            once = (event.name, data["payment_id"])
        if event.event_id in asked:
            kind = "referred"
        if event.event_id in settled:
            kind = "settled"
        if event.name == "ClaimClosed":
            kind = _CLOSED.get(data["outcome"])
        if event.name == "PaymentInstructed":
            once = (event.claim_id, data["decision_id"])
            kind = _with_instruction(data, reduced, confirmed)
        is_first = once not in told
        told.add(once)
        if kind is not None and is_first and event.time >= since and event.claim_id not in stuck:
            yield event, kind


def _with_instruction(data: Mapping[str, Any], reduced: set[str], confirmed: set[str]) -> str | None:
    """Paid says more than approved or advanced, and may overtake it; a reduction has reasons to be read."""
    if data["kind"] != "partial" and data["decision_id"] in reduced:
        return "partly_approved"
    if data["payment_id"] in confirmed:
        return None
    return "advance" if data["kind"] == "partial" else "approved"


def _newly_referred(events: Sequence[Seen]) -> set[str]:
    """The referrals that ask a person anew; the same question asked again is no news to the customer."""
    asked, with_a_person = set(), set[str]()
    for event in events:
        if event.name in _BACK_FROM_PERSON:
            with_a_person.discard(event.claim_id)
        if event.name == "ClaimReferred" and not ABOUT_PAYMENT.issuperset((event.data or {})["reasons"]):
            if event.claim_id not in with_a_person:
                asked.add(event.event_id)
            with_a_person.add(event.claim_id)
    return asked


def _settled(events: Sequence[Seen]) -> dict[str, tuple[Seen, str]]:
    """The decisions that give no more than was advanced, by their event: no payment need follow that tells of them.

    The same amount decided again makes up for a payment that failed, and is told with that payment.
    """
    found, last = {}, dict[str, tuple[int, str]]()
    for event in events:
        if event.name not in _WHOLE or event.data is None:
            continue
        decision = event.data["decision"]
        payable, advanced = amount_minor(decision["payable"]), decision.get("advanced")
        is_new, last[event.claim_id] = last.get(event.claim_id) != payable, payable
        if is_new and advanced is not None:
            minor, currency = amount_minor(advanced)
            if currency == payable[1] and minor >= payable[0]:
                found[event.event_id] = (event, decision["decision_id"])
    return found


def _told(events: Sequence[Seen]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((event.name, event.data) for event in events if event.data)
