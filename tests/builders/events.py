"""Valid events with defaults, for every test: name only what the test is about. Nothing here is random.

Amounts are US dollars as text. A claim's default story: reported, registered, approved for 1,200.00, paid, closed.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimOutcome,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
    DocumentsRequested,
    DuplicateLinked,
    FraudFlag,
    ReferralReason,
    RequestedDocument,
    ReserveReason,
    ReserveSet,
)
from schemas.decision import Decision, DecisionKind, DecisionLine, Person, ReserveLine, Rule, Step
from schemas.envelope import Envelope
from schemas.event import Event, encode
from schemas.ids import (
    ClaimId,
    DecisionId,
    DocumentId,
    EventId,
    InstructionId,
    KeyId,
    LedgerTransferId,
    PaymentId,
    ReviewId,
    SubjectId,
    claim_id,
    claim_reference,
    end_to_end_id,
    event_id,
)
from schemas.intake import ClaimReported, ClaimWithdrawn, DocumentRef, DocumentsReceived, Place, ReportedLine
from schemas.money import Money
from schemas.ops import ReviewRecorded, Verdict
from schemas.party import SealedParty
from schemas.payment import PaymentConfirmed, PaymentInstructed, PaymentKind
from schemas.policy import PolicySnapshot, PolicyStatus
from schemas.terms import Coverage, Deductible, Operation, Valuation

BUILDERS = UUID("0b0e2a64-1d3f-5a57-8a51-0d5a3c1f0001")
LOSS_AT = datetime(2012, 10, 29, 22, 30, tzinfo=UTC)
REPORTED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def usd(amount: str) -> Money:
    return Money.of_text(amount, "USD")


def a_claim_id(number: int = 1) -> ClaimId:
    """The n-th claim of the default client."""
    return claim_id("default", f"claim-{number}")


def an_id(name: str) -> UUID:
    """A fixed id for a name."""
    return uuid5(BUILDERS, name)


def a_sealed_party(name: str = "reporter", **changes: Any) -> SealedParty:
    """Looks sealed; opens with no key. Tests that open parties seal them with a key ring."""
    fields: dict[str, Any] = {
        "subject_id": SubjectId(an_id(f"subject:{name}")),
        "key_id": KeyId(an_id(f"key:{name}")),
        "box": b64encode(name.encode().ljust(48, b".")).decode(),
    }
    return SealedParty(**fields | changes)


def a_reported_line(line_id: str = "1", **changes: Any) -> ReportedLine:
    fields: dict[str, Any] = {"line_id": line_id, "coverage_code": "building", "asked": usd("2200.00")}
    return ReportedLine(**fields | changes)


def a_claim_reported(claim: ClaimId | None = None, **changes: Any) -> ClaimReported:
    fields: dict[str, Any] = {
        "reference": claim_reference(claim or a_claim_id()),
        "client": "default",
        "policy_number": "FL-000001",
        "line": "flood",
        "loss_at": LOSS_AT,
        "loss_zone": "America/New_York",
        "peril": "flood",
        "place": Place(country="US", admin="36081", postcode="11694"),
        "currency": "USD",
        "lines": (a_reported_line(),),
        "reporter": a_sealed_party(),
        "language": "en",
        "channel": "api",
        "reported_at": REPORTED_AT,
    }
    return ClaimReported(**fields | changes)


def a_coverage(code: str = "building", **changes: Any) -> Coverage:
    fields: dict[str, Any] = {
        "code": code,
        "clause_version": "SFIP-DF-2010",
        "limit": usd("250000.00"),
        "deductibles": (Deductible(amount=usd("1000.00")),),
        "valuation": Valuation.ACV,
        "operations": (Operation(op="deductible"), Operation(op="limit")),
    }
    return Coverage(**fields | changes)


def a_policy_snapshot(**changes: Any) -> PolicySnapshot:
    """A flood policy in force at LOSS_AT: building, limit 250,000.00, deductible 1,000.00."""
    fields: dict[str, Any] = {
        "policy_number": "FL-000001",
        "version_id": "1",
        "effective_from": LOSS_AT - timedelta(days=100),
        "effective_to": LOSS_AT + timedelta(days=265),
        "status": PolicyStatus.in_force,
        "currency": "USD",
        "line": "flood",
        "jurisdiction": "US-NY",
        "coverages": (a_coverage(),),
        "source_system": "policy-simulator",
        "retrieved_at": REPORTED_AT,
    }
    return PolicySnapshot(**fields | changes)


def a_claim_registered(policy: PolicySnapshot | None = None, **changes: Any) -> ClaimRegistered:
    policy = policy or a_policy_snapshot()
    fields: dict[str, Any] = {"claim_number": "CL-1", "policy": policy, "snapshot_hash": policy.snapshot_hash()}
    return ClaimRegistered(**fields | changes)


def a_decision(payable: str = "1200.00", name: str = "decision", **changes: Any) -> Decision:
    """One line, paid as the terms give it."""
    asked = usd("2200.00")
    line = DecisionLine(
        line_id="1",
        coverage_code="building",
        asked=asked,
        payable=usd(payable),
        steps=(Step(op="deductible", amount_in=asked.to_text(), amount_out=payable),),
    )
    fields: dict[str, Any] = {
        "decision_id": DecisionId(an_id(name)),
        "kind": DecisionKind.pay,
        "computed": usd(payable),
        "payable": usd(payable),
        "lines": (line,),
        "rules": (Rule(id="auto-approve", version="1"),),
        "input_hash": "0" * 64,
    }
    return Decision(**fields | changes)


def a_person(person_id: str = "ada", **changes: Any) -> Person:
    fields: dict[str, Any] = {"person_id": person_id, "role": "adjuster", "authority": usd("50000.00")}
    return Person(**fields | changes)


def a_claim_referred(**changes: Any) -> ClaimReferred:
    fields: dict[str, Any] = {
        "reasons": (ReferralReason.above_automatic_limit,),
        "desk": "flood",
        "decision": a_decision(kind=DecisionKind.refer),
    }
    return ClaimReferred(**fields | changes)


def a_claim_approved(decision: Decision | None = None, **changes: Any) -> ClaimApproved:
    decision = decision or a_decision()
    fields: dict[str, Any] = {
        "decision": decision,
        "reserves": (ReserveLine(coverage_code="building", amount=decision.payable),),
        "approved_by": "system",
    }
    return ClaimApproved(**fields | changes)


def a_reserve_set(amount: str = "2200.00", **changes: Any) -> ReserveSet:
    """What is set aside at registration, for the building."""
    fields: dict[str, Any] = {
        "reserves": (ReserveLine(coverage_code="building", amount=usd(amount)),),
        "reason": ReserveReason.registration,
        "rule": Rule(id="reserve-at-registration", version="1"),
    }
    return ReserveSet(**fields | changes)


def an_advance_approved(decision: Decision | None = None, reserve: str = "2200.00", **changes: Any) -> AdvanceApproved:
    """A part that nobody disputes, with the reserve that holds from then on."""
    fields: dict[str, Any] = {
        "decision": decision or a_decision("500.00", name="advance"),
        "reserves": (ReserveLine(coverage_code="building", amount=usd(reserve)),),
        "approved_by": "system",
    }
    return AdvanceApproved(**fields | changes)


def a_claim_segmented(**changes: Any) -> ClaimSegmented:
    fields: dict[str, Any] = {
        "segment": "simple",
        "lane": "fast",
        "flags": (FraudFlag(code="loss_soon_after_inception", row="flags-3"),),
        "rules": (Rule(id="segment", version="1"),),
        "input_hash": "0" * 64,
    }
    return ClaimSegmented(**fields | changes)


def a_duplicate_linked(other: ClaimId | None = None, **changes: Any) -> DuplicateLinked:
    other = other or a_claim_id(2)
    fields: dict[str, Any] = {
        "other_claim_id": other,
        "other_reference": claim_reference(other),
        "score": "0.9",
        "reasons": ("same_policy", "near_loss_time"),
    }
    return DuplicateLinked(**fields | changes)


def documents_requested(*kinds: str, **changes: Any) -> DocumentsRequested:
    wanted = tuple(RequestedDocument(kind=kind) for kind in kinds or ("repair_invoice",))
    fields: dict[str, Any] = {"documents": wanted, "round": 1, "person": a_person()}
    return DocumentsRequested(**fields | changes)


def documents_received(*kinds: str, **changes: Any) -> DocumentsReceived:
    found = tuple(
        DocumentRef(
            document_id=DocumentId(an_id(f"document:{kind}")),
            kind=kind,
            sha256="a" * 64,
            size_bytes=1_000,
            media_type="application/pdf",
        )
        for kind in kinds or ("repair_invoice",)
    )
    fields: dict[str, Any] = {"documents": found, "received_at": REPORTED_AT}
    return DocumentsReceived(**fields | changes)


def a_claim_withdrawn(**changes: Any) -> ClaimWithdrawn:
    fields: dict[str, Any] = {"reason": "paid_by_another", "withdrawn_at": REPORTED_AT}
    return ClaimWithdrawn(**fields | changes)


def a_claim_closed(**changes: Any) -> ClaimClosed:
    fields: dict[str, Any] = {"outcome": ClaimOutcome.paid, "paid": usd("1200.00")}
    return ClaimClosed(**fields | changes)


def a_payment_instructed(name: str = "payment", **changes: Any) -> PaymentInstructed:
    payment = PaymentId(an_id(name))
    fields: dict[str, Any] = {
        "payment_id": payment,
        "decision_id": DecisionId(an_id("decision")),
        "kind": PaymentKind.final,
        "amount": usd("1200.00"),
        "instruction_id": InstructionId(an_id(f"{name}:instruction")),
        "end_to_end_id": end_to_end_id(payment, 1),
        "attempt": 1,
        "ledger_transfer_id": LedgerTransferId(an_id(f"{name}:transfer")),
        "booked_at": REPORTED_AT,
    }
    return PaymentInstructed(**fields | changes)


def a_payment_confirmed(name: str = "payment", **changes: Any) -> PaymentConfirmed:
    payment = PaymentId(an_id(name))
    fields: dict[str, Any] = {
        "payment_id": payment,
        "end_to_end_id": end_to_end_id(payment, 1),
        "amount": usd("1200.00"),
        "bank_reference": "BANK-1",
        "executed_at": REPORTED_AT,
    }
    return PaymentConfirmed(**fields | changes)


def a_review_recorded(**changes: Any) -> ReviewRecorded:
    fields: dict[str, Any] = {
        "review_id": ReviewId(an_id("review")),
        "referral_event_id": EventId(an_id("referral")),
        "verdict": Verdict.approve,
        "person": a_person(),
        "recorded_at": REPORTED_AT,
    }
    return ReviewRecorded(**fields | changes)


def an_envelope(event: Event, claim: ClaimId | None = None, sequence: int = 1, **changes: Any) -> Envelope:
    """The event's envelope as its writer would make it, from a cause that follows from claim and sequence."""
    claim = claim or a_claim_id()
    cause = uuid5(claim, f"cause:{event.WRITER}:{sequence}")
    fields: dict[str, Any] = {
        "id": event_id(cause, event.WRITER, 0),
        "type": event.TYPE,
        "writer": event.WRITER,
        "subject": claim,
        "time": REPORTED_AT,
        "cause_id": cause,
        "sequence": sequence,
    }
    return Envelope(**fields | changes)


def on_the_wire(
    event: Event, claim: ClaimId | None = None, sequence: int = 1, **changes: Any
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of the event's record; `changes` are of the envelope."""
    envelope = an_envelope(event, claim, sequence, **changes)
    return str(envelope.subject).encode(), encode(event), envelope.to_headers()
