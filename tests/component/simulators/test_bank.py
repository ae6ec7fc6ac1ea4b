"""The bank over real sockets: one payment per id, on disk before the answer, and every fault it can play."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from simulators.bank.app import serve
from simulators.bank.record import FILE_NAME, read_entries, read_executed

pytestmark = pytest.mark.asyncio


def an_instruction(end_to_end_id: str = "a" * 32, amount: str = "123.45", **creditor: str) -> dict[str, Any]:
    account = {"account_number": "000123456789", "bank_code": "021000021", "country": "US"} | creditor
    return {
        "end_to_end_id": end_to_end_id,
        "amount": amount,
        "currency": "USD",
        "creditor": {"name": "Ada Example"} | account,
        "reference": "CF-1",
    }


@asynccontextmanager
async def a_bank(folder: Path, seed: int = 0) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve(folder, seed=seed) as address, httpx2.AsyncClient(base_url=address, timeout=5) as client:
        yield client


async def send(bank: httpx2.AsyncClient, *instructions: object) -> list[dict[str, Any]]:
    response = await bank.post("/v1/instructions", json={"instructions": list(instructions)})
    assert response.status_code == 200
    results: list[dict[str, Any]] = response.json()["results"]
    return results


async def order_fault(bank: httpx2.AsyncClient, **fault: object) -> None:
    assert (await bank.post("/faults", json=fault)).status_code == 200


async def test_an_executed_instruction_is_in_the_journal_when_the_answer_arrives(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        [answer] = await send(bank, an_instruction())

        [entry] = read_executed(tmp_path / FILE_NAME)

    assert answer["status"] == "executed"
    assert (entry.bank_reference, entry.at) == (answer["bank_reference"], answer["executed_at"])
    assert (entry.amount, entry.currency, entry.account) == ("123.45", "USD", "000123456789")


async def test_the_same_instruction_again_gets_the_same_answer_also_after_a_restart(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        first = await send(bank, an_instruction())
        second = await send(bank, an_instruction())
    async with a_bank(tmp_path) as bank:
        third = await send(bank, an_instruction())

    assert first == second == third
    assert len(list(read_entries(tmp_path / FILE_NAME))) == 1


async def test_the_same_id_with_other_content_is_a_conflict_and_pays_nothing(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await send(bank, an_instruction())
        [other_amount] = await send(bank, an_instruction(amount="123.46"))
        [other_account] = await send(bank, an_instruction(account_number="000123456780"))

    assert (other_amount["status"], other_amount["code"]) == ("conflict", "DUPL")
    assert other_account["status"] == "conflict"
    assert len(list(read_executed(tmp_path / FILE_NAME))) == 1


async def test_racing_requests_for_one_id_execute_it_once(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        answers = await asyncio.gather(*(send(bank, an_instruction()) for _ in range(20)))

    assert all(answer == answers[0] for answer in answers)
    assert len(list(read_executed(tmp_path / FILE_NAME))) == 1


async def test_each_of_a_hundred_instructions_has_its_own_answer_in_order(tmp_path: Path) -> None:
    orders: list[Any] = [an_instruction(f"id-{number:03d}") for number in range(100)]
    orders[10] = an_instruction("id-010", account_number="0001239990004")
    orders[20] = an_instruction("id-020", amount="-1")
    orders[30] = "not an instruction"

    async with a_bank(tmp_path) as bank:
        answers = await send(bank, *orders)
        refused = await bank.post("/v1/instructions", json={"instructions": [*orders, an_instruction("one-more")]})

    assert [answer["end_to_end_id"] for answer in answers[:30]] == [f"id-{number:03d}" for number in range(30)]
    assert (answers[10]["status"], answers[10]["code"]) == ("rejected", "AC04")
    assert (answers[20]["status"], answers[20]["code"]) == ("error", "AM12")
    assert answers[30]["status"] == "error"
    assert sum(answer["status"] == "executed" for answer in answers) == 97
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("creditor", "code"),
    [
        ({"account_number": "1239990004"}, "AC04"),
        ({"account_number": "1239990001"}, "AC01"),
        ({"account_number": "1239990006"}, "AC06"),
        ({"account_number": "1239990404"}, "AM04"),
    ],
)
async def test_a_rejection_is_final_for_its_id(tmp_path: Path, creditor: dict[str, str], code: str) -> None:
    async with a_bank(tmp_path) as bank:
        first = await send(bank, an_instruction(**creditor))
    async with a_bank(tmp_path) as bank:
        second = await send(bank, an_instruction(**creditor))

    assert (first[0]["status"], first[0]["code"]) == ("rejected", code)
    assert first == second
    assert list(read_executed(tmp_path / FILE_NAME)) == []


async def test_an_iban_with_wrong_check_digits_is_rejected_and_a_right_one_paid(tmp_path: Path) -> None:
    right = an_instruction("right") | {"creditor": {"name": "A", "iban": "DE89 3704 0044 0532 0130 00"}}
    wrong = an_instruction("wrong") | {"creditor": {"name": "A", "iban": "DE88 3704 0044 0532 0130 00"}}

    async with a_bank(tmp_path) as bank:
        answers = await send(bank, right, wrong)

    assert [(answer["status"], answer.get("code")) for answer in answers] == [("executed", None), ("rejected", "AC01")]


async def test_an_error_answer_remembers_nothing_and_echoes_no_value(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        [bad] = await send(bank, an_instruction(amount="canary-amount"))
        [good] = await send(bank, an_instruction())

    assert bad["status"] == "error"
    assert "canary" not in json.dumps(bad)
    assert good["status"] == "executed"


async def test_inquiries_tell_executed_rejected_and_unknown(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await send(bank, an_instruction("paid"), an_instruction("closed", account_number="9990004"))

        many = await bank.post("/v1/instructions:inquire", json={"end_to_end_ids": ["paid", "closed", "never"]})
        one, none = await bank.get("/v1/instructions/paid"), await bank.get("/v1/instructions/never")

    assert [result["status"] for result in many.json()["results"]] == ["executed", "rejected", "unknown"]
    assert (one.status_code, one.json()["status"]) == (200, "executed")
    assert (none.status_code, none.json()["status"]) == (404, "unknown")


async def test_a_timeout_after_executing_gives_no_answer_but_has_paid(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="timeout_after", seconds=0.05, times=1)
        with pytest.raises(httpx2.TransportError):
            await send(bank, an_instruction())

        found = (await bank.get(f"/v1/instructions/{'a' * 32}")).json()
        [again] = await send(bank, an_instruction())

    assert found["status"] == "executed"
    assert again == found
    assert len(list(read_executed(tmp_path / FILE_NAME))) == 1


async def test_a_timeout_before_executing_gives_no_answer_and_has_not_paid(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="timeout_before", seconds=0.05, times=1)
        with pytest.raises(httpx2.TransportError):
            await send(bank, an_instruction())

        found = (await bank.get(f"/v1/instructions/{'a' * 32}")).json()
        [again] = await send(bank, an_instruction())

    assert found["status"] == "unknown"
    assert again["status"] == "executed"


async def test_a_hanging_request_lets_the_clients_own_deadline_end_it(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="hang", seconds=600)

        with pytest.raises(httpx2.TimeoutException):
            await bank.post("/v1/instructions", json={"instructions": [an_instruction()]}, timeout=0.2)

        assert (await bank.get("/livez")).status_code == 200
        assert list(read_entries(tmp_path / FILE_NAME)) == []


async def test_500_then_200_for_each_id(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="error500", once_per_id=True)
        first = await bank.post("/v1/instructions", json={"instructions": [an_instruction("x")]})
        second = await bank.post("/v1/instructions", json={"instructions": [an_instruction("x")]})
        other = await bank.post("/v1/instructions", json={"instructions": [an_instruction("y")]})

    assert [first.status_code, second.status_code, other.status_code] == [500, 200, 500]
    assert [entry.end_to_end_id for entry in read_executed(tmp_path / FILE_NAME)] == ["x"]


async def test_500_after_executing_has_paid(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="error500_after", times=1)
        failed = await bank.post("/v1/instructions", json={"instructions": [an_instruction()]})
        [again] = await send(bank, an_instruction())

    assert failed.status_code == 500
    assert again["status"] == "executed"
    assert len(list(read_executed(tmp_path / FILE_NAME))) == 1


async def test_429_says_when_to_come_back(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="error429", seconds=7)
        response = await bank.post("/v1/instructions", json={"instructions": [an_instruction()]})

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert response.headers["content-type"] == "application/problem+json"


async def test_slow_answers_late_and_pays(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="slow", seconds=0.3)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        [answer] = await send(bank, an_instruction())

    assert answer["status"] == "executed"
    assert loop.time() - begun >= 0.3


async def test_a_bank_that_is_down_answers_neither_instructions_nor_inquiries_until_it_is_up(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="down")
        with pytest.raises(httpx2.TransportError):
            await send(bank, an_instruction())
        with pytest.raises(httpx2.TransportError):
            await bank.get("/v1/instructions/x")

        assert (await bank.delete("/faults")).json()["faults"] == []
        [answer] = await send(bank, an_instruction())

    assert answer["status"] == "executed"


async def test_a_fault_rate_is_drawn_from_the_seed(tmp_path: Path) -> None:
    patterns = []
    for run in range(2):
        async with a_bank(tmp_path / str(run)) as bank:
            await bank.post("/faults", json={"faults": [{"mode": "error500", "rate": 0.5}], "seed": 11})
            orders = [{"instructions": [an_instruction(f"id-{number}")]} for number in range(40)]
            patterns.append([(await bank.post("/v1/instructions", json=order)).status_code for order in orders])
            hits = (await bank.get("/faults")).json()["faults"][0]["hits"]
            assert hits == patterns[-1].count(500)

    assert patterns[0] == patterns[1]
    assert 5 < patterns[0].count(500) < 35


@pytest.mark.parametrize(
    "order",
    [{"mode": "sing"}, {"mode": "slow", "rate": 2}, {"mode": "slow", "seconds": "long"}, {"mode": "slow", "x": 1}, []],
)
async def test_a_wrong_fault_order_is_refused_and_changes_nothing(tmp_path: Path, order: object) -> None:
    async with a_bank(tmp_path) as bank:
        await order_fault(bank, mode="error429", seconds=7)

        refused = await bank.post("/faults", json=order)

        assert refused.status_code == 422
        assert [fault["mode"] for fault in (await bank.get("/faults")).json()["faults"]] == ["error429"]


async def test_bodies_that_are_not_instructions_are_refused(tmp_path: Path) -> None:
    async with a_bank(tmp_path) as bank:
        answers = [
            await bank.post("/v1/instructions", content=content)
            for content in (b"{", b"[]", b'{"instructions": []}', b"[" * 100_000, b'"' + b"x" * 1_100_000 + b'"')
        ]

    assert [answer.status_code for answer in answers] == [400, 422, 422, 400, 413]
