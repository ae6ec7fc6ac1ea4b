"""What a taken report brings about: the event that tells it, and the receipt its client gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from schemas.ids import CauseId, ClaimId, SubjectId, claim_reference
from schemas.intake import ClaimReported
from schemas.party import Party, SealedParty
from services.intake.domain.reading import Submission

# Asked for twice within a moment: for the event and for the receipt.
_reference = lru_cache(maxsize=2_048)(claim_reference)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The report is in the log: its claim, a reference to read over the phone, and where to ask for its state."""

    claim_id: ClaimId
    reference: str
    status_url: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The report was not taken, or it is not known yet whether it was: then `retry_after` says when to repeat it."""

    status: int
    code: str
    detail: str
    retry_after: int | None = None


def receipt_of(claim: ClaimId, status_url: str) -> Receipt:
    return Receipt(claim, _reference(claim), status_url)


def cause_of(claim: ClaimId) -> CauseId:
    """The cause of the claim's first event: its being submitted."""
    return CauseId.of(claim, "submitted")


def reporter_of(claim: ClaimId) -> SubjectId:
    """The person who reported the claim, as the key ring knows them."""
    return SubjectId.of(claim, "reporter")


def people_of(submission: Submission) -> list[tuple[SubjectId, Party]]:
    """The people of the report in a fixed order, reporter first, each as the subject their key belongs to."""
    claim, found = submission.claim, [(reporter_of(submission.claim_id), submission.claim.reporter)]
    if claim.payee is not None:
        found.append((SubjectId.of(submission.claim_id, "payee"), claim.payee))
    return found


def claim_reported(submission: Submission, sealed: list[SealedParty], reported_at: datetime) -> ClaimReported:
    """The event; `sealed` in the order of `people_of`."""
    claim = submission.claim
    return ClaimReported(
        reference=_reference(submission.claim_id),
        client=submission.client,
        policy_number=claim.policy_number,
        line=claim.line,
        loss_at=claim.loss_at,
        loss_zone=claim.loss_zone,
        peril=claim.peril,
        cause_code=claim.cause_code,
        place=claim.place,
        currency=claim.currency,
        lines=claim.lines,
        reporter=sealed[0],
        payee=sealed[1] if len(sealed) > 1 else None,
        language=claim.language or claim.reporter.language,
        channel=claim.channel,
        reported_at=reported_at,
        facts=claim.facts,
        other_policies=claim.other_policies,
    )
