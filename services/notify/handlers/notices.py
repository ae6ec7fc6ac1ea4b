"""The handler of notify: follows claims, and owes notices as work rows that are ready at commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from messaging.ports import Tx
from messaging.stage import Input
from schemas.ids import ClaimId, EventId
from schemas.notify import NoticeKind
from schemas.outcomes import Nothing, Outcome, Work
from services.notify.domain.following import Cause, follow, not_before
from services.notify.domain.notices import ClaimNotices
from services.notify.domain.rules import Rules
from services.notify.ports import ClaimRepository

MAIL = "mail"
_NOTHING_KNOWN = ClaimNotices()


@dataclass(frozen=True, slots=True)
class Followed:
    """A claim's state beside the one that is stored, so that unchanged claims are not written."""

    claim: ClaimNotices
    stored: ClaimNotices


class NoticesHandler:
    """See `messaging.stage.Handler`. With the mail channel off, events are followed and no work is made.

    `papers_url` is where papers are taken; a notice keeps the address it was made with.
    """

    def __init__(self, repository: ClaimRepository, rules: Rules, mail: bool, papers_url: str) -> None:
        self._repository, self._rules, self._mail, self._papers_url = repository, rules, mail, papers_url

    async def prepare(self, inputs: Sequence[Input]) -> None:
        """Nothing from outside is needed to decide."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, Followed]:
        """A state for every claim, a fresh one if it is unknown."""
        known = await self._repository.load(claim_ids, tx)
        found = {claim_id: known.get(claim_id, _NOTHING_KNOWN) for claim_id in claim_ids}
        return {claim_id: Followed(claim, claim) for claim_id, claim in found.items()}

    def decide(self, state: Followed, event: Input, facts: None) -> tuple[Outcome, Followed]:
        """Pure: the notice that is owed, as work, and the claim after the event."""
        cause = Cause(EventId(event.cause_id), event.claim_id, event.now)
        claim, notice = follow(state.claim, event.data, cause, self._rules)
        after = state if claim is state.claim else Followed(claim, state.stored)
        if notice is None or not self._mail:
            return Nothing(), after
        if notice.kind is NoticeKind.documents_requested:
            address = f"{self._papers_url}/v1/claims/{notice.reference}/documents"
            notice = notice.model_copy(update={"address": address})
        due_at = not_before(notice, event.data, self._rules)
        payload = notice.model_dump(mode="json", exclude_none=True)
        return Nothing(work=(Work(MAIL, payload, due_at),)), after

    async def save(self, states: Mapping[ClaimId, Followed], tx: Tx) -> None:
        """One statement for the claims that changed, none if none did."""
        changed = {claim_id: one.claim for claim_id, one in states.items() if one.claim is not one.stored}
        if changed:
            await self._repository.save(changed, tx)
