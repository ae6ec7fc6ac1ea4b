"""Papers and withdrawals: the content is durable before its event is recorded, the event in the log before the answer.

A paper is kept sealed under the key of its claim's reporter, bound to its claim and id; erasing the person closes it.
The same content for the same claim is one paper, told once. A crash in between leaves content nobody knows of, never
an acknowledged paper without content.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO

from messaging import crash_points
from messaging.ports import Clock, Tx
from messaging.stage import Recorded
from schemas.model import canonical_json
from services.intake.domain.papers import (
    Paper,
    StoredPaper,
    Withdrawal,
    cause_of_paper,
    cause_of_withdrawal,
    claim_withdrawn,
    document_id,
    documents_received,
    object_name,
)
from services.intake.domain.telling import Refusal, reporter_of
from services.intake.handlers.posting import Posting
from services.intake.handlers.reports import KEY_REUSED
from services.intake.ports import (
    KeyRow,
    PaperRows,
    PaperStore,
    PapersUnavailable,
    Purpose,
    RequestKey,
    Sealing,
    Withdrawals,
)

_WITHDRAWN = Refusal(409, "claim-withdrawn", "the claim was withdrawn; it takes no more papers")
_ERASED = Refusal(410, "person-erased", "the claim's reporter was erased; it takes no more papers")
_NO_PLACE = Refusal(503, "papers-unavailable", "the paper could not be stored; repeat with the same key", 5)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, under which key, about which claim."""

    client: str
    key: str
    claim: KeyRow
    traceparent: str | None = None


class Papers:
    """Takes papers and withdrawals of claims that intake recorded."""

    def __init__(
        self,
        posting: Posting,
        papers: PaperRows,
        withdrawals: Withdrawals,
        sealing: Sealing,
        place: PaperStore,
        clock: Clock,
        papers_max: int = 200,
    ) -> None:
        self._posting, self._papers, self._withdrawals = posting, papers, withdrawals
        self._sealing, self._place = sealing, place
        self._clock, self._papers_max = clock, papers_max

    async def claim_named(self, name: str) -> KeyRow | Refusal:
        """The claim of an id or a reference."""
        return await self._posting.claim_named(name)

    async def take(self, asked: Asked, paper: Paper, content: IO[bytes]) -> StoredPaper | Refusal:
        """Stores and tells one paper; the one that is there already when the content was sent before."""
        stored = StoredPaper(
            document_id(asked.claim.claim_id, paper.sha256), asked.claim.claim_id, paper, self._clock.now()
        )
        key = self._key(asked, "paper", _asks(stored))
        known = await self._posting.guarded(lambda: self._known(stored, key))
        if isinstance(known, Refusal):
            return known
        if not known:
            refusal = await self._posting.guarded(lambda: self._kept(stored, content))
            if refusal is not None:
                return refusal
            crash_points.reach("paper.stored")

        async def record(tx: Tx) -> tuple[StoredPaper | Refusal, list[Recorded]]:
            before = await self._papers.add(tx, stored)
            if before is not None:
                return before, []
            event = documents_received(stored)
            cause = cause_of_paper(stored.document_id)
            return stored, [Recorded(stored.claim_id, cause, (event,), traceparent=asked.traceparent)]

        return await self._posting.post(key, record)

    async def of_claim(self, claim: KeyRow) -> list[StoredPaper] | Refusal:
        """Every paper of the claim, the first received first."""

        async def read() -> list[StoredPaper] | Refusal:
            async with self._posting.store.begin() as tx:
                return await self._papers.of_claim(tx, claim.claim_id, self._papers_max)

        return await self._posting.guarded(read)

    async def withdraw(self, asked: Asked, reason: str | None) -> Withdrawal | Refusal:
        """Records that the claim is no longer wanted; the first withdrawal stands whatever comes later."""
        withdrawal = Withdrawal(asked.claim.claim_id, reason, self._clock.now())

        async def record(tx: Tx) -> tuple[Withdrawal | Refusal, list[Recorded]]:
            before = await self._withdrawals.add(tx, withdrawal)
            if before is not None:
                return before, []
            event, cause = claim_withdrawn(withdrawal), cause_of_withdrawal(withdrawal.claim_id)
            return withdrawal, [Recorded(withdrawal.claim_id, cause, (event,), traceparent=asked.traceparent)]

        asks = canonical_json({"claim": str(withdrawal.claim_id), "reason": reason})
        return await self._posting.post(self._key(asked, "withdrawal", asks), record)

    async def _kept(self, stored: StoredPaper, content: IO[bytes]) -> Refusal | None:
        """Seals the content and puts it in its place. The sealed copy has no name on the disk meanwhile."""
        name = object_name(stored.claim_id, stored.document_id)
        with tempfile.TemporaryFile() as sealed:
            erased = await self._sealing.seal_file(reporter_of(stored.claim_id), name.encode(), content, sealed)
            if erased is not None:
                return _ERASED
            try:
                await self._place.put(name, sealed)
            except PapersUnavailable:
                return _NO_PLACE
        return None

    async def _known(self, stored: StoredPaper, key: RequestKey) -> bool | Refusal:
        """Whether the paper is there; a refusal where no new one is taken, before anything of it is stored."""
        async with self._posting.store.begin() as tx:
            if not await self._posting.is_free(tx, key):
                return KEY_REUSED
            if await self._papers.find(tx, stored.document_id) is not None:
                return True
            if await self._withdrawals.find(tx, stored.claim_id) is not None:
                return _WITHDRAWN
            others = await self._papers.of_claim(tx, stored.claim_id, self._papers_max)
        if len(others) >= self._papers_max:
            return Refusal(409, "too-many-papers", f"a claim has at most {self._papers_max} papers")
        return False

    def _key(self, asked: Asked, purpose: Purpose, asks: bytes) -> RequestKey:
        digest = hashlib.sha256(asks).digest()
        return RequestKey(asked.client, purpose, asked.key, asked.claim.claim_id, digest, self._clock.now())


def _asks(stored: StoredPaper) -> bytes:
    paper = stored.paper
    asks = {"claim": str(stored.claim_id), "kind": paper.kind, "line": paper.line_id, "type": paper.media_type}
    return canonical_json({**asks, "sha256": paper.sha256})
