"""What the stage relies on in a bank: the same for the simulator over HTTP and for its book in process.

And what no bank may do to us: an answer that makes no sense leaves every instruction in doubt.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.money import Money
from schemas.party import Account
from services.payment.adapters.payment_gateway_http import PaymentGatewayHttp, open_gateway
from services.payment.domain.bank import (
    BankReply,
    Conflict,
    CreditTransfer,
    Executed,
    InDoubt,
    NotKnown,
    NotSent,
    Refused,
)
from services.payment.ports import PaymentGateway
from simulators.bank.app import serve
from tests.builders.events import usd
from tests.builders.payments import BankInProcess, SteppedClock

pytestmark = pytest.mark.asyncio


def a_transfer(one: str = "a" * 32, amount: Money | None = None, number: str = "000123456789") -> CreditTransfer:
    account = Account(holder="Ada Example", account_number=number, bank_code="021000021", country="US")
    return CreditTransfer(one, amount or usd("1200.00"), "CF-0000-0000-0000-0", account)


@asynccontextmanager
async def a_bank(kind: str, folder: Path) -> AsyncIterator[PaymentGateway]:
    if kind == "in process":
        yield BankInProcess(SteppedClock())
        return
    async with serve(folder) as address, open_gateway(address) as gateway:
        yield gateway


@pytest.mark.parametrize("kind", ["http", "in process"])
async def test_each_instruction_has_its_own_answer_in_order(kind: str, tmp_path: Path) -> None:
    async with a_bank(kind, tmp_path) as bank:
        good, closed = a_transfer("a" * 32), a_transfer("b" * 32, number="0009990004")

        replies = await bank.instruct_many([closed, good])

    assert replies[0] == Refused("AC04")
    assert isinstance(replies[1], Executed) and replies[1].amount == usd("1200.00")


@pytest.mark.parametrize("kind", ["http", "in process"])
async def test_the_same_instruction_again_is_the_same_payment(kind: str, tmp_path: Path) -> None:
    async with a_bank(kind, tmp_path) as bank:
        first = await bank.instruct_many([a_transfer()])

        assert await bank.instruct_many([a_transfer()]) == first
        assert await bank.inquire_many(["a" * 32, "f" * 32]) == [*first, NotKnown()]


@pytest.mark.parametrize("kind", ["http", "in process"])
async def test_an_id_used_for_another_amount_is_a_conflict(kind: str, tmp_path: Path) -> None:
    async with a_bank(kind, tmp_path) as bank:
        await bank.instruct_many([a_transfer()])

        assert await bank.instruct_many([a_transfer(amount=usd("1.00"))]) == [Conflict()]


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
async def test_amounts_come_back_exactly_in_each_number_of_decimals(currency: str, tmp_path: Path) -> None:
    async with a_bank("http", tmp_path) as bank:
        [reply] = await bank.instruct_many([a_transfer(amount=Money(123_456, currency))])

    assert isinstance(reply, Executed) and reply.amount == Money(123_456, currency)


async def test_a_bank_that_is_not_there_was_not_sent_anything(tmp_path: Path) -> None:
    async with serve(tmp_path) as address:
        pass
    async with open_gateway(address) as bank:
        assert await bank.instruct_many([a_transfer()]) == [NotSent()]
        assert await bank.inquire_many(["a" * 32]) == [InDoubt()]


GOOD: dict[str, Any] = {
    "end_to_end_id": "a" * 32,
    "status": "executed",
    "bank_reference": "BK1",
    "executed_at": "2026-01-02T03:04:05.000000+00:00",
    "amount": "1200.00",
    "currency": "USD",
}


def answering(status: int, content: bytes, headers: dict[str, str] | None = None) -> PaymentGatewayHttp:
    """A gateway to a bank that always answers this."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, content=content, headers=headers))
    return PaymentGatewayHttp(httpx2.AsyncClient(base_url="http://bank.test", transport=transport))


def results(*items: object) -> bytes:
    return json.dumps({"results": items}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b'{"results": {}}',
        b'{"results": [1]}',
        b"{}",
        results(),
        results(GOOD, GOOD),
        results(GOOD | {"end_to_end_id": "b" * 32}),
        results(GOOD | {"amount": "1200.001"}),
        results(GOOD | {"amount": "1e3"}),
        results(GOOD | {"amount": 1200}),
        results(GOOD | {"amount": "9" * 40}),
        results(GOOD | {"currency": "XYZ"}),
        results(GOOD | {"executed_at": "yesterday"}),
        results(GOOD | {"bank_reference": "x" * 65}),
        results(GOOD | {"status": "pending"}),
        results(GOOD | {"status": "unknown"}),
        results(GOOD | {"status": "rejected", "code": "Ada Example"}),
        results(GOOD) + b" " * 1024 * 1024,
    ],
)
async def test_an_answer_that_makes_no_sense_leaves_the_instruction_in_doubt(content: bytes) -> None:
    assert await answering(200, content).instruct_many([a_transfer()]) == [InDoubt()]


@pytest.mark.parametrize(
    ("status", "headers", "reply"),
    [
        (500, {}, InDoubt()),
        (502, {}, InDoubt()),
        (302, {"location": "http://elsewhere.test"}, InDoubt()),
        (201, {}, InDoubt()),
        (400, {}, NotSent(timedelta(seconds=60))),
        (401, {}, NotSent(timedelta(seconds=60))),
        (429, {"retry-after": "30"}, NotSent(timedelta(seconds=30))),
        (429, {}, NotSent(timedelta(seconds=1))),
        (429, {"retry-after": "99999999999"}, NotSent(timedelta(seconds=1))),
        (429, {"retry-after": "99999"}, NotSent(timedelta(hours=1))),
    ],
)
async def test_each_status_says_whether_the_instruction_may_have_been_taken(
    status: int, headers: dict[str, str], reply: BankReply
) -> None:
    assert await answering(status, results(GOOD), headers).instruct_many([a_transfer()]) == [reply]


async def test_a_failing_bank_is_left_alone_for_a_while() -> None:
    gateway = answering(500, b"")

    replies = [(await gateway.instruct_many([a_transfer()]))[0] for _ in range(6)]

    assert replies[:5] == [InDoubt()] * 5 and isinstance(replies[5], NotSent)


async def test_what_is_sent_names_the_account_and_nothing_else_of_the_person() -> None:
    seen: list[dict[str, Any]] = []

    def bank(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, content=results(GOOD))

    client = httpx2.AsyncClient(base_url="http://bank.test", transport=httpx2.MockTransport(bank))

    await PaymentGatewayHttp(client).instruct_many([a_transfer()])

    assert seen == [
        {
            "instructions": [
                {
                    "end_to_end_id": "a" * 32,
                    "amount": "1200.00",
                    "currency": "USD",
                    "creditor": {
                        "name": "Ada Example",
                        "account_number": "000123456789",
                        "bank_code": "021000021",
                        "country": "US",
                    },
                    "reference": "CF-0000-0000-0000-0",
                }
            ]
        }
    ]
    assert "000123456789" not in repr(a_transfer())
