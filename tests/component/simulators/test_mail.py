"""The mail sink over real SMTP and HTTP: on disk before 250, decoded, escaped, kept, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest

from simulators.mail.app import serve
from simulators.mail.record import FILE_NAME, read_mails

pytestmark = pytest.mark.asyncio


@dataclass
class Sink:
    folder: Path
    smtp_port: int
    http: httpx2.AsyncClient

    def client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port, timeout=5)

    async def fault(self, **fault: object) -> None:
        assert (await self.http.post("/faults", json=fault)).status_code == 200

    def journal(self) -> list[str]:
        return [mail.message_id for mail in read_mails(self.folder / FILE_NAME)]


@asynccontextmanager
async def a_sink(folder: Path) -> AsyncIterator[Sink]:
    async with serve(folder) as addresses, httpx2.AsyncClient(base_url=addresses.http_url, timeout=5) as http:
        yield Sink(folder, addresses.smtp_port, http)


def a_mail(
    message_id: str = "<one@claimflow.invalid>", to: str = "ada@example.org", body: str = "Hello"
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "claims@claimflow.invalid"
    mail["To"] = to
    mail["Subject"] = "Your claim CF-1"
    mail["Message-ID"] = message_id
    mail["X-Claimflow-Claim"] = "0190"
    mail.set_content(body)
    return mail


async def test_an_accepted_mail_is_in_the_journal_when_250_arrives(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink, sink.client() as client:
        await client.send_message(a_mail())

        [mail] = read_mails(tmp_path / FILE_NAME)

    assert (mail.mail_from, mail.rcpt_to) == ("claims@claimflow.invalid", ("ada@example.org",))
    assert (mail.message_id, mail.subject) == ("<one@claimflow.invalid>", "Your claim CF-1")
    assert mail.headers["x-claimflow-claim"] == "0190"
    assert mail.body == "Hello\n"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
async def test_chinese_subjects_and_bodies_are_readable_in_the_journal(tmp_path: Path, encoding: str) -> None:
    mail = a_mail()
    mail.replace_header("Subject", "您的赔案 CF-1 已收到,我们会尽快处理并通知您后续结果,请保存好相关单据")
    mail.set_content("尊敬的客户:\n您的赔案已收到。\n.单独的点\n", cte=encoding)

    async with a_sink(tmp_path) as sink, sink.client() as client:
        await client.send_message(mail)

        [kept] = read_mails(tmp_path / FILE_NAME)

    assert kept.subject == "您的赔案 CF-1 已收到,我们会尽快处理并通知您后续结果,请保存好相关单据"
    assert kept.body == "尊敬的客户:\n您的赔案已收到。\n.单独的点\n"


async def test_the_plain_part_of_a_multipart_mail_is_the_body(tmp_path: Path) -> None:
    mail = a_mail(body="plain words")
    mail.add_alternative("<p>html words</p>", subtype="html")

    async with a_sink(tmp_path) as sink, sink.client() as client:
        await client.send_message(mail)

        [kept] = read_mails(tmp_path / FILE_NAME)

    assert kept.body == "plain words\n"


async def test_mails_of_many_connections_are_all_kept_and_survive_a_restart(tmp_path: Path) -> None:
    async def send_ten(sink: Sink, sender: int) -> None:
        async with sink.client() as client:
            for number in range(10):
                await client.send_message(a_mail(f"<{sender}-{number}@claimflow.invalid>"))

    async with a_sink(tmp_path) as sink:
        await asyncio.gather(*(send_ten(sink, sender) for sender in range(8)))
    async with a_sink(tmp_path) as sink:
        async with sink.client() as client:
            await client.send_message(a_mail("<last@claimflow.invalid>"))
        answer = (await sink.http.get("/messages.json", params={"limit": 3})).json()

    assert set(sink.journal()) == {f"<{s}-{n}@claimflow.invalid>" for s in range(8) for n in range(10)} | {
        "<last@claimflow.invalid>"
    }
    assert (answer["count"], len(answer["messages"])) == (81, 3)
    assert answer["messages"][0]["message_id"] == "<last@claimflow.invalid>"


async def test_the_pages_show_newest_first_and_escape_what_they_show(tmp_path: Path) -> None:
    mail = a_mail("<evil@claimflow.invalid>", body="<script>alert(1)</script>")
    mail.replace_header("Subject", "<img src=x onerror=alert(1)>")

    async with a_sink(tmp_path) as sink:
        async with sink.client() as client:
            for number in range(60):
                await client.send_message(a_mail(f"<{number}@claimflow.invalid>"))
            await client.send_message(mail)
        first, second = await sink.http.get("/"), await sink.http.get("/", params={"before": 12})
        one, none = await sink.http.get("/messages/61"), await sink.http.get("/messages/62")
        wrong = await sink.http.get("/messages.json", params={"limit": "-1"})

    assert first.text.index("/messages/61") < first.text.index("/messages/60") < first.text.index("/messages/12")
    assert "/?before=12" in first.text
    assert "/messages/11" in second.text and "/?before" not in second.text
    for page in (first, one):
        assert "<script>" not in page.text and "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in one.text
    assert none.status_code == 404
    assert wrong.status_code == 422


async def test_a_temporary_refusal_keeps_nothing_and_passes(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink, sink.client() as client:
        await sink.fault(mode="tempfail", times=1)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await client.send_message(a_mail())
        await client.send_message(a_mail())

        assert refused.value.recipients[0].code == 450
        assert sink.journal() == ["<one@claimflow.invalid>"]


async def test_a_permanent_refusal_strikes_only_the_addresses_that_fit(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink, sink.client() as client:
        await sink.fault(mode="permfail", match="*@gone.example")
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await client.send_message(a_mail("<gone@claimflow.invalid>", to="ada@gone.example"))
        await client.send_message(a_mail())

        assert refused.value.recipients[0].code == 550
        assert sink.journal() == ["<one@claimflow.invalid>"]


async def test_a_refusal_after_the_data_keeps_nothing(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink, sink.client() as client:
        await sink.fault(mode="data_tempfail", times=1)
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await client.send_message(a_mail())

        assert refused.value.code == 451
        assert sink.journal() == []


@pytest.mark.parametrize(("mode", "kept"), [("disconnect_before", 0), ("disconnect_after", 1)])
async def test_a_cut_instead_of_250_leaves_the_sender_not_knowing(tmp_path: Path, mode: str, kept: int) -> None:
    async with a_sink(tmp_path) as sink:
        await sink.fault(mode=mode, times=1)
        client = sink.client()
        await client.connect()
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.send_message(a_mail())
        assert len(sink.journal()) == kept

        async with sink.client() as again:
            await again.send_message(a_mail())

        assert sink.journal() == ["<one@claimflow.invalid>"] * (kept + 1)


async def test_slow_says_250_late(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink, sink.client() as client:
        await sink.fault(mode="slow", seconds=0.3)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await client.send_message(a_mail())

        assert loop.time() - begun >= 0.3
        assert len(sink.journal()) == 1


async def test_a_sink_that_is_down_takes_nothing_until_it_is_up(tmp_path: Path) -> None:
    async with a_sink(tmp_path) as sink:
        await sink.fault(mode="down")
        async with sink.client() as client:
            with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
                await client.send_message(a_mail())
        await sink.http.delete("/faults")
        async with sink.client() as client:
            await client.send_message(a_mail())

        assert refused.value.code == 421
        assert len(sink.journal()) == 1
