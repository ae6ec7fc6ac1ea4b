"""The bank over HTTP: POST /v1/instructions and /v1/instructions:inquire, kept connections, short time-outs.

Only what certainly never reached the bank is NotSent; whatever broke after that is InDoubt. Nothing is sent twice here.
The bank's answers are not trusted: one that cannot be read leaves its instruction in doubt.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

import httpx2
import structlog
from pydantic import Field, TypeAdapter, ValidationError

from hosting.breaker import Breaker
from schemas.model import Code, Instant, Model, ShortText
from schemas.money import Currency, ExactAmount, Money, MoneyError, exact_amount
from schemas.payment import EndToEndId
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

log = structlog.get_logger("bank")
ANSWER_BYTES_MAX = 1024 * 1024
RETRY_AFTER_SECONDS_MAX = 3600
DEADLINE_SECONDS = 13
"""Of one request, whatever the single time-outs add up to; an inquiry and a sending fit into one lease."""
FAILURES_MAX = 5
REST_SECONDS = 5.0
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_RESULTS = TypeAdapter(list[dict[str, Any]])


class _Executed(Model):
    end_to_end_id: EndToEndId
    bank_reference: Code
    executed_at: Instant
    amount: ExactAmount
    currency: Currency


class _Refused(Model):
    end_to_end_id: EndToEndId
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9]{2}$")]
    reason: ShortText | None = None


class PaymentGatewayHttp:
    """See `PaymentGateway`. The client belongs to the caller."""

    def __init__(self, client: httpx2.AsyncClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._breaker = Breaker(monotonic, FAILURES_MAX, REST_SECONDS, REST_SECONDS)

    async def instruct_many(self, orders: Sequence[CreditTransfer]) -> list[BankReply]:
        body = {"instructions": [order_on_the_wire(order) for order in orders]}
        ids = [order.end_to_end_id for order in orders]
        replies = await self._ask("/v1/instructions", body, ids)
        return [InDoubt() if isinstance(reply, NotKnown) else reply for reply in replies]

    async def inquire_many(self, end_to_end_ids: Sequence[str]) -> list[BankReply]:
        replies = await self._ask("/v1/instructions:inquire", {"end_to_end_ids": list(end_to_end_ids)}, end_to_end_ids)
        # That the inquiry was not sent says nothing about the instruction.
        return [InDoubt() if isinstance(reply, NotSent) else reply for reply in replies]

    async def _ask(self, path: str, body: object, ids: Sequence[str]) -> Sequence[BankReply]:
        stay_away = self._breaker.admit()
        if stay_away > 0:
            return [NotSent(timedelta(seconds=stay_away))] * len(ids)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                status, headers, content = await self._post(path, body)
        except _UNSENT as unsent:
            return self._failed(path, ids, NotSent(), type(unsent).__name__)
        except (httpx2.HTTPError, TimeoutError) as broken:
            return self._failed(path, ids, InDoubt(), type(broken).__name__)
        except BaseException:
            self._breaker.failed()
            raise
        if status == 429:
            pause = _retry_after(headers.get("retry-after"))
            self._breaker.rest(pause.total_seconds())
            return [NotSent(pause)] * len(ids)
        if 400 <= status < 500:
            # Refused as a whole before anything was done: our request or our settings are wrong.
            return self._failed(path, ids, NotSent(timedelta(seconds=60)), str(status))
        if status != 200:
            return self._failed(path, ids, InDoubt(), str(status))
        replies = replies_in(content, ids)
        if replies is None:
            return self._failed(path, ids, InDoubt(), "unreadable")
        self._breaker.succeeded()
        return replies

    async def _post(self, path: str, body: object) -> tuple[int, httpx2.Headers, bytes]:
        content = bytearray()
        async with self._client.stream("POST", path, json=body) as response:
            async for part in response.aiter_bytes():
                content += part
                if len(content) > ANSWER_BYTES_MAX:
                    raise httpx2.DecodingError("the answer is too large")
        return response.status_code, response.headers, bytes(content)

    def _failed(self, path: str, ids: Sequence[str], reply: BankReply, reason: str) -> Sequence[BankReply]:
        self._breaker.failed()
        log.warning("the bank did not answer well", path=path, count=len(ids), reason=reason)
        return [reply] * len(ids)


@asynccontextmanager
async def open_gateway(bank_url: str) -> AsyncIterator[PaymentGatewayHttp]:
    """A gateway with kept connections: connect 2 s, read 10 s."""
    client = httpx2.AsyncClient(
        base_url=bank_url,
        timeout=httpx2.Timeout(10, connect=2, pool=2),
        limits=httpx2.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=20),
        trust_env=False,
    )
    async with client:
        yield PaymentGatewayHttp(client)


def order_on_the_wire(order: CreditTransfer) -> dict[str, Any]:
    """One instruction as the bank takes it."""
    creditor = {
        "name": order.account.holder[:140],
        "iban": order.account.iban,
        "account_number": order.account.account_number,
        "bank_code": order.account.bank_code,
        "country": order.account.country,
    }
    return {
        "end_to_end_id": order.end_to_end_id,
        "amount": order.amount.to_text(),
        "currency": order.amount.currency,
        "creditor": {name: value for name, value in creditor.items() if value is not None},
        "reference": order.reference,
    }


def replies_in(content: bytes, ids: Sequence[str]) -> Sequence[BankReply] | None:
    """One reply an id, matched by id and never by place; None if the answer as a whole makes no sense."""
    try:
        found = _RESULTS.validate_python(json.loads(content)["results"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    by_id = {result.get("end_to_end_id"): result for result in found if isinstance(result.get("end_to_end_id"), str)}
    if len(found) != len(ids) or set(by_id) != set(ids):
        return None
    return [_reply(by_id[one]) for one in ids]


def _reply(result: dict[str, Any]) -> BankReply:
    status = result.get("status")
    try:
        if status == "executed":
            done = _Executed.model_validate_json(json.dumps(result))
            return Executed(_money(done.amount, done.currency), done.bank_reference, done.executed_at)
        if status in ("rejected", "error"):
            # `error`: not understood and not remembered; the same instruction can only get the same answer.
            return Refused(_Refused.model_validate_json(json.dumps(result)).code)
    except (ValidationError, MoneyError):
        return InDoubt()
    if status == "conflict":
        return Conflict()
    return NotKnown() if status == "unknown" else InDoubt()


def _money(amount: str, currency: str) -> Money:
    """Exactly the amount told; MoneyError if it is finer than the currency's minor unit."""
    exact: Fraction = exact_amount(amount)
    money = Money.of_fraction(exact, currency)
    if money.as_fraction() != exact:
        raise MoneyError("the amount is finer than the minor unit")
    return money


def _retry_after(text: str | None) -> timedelta:
    seconds = int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 6 else 1
    return timedelta(seconds=min(max(seconds, 1), RETRY_AFTER_SECONDS_MAX))
