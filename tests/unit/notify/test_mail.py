"""Mails as bytes: read back by two parsers, and no value breaks out of its place."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES
from schemas.notify import NoticeKind
from services.notify.domain.letters import Letter
from services.notify.domain.mail import MailForm, usable_address
from services.notify.domain.notices import Notice
from simulators.mail.message import parse_mail
from tests.builders.notices import a_notice, the_letters

FORM = MailForm("claims@claimflow.invalid")
HEADERS = """Date From Reply-To To Message-ID Subject MIME-Version Content-Type Content-Transfer-Encoding
    Content-Language Auto-Submitted X-Claimflow-Kind X-Claimflow-Template X-Claimflow-Claim X-Claimflow-Event""".split()


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def body_of(mail: EmailMessage) -> str:
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def a_mail(notice: Notice, name: str = "Ada Example", address: str = "ada@example.org") -> tuple[Letter, bytes]:
    letter = the_letters().write(notice, name)
    return letter, FORM.build(notice, letter, address)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.value) for kind in NoticeKind])
def test_a_mail_is_read_back_as_it_was_written_by_both_parsers(kind: NoticeKind, language: str) -> None:
    notice = a_notice(kind, language)

    letter, content = a_mail(notice, "王小明 Zoë")

    mail, sunk = parsed(content), parse_mail(content)
    assert not mail.defects
    assert (mail["Subject"], body_of(mail)) == (letter.subject, letter.body)
    assert (sunk.subject, sunk.body) == (letter.subject, letter.body)
    assert (mail["Message-ID"], sunk.message_id) == (notice.message_id, notice.message_id)
    assert parsedate_to_datetime(mail["Date"]) == notice.made_at.replace(microsecond=0)
    assert (mail["From"], mail["To"]) == ("claims@claimflow.invalid", "ada@example.org")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_auditor_finds_every_id_in_the_headers(language: str) -> None:
    notice = a_notice(NoticeKind.paid, language)

    _, content = a_mail(notice)

    headers = parse_mail(content).headers
    assert headers["x-claimflow-claim"] == str(notice.claim_id)
    assert headers["x-claimflow-event"] == str(notice.source_event_id)
    assert headers["x-claimflow-kind"] == "paid"
    assert headers["x-claimflow-decision"] == str(notice.decision_id)
    assert headers["x-claimflow-payment"] == str(notice.payment_id)
    assert headers["x-claimflow-template"] == f"paid.{language}.v2"


def test_the_same_notice_gives_the_same_bytes() -> None:
    assert a_mail(a_notice(NoticeKind.paid)) == a_mail(a_notice(NoticeKind.paid))


def test_the_mail_holds_no_more_of_a_person_than_name_and_address() -> None:
    notice = a_notice(NoticeKind.paid)

    _, content = a_mail(notice)

    mail = parsed(content)
    assert notice.recipient.box not in content.decode()
    assert "Ada" not in "".join(str(value) for name, value in mail.items())
    assert str(notice.recipient.subject_id) not in content.decode()


@given(name=st.text(min_size=1, max_size=200), reason=st.text(min_size=1, max_size=2000))
def test_no_words_of_a_person_reach_a_header_or_make_a_new_one(name: str, reason: str) -> None:
    notice = a_notice(NoticeKind.denied)
    assert notice.explained is not None
    notice = notice.model_copy(update={"explained": notice.explained.model_copy(update={"reason": reason})})

    letter, content = a_mail(notice, name)

    head, _, _ = content.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == HEADERS
    assert body_of(parsed(content)) == letter.body
    assert head.isascii() and b"\n" not in head.replace(b"\r\n", b"")


def test_a_name_with_line_ends_becomes_one_line_of_the_body() -> None:
    letter, content = a_mail(a_notice(), "Eve\r\nBcc: all@example.org\r\n\r\nPaid in full")

    assert "Dear Eve Bcc: all@example.org Paid in full,\n" in letter.body
    assert parsed(content)["Bcc"] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_a_mail_is_longer_than_mail_allows(language: str) -> None:
    for kind in NoticeKind:
        _, content = a_mail(a_notice(kind, language), "N" * 200)

        assert max(len(line) for line in content.split(b"\r\n")) <= 78 + 20
        assert content.endswith(b"\r\n") and not re.search(rb"(?<!\r)\n|\r(?!\n)", content)


@given(st.text(min_size=1, max_size=150).filter(str.strip))
def test_any_subject_is_encoded_so_that_it_is_read_back(subject: str) -> None:
    notice = a_notice()

    content = FORM.build(notice, Letter(subject, "x\n"), "ada@example.org")

    head = content.partition(b"\r\n\r\n")[0]
    assert head.isascii() and all(len(line) <= 90 for line in head.split(b"\r\n"))
    assert b"\r\nMIME-Version: 1.0\r\n" in head
    words = re.findall(rb"=\?utf-8\?b\?[A-Za-z0-9+/=]*\?=", head)
    assert all(len(word) <= 75 for word in words)
    if words:
        assert parse_mail(content).subject == " ".join(subject.split())


@pytest.mark.parametrize(
    "address, usable",
    [
        ("ada@example.org", "ada@example.org"),
        ("a.b+c@sub.example.org", "a.b+c@sub.example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("王@example.org", "王@example.org"),
        ("ada@localhost", "ada@localhost"),
        ("ada@example.org\r\nRCPT TO:<x@y.z>", None),
        ("ada\x00@example.org", None),
        ("ada@exa\x01mple.org", None),
        ("a..b@example.org", None),
        (".a@example.org", None),
        ('"a b"@example.org', None),
        ("a(b)@example.org", None),
        ("a\\@example.org", None),
        ("ada@-example.org", None),
        ("ada@example..org", None),
        ("ada@[127.0.0.1]", None),
        ("ada", None),
        ("", None),
        (f"{'a' * 65}@example.org", None),
        ("a\u202eb@example.org", None),
    ],
)
def test_an_address_is_taken_only_if_it_can_stand_in_a_command_and_a_header(address: str, usable: str | None) -> None:
    assert usable_address(address) == usable


@given(st.text(max_size=80))
def test_a_usable_address_never_holds_what_ends_a_line_or_a_command(address: str) -> None:
    usable = usable_address(f"{address}@example.org")

    assert usable is None or (usable.isprintable() and not set(usable) & set(' <>()[]\\,;:"'))


def test_a_sender_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="sender"):
        MailForm("claims@example.org\r\nBcc: x@y.z")
