"""One line of a claim's timeline: which event, from where in the log, and short facts free of personal data.

People's own words (reasons, facts, appeals) stay in the event: they may name somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimPartlyApproved,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
    DocumentsRequested,
    DuplicateLinked,
    PolicyAwaited,
    ReserveSet,
)
from schemas.decision import Decision, Person
from schemas.event import Event
from schemas.ids import ClaimId
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentsReceived
from schemas.money import Money
from schemas.notify import NoticeFailed, NoticeSent
from schemas.ops import ReviewRecorded
from schemas.payment import PaymentConfirmed, PaymentHeld, PaymentInstructed, PaymentRejected

LIST_MAX = 10
"""As many of a list as one line shows."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An event as it lies in the log. `facts` is plain JSON."""

    event_id: UUID
    claim_id: ClaimId
    type: str
    writer: str
    sequence: int
    cause_id: UUID
    time: datetime
    topic: str
    partition: int
    offset: int
    appended_at: datetime
    trace_id: str | None
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id a claim can be found by, beside its own, its reference, its policy and its events."""

    id: str
    kind: str
    claim_id: ClaimId


def facts_of(data: Event) -> dict[str, Any]:
    """What is worth a glance in one event; absent values are left out."""
    return {name: _plain(value) for name, value in _facts(data).items() if value is not None}


def ids_of(claim_id: ClaimId, data: Event) -> Iterator[KnownId]:
    """The ids this event brings."""
    match data:
        case PaymentInstructed():
            yield KnownId(str(data.payment_id), "payment", claim_id)
            yield KnownId(str(data.instruction_id), "instruction", claim_id)
            yield KnownId(data.end_to_end_id, "end-to-end", claim_id)
            yield KnownId(str(data.ledger_transfer_id), "ledger-transfer", claim_id)
        case DocumentsReceived():
            for paper in data.documents:
                yield KnownId(str(paper.document_id), "document", claim_id)
        case AdvanceApproved() | ClaimApproved() | ClaimPartlyApproved() | ClaimDecidedNil():
            yield KnownId(str(data.decision.decision_id), "decision", claim_id)
        case ClaimRegistered():
            yield KnownId(data.claim_number, "claim-number", claim_id)
        case ReviewRecorded():
            yield KnownId(str(data.review_id), "review", claim_id)


def _facts(data: Event) -> dict[str, Any]:
    match data:
        case ClaimReported():
            asked = [line.asked for line in data.lines if line.asked is not None]
            same = all(amount.currency == data.currency for amount in asked)
            return {
                "reference": data.reference,
                "policy_number": data.policy_number,
                "line": data.line,
                "loss_at": data.loss_at,
                "lines": len(data.lines),
                "asked": Money.total(asked, data.currency) if asked and same else None,
                "channel": data.channel,
            }
        case PolicyAwaited():
            return {"reason": data.reason.value, "attempt": data.attempt, "next_attempt_at": data.next_attempt_at}
        case ClaimRegistered():
            return {"claim_number": data.claim_number, "policy_version": data.policy.version_id}
        case ClaimReferred():
            computed = data.decision.computed if data.decision else None
            proposed = data.decision.proposed if data.decision else None
            return {
                "reasons": [reason.value for reason in data.reasons],
                "desk": data.desk,
                "computed": computed,
                "proposed": proposed.value if proposed else None,
            }
        case ClaimApproved() | AdvanceApproved():
            by = data.approved_by
            return {
                **_amounts(data.decision),
                "approved_by": by.person_id if isinstance(by, Person) else by,
                "rules": [f"{rule.id}@{rule.version}" for rule in data.decision.rules[:LIST_MAX]],
            }
        case ClaimPartlyApproved():
            return {**_amounts(data.decision), "person": data.person.person_id, "clause_id": data.clause_id}
        case ClaimDecidedNil():
            return {"computed": data.decision.computed, "person": data.person.person_id}
        case ClaimDenied():
            return {"person": data.person.person_id, "clause_id": data.clause_id}
        case ClaimClosed():
            return {"outcome": data.outcome.value, "paid": data.paid}
    return _facts_aside(data) or _other_facts(data)


def _amounts(decision: Decision) -> dict[str, Any]:
    """What was computed, advanced and is payable, and who set another amount."""
    return {
        "computed": decision.computed,
        "payable": decision.payable,
        "advanced": decision.advanced,
        "override_by": decision.override.person.person_id if decision.override else None,
    }


def _facts_aside(data: Event) -> dict[str, Any]:
    match data:
        case ClaimSegmented():
            return {
                "segment": data.segment,
                "lane": data.lane,
                "flags": [flag.code for flag in data.flags[:LIST_MAX]],
                "rules": [f"{rule.id}@{rule.version}" for rule in data.rules[:LIST_MAX]],
            }
        case DuplicateLinked():
            return {
                "other_claim_id": data.other_claim_id,
                "other_reference": data.other_reference,
                "score": data.score,
                "reasons": list(data.reasons[:LIST_MAX]),
            }
        case ReserveSet():
            return {
                "reserves": [
                    {"coverage": one.coverage_code, "cost_type": one.cost_type.value, **_plain(one.amount)}
                    for one in data.reserves[:LIST_MAX]
                ],
                "reason": data.reason.value,
                "rule": f"{data.rule.id}@{data.rule.version}" if data.rule else None,
                "person": data.person.person_id if data.person else None,
            }
        case DocumentsRequested():
            return {
                "kinds": [one.kind for one in data.documents[:LIST_MAX]],
                "documents": len(data.documents),
                "round": data.round,
                "person": data.person.person_id if data.person else None,
            }
        case DocumentsReceived():
            kinds = [one.kind for one in data.documents[:LIST_MAX]]
            return {"kinds": kinds, "documents": len(data.documents), "received_at": data.received_at}
        case ClaimWithdrawn():
            return {"reason": data.reason, "withdrawn_at": data.withdrawn_at}
    return {}


def _other_facts(data: Event) -> dict[str, Any]:
    match data:
        case PaymentInstructed():
            return {
                "payment_id": data.payment_id,
                "amount": data.amount,
                "kind": data.kind.value,
                "end_to_end_id": data.end_to_end_id,
                "attempt": data.attempt,
            }
        case PaymentConfirmed():
            return {"payment_id": data.payment_id, "amount": data.amount, "bank_reference": data.bank_reference}
        case PaymentRejected():
            return {"payment_id": data.payment_id, "code": data.code}
        case PaymentHeld():
            return {"payment_id": data.payment_id, "reason": data.reason.value}
        case NoticeSent():
            return {
                "kind": data.kind.value,
                "channel": data.channel.value,
                "template": f"{data.template}@{data.template_version}",
                "language": data.language,
                "attempt": data.attempt,
            }
        case NoticeFailed():
            return {"kind": data.kind.value, "channel": data.channel.value, "reason": data.reason.value}
        case ReviewRecorded():
            return {
                "verdict": data.verdict.value,
                "amount": data.amount,
                "person": data.person.person_id,
                "role": data.person.role,
                "clause_id": data.clause_id,
                "kinds": [one.kind for one in data.documents[:LIST_MAX]] if data.documents else None,
                "referral_event_id": data.referral_event_id,
            }
    return {}


def _plain(value: Any) -> Any:
    match value:
        case Money():
            return {"amount": value.to_text(), "currency": value.currency}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case UUID():
            return str(value)
    return value
