"""The effect `mail`: opens the recipients of a batch, renders, sends, and records what became of each notice.

A mail is the same bytes under the same Message-ID however often it is tried. Opened parties live for one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from pydantic_core import to_json

from messaging.ports import Store
from messaging.stage import WorkDone, WorkItem
from privacy.erased import Erased
from privacy.errors import SealError
from schemas.notify import NoticeChannel, NoticeFailed, NoticeFailure, NoticeSent
from schemas.outcomes import Emit, Nothing, Outcome, RetryLater
from schemas.party import Party
from services.notify.domain.following import WAIVED_WHEN_PAID
from services.notify.domain.letters import Letters
from services.notify.domain.mail import MailForm, usable_address
from services.notify.domain.notices import Notice
from services.notify.domain.rules import Rules
from services.notify.handlers.counters import REPEATS, TRIES, UNKNOWN
from services.notify.handlers.notices import MAIL
from services.notify.ports import ClaimRepository, Delivery, MailChannel, OutgoingMail, PartyOpener, Taken

log = structlog.get_logger("notify")


class Became(StrEnum):
    """What became of one notice in one try."""

    sent = "sent"
    left_out = "left_out"
    later = "later"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of one item: the notice as it was read, what became of it, and why."""

    notice: Notice
    became: Became
    code: str = ""
    failure: NoticeFailure | None = None


_BECAME = {
    Taken.accepted: Became.sent,
    Taken.refused: Became.failed,
    Taken.later: Became.later,
    Taken.unknown: Became.later,
}


class MailEffect:
    """See `messaging.stage.Effect`. The lease is longer than the channel's own deadline for a batch."""

    kind = MAIL

    def __init__(
        self,
        repository: ClaimRepository,
        store: Store,
        opener: PartyOpener,
        channel: MailChannel,
        letters: Letters,
        form: MailForm,
        rules: Rules,
        batch_max: int = 50,
        lease_seconds: float = 30.0,
        concurrency: int = 2,
    ) -> None:
        self.batch_max, self.lease_seconds, self.concurrency = batch_max, lease_seconds, concurrency
        self._repository, self._store, self._opener, self._channel = repository, store, opener, channel
        self._letters, self._form, self._rules = letters, form, rules

    async def act(self, items: Sequence[WorkItem]) -> Sequence[Tried]:
        """One result per item, in order. Raises only when the database or the key ring does."""
        notices = [Notice.model_validate_json(_payload(item)) for item in items]
        results: list[Tried | None] = await self._left_out(notices)
        wanted = [place for place, result in enumerate(results) if result is None]
        parties = await self._opener.open_each([notices[place].recipient for place in wanted])
        mails: list[tuple[int, OutgoingMail]] = []
        for place, party in zip(wanted, parties, strict=True):
            made = self._mail(notices[place], party)
            if isinstance(made, Tried):
                results[place] = made
            else:
                mails.append((place, made))
                _note_repeat(items[place])
        deliveries = await self._channel.send([mail for _, mail in mails]) if mails else []
        for (place, _), delivery in zip(mails, deliveries, strict=True):
            results[place] = _tried(notices[place], delivery)
        return [result for result in results if result is not None]

    def conclude(self, state: Any, done: WorkDone, now: datetime) -> tuple[Outcome, Any]:
        """Pure: sent and failed are told, a temporary failure is tried again until the notice expires."""
        tried: Tried = done.result
        attempt = done.item.attempt
        if tried.became is Became.sent:
            return Emit((_sent(tried.notice, attempt),)), state
        if tried.became is Became.left_out:
            return Nothing(), state
        if tried.became is Became.failed and tried.failure is not None:
            return Emit((_failed(tried.notice, attempt, tried.failure),)), state
        when = now + self._rules.retry_after(attempt)
        if when >= tried.notice.expires_at:
            return Emit((_failed(tried.notice, attempt, NoticeFailure.expired),)), state
        return RetryLater(tried.code, when), state

    async def _left_out(self, notices: Sequence[Notice]) -> list[Tried | None]:
        """An approval or an advance is left out once the bank has paid: the customer is then told only that."""
        asked = sorted({one.claim_id for one in notices if one.kind in WAIVED_WHEN_PAID})
        if not asked:
            return [None] * len(notices)
        async with self._store.begin() as tx:
            confirmed = await self._repository.confirmed(asked, tx)
        return [
            _counted(Tried(one, Became.left_out))
            if one.kind in WAIVED_WHEN_PAID and one.payment_id in confirmed
            else None
            for one in notices
        ]

    def _mail(self, notice: Notice, party: Party | Erased | SealError) -> OutgoingMail | Tried:
        if isinstance(party, Erased):
            return _not_sent(notice, NoticeFailure.recipient_erased)
        if isinstance(party, SealError):
            log.warning("a recipient cannot be opened", claim_id=str(notice.claim_id), code=party.code)
            return _not_sent(notice, NoticeFailure.recipient_unreadable)
        address = usable_address(party.email) if party.email is not None else None
        if address is None:
            return _not_sent(notice, NoticeFailure.address_missing)
        content = self._form.build(notice, self._letters.write(notice, party.name), address)
        return OutgoingMail(address, notice.message_id, content)


def _payload(item: WorkItem) -> bytes:
    """The payload as JSON text: read in JSON mode, so that dates and ids are taken as they were written."""
    return to_json(item.payload)


def _tried(notice: Notice, delivery: Delivery) -> Tried:
    if delivery.taken is Taken.unknown:
        UNKNOWN.inc()
        log.warning(
            "a mail server did not answer", claim_id=str(notice.claim_id), kind=notice.kind.value, code=delivery.code
        )
    failure = NoticeFailure.refused if delivery.taken is Taken.refused else None
    return _counted(Tried(notice, _BECAME[delivery.taken], delivery.code, failure))


def _not_sent(notice: Notice, failure: NoticeFailure) -> Tried:
    return _counted(Tried(notice, Became.failed, failure.value, failure))


def _counted(tried: Tried) -> Tried:
    TRIES.labels(tried.failure.value if tried.failure else tried.became.value).inc()
    return tried


def _note_repeat(item: WorkItem) -> None:
    if item.attempt > 1:
        REPEATS.inc()
        log.info("a mail is tried again", claim_id=str(item.claim_id), work_id=str(item.work_id), attempt=item.attempt)


def _told(notice: Notice, attempt: int) -> dict[str, Any]:
    return {
        "source_event_id": notice.source_event_id,
        "kind": notice.kind,
        "channel": NoticeChannel.mail,
        "template": notice.kind.value,
        "template_version": notice.version,
        "language": notice.language,
        "recipient_subject_id": notice.recipient.subject_id,
        "attempt": attempt,
    }


def _sent(notice: Notice, attempt: int) -> NoticeSent:
    return NoticeSent(**_told(notice, attempt), message_id=notice.message_id)


def _failed(notice: Notice, attempt: int, reason: NoticeFailure) -> NoticeFailed:
    return NoticeFailed(**_told(notice, attempt), reason=reason)
