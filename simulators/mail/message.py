"""A received mail taken apart: headers decoded, the text of its body readable.

The plain single-part mail, which is nearly all of them, takes a short way; everything else goes through the
standard library's full parser. Nothing here refuses a mail: what cannot be decoded is replaced, not lost."""

from __future__ import annotations

import binascii
import email
import email.policy
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

BODY_CHARACTERS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Mail:
    """Headers by lower-case name (the first of each), and the text of the body."""

    headers: dict[str, str]
    body: str

    @property
    def message_id(self) -> str:
        """The Message-ID as sent, with its angle brackets; empty if there is none."""
        return self.headers.get("message-id", "")

    @property
    def subject(self) -> str:
        """The decoded subject; empty if there is none."""
        return self.headers.get("subject", "")


def parse_mail(content: bytes) -> Mail:
    """The mail in `content`, as it came in DATA."""
    head, _, body = content.partition(b"\r\n\r\n")
    headers = _headers(head)
    kind = headers.get("content-type", "text/plain").lower()
    if not kind.startswith("text/plain"):
        return Mail(headers, _full_text(content)[:BODY_CHARACTERS_MAX])
    encoding = headers.get("content-transfer-encoding", "7bit").strip().lower()
    text = _decoded(body, encoding).decode(_charset(kind), "replace").replace("\r\n", "\n")
    return Mail(headers, text[:BODY_CHARACTERS_MAX])


def record_of(mail: Mail, received_at: str, mail_from: str, rcpt_to: list[str]) -> dict[str, Any]:
    """The journal's line for a mail (see `simulators.mail.record`)."""
    return {
        "received_at": received_at,
        "from": mail_from,
        "to": rcpt_to,
        "message_id": mail.message_id,
        "subject": mail.subject,
        "headers": mail.headers,
        "body": mail.body,
    }


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in unfolded.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), _words(value.strip()))
    return found


def _words(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _decoded(body: bytes, encoding: str) -> bytes:
    try:
        if encoding == "base64":
            return binascii.a2b_base64(body)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(body)
    except binascii.Error:
        return body
    return body


def _charset(content_type: str) -> str:
    _, _, after = content_type.partition("charset=")
    name = after.split(";")[0].strip().strip('"') or "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


def _full_text(content: bytes) -> str:
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    part = parsed.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    charset = _charset(f"charset={part.get_content_charset() or 'utf-8'}")
    return payload.decode(charset, "replace").replace("\r\n", "\n") if isinstance(payload, bytes) else ""
