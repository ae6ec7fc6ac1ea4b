"""Drafts: begun, enriched, submitted as exactly one claim, forgotten when they expire.

The people of a draft are sealed before anything is stored and opened only to be merged or submitted. Whoever changes
a draft at the same time as another does it one after the other: a change is made on the version it was read from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from messaging import crash_points
from messaging.ports import Clock
from schemas.ids import ClaimReferenceError, SubjectId
from schemas.party import Party, SealedParty
from services.intake.domain.checks import Fault
from services.intake.domain.drafts import (
    PEOPLE,
    Content,
    DraftId,
    DraftRow,
    Submitted,
    claim_of,
    draft_id,
    draft_number,
    number_meant,
    patched,
    read_draft,
    subject_of,
    submission_of,
    with_people,
)
from services.intake.domain.reading import Submission
from services.intake.domain.telling import Receipt, Refusal, receipt_of
from services.intake.handlers.posting import Posting
from services.intake.handlers.reports import ERASED, KEY_REUSED, Intake
from services.intake.ports import DraftRows, KeyRow, Sealing

log = structlog.get_logger("intake")
TRIES_MAX = 5
PURGE_ROWS = 500
PURGE_SECONDS = 600.0

UNKNOWN_DRAFT = Refusal(404, "draft-unknown", "no draft of this id or number is kept here")
_SUBMITTED = Refusal(409, "draft-submitted", "the draft has become a claim and changes no more")
_BUSY = Refusal(409, "draft-busy", "the draft is being changed by others; try again", 1)


@dataclass(frozen=True, slots=True)
class Taken:
    """The draft is a claim: what its report would have been answered, and what cannot be paid yet."""

    receipt: Receipt
    warnings: tuple[Fault, ...]


class Drafts:
    """Drafts of one installation. `kept`: how long one that nobody changes is kept."""

    def __init__(
        self,
        posting: Posting,
        rows: DraftRows,
        sealing: Sealing,
        intake: Intake,
        clock: Clock,
        zones: Collection[str],
        kept: timedelta = timedelta(days=90),
    ) -> None:
        self._posting, self._rows, self._sealing, self._intake = posting, rows, sealing, intake
        self._clock, self._zones, self._kept = clock, zones, kept

    async def create(self, raw: bytes, client: str, key: str) -> DraftRow | Refusal:
        """A draft by its client's key; RefusedBody if what it says cannot be saved. Repeated: the same draft."""
        now, identity = self._clock.now(), draft_id(client, key)
        content, digest = read_draft(raw, now, self._zones)

        async def store() -> DraftRow | Refusal:
            people = await self._sealed(client, identity, content.people)
            if people is None:
                return ERASED
            row = DraftRow(
                draft_id=identity,
                number=draft_number(identity),
                client=client,
                request_sha256=digest,
                body=content.body,
                people=people,
                given=content.given,
                missing=content.missing,
                created_missing=content.missing,
                version=1,
                created_at=now,
                expires_at=now + self._kept,
            )
            async with self._posting.store.begin() as tx:
                before = await self._rows.add(tx, row)
            crash_points.reach("draft.stored")
            if before is None:
                return row
            if before.expires_at <= now:
                return UNKNOWN_DRAFT
            return before if before.request_sha256 == digest else KEY_REUSED

        return await self._posting.guarded(store)

    async def find(self, name: str, client: str) -> DraftRow | Refusal:
        """The draft of an id or a number, if it is this client's and has not expired."""

        named = _named(name)
        if named is None:
            return UNKNOWN_DRAFT

        async def read() -> DraftRow | Refusal:
            async with self._posting.store.begin() as tx:
                row = await self._rows.find(tx, named)
            mine = row is not None and row.client == client and row.expires_at > self._clock.now()
            return row if mine and row is not None else UNKNOWN_DRAFT

        return await self._posting.guarded(read)

    async def patch(self, name: str, client: str, raw: bytes) -> DraftRow | Refusal:
        """The draft after a merge patch; RefusedBody if the outcome cannot be saved."""

        async def change(row: DraftRow) -> DraftRow | Refusal:
            if row.submitted is not None:
                return _SUBMITTED
            people = await self._opened(row)
            if people is None:
                return ERASED
            now = self._clock.now()
            content = patched(with_people(row.body, people), raw, now, self._zones)
            sealed = await self._sealed(client, row.draft_id, content.people)
            return ERASED if sealed is None else self._changed(row, content, sealed, now)

        return await self._changing(name, client, change)

    async def submit(self, name: str, client: str, traceparent: str | None = None) -> Taken | Refusal:
        """Turns the draft into its claim, once; RefusedBody if it lacks what a claim needs."""
        submission: Submission | None = None

        async def freeze(row: DraftRow) -> DraftRow | Refusal:
            nonlocal submission
            if row.submitted is not None:
                return row
            people = await self._opened(row)
            if people is None:
                return ERASED
            now = self._clock.now()
            submission = submission_of(row, people, now, traceparent)
            warnings = tuple(fault for fault in row.missing if fault.level == "pay")
            submitted = Submitted(now, submission.body_sha256, warnings)
            return replace(row, submitted=submitted, version=row.version + 1, expires_at=now + self._kept)

        row = await self._changing(name, client, freeze)
        if isinstance(row, Refusal) or row.submitted is None:
            return row if isinstance(row, Refusal) else UNKNOWN_DRAFT
        crash_points.reach("draft.stored")
        result = await self._told(row, row.submitted, submission, traceparent)
        return Taken(result, row.submitted.warnings) if isinstance(result, Receipt) else result

    async def purge(self) -> int:
        """Deletes what has expired, in bounded steps; how many drafts."""
        total, count = 0, PURGE_ROWS
        while count == PURGE_ROWS:
            async with self._posting.store.begin() as tx:
                count = await self._rows.purge(tx, self._clock.now(), PURGE_ROWS)
            total += count
        return total

    async def watch_expiry(self) -> None:
        """Purges for ever."""
        while True:
            try:
                count = await self.purge()
                if count:
                    log.info("expired drafts were deleted", rows=count)
            except Exception as error:
                if self._posting.store.verdict(error) not in ("fault", "repeat") and not isinstance(error, OSError):
                    raise
                log.warning("expired drafts could not be deleted", exception=type(error).__name__)
            await self._clock.sleep(PURGE_SECONDS)

    async def _told(
        self, row: DraftRow, submitted: Submitted, submission: Submission | None, traceparent: str | None
    ) -> Receipt | Refusal:
        """The claim's receipt. A claim recorded before needs no people any more: they may have been erased since."""
        known = await self._posting.claim_named(str(claim_of(row)))
        if isinstance(known, KeyRow):
            if known.body_sha256 != submitted.body_sha256:
                return KEY_REUSED
            failed = await self._posting.publish_again(known.claim_id)
            return failed or receipt_of(known.claim_id, known.status_url)
        if known.status != UNKNOWN_DRAFT.status:
            return known
        if submission is None:
            people = await self._opened(row)
            if people is None:
                return ERASED
            submission = submission_of(row, people, submitted.at, traceparent)
        [result] = await self._intake.submit([submission])
        return result

    async def _changing(
        self, name: str, client: str, change: Callable[[DraftRow], Awaitable[DraftRow | Refusal]]
    ) -> DraftRow | Refusal:
        for _ in range(TRIES_MAX):
            row = await self.find(name, client)
            if isinstance(row, Refusal):
                return row
            after = await self._posting.guarded(partial(change, row))
            if isinstance(after, Refusal) or after is row:
                return after
            replaced = await self._posting.guarded(self._replacing(after, row.version))
            if isinstance(replaced, Refusal):
                return replaced
            if replaced:
                return after
        return _BUSY

    def _replacing(self, row: DraftRow, version: int) -> Callable[[], Awaitable[bool | Refusal]]:
        async def replacing() -> bool | Refusal:
            async with self._posting.store.begin() as tx:
                return await self._rows.replace(tx, row, version)

        return replacing

    def _changed(self, row: DraftRow, content: Content, people: Mapping[str, SealedParty], now: datetime) -> DraftRow:
        return replace(
            row,
            body=content.body,
            people=people,
            given=content.given,
            missing=content.missing,
            version=row.version + 1,
            expires_at=now + self._kept,
        )

    async def _sealed(self, client: str, draft: DraftId, people: Mapping[str, Party]) -> dict[str, SealedParty] | None:
        """Each person's box; None if one was erased."""
        asked: list[tuple[SubjectId, Party]] = [(subject_of(client, draft, role), people[role]) for role in people]
        boxes = await self._sealing.seal_many(asked)
        found = {role: box for role, box in zip(people, boxes, strict=True) if isinstance(box, SealedParty)}
        return found if len(found) == len(people) else None

    async def _opened(self, row: DraftRow) -> dict[str, Party] | None:
        """The people in the clear, in the order of a report; None if one was erased."""
        roles: list[Any] = [role for role in PEOPLE if role in row.people]
        parties = await self._sealing.open_many([row.people[role] for role in roles])
        found = {role: party for role, party in zip(roles, parties, strict=True) if isinstance(party, Party)}
        return found if len(found) == len(roles) else None


def _named(name: str) -> DraftId | str | None:
    """The id or the number meant, however people write it; None if it can be neither."""
    try:
        return DraftId(name)
    except ValueError:
        pass
    try:
        return number_meant(name)
    except ClaimReferenceError:
        return None
