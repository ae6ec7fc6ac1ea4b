"""Mail over SMTP: a few connections that are kept, each taking the next mail of a batch, all within one deadline.

A broken connection before the mail was given is replaced and the mail tried once more; after it, the outcome is
unknown, and only a later try under the same Message-ID may repeat it. While no server answers, a batch costs an
attempt to connect per connection, not per mail.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import aiosmtplib
import structlog

from messaging.crash_points import reach
from services.notify.ports import Delivery, OutgoingMail, Taken

CONNECTIONS: Final = 4
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 20.0
BATCH_SECONDS: Final = 28.0
LEASE_MARGIN_SECONDS: Final = 2.0
log = structlog.get_logger("notify")
_BROKEN = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPConnectError, OSError)


class SmtpChannel:
    """See `MailChannel`. At most `connections` at a time, over all batches; `close` ends those that are kept."""

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        connections: int = CONNECTIONS,
        answer_seconds: float = ANSWER_SECONDS,
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        self._host, self._port, self._sender = host, port, sender
        self._answer_seconds, self._batch_seconds = answer_seconds, batch_seconds
        self._connections = connections
        self._free = asyncio.Semaphore(connections)
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[Delivery]:
        """One outcome a mail; those the deadline leaves over come later."""
        batch = _Batch(deque(enumerate(mails)), [None] * len(mails))
        senders = [asyncio.create_task(self._work_off(batch)) for _ in range(min(self._connections, len(mails)))]
        try:
            _, late = await asyncio.wait(senders, timeout=self._batch_seconds)
        finally:
            for task in senders:
                task.cancel()
        for result in await asyncio.gather(*senders, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        if not late and None in batch.outcomes:
            log.warning("the mail server takes no mail now", address=self._host, port=self._port, count=len(mails))
        return batch.settled("deadline" if late else "unavailable")

    async def close(self) -> None:
        """Says goodbye on every kept connection."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=1.0)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _work_off(self, batch: _Batch) -> None:
        """One connection takes mail after mail; one that cannot be had gives its mail back and ends."""
        async with self._free:
            client = self._idle.pop() if self._idle else None
            try:
                while batch.waiting:
                    place, mail = batch.waiting.popleft()
                    client = await self._one(client, batch, place, mail)
                    if batch.outcomes[place] is None:
                        batch.waiting.appendleft((place, mail))
                        return
            except BaseException:
                if client is not None:
                    client.close()
                raise
            finally:
                if client is not None and client.is_connected:
                    self._idle.append(client)

    async def _one(
        self, client: aiosmtplib.SMTP | None, batch: _Batch, place: int, mail: OutgoingMail
    ) -> aiosmtplib.SMTP | None:
        """Sends one mail, on a fresh connection if the kept one turns out to be gone; the connection to go on with."""
        if client is not None and client.is_connected:
            batch.outcomes[place] = await self._transact(client, mail, batch, place)
        if batch.outcomes[place] is None:
            client = await self._connect()
            if client is not None:
                batch.outcomes[place] = await self._transact(client, mail, batch, place)
        return client if client is not None and client.is_connected else None

    async def _connect(self) -> aiosmtplib.SMTP | None:
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self._answer_seconds,
            local_hostname="claimflow.invalid",
            start_tls=None,
        )
        try:
            await client.connect(timeout=CONNECT_SECONDS)
            await client.ehlo()
        except (aiosmtplib.SMTPException, OSError):
            client.close()
            return None
        return client

    async def _transact(
        self, client: aiosmtplib.SMTP, mail: OutgoingMail, batch: _Batch, place: int
    ) -> Delivery | None:
        """The outcome of one mail; None if the connection was gone before the mail was given."""
        options, encoding = [f"SIZE={len(mail.content)}"] if client.supports_extension("size") else [], "ascii"
        if not mail.address.isascii():
            if not client.supports_extension("smtputf8"):
                return Delivery(Taken.refused, "smtputf8")
            options, encoding = [*options, "SMTPUTF8"], "utf-8"
        try:
            await client.mail(self._sender, options=options, encoding=encoding)
            await client.rcpt(mail.address, encoding=encoding)
        except aiosmtplib.SMTPSenderRefused as refused:
            return await _refused_at_sender(client, refused.code)
        except aiosmtplib.SMTPResponseException as refused:
            return await _refused(client, refused.code)
        except _BROKEN:
            client.close()
            return None
        except ValueError:
            return await _refused(client, 553)
        reach("channel.send")
        batch.given.add(place)
        try:
            await client.data(mail.content)
        except aiosmtplib.SMTPResponseException as refused:
            return await _refused(client, refused.code)
        except _BROKEN:
            client.close()
            return Delivery(Taken.unknown, "no-answer")
        reach("channel.accepted")
        return Delivery(Taken.accepted, "250")


class _Batch:
    """The mails still to be taken, those given to the server, and what became of each."""

    def __init__(self, waiting: deque[tuple[int, OutgoingMail]], outcomes: list[Delivery | None]) -> None:
        self.waiting, self.outcomes = waiting, outcomes
        self.given: set[int] = set()

    def settled(self, why: str) -> list[Delivery]:
        """An outcome for every mail: unknown if it was given and not answered, else it comes later."""
        return [
            outcome if outcome is not None else Delivery(Taken.unknown if place in self.given else Taken.later, why)
            for place, outcome in enumerate(self.outcomes)
        ]


async def _refused(client: aiosmtplib.SMTP, code: int) -> Delivery:
    """5xx is for good. The session is cleared for the next mail, or given up if the server does not answer."""
    if code == 421:
        client.close()
    else:
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            client.close()
    return Delivery(Taken.refused if 500 <= code < 600 else Taken.later, str(code))


async def _refused_at_sender(client: aiosmtplib.SMTP, code: int) -> Delivery | None:
    """Before a recipient is named, a refusal is about the server or our sender, never about this notice."""
    if code == 421:
        client.close()
        return None
    return Delivery(Taken.later, (await _refused(client, code)).code)
