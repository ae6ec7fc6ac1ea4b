"""The effect `mail`: what becomes of each notice of a batch, and what is told of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from messaging.stage import WorkDone
from messaging.stores.store_memory import MemoryStore
from privacy.key_ring_memory import MemoryKeyRing
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer_with_ring
from schemas.ids import ClaimId, EventId, SubjectId
from schemas.notify import NoticeFailed, NoticeFailure, NoticeKind, NoticeSent
from schemas.outcomes import Emit, Nothing, RetryLater
from schemas.party import Party
from services.notify.adapters.memory_channel import MemoryMailbox
from services.notify.adapters.memory_repository import MemoryClaimRepository
from services.notify.domain.mail import MailForm
from services.notify.domain.notices import ClaimNotices, Notice
from services.notify.handlers.mailing import Became, MailEffect, Tried
from services.notify.ports import Delivery, OutgoingMail, Taken
from simulators.mail.message import parse_mail
from tests.builders.events import a_claim_id, a_claim_reported, a_sealed_party, an_id
from tests.builders.notices import (
    NOW,
    STORIES,
    a_notice,
    a_party,
    an_item,
    followed,
    sealed,
    the_letters,
    the_rules,
)


@dataclass
class Desk:
    """The effect with everything it needs in memory."""

    store: MemoryStore = field(default_factory=MemoryStore)
    repository: MemoryClaimRepository = field(default_factory=MemoryClaimRepository)
    mailbox: MemoryMailbox = field(default_factory=lambda: MemoryMailbox(lambda: NOW))
    sealer: Sealer = field(init=False)
    ring: MemoryKeyRing = field(init=False)

    def __post_init__(self) -> None:
        self.sealer, self.ring = memory_sealer_with_ring(random.Random(7).randbytes)
        form = MailForm("claims@claimflow.invalid")
        self.effect = MailEffect(
            self.repository, self.store, self.sealer, self.mailbox, the_letters(), form, the_rules()
        )

    async def notice(
        self, kind: NoticeKind = NoticeKind.received, number: int = 1, party: Party | None = None
    ) -> Notice:
        recipient = await sealed(self.sealer, party, f"person:{number}")
        source = EventId(an_id(f"source:{number}"))
        return a_notice(kind, recipient=recipient, source_event_id=source, claim_id=a_claim_id(number))

    async def act(self, *notices: Notice) -> Sequence[Tried]:
        return await self.effect.act([an_item(notice) for notice in notices])

    async def know(self, claims: dict[ClaimId, ClaimNotices]) -> None:
        async with self.store.begin() as tx:
            await self.repository.save(claims, tx)


def became(results: Sequence[Tried]) -> list[str]:
    return [result.failure.value if result.failure else result.became.value for result in results]


async def test_a_notice_is_opened_rendered_and_sent() -> None:
    desk = Desk()
    notice = await desk.notice(NoticeKind.received)

    results = await desk.act(notice)

    [kept] = desk.mailbox.kept
    assert became(results) == ["sent"] and results[0].notice == notice
    assert (kept.mail.address, kept.mail.message_id) == ("ada@example.org", notice.message_id)
    assert "Dear Ada Example," in parse_mail(kept.mail.content).body


async def test_every_result_stands_in_the_place_of_its_item() -> None:
    desk = Desk()
    erased = await desk.notice(number=2)
    await desk.ring.destroy(erased.recipient.subject_id, NOW)
    forged = (await desk.notice(number=3)).model_copy(update={"recipient": a_sealed_party()})
    silent = await desk.notice(number=4, party=a_party(email=None, phone="+1 212 555 0100"))
    odd = await desk.notice(number=5, party=a_party(email="a..b@example.org"))

    results = await desk.act(await desk.notice(number=1), erased, forged, silent, odd, await desk.notice(number=6))

    assert became(results) == [
        "sent",
        "recipient_erased",
        "recipient_unreadable",
        "address_missing",
        "address_missing",
        "sent",
    ]
    assert len(desk.mailbox.kept) == 2


async def test_an_approval_is_left_out_once_the_bank_has_paid_and_a_reduction_is_not() -> None:
    desk = Desk()
    approved, partly = await desk.notice(NoticeKind.approved, 1), await desk.notice(NoticeKind.partly_approved, 2)
    paid = followed((a_claim_reported(), *STORIES[NoticeKind.paid]))[0]
    await desk.know({a_claim_id(1): paid, a_claim_id(2): paid})

    results = await desk.act(approved, partly)

    assert became(results) == ["left_out", "sent"]


async def test_an_approval_is_told_while_the_bank_has_not_answered() -> None:
    desk = Desk()
    open_claim = followed((a_claim_reported(), *STORIES[NoticeKind.approved]))[0]
    await desk.know({a_claim_id(1): open_claim})

    results = await desk.act(await desk.notice(NoticeKind.approved, 1))

    assert became(results) == ["sent"]


async def test_a_second_try_sends_the_same_bytes_under_the_same_message_id() -> None:
    desk = Desk()
    notice = await desk.notice(NoticeKind.paid)

    await desk.effect.act([an_item(notice, 1)])
    await desk.effect.act([an_item(notice, 2)])

    first, second = desk.mailbox.kept
    assert first.mail == second.mail


@pytest.mark.parametrize(
    "taken, outcome",
    [(Taken.later, "later"), (Taken.unknown, "later"), (Taken.refused, "refused"), (Taken.accepted, "sent")],
)
async def test_what_the_server_says_is_what_becomes_of_the_notice(taken: Taken, outcome: str) -> None:
    desk = Desk()

    def answer(mail: OutgoingMail) -> Delivery:
        return Delivery(taken, "450")

    desk.mailbox.fault = answer

    assert became(await desk.act(await desk.notice())) == [outcome]


def conclude(tried: Tried, attempt: int = 1, after: timedelta = timedelta()) -> Emit | Nothing | RetryLater:
    claim = ClaimNotices()
    done = WorkDone(an_item(tried.notice, attempt), tried)

    outcome, state = Desk().effect.conclude(claim, done, NOW + after)

    assert state is claim
    assert isinstance(outcome, Emit | Nothing | RetryLater)
    return outcome


def test_a_sent_notice_is_told_with_its_ids_and_without_a_person() -> None:
    notice = a_notice(NoticeKind.paid, "zh-CN")

    outcome = conclude(Tried(notice, Became.sent, "250"), attempt=3)

    assert isinstance(outcome, Emit)
    [sent] = outcome.events
    assert isinstance(sent, NoticeSent)
    assert (sent.source_event_id, sent.kind, sent.message_id) == (notice.source_event_id, "paid", notice.message_id)
    assert (sent.template, sent.template_version, sent.language, sent.attempt) == ("paid", 2, "zh-CN", 3)
    assert sent.recipient_subject_id == SubjectId(an_id("subject:reporter"))


def test_a_notice_that_was_left_out_is_not_told() -> None:
    assert conclude(Tried(a_notice(NoticeKind.approved), Became.left_out)) == Nothing()


@pytest.mark.parametrize("failure", list(NoticeFailure))
def test_a_failed_notice_is_told_with_its_reason(failure: NoticeFailure) -> None:
    outcome = conclude(Tried(a_notice(), Became.failed, "550", failure))

    assert isinstance(outcome, Emit)
    [failed] = outcome.events
    assert isinstance(failed, NoticeFailed) and failed.reason is failure


@pytest.mark.parametrize("attempt, seconds", [(1, 20), (2, 60), (3, 300), (6, 3600), (500, 3600)])
def test_a_temporary_failure_is_tried_again_with_growing_pauses(attempt: int, seconds: int) -> None:
    outcome = conclude(Tried(a_notice(), Became.later, "450"), attempt)

    assert outcome == RetryLater("450", NOW + timedelta(seconds=seconds))


def test_a_notice_that_could_only_be_tried_after_its_time_has_expired() -> None:
    outcome = conclude(Tried(a_notice(), Became.later, "450"), 9, after=timedelta(hours=167, minutes=30))

    assert isinstance(outcome, Emit)
    [failed] = outcome.events
    assert isinstance(failed, NoticeFailed) and failed.reason is NoticeFailure.expired
