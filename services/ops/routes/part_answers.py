"""The JSON of a claim's parts: links to other claims, papers, reserves, advances, and decisions with their figures."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.decision import CoverageResult, Override
from schemas.ids import ClaimId, DecisionId, DocumentId
from schemas.model import Instant
from schemas.money import Money
from services.ops.domain.claim_parts import Working
from services.ops.domain.claim_view import ClaimView

PARTS_EXAMPLE: dict[str, Any] = {
    "segment": "simple",
    "lane": "fast",
    "flags": ["loss_soon_after_inception"],
    "duplicates": [
        {
            "claim_id": "0b9d1f3c-7d0e-5c59-9a4e-0d2a7c1f4b12",
            "reference": "CF-8R5P-1W3M-N9YE-4",
            "score": "0.9",
            "reasons": ["same_policy", "near_loss_time"],
            "linked_at": "2026-01-02T03:04:06Z",
        }
    ],
    "papers": {
        "asked": [
            {
                "round": 1,
                "papers": [{"kind": "repair_invoice", "line_id": "1"}],
                "person": "ada",
                "requested_at": "2026-01-02T09:00:00Z",
            }
        ],
        "received": [
            {
                "document_id": "4c1c2a0e-2f77-5d0f-8c1e-3d2f9a6b5e02",
                "kind": "repair_invoice",
                "line_id": "1",
                "received_at": "2026-01-03T09:00:00Z",
            }
        ],
    },
    "reserves": [
        {"coverage_code": "building", "cost_type": "indemnity", "amount": {"amount": "2200.00", "currency": "USD"}}
    ],
    "advances": [
        {
            "decision_id": "2c1c2a0e-2f77-5d0f-8c1e-3d2f9a6b5e03",
            "amount": {"amount": "500.00", "currency": "USD"},
            "approved_by": "system",
            "approved_at": "2026-01-02T03:04:07Z",
        }
    ],
    "decision": {
        "decision_id": "3c1c2a0e-2f77-5d0f-8c1e-3d2f9a6b5e04",
        "kind": "pay",
        "computed": {"amount": "1200.00", "currency": "USD"},
        "payable": {"amount": "1200.00", "currency": "USD"},
        "advanced": {"amount": "500.00", "currency": "USD"},
        "coverages": [
            {
                "coverage_code": "building",
                "exact": "1200",
                "payable": {"amount": "1200.00", "currency": "USD"},
                "results": {"deductible_applied": "1000"},
                "reasons": [],
                "refusals": [],
            }
        ],
    },
}


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DuplicateAnswer(Answer):
    """Another claim that probably tells of the same loss. A person decides whether it does."""

    claim_id: ClaimId
    reference: str
    score: str
    reasons: tuple[str, ...]
    linked_at: Instant


class WantedPaperAnswer(Answer):
    kind: str
    line_id: str | None = None


class PaperRequestAnswer(Answer):
    """One complete list of papers, the `round`-th; `person` asked for them, or the rules did."""

    round: int
    papers: tuple[WantedPaperAnswer, ...]
    person: str | None = None
    requested_at: Instant


class ReceivedPaperAnswer(Answer):
    """A paper by its kind. Its content is not here."""

    document_id: DocumentId
    kind: str
    line_id: str | None = None
    received_at: Instant


class PapersAnswer(Answer):
    asked: tuple[PaperRequestAnswer, ...]
    received: tuple[ReceivedPaperAnswer, ...]


class ReserveAnswer(Answer):
    """What is set aside for a coverage, with what was paid of it."""

    coverage_code: str
    cost_type: str
    amount: Money


class AdvanceAnswer(Answer):
    """A part approved before the whole was decided; its payment is among `payments`, of kind partial."""

    decision_id: DecisionId
    amount: Money
    approved_by: str
    approved_at: Instant


class RefusalAnswer(Answer):
    """A line the terms do not cover, as proposed to a person."""

    line_id: str
    reason: str
    clause_id: str | None = None
    fact: str


class CoverageAnswer(Answer):
    """What one coverage's terms came to: `exact` before the one rounding, and the figures it was made of."""

    coverage_code: str
    exact: str
    payable: Money
    results: dict[str, str]
    reasons: tuple[str, ...]
    refusals: tuple[RefusalAnswer, ...]


class OverrideAnswer(Answer):
    """A person set another amount: what was computed, what holds, why, who, and up to what they may decide alone."""

    computed: Money
    final: Money
    reason: str
    person: str
    role: str
    authority: Money | None = None


class DecisionAnswer(Answer):
    """A decision with its figures. `proposed`: what the terms propose where a person has to decide."""

    decision_id: DecisionId
    kind: str
    proposed: Literal["pay", "partial", "nil", "deny", "refer", "value"] | None = None
    computed: Money
    payable: Money
    advanced: Money | None = None
    coverages: tuple[CoverageAnswer, ...]
    override: OverrideAnswer | None = None


def decision_answer(working: Working | None) -> DecisionAnswer | None:
    if working is None:
        return None
    return DecisionAnswer(
        decision_id=working.decision_id,
        kind=working.kind.value,
        proposed=working.proposed.value if working.proposed else None,
        computed=working.computed,
        payable=working.payable,
        advanced=working.advanced,
        coverages=tuple(_coverage(one) for one in working.coverages),
        override=_override(working.override),
    )


def papers_answer(view: ClaimView) -> PapersAnswer:
    return PapersAnswer(
        asked=tuple(
            PaperRequestAnswer(
                round=one.round,
                papers=tuple(WantedPaperAnswer(**dict(paper)) for paper in one.papers),
                person=one.person_id,
                requested_at=one.requested_at,
            )
            for one in view.papers_asked
        ),
        received=tuple(ReceivedPaperAnswer(**dict(one)) for one in view.papers_received),
    )


def duplicate_answers(view: ClaimView) -> tuple[DuplicateAnswer, ...]:
    return tuple(DuplicateAnswer(**dict(one)) for one in view.duplicates)


def reserve_answers(view: ClaimView) -> tuple[ReserveAnswer, ...]:
    return tuple(
        ReserveAnswer(coverage_code=one.coverage_code, cost_type=one.cost_type.value, amount=one.amount)
        for one in view.reserves
    )


def advance_answers(view: ClaimView) -> tuple[AdvanceAnswer, ...]:
    return tuple(AdvanceAnswer(**dict(one)) for one in view.advances)


def _coverage(result: CoverageResult) -> CoverageAnswer:
    return CoverageAnswer(
        coverage_code=result.coverage_code,
        exact=result.exact,
        payable=result.payable,
        results=dict(result.results or {}),
        reasons=result.reasons or (),
        refusals=tuple(RefusalAnswer(**dict(one)) for one in result.refusals or ()),
    )


def _override(override: Override | None) -> OverrideAnswer | None:
    if override is None:
        return None
    return OverrideAnswer(
        computed=override.computed,
        final=override.final,
        reason=override.reason,
        person=override.person.person_id,
        role=override.person.role,
        authority=override.person.authority,
    )
