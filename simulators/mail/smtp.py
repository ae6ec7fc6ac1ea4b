"""The SMTP side: every accepted mail is in the journal, on disk, before 250 is said. Modes of faults: see `MODES`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.faults import FaultSwitch
from simulators.journal import Journal, JournalBrokenError
from simulators.mail.message import parse_mail, record_of
from simulators.serving import listen

MODES = {
    "tempfail": "450 for a recipient whose address fits `match`",
    "permfail": "550 for a recipient whose address fits `match`",
    "data_tempfail": "451 after the mail was sent, nothing kept",
    "slow": "says 250 after `seconds`",
    "disconnect_before": "cuts the connection after the mail was sent, nothing kept",
    "disconnect_after": "keeps the mail, then cuts the connection instead of saying 250",
    "down": "421 to every new mail",
}
MESSAGE_BYTES_MAX = 2 * 1024 * 1024
RECIPIENTS_MAX = 100
IDLE_SECONDS = 600.0
_AT_RCPT = frozenset({"tempfail", "permfail"})
_AT_DATA = frozenset({"data_tempfail", "slow", "disconnect_before", "disconnect_after"})


class MailHandler:
    """The hooks that aiosmtpd calls; refuses, keeps or cuts as the faults say."""

    def __init__(self, journal: Journal, faults: FaultSwitch, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._faults = faults
        self._now = now

    async def handle_MAIL(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, unless the sink plays dead."""
        if self._faults.draw([address], among=("down",)):
            return "421 4.3.2 the mail system is closed"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse one recipient."""
        fault = self._faults.draw([address], among=_AT_RCPT)
        if fault is not None:
            return "550 5.1.1 no such mailbox" if fault.mode == "permfail" else "450 4.2.1 mailbox busy, try later"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one mail; 250 only when it is on disk."""
        content: Any = envelope.original_content
        mail = parse_mail(bytes(content))
        rcpt_to = [str(address) for address in envelope.rcpt_tos]
        fault = self._faults.draw([mail.message_id, *rcpt_to], among=_AT_DATA)
        mode = fault.mode if fault else "none"
        if mode == "data_tempfail":
            return "451 4.3.0 try later"
        if mode == "disconnect_before":
            return _cut(server)
        received_at = self._now().isoformat(timespec="microseconds")
        try:
            await self._journal.append([record_of(mail, received_at, str(envelope.mail_from), rcpt_to)])
        except JournalBrokenError:
            return "452 4.3.1 the mail cannot be kept"
        if fault is not None and mode == "slow":
            await asyncio.sleep(fault.seconds)
        return _cut(server) if mode == "disconnect_after" else "250 2.0.0 kept"


@asynccontextmanager
async def smtp_server(handler: MailHandler, port: int = 0) -> AsyncIterator[int]:
    """Take mail on loopback; gives the port."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it logs every line of every mail
    loop = asyncio.get_running_loop()
    listener = listen(port)
    sessions: WeakSet[SMTP] = WeakSet()

    def session() -> SMTP:
        server = SMTP(
            handler,
            data_size_limit=MESSAGE_BYTES_MAX,
            enable_SMTPUTF8=True,
            hostname="mail.invalid",
            ident="claimflow mail sink",
            timeout=IDLE_SECONDS,
            loop=loop,
        )
        sessions.add(server)
        return server

    server = await loop.create_server(session, sock=listener)
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()
        for one in list(sessions):
            _cut(one)
        listener.close()


def _cut(server: SMTP) -> str:
    if server.transport is not None:
        cast(asyncio.WriteTransport, server.transport).abort()
    return "421 4.4.2 connection cut"
