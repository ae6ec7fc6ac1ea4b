"""A letter as the bytes of a mail (RFC 5322, 2045, 2047), built from prepared parts.

No value reaches a header unless it is an id, one of our own codes, a checked address, or an encoded subject: a name
never stands in one, so none can break out of it. The same notice gives the same bytes.
"""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from email.utils import format_datetime
from functools import lru_cache

from services.notify.domain.letters import Letter
from services.notify.domain.notices import Notice

_ADDRESS = re.compile(
    r"(?P<local>(?:[^\W]|[!#$%&'*+/=?^`{|}~-])+(?:\.(?:[^\W]|[!#$%&'*+/=?^`{|}~-])+)*)@(?P<host>[^\s@]{1,189})"
)
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_WORD_BYTES = 45
_SUBJECT_PLAIN = 66


def usable_address(address: str) -> str | None:
    """The address as mail takes it, its host in ASCII; None if no mail can be sent to it."""
    found = _ADDRESS.fullmatch(address)
    if found is None or len(found["local"]) > 64 or not address.isprintable():
        return None
    host = found["host"]
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return f"{found['local']}@{host}" if _HOST.fullmatch(host) and len(host) <= 253 else None


class MailForm:
    """Builds mails of one sender; the parts that never change are made once."""

    def __init__(self, sender: str) -> None:
        checked = usable_address(sender)
        if checked is None or not checked.isascii():
            raise ValueError("the sender is not a mail address")
        self.sender = checked
        self._from = f"From: {checked}\r\nReply-To: {checked}\r\n"

    def build(self, notice: Notice, letter: Letter, address: str) -> bytes:
        """The mail to a checked address."""
        body, encoding = _encoded(letter.body)
        ids = [f"X-Claimflow-Claim: {notice.claim_id}\r\nX-Claimflow-Event: {notice.source_event_id}\r\n"]
        if notice.decision_id is not None:
            ids.append(f"X-Claimflow-Decision: {notice.decision_id}\r\n")
        if notice.payment_id is not None:
            ids.append(f"X-Claimflow-Payment: {notice.payment_id}\r\n")
        head = (
            f"Date: {format_datetime(notice.made_at)}\r\n"
            f"{self._from}"
            f"To: <{address}>\r\n"
            f"Message-ID: {notice.message_id}\r\n"
            f"Subject: {_subject(letter.subject)}\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n"
            f"Content-Language: {notice.language}\r\n"
            "Auto-Submitted: auto-generated\r\n"
            f"X-Claimflow-Kind: {notice.kind.value}\r\n"
            f"X-Claimflow-Template: {notice.kind.value}.{notice.language}.v{notice.version}\r\n"
            f"{''.join(ids)}"
            "\r\n"
        )
        return head.encode() + body


def _encoded(body: str) -> tuple[bytes, str]:
    data = body.replace("\n", "\r\n").encode()
    if body.isascii():
        return b2a_qp(data, istext=True), "quoted-printable"
    return _in_lines(b2a_base64(data, newline=False)), "base64"


def _in_lines(text: bytes) -> bytes:
    return b"\r\n".join([text[start : start + 76] for start in range(0, len(text), 76)]) + b"\r\n"


@lru_cache(4096)
def _subject(subject: str) -> str:
    """Plain when it is short ASCII, else encoded words of at most 75 characters that cut no character in two."""
    subject = " ".join(subject.split())
    if subject.isascii() and subject.isprintable() and len(subject) <= _SUBJECT_PLAIN and "=?" not in subject:
        return subject
    words, word = [], b""
    for character in subject:
        piece = character.encode()
        if len(word) + len(piece) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += piece
    words.append(word)
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(word, newline=False).decode()}?=" for word in words)
