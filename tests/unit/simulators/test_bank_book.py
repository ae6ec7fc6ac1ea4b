"""What the bank decides, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.bank.book import Book, Instruction, iban_is_valid, parse

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def an_order(**changes: Any) -> dict[str, Any]:
    creditor = {"name": "Ada", "account_number": "00012345", "bank_code": "021000021", "country": "US"}
    return {
        "end_to_end_id": "id-1",
        "amount": "10.00",
        "currency": "USD",
        "creditor": creditor,
        "reference": "CF-1",
    } | changes


def test_blanks_and_dashes_do_not_make_another_account() -> None:
    parsed = parse(an_order(creditor={"name": "Ada", "account_number": "00-012 345"}))

    assert isinstance(parsed, Instruction)
    assert parsed.account == "00012345"


def test_the_order_of_fields_does_not_make_another_instruction() -> None:
    book = Book()

    first, fresh = book.execute([an_order()], NOW)
    second, fresh_again = book.execute([dict(reversed(an_order().items()))], NOW)

    assert first == second
    assert (len(fresh), fresh_again) == (1, [])


def test_an_id_twice_in_one_request_is_paid_once() -> None:
    answers, fresh = Book().execute([an_order(), an_order(), an_order(amount="11.00")], NOW)

    assert [answer["status"] for answer in answers] == ["executed", "executed", "conflict"]
    assert len(fresh) == 1


def test_a_book_from_its_own_records_answers_as_before() -> None:
    book = Book()
    answers, fresh = book.execute([an_order(), an_order(end_to_end_id="id-2", amount="7")], NOW)

    again = Book(fresh)

    assert [again.inquire(answer["end_to_end_id"]) for answer in answers] == answers
    assert again.execute([an_order(end_to_end_id="id-3")], NOW)[0][0]["bank_reference"] == "BK000000000003"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 10}, "AM12"),
        ({"amount": "1e3"}, "AM12"),
        ({"amount": "10.0000"}, "AM12"),
        ({"amount": "٣"}, "AM12"),
        ({"amount": "0.00"}, "AM01"),
        ({"currency": "usd"}, "AM11"),
        ({"end_to_end_id": "x" * 36}, "FF01"),
        ({"end_to_end_id": " "}, "FF01"),
        ({"end_to_end_id": None}, "FF01"),
        ({"creditor": {"account_number": "12345"}}, "BE22"),
        ({"creditor": {"name": "Ada"}}, "AC01"),
        ({"creditor": {"name": "Ada", "iban": "DE89370400440532013000", "account_number": "1"}}, "AC01"),
        ({"creditor": None}, "FF01"),
        ({"extra": 1}, "FF01"),
    ],
)
def test_what_the_bank_does_not_understand_is_an_error_and_not_remembered(changes: dict[str, Any], code: str) -> None:
    book = Book()

    answers, fresh = book.execute([an_order(**changes)], NOW)

    assert (answers[0]["status"], answers[0]["code"]) == ("error", code)
    assert (fresh, len(book)) == ([], 0)


@pytest.mark.parametrize(
    ("iban", "valid"),
    [
        ("DE89370400440532013000", True),
        ("GB82WEST12345698765432", True),
        ("DE98370400440532013000", False),
        ("DE89", False),
        ("de89370400440532013000", False),
    ],
)
def test_iban_check_digits(iban: str, valid: bool) -> None:
    assert iban_is_valid(iban) is valid
