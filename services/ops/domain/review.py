"""May this person give this verdict on this claim now? Pure: the answer is the event's content or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.assessment import RequestedDocument
from schemas.ids import EventId
from schemas.money import Money
from schemas.ops import Verdict
from services.ops.domain.claim_view import ClaimView, Referral
from services.ops.domain.people import Staff


@dataclass(frozen=True, slots=True)
class Refused:
    """A stable code, the sentence a person reads, and what kind of refusal it is."""

    code: str
    detail: str
    kind: str


NOT_ALLOWED, CONFLICT, INCOMPLETE = "not-allowed", "conflict", "incomplete"
ROLE_MISSING = Refused("role-missing", "only an adjuster or a manager may review a claim", NOT_ALLOWED)


def check_referral(view: ClaimView, referral_event_id: EventId) -> Referral | Refused:
    """The open referral, if that is the one the review names."""
    if referral_event_id in view.reviewed:
        return Refused("already-reviewed", "this referral has been answered by an earlier review", CONFLICT)
    referral = view.open_referral
    if referral is None:
        return Refused("not-referred", "the claim waits for no person at the moment", CONFLICT)
    if referral.event_id != referral_event_id:
        return Refused("referral-is-stale", "the claim has been referred again since; look at it anew", CONFLICT)
    return referral


def check_papers(view: ClaimView, documents: Sequence[RequestedDocument], reason: str | None) -> Refused | None:
    """None if these papers may be asked for: one list, of lines the claim has; asked again, with the reason why."""
    if len(set(documents)) != len(documents):
        return Refused("paper-named-twice", "each kind of paper stands once for a line", INCOMPLETE)
    lines = {one.line_id for one in documents if one.line_id is not None}
    # Views written by earlier releases know no lines.
    if view.line_ids and not lines <= set(view.line_ids):
        return Refused("line-unknown", "a line_id must be one of the claim's lines", INCOMPLETE)
    if view.papers_asked and reason is None:
        return Refused("reason-missing", "papers were asked for before: asking again needs a reason", INCOMPLETE)
    return None


def check_duplicate(view: ClaimView) -> Refused | None:
    """None if there is another claim of which this one can be the duplicate."""
    if view.duplicates:
        return None
    return Refused("nothing-linked", "no other claim is linked: approve, deny, or ask for papers", INCOMPLETE)


def check_authority(staff: Staff, referral: Referral, verdict: Verdict, amount: Money | None) -> Refused | None:
    """None if the person may decide about what is at stake: the greatest of the proposal and the amount set.

    Asking for papers decides about no amount.
    """
    if staff.review_role is None:
        return ROLE_MISSING
    if verdict is Verdict.ask_documents:
        return None
    if verdict is Verdict.approve and referral.payable is None:
        return Refused("nothing-proposed", "no amount could be computed: approve another amount, or deny", INCOMPLETE)
    computed = referral.computed
    if amount is not None and computed is not None and amount.currency != computed.currency:
        return Refused("currency-differs", "the amount must be in the claim's currency", INCOMPLETE)
    stakes = [one for one in (computed, referral.payable, amount) if one is not None]
    limit = staff.authority
    if limit is None or any(one.currency != limit.currency or one > limit for one in stakes):
        return Refused("above-authority", "what is at stake is above what this person may decide alone", NOT_ALLOWED)
    return None
