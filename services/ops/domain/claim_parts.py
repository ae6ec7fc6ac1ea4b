"""What a view shows beside a claim's status: sorting, links to other claims, papers, reserves, advances, workings.

Each part is folded from one writer's events alone, so no order between writers changes it. Papers are known by kind;
their content is nowhere here.
"""

from __future__ import annotations

from datetime import datetime

from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimDenied,
    ClaimPartlyApproved,
    ClaimSegmented,
    DocumentsRequested,
    DuplicateLinked,
    ReserveSet,
)
from schemas.conditions import Rate
from schemas.decision import CostType, CoverageResult, Decision, DecisionKind, Override, Person, ReserveLine
from schemas.ids import ClaimId, DecisionId, DocumentId
from schemas.intake import DocumentsReceived
from schemas.model import Code, Instant, Model
from schemas.money import Money

DUPLICATES_MAX = 50
REQUESTS_MAX = 20
RECEIVED_MAX = 200
ADVANCES_MAX = 50


class Duplicate(Model):
    """Another claim that probably tells of the same loss, how sure the rules are, and why."""

    claim_id: ClaimId
    reference: Code
    score: Rate
    reasons: tuple[Code, ...]
    linked_at: Instant


class WantedPaper(Model):
    kind: Code
    line_id: Code | None = None


class PaperRequest(Model):
    """One list of papers that was asked for; `round` counts the times."""

    round: int
    papers: tuple[WantedPaper, ...]
    person_id: Code | None = None
    requested_at: Instant


class ReceivedPaper(Model):
    """A paper that came in: what kind, for which line. Its content stays with intake."""

    document_id: DocumentId
    kind: Code
    line_id: Code | None = None
    received_at: Instant


class ReserveView(Model):
    """What is set aside for one coverage, with what was paid of it."""

    coverage_code: Code
    cost_type: CostType
    amount: Money


class Advance(Model):
    """A part approved for payment before the whole was decided."""

    decision_id: DecisionId
    amount: Money
    approved_by: str
    approved_at: Instant


class Working(Model):
    """A decision as it was computed or made: per coverage its figures and reasons, and what a person set instead."""

    decision_id: DecisionId
    kind: DecisionKind
    proposed: DecisionKind | None = None
    computed: Money
    payable: Money
    advanced: Money | None = None
    coverages: tuple[CoverageResult, ...] = ()
    override: Override | None = None


def working_of(decision: Decision | None) -> Working | None:
    """The decision without its lines; None if there is none."""
    if decision is None:
        return None
    return Working(
        decision_id=decision.decision_id,
        kind=decision.kind,
        proposed=decision.proposed,
        computed=decision.computed,
        payable=decision.payable,
        advanced=decision.advanced,
        coverages=decision.coverages or (),
        override=decision.override,
    )


def sorted_as(data: ClaimSegmented) -> dict[str, object]:
    return {"segment": data.segment, "lane": data.lane, "flags": tuple(flag.code for flag in data.flags)}


def with_duplicate(known: tuple[Duplicate, ...], data: DuplicateLinked, at: datetime) -> tuple[Duplicate, ...]:
    """The links with this one; a second link to the same claim takes the first one's place."""
    link = Duplicate(
        claim_id=data.other_claim_id,
        reference=data.other_reference,
        score=data.score,
        reasons=data.reasons,
        linked_at=at,
    )
    return (*(one for one in known if one.claim_id != link.claim_id), link)[-DUPLICATES_MAX:]


def with_request(known: tuple[PaperRequest, ...], data: DocumentsRequested, at: datetime) -> tuple[PaperRequest, ...]:
    request = PaperRequest(
        round=data.round,
        papers=tuple(WantedPaper(kind=one.kind, line_id=one.line_id) for one in data.documents),
        person_id=data.person.person_id if data.person else None,
        requested_at=at,
    )
    return (*known, request)[-REQUESTS_MAX:]


def with_received(known: tuple[ReceivedPaper, ...], data: DocumentsReceived) -> tuple[ReceivedPaper, ...]:
    """The papers with these; one that came before under the same id is not shown twice."""
    held = {one.document_id: one for one in known}
    for paper in data.documents:
        received = ReceivedPaper(
            document_id=paper.document_id, kind=paper.kind, line_id=paper.line_id, received_at=data.received_at
        )
        held.setdefault(paper.document_id, received)
    return tuple(held.values())[-RECEIVED_MAX:]


def reserved(data: ReserveSet | AdvanceApproved | ClaimApproved | ClaimPartlyApproved) -> tuple[ReserveView, ...]:
    """The reserves from now on, by coverage; lines of nothing are left out."""
    return tuple(_reserve(line) for line in data.reserves if line.amount)


def with_advance(known: tuple[Advance, ...], data: AdvanceApproved, at: datetime) -> tuple[Advance, ...]:
    advance = Advance(
        decision_id=data.decision.decision_id,
        amount=data.decision.payable,
        approved_by=data.approved_by.person_id if isinstance(data.approved_by, Person) else data.approved_by,
        approved_at=at,
    )
    return (*known, advance)[-ADVANCES_MAX:]


def reserves_after(data: object) -> tuple[ReserveView, ...]:
    """What a decision leaves reserved: an approval's own lines, after a refusal or a nil nothing."""
    return reserved(data) if isinstance(data, ClaimApproved | ClaimPartlyApproved) else ()


def payable_of(decision: Decision | None, data: object) -> Money | None:
    """What is payable; a denial pays nothing, whatever was proposed."""
    return None if decision is None or isinstance(data, ClaimDenied) else decision.payable


def _reserve(line: ReserveLine) -> ReserveView:
    return ReserveView(coverage_code=line.coverage_code, cost_type=line.cost_type, amount=line.amount)
