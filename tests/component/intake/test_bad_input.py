"""What must not come in: refused with a stable code and a pointer, without the value, and with nothing told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders.intake import World
from tests.builders.reports import a_line, a_party_in_clear, a_report, a_report_body, bulk_body, money

SECRET = "zq-secret-value-31337"


@pytest.fixture
def world() -> World:
    return World()


OTHER = {"policy": "HO-77", "limit": money("1000.00")}


def lines_of(**changes: Any) -> dict[str, Any]:
    return {"lines": [a_line(**changes)]}


def reporter_of(**changes: Any) -> dict[str, Any]:
    return {"reporter": a_party_in_clear(**changes)}


def an_account(**changes: Any) -> dict[str, Any]:
    return {"account": {"holder": "Ada", "country": "US"} | changes}


BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("no policy number", {"policy_number": None}, "/policy_number", "missing"),
    ("policy number as number", {"policy_number": 31337}, "/policy_number", "wrong-type"),
    ("policy number with a blank", {"policy_number": f"{SECRET} 1"}, "/policy_number", "wrong-format"),
    ("policy number too long", {"policy_number": "9" * 65}, "/policy_number", "too-long"),
    ("unknown field", {"approved_amount": SECRET}, "/approved_amount", "unknown-field"),
    ("status set by the client", {"status": SECRET}, "/status", "unknown-field"),
    ("unknown field in a line", lines_of(payable=SECRET), "/lines/0/payable", "unknown-field"),
    ("unknown field in a party", reporter_of(score=SECRET), "/reporter/score", "unknown-field"),
    ("unknown field in money", lines_of(asked=money("1.00") | {"x": SECRET}), "/lines/0/asked/x", "unknown-field"),
    ("unknown field in an account", reporter_of(**an_account(iban=None)), "/reporter/account", "rule-broken"),
    ("a name that is no name", {f"{SECRET} {SECRET}": 1}, "", "unknown-field"),
    ("loss without an offset", {"loss_at": "2012-10-29T22:30:00"}, "/loss_at", "wrong-format"),
    ("loss as a number", {"loss_at": 1351564200}, "/loss_at", "wrong-type"),
    ("the 30th of February", {"loss_at": "2012-02-30T00:00:00Z"}, "/loss_at", "wrong-format"),
    ("hour 25", {"loss_at": "2012-10-29T25:00:00Z"}, "/loss_at", "wrong-format"),
    ("loss before 1900", {"loss_at": "1899-12-31T23:59:59Z"}, "/loss_at", "out-of-range"),
    ("loss in the year 9999", {"loss_at": "9999-12-31T23:59:59-23:59"}, "/loss_at", "out-of-range"),
    ("loss tomorrow", {"loss_at": "2026-01-03T03:04:05Z"}, "/loss_at", "in-the-future"),
    ("a zone that is none", {"loss_zone": "Mars/Olympus"}, "/loss_zone", "unknown-zone"),
    ("a zone that is a path", {"loss_zone": "../../etc/passwd"}, "/loss_zone", "wrong-format"),
    ("no lines", {"lines": None}, "/lines", "missing"),
    ("lines as an object", {"lines": {"0": SECRET}}, "/lines", "wrong-type"),
    ("101 lines", {"lines": [a_line(str(number)) for number in range(101)]}, "/lines", "too-long"),
    ("a line twice", {"lines": [a_line("1"), a_line("1")]}, "/lines/1/line_id", "repeated"),
    ("negative money", lines_of(asked=money("-1.00")), "/lines/0/asked", "negative"),
    ("negative zero", lines_of(asked=money("-0.00")), "/lines/0/asked", "wrong-amount"),
    ("three decimals", lines_of(asked=money("1.000")), "/lines/0/asked", "wrong-amount"),
    ("no decimals", lines_of(asked=money("1")), "/lines/0/asked", "wrong-amount"),
    ("decimals of yen", {"currency": "JPY", **lines_of(asked=money("1.00", "JPY"))}, "/lines/0/asked", "wrong-amount"),
    ("money as a float", lines_of(asked={"amount": 1.5, "currency": "USD"}), "/lines/0/asked/amount", "wrong-type"),
    ("money in scientific", lines_of(asked=money("1e400")), "/lines/0/asked", "wrong-amount"),
    ("money beyond 64 bits", lines_of(asked=money("99999999999999999.99")), "/lines/0/asked", "wrong-amount"),
    ("thirty digits", lines_of(asked=money("9" * 30 + ".00")), "/lines/0/asked/amount", "too-long"),
    ("digits of another script", lines_of(asked=money("١٢.٠٠")), "/lines/0/asked", "wrong-amount"),
    ("a currency that is none", lines_of(asked=money("1.00", "ZZZ")), "/lines/0/asked", "wrong-amount"),
    ("another currency", lines_of(asked=money("1.00", "EUR")), "/lines/0/asked/currency", "other-currency"),
    ("a report in no currency", {"currency": "ZZZ"}, "/currency", "unknown-currency"),
    ("a latitude beyond the pole", {"place": {"country": "US", "latitude": "90.1"}}, "/place/latitude", "wrong-format"),
    ("no reporter", {"reporter": None}, "/reporter", "missing"),
    ("a reporter without a name", reporter_of(name=None), "/reporter/name", "missing"),
    ("a name of blanks", reporter_of(name="   "), "/reporter/name", "blank"),
    ("a name that turns text around", reporter_of(name="Ada\u202egnp"), "/reporter/name", "unsafe-character"),
    ("a name with a new line", reporter_of(name="Ada\r\nBcc: x"), "/reporter/name", "unsafe-character"),
    ("a name with an invisible mark", reporter_of(name="A\u200bda"), "/reporter/name", "unsafe-character"),
    ("two mail addresses", reporter_of(email=f"a@{SECRET}.org,b@x.org"), "/reporter/email", "wrong-format"),
    ("a third language", {"language": "tlh"}, "/language", "wrong-format"),
    ("an iban that is none", reporter_of(**an_account(iban=SECRET)), "/reporter/account/iban", "wrong-format"),
    ("a body that is a list", {}, "", "wrong-type"),
    ("a category that is no code", lines_of(category=f"{SECRET} 1"), "/lines/0/category", "wrong-format"),
    ("an item as a number", lines_of(item_id=31337), "/lines/0/item_id", "wrong-type"),
    ("a fact as a number", {"facts": {"depth": 31337}}, "/facts/depth", "wrong-fact"),
    ("a fact that is nothing", {"facts": {"depth": ""}}, "/facts/depth", "wrong-fact"),
    ("a fact that is an object", {"facts": {"depth": {SECRET: SECRET}}}, "/facts/depth", "wrong-fact"),
    ("a fact of one as true", lines_of(facts={"wet": 1}), "/lines/0/facts/wet", "wrong-fact"),
    ("a fact of 51 texts", {"facts": {"causes": ["x"] * 51}}, "/facts/causes", "wrong-fact"),
    ("a fact with a new line", {"facts": {"causes": ["x", f"{SECRET}\n"]}}, "/facts/causes", "unsafe-character"),
    ("a fact named like a person", {"facts": {f"{SECRET} Jones": "1"}}, "/facts", "wrong-format"),
    ("101 facts", {"facts": {f"f{number}": "1" for number in range(101)}}, "/facts", "too-long"),
    ("no other policy", {"other_policies": []}, "/other_policies", "too-short"),
    ("21 other policies", {"other_policies": [OTHER] * 21}, "/other_policies", "too-long"),
    ("another policy without a limit", {"other_policies": [{"policy": "P"}]}, "/other_policies/0/limit", "missing"),
    (
        "another policy's limit in another currency",
        {"other_policies": [{"policy": "P", "limit": money("1.00", "EUR")}]},
        "/other_policies/0/limit/currency",
        "other-currency",
    ),
]


@pytest.mark.parametrize("changes, where, code", [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_a_broken_report_is_refused_by_field_and_rule(
    world: World, changes: dict[str, Any], where: str, code: str
) -> None:
    body: Any = a_report(**changes) if changes else [SECRET]

    async with world.new_life() as life:
        answer = await life.submit(body)

    found = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid-claim"
    assert (where, code) in found
    assert SECRET not in answer.text
    assert "31337" not in answer.text
    assert world.records() == []


@pytest.mark.parametrize(
    "raw, code",
    [
        (b"", "malformed-json"),
        (b"{", "malformed-json"),
        (a_report_body() + b"}", "malformed-json"),
        (b"\xff\xfe{}", "malformed-json"),
        (b'{"policy_number": "\xff"}', "malformed-json"),
        (b'{"policy_number": "\\ud800"}', "malformed-json"),
        (b"[" * 100_000, "json-too-deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json-too-deep"),
        (b'{"policy_number": "1", "policy_number": "2"}', "invalid-claim"),
        (a_report_body()[:-1] + b', "line": "flood"}', "repeated-member"),
        (b'{"lines": ' + b"9" * 5_000 + b"}", "malformed-json"),
        (b'{"policy_number": NaN}', "invalid-claim"),
        (b'{"policy_number": 1e400}', "invalid-claim"),
        (b'{"lines": [' + b"1," * 100_000 + b"1]}", "invalid-claim"),
    ],
    ids=lambda value: value[:12].decode(errors="replace") if isinstance(value, bytes) else value,
)
async def test_bytes_that_are_no_report_are_refused(world: World, raw: bytes, code: str) -> None:
    async with world.new_life() as life:
        answer = await life.submit(raw)

    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == code
    assert len(answer.json().get("errors", [])) <= 20
    assert world.records() == []


async def test_a_body_beyond_256_kib_is_413(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit(b" " * (256 * 1024) + a_report_body())

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    "headers, status, code",
    [
        ({"Content-Type": "application/json"}, 400, "idempotency-key-missing"),
        ({"Content-Type": "application/json", "Idempotency-Key": ""}, 400, "bad-idempotency-key"),
        ({"Content-Type": "application/json", "Idempotency-Key": "k" * 201}, 400, "bad-idempotency-key"),
        ({"Content-Type": "application/json", "Idempotency-Key": "a b"}, 400, "bad-idempotency-key"),
        ({"Content-Type": "application/json", "Idempotency-Key": "k", "Claimflow-Client": "a b"}, 400, "bad-client"),
        ({"Content-Type": "text/plain", "Idempotency-Key": "k"}, 415, "unsupported-media-type"),
        (
            {"Content-Type": "application/json", "Idempotency-Key": "k", "Content-Encoding": "gzip"},
            415,
            "unsupported-encoding",
        ),
    ],
)
async def test_a_request_with_wrong_headers_is_refused(
    world: World, headers: dict[str, str], status: int, code: str
) -> None:
    async with world.new_life() as life:
        answer = await life.client.post("/v1/claims", content=a_report_body(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.records() == []


async def test_a_bulk_request_beyond_1000_rows_is_413(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit_bulk(b"{}\n" * 1_001)

    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-rows")


async def test_a_bulk_request_beyond_4_mib_is_413(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit_bulk(b" " * (4 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_bulk_request_without_rows_is_400(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit_bulk(b"\n")

    assert (answer.status_code, answer.json()["code"]) == (400, "no-rows")


async def test_each_bad_row_of_a_bulk_request_says_what_is_wrong_with_it(world: World) -> None:
    rows = [
        b"not json",
        b"",
        b'{"idempotency_key": "a b", "claim": {}}',
        json.dumps({"idempotency_key": "k", "claim": a_report(), "extra": 1}).encode(),
        b'{"claim": "' + b"x" * (256 * 1024) + b'"}',
    ]
    body = b"\n".join(rows) + b"\n" + bulk_body([("good", a_report())])

    async with world.new_life() as life:
        answer = await life.submit_bulk(body)

    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [400, 400, 422, 422, 413, 202]
    assert results[2]["problem"]["errors"][0]["pointer"] == "/idempotency_key"
    assert results[3]["problem"]["errors"][0]["pointer"] == "/extra"
    assert len(world.records()) == 1


@pytest.mark.parametrize(
    "method, path, status", [("GET", "/v1/claims", 405), ("GET", "/docs", 404), ("DELETE", "/v1/claims", 405)]
)
async def test_what_is_not_there_is_a_problem_too(world: World, method: str, path: str, status: int) -> None:
    async with world.new_life() as life:
        answer = await life.client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_loss_may_be_a_few_minutes_ahead_of_our_clock(world: World) -> None:
    async with world.new_life() as life:
        answer = await life.submit(a_report(loss_at="2026-01-02T03:09:05Z"))

    assert answer.status_code == 202
