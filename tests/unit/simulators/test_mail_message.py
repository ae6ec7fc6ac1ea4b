"""Mails taken apart: the short way and the full parser say the same, and nothing breaks the sink."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

import pytest

from simulators.mail.message import parse_mail


@pytest.mark.parametrize("text", ["Hello\n", "您的赔案已收到。\n第二行\n", "Grüße = 5 €\n" * 50])
@pytest.mark.parametrize("cte", ["base64", "quoted-printable", "8bit"])
def test_text_comes_back_as_it_was_written(text: str, cte: str) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = text.splitlines()[0] * 8
    mail.set_content(text, cte=cte)

    parsed = parse_mail(mail.as_bytes())

    assert parsed.body == text
    assert parsed.subject == text.splitlines()[0] * 8


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no headers at all",
        b"Subject: =?utf-8?b?%%%?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%=a",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts",
        b"Content-Type: application/pdf\r\n\r\n%PDF",
    ],
)
def test_a_broken_mail_is_kept_as_well_as_it_can_be(content: bytes) -> None:
    parsed = parse_mail(content)

    assert isinstance(parsed.body, str)
    assert isinstance(parsed.subject, str)


def test_folded_headers_are_unfolded_and_the_first_of_each_counts() -> None:
    parsed = parse_mail(b"X-Claimflow-Claim: one\r\n  two\r\nx-claimflow-claim: three\r\n\r\nbody\r\n")

    assert parsed.headers["x-claimflow-claim"] == "one  two"
    assert parsed.body == "body\n"
