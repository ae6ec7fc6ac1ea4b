"""The SMTP channel against the real mail sink, with each of its faults: one bounded outcome for every mail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from services.notify.adapters.smtp import SmtpChannel
from services.notify.ports import Delivery, OutgoingMail, Taken
from simulators.mail.app import serve
from simulators.mail.record import FILE_NAME, ReceivedMail, read_mails

SENDER = "claims@claimflow.invalid"


@dataclass
class Post:
    """The sink, and the channel into it."""

    folder: Path
    port: int
    http: httpx2.AsyncClient
    channel: SmtpChannel

    async def fault(self, **fault: object) -> None:
        assert (await self.http.post("/faults", json=fault)).status_code == 200

    async def no_faults(self) -> None:
        assert (await self.http.delete("/faults")).status_code < 300

    def received(self) -> list[ReceivedMail]:
        return list(read_mails(self.folder / FILE_NAME))

    def ids(self) -> Counter[str]:
        return Counter(mail.message_id for mail in self.received())


@asynccontextmanager
async def a_post(
    folder: Path, connections: int = 3, answer_seconds: float = 5.0, batch_seconds: float = 10.0
) -> AsyncIterator[Post]:
    async with serve(folder) as addresses, httpx2.AsyncClient(base_url=addresses.http_url, timeout=5) as http:
        channel = SmtpChannel("127.0.0.1", addresses.smtp_port, SENDER, connections, answer_seconds, batch_seconds)
        try:
            yield Post(folder, addresses.smtp_port, http, channel)
        finally:
            await channel.close()


def a_mail(number: int = 1, address: str = "ada@example.org", body: str = "Hello") -> OutgoingMail:
    message_id = f"<{number}@notices.claimflow.invalid>"
    content = f"From: {SENDER}\r\nMessage-ID: {message_id}\r\nSubject: Claim\r\n\r\n{body}\r\n"
    return OutgoingMail(address, message_id, content.encode())


def codes(deliveries: Sequence[Delivery]) -> list[tuple[str, str]]:
    return [(delivery.taken.value, delivery.code) for delivery in deliveries]


async def test_a_batch_arrives_once_each_over_few_connections_that_are_kept(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        for start in (0, 40):
            deliveries = await post.channel.send([a_mail(number) for number in range(start, start + 40)])

            assert {delivery.taken for delivery in deliveries} == {Taken.accepted}
        received = post.ids()

    assert received == Counter(f"<{number}@notices.claimflow.invalid>" for number in range(80))


async def test_lines_that_begin_with_a_dot_and_envelope_arrive_as_they_are(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        await post.channel.send([a_mail(body=".\r\n..two\r\nend")])
        [mail] = post.received()

    assert mail.body == ".\n..two\nend\n"
    assert (mail.mail_from, mail.rcpt_to) == (SENDER, ("ada@example.org",))


async def test_an_address_beyond_ascii_is_sent_where_the_server_takes_it(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        deliveries = await post.channel.send([a_mail(address="王@example.org")])
        [mail] = post.received()

    assert codes(deliveries) == [("accepted", "250")]
    assert mail.rcpt_to == ("王@example.org",)


@pytest.mark.parametrize(
    "mode, outcome",
    [("permfail", ("refused", "550")), ("tempfail", ("later", "450"))],
)
async def test_a_refused_recipient_leaves_its_neighbours_unharmed(
    tmp_path: Path, mode: str, outcome: tuple[str, str]
) -> None:
    async with a_post(tmp_path, connections=1) as post:
        await post.fault(mode=mode, match="bad@*")

        deliveries = await post.channel.send([a_mail(1), a_mail(2, "bad@example.org"), a_mail(3)])
        received = post.ids()

    assert codes(deliveries) == [("accepted", "250"), outcome, ("accepted", "250")]
    assert set(received) == {"<1@notices.claimflow.invalid>", "<3@notices.claimflow.invalid>"}


async def test_a_mail_that_was_sent_and_put_off_comes_later(tmp_path: Path) -> None:
    async with a_post(tmp_path, connections=1) as post:
        await post.fault(mode="data_tempfail", times=1)

        deliveries = await post.channel.send([a_mail(1), a_mail(2)])

    assert codes(deliveries) == [("later", "451"), ("accepted", "250")]


@pytest.mark.parametrize("mode, kept", [("disconnect_before", 0), ("disconnect_after", 1)])
async def test_a_cut_after_the_mail_was_given_is_unknown_and_is_not_sent_again_by_itself(
    tmp_path: Path, mode: str, kept: int
) -> None:
    async with a_post(tmp_path, connections=1) as post:
        await post.fault(mode=mode, match="<1@*", times=1)

        deliveries = await post.channel.send([a_mail(1), a_mail(2)])
        received = post.ids()

    assert codes(deliveries) == [("unknown", "no-answer"), ("accepted", "250")]
    assert received["<1@notices.claimflow.invalid>"] == kept


async def test_a_server_that_says_it_is_closed_puts_the_batch_off_and_takes_the_next_one(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        await post.fault(mode="down")
        put_off = await post.channel.send([a_mail(number) for number in range(5)])
        await post.no_faults()
        taken = await post.channel.send([a_mail(number) for number in range(5)])
        received = post.ids()

    assert codes(put_off) == [("later", "unavailable")] * 5
    assert codes(taken) == [("accepted", "250")] * 5
    assert set(received.values()) == {1}


async def test_no_server_at_all_puts_the_batch_off(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        port = post.port
    channel = SmtpChannel("127.0.0.1", port, SENDER)

    deliveries = await channel.send([a_mail(number) for number in range(200)])

    assert codes(deliveries) == [("later", "unavailable")] * 200


async def test_a_kept_connection_that_the_server_has_closed_is_replaced(tmp_path: Path) -> None:
    async with a_post(tmp_path / "one") as post:
        await post.channel.send([a_mail(1)])
        port, channel = post.port, post.channel
    async with serve(tmp_path / "two", smtp_port=port):
        deliveries = await channel.send([a_mail(2)])
        await channel.close()

    assert codes(deliveries) == [("accepted", "250")]


async def test_a_slow_mail_holds_one_connection_and_ends_at_the_deadline(tmp_path: Path) -> None:
    async with a_post(tmp_path, connections=2, batch_seconds=0.7) as post:
        await post.fault(mode="slow", seconds=30, match="slow@*")

        deliveries = await post.channel.send([a_mail(1, "slow@example.org"), *(a_mail(n) for n in range(2, 12))])

    assert codes(deliveries) == [("unknown", "deadline"), *[("accepted", "250")] * 10]


async def test_a_server_that_answers_too_late_is_given_up_without_a_second_copy(tmp_path: Path) -> None:
    async with a_post(tmp_path, connections=1, answer_seconds=0.3) as post:
        await post.fault(mode="slow", seconds=30, times=1)

        deliveries = await post.channel.send([a_mail(1), a_mail(2)])
        received = post.ids()

    assert codes(deliveries) == [("unknown", "no-answer"), ("accepted", "250")]
    assert set(received.values()) == {1}


async def test_many_batches_at_once_share_the_connections(tmp_path: Path) -> None:
    async with a_post(tmp_path, connections=2) as post:
        batches = [[a_mail(10 * batch + number) for number in range(10)] for batch in range(5)]

        answers = await asyncio.gather(*(post.channel.send(batch) for batch in batches))
        received = post.ids()

    assert all(delivery.taken is Taken.accepted for answer in answers for delivery in answer)
    assert len(received) == 50 and set(received.values()) == {1}
