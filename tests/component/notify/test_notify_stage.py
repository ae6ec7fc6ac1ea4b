"""The real notify stage over a log in memory: people are told once, after booking, whatever is repeated or killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from messaging import crash_points
from schemas.ids import claim_reference
from schemas.notify import NoticeFailed, NoticeFailure, NoticeKind, NoticeSent
from services.notify.adapters.smtp import SmtpChannel
from services.notify.app import PAPERS_URL
from services.notify.ports import Delivery, OutgoingMail, Taken
from simulators.mail.app import serve
from simulators.mail.message import parse_mail
from simulators.mail.record import FILE_NAME, read_mails
from tests.builders.crashes import Moment, nth_time, only, run_through_crashes
from tests.builders.events import a_claim_approved, a_claim_id, a_payment_confirmed, a_payment_instructed, usd
from tests.builders.notices import ADVANCED, STORIES, a_party, papers_requested, whole_after_advance
from tests.builders.notify_house import NotifyHouse, kinds_told
from tests.builders.stages import Crash

POINTS = """
    batch.received decoded handler.returned answer.commit answer.committed input.ack
    dispatch.claimed channel.send channel.accepted
    outcome.recorded publish.send publish.acked published.mark published.marked outcome.marked
""".split()
CLAIMS = 3
OUTAGE = Delivery(Taken.later, "unavailable")


@asynccontextmanager
async def a_house(mail: bool = True) -> AsyncIterator[NotifyHouse]:
    house = NotifyHouse("memory" if mail else None)
    await house.restart()
    yield house


async def tell_a_story(house: NotifyHouse, number: int = 1) -> None:
    """Reported, approved, instructed, paid."""
    await house.report(number)
    house.approve(number)
    house.instruct(number)
    house.confirm(number)


async def test_a_claim_that_takes_its_time_is_told_of_three_times() -> None:
    async with a_house() as house:
        await house.report()
        await house.settle()
        house.approve()
        await house.settle()
        house.instruct()
        await house.settle()
        house.confirm()
        await house.settle()

        told = house.told()

    assert kinds_told(told) == ["received", "approved", "paid"]
    assert all(isinstance(event, NoticeSent) for event in told)
    assert set(house.mails().values()) == {1}
    subjects = [parse_mail(kept.mail.content).subject.split()[-1] for kept in house.mailbox.kept]
    assert subjects[1] == "approved" and len(subjects) == 3


async def test_an_approval_that_the_bank_overtook_is_left_out() -> None:
    async with a_house() as house:
        await tell_a_story(house)
        await house.settle()

        assert kinds_told(house.told()) == ["received", "paid"]


async def test_each_is_told_in_the_language_of_the_claim() -> None:
    async with a_house() as house:
        await house.report(1, "zh-CN", a_party(name="王小明"))
        await house.report(2, "en")
        await house.settle()

        bodies = [parse_mail(kept.mail.content).body for kept in house.mailbox.kept]

    assert sorted(body.split("\n")[0] for body in bodies) == ["Dear Ada Example,", "尊敬的王小明："]


async def test_every_event_told_again_sends_nothing_again() -> None:
    async with a_house() as house:
        await tell_a_story(house)
        await house.settle()
        house.tell_again()
        await house.settle()

        assert kinds_told(house.told()) == ["received", "paid"]
        assert set(house.mails().values()) == {1}


async def test_events_that_arrive_before_their_cause_are_told_in_turn() -> None:
    async with a_house() as house:
        house.approve()
        house.instruct()
        await house.settle()
        assert house.told() == []

        await house.report()
        await house.settle()

        assert kinds_told(house.told()) == ["received", "approved"]


async def test_papers_are_asked_for_with_the_address_they_are_sent_to() -> None:
    async with a_house() as house:
        await house.report()
        house.tell(papers_requested(), after={"intake": 1})
        await house.settle()

        mail = parse_mail(house.mailbox.kept[-1].mail.content)

    assert kinds_told(house.told()) == ["received", "documents_requested"]
    assert f"{PAPERS_URL}/v1/claims/{claim_reference(a_claim_id())}/documents" in mail.body
    assert "- Invoice of the repair [repair_invoice], for item 1 of your claim (Building)" in mail.body


async def test_a_part_is_left_out_once_the_bank_has_paid_it_and_the_rest_tells_of_it() -> None:
    async with a_house() as house:
        await house.report()
        for event in (*ADVANCED, a_payment_confirmed("advance-payment", amount=usd("500.00"))):
            house.tell(event, after={"intake": 1})
        await house.settle()
        for event in (a_claim_approved(whole_after_advance()), a_payment_instructed(amount=usd("700.00"))):
            house.tell(event, after={"intake": 1})
        await house.settle()

        bodies = [parse_mail(kept.mail.content).body for kept in house.mailbox.kept]

    assert kinds_told(house.told()) == ["received", "referred", "paid", "approved"]
    assert "This is a part of your claim" in bodies[2] and "$500.00 was paid to you" in bodies[3]


@pytest.mark.parametrize("kind", [NoticeKind.withdrawn, NoticeKind.duplicate, NoticeKind.settled])
async def test_the_end_of_a_claim_is_told_once_however_often_its_events_come(kind: NoticeKind) -> None:
    async with a_house() as house:
        await house.report()
        for event in STORIES[kind]:
            house.tell(event, after={"intake": 1})
        await house.settle()
        house.tell_again()
        await house.restart()
        await house.settle()

        told = kinds_told(house.told())

    assert told.count(kind.value) == 1 and set(house.mails().values()) == {1}


async def test_with_the_mail_channel_off_events_are_followed_and_no_work_is_made() -> None:
    async with a_house(mail=False) as house:
        await tell_a_story(house)
        await house.settle()

        async with house.store.begin() as tx:
            followed, work = dict(tx.table("notify_claims")), dict(tx.table("runner_work:notify"))

    assert house.told() == [] and work == {}
    assert len(followed[a_claim_id()].confirmed()) == 1


async def test_an_erased_person_is_not_told_and_that_is_told() -> None:
    async with a_house() as house:
        reporter = await house.report()
        await house.ring.destroy(reporter.subject_id, house.clock.now())
        await house.settle()

        [failed] = house.told()

    assert isinstance(failed, NoticeFailed) and failed.reason is NoticeFailure.recipient_erased
    assert not house.mailbox.kept


async def test_an_outage_of_an_hour_ends_with_one_mail_each() -> None:
    async with a_house() as house:
        house.mailbox.fault = lambda mail: OUTAGE
        for number in range(1, 31):
            await house.report(number)
        for _ in range(12):
            await house.settle()
            house.clock.advance(300)
        assert house.told() == []

        house.mailbox.fault = lambda mail: None
        for _ in range(3):
            house.clock.advance(3600)
            await house.settle()

        assert len(house.told()) == 30
        assert len(house.mails()) == 30 and set(house.mails().values()) == {1}


async def test_a_server_that_never_comes_back_ends_in_expiry_and_blocks_nothing() -> None:
    async with a_house() as house:
        house.mailbox.fault = lambda mail: OUTAGE if mail.address.startswith("slow@") else None
        await house.report(1, party=a_party(email="slow@example.org"))
        await house.report(2)
        await house.settle()
        assert kinds_told(house.told()) == ["received"]

        for _ in range(200):
            house.clock.advance(timedelta(hours=1).total_seconds())
            await house.settle()

        failed = [event for event in house.told() if isinstance(event, NoticeFailed)]

    assert [event.reason for event in failed] == [NoticeFailure.expired]
    assert failed[0].attempt > 100


async def tell_stories(house: NotifyHouse) -> None:
    for number in range(1, CLAIMS + 1):
        await tell_a_story(house, number)


def assert_told_once(house: NotifyHouse) -> None:
    told = house.told()
    assert sorted(kinds_told(told)) == ["paid"] * CLAIMS + ["received"] * CLAIMS
    ids = [event.message_id for event in told if isinstance(event, NoticeSent)]
    assert len(set(ids)) == len(ids) == 2 * CLAIMS
    assert set(house.mails()) == set(ids)


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_the_point_tells_everybody_once_under_one_message_id(point: str, nth: int) -> None:
    house = NotifyHouse()
    await tell_stories(house)
    crash_points.arm(point, nth_time(nth))

    crashes = await run_through_crashes(house)

    assert crashes == 1 or nth > 1
    assert_told_once(house)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_kill_around_any_commit_tells_everybody_once(moment: Moment) -> None:
    crashed = 0
    for nth in range(1, 60):
        house = NotifyHouse()
        await tell_stories(house)
        house.store.at_commit = only(moment, nth_time(nth))
        crashes = await run_through_crashes(house)
        assert_told_once(house)
        crashed += crashes
        if not crashes:
            break
    assert crashed > 5


async def test_a_kill_between_acceptance_and_record_repeats_the_mail_under_the_same_message_id(tmp_path: Path) -> None:
    async with serve(tmp_path) as addresses:
        channel = SmtpChannel("127.0.0.1", addresses.smtp_port, "claims@claimflow.invalid", connections=1)
        house = NotifyHouse(channel)
        await house.report()
        await house.restart()
        crash_points.arm("channel.accepted", nth_time(1))
        with pytest.raises(Crash):
            await house.settle()
        crash_points.disarm()

        await house.restart()
        await house.settle()
        await channel.close()

        first, second = read_mails(tmp_path / FILE_NAME)
        [sent] = house.told()

    assert isinstance(sent, NoticeSent) and sent.attempt == 2
    assert first.message_id == second.message_id == sent.message_id
    assert (first.subject, first.body, first.headers) == (second.subject, second.body, second.headers)


async def test_no_answer_from_the_server_is_tried_again_under_the_same_message_id() -> None:
    async with a_house() as house:
        lost = [Delivery(Taken.unknown, "no-answer")]
        house.mailbox.fault = lambda mail: lost.pop() if lost else None
        await house.report()
        await house.settle()
        house.clock.advance(60)
        await house.settle()

        [sent] = house.told()

    assert isinstance(sent, NoticeSent) and sent.attempt == 2
    assert house.mails() == {sent.message_id: 2}


async def test_two_claims_of_a_batch_do_not_share_a_fate() -> None:
    def refuse(mail: OutgoingMail) -> Delivery | None:
        return Delivery(Taken.refused, "550") if mail.address.startswith("gone@") else None

    async with a_house() as house:
        house.mailbox.fault = refuse
        await house.report(1, party=a_party(email="gone@example.org"))
        await house.report(2)
        await house.settle()

        outcomes = {type(event): event for event in house.told()}

    failed = outcomes[NoticeFailed]
    assert isinstance(failed, NoticeFailed) and failed.reason is NoticeFailure.refused
    assert NoticeSent in outcomes
