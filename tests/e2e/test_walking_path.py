"""Claims through the whole system as real processes: carried, decided by people, paid, told; refused when it must be.

The tests share one system, and each looks only at claims of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hosting.exits import Exit
from local.processes import wait_until
from local.replay.carrying import gather, journal_folder
from local.replay.evidence import read_acknowledged
from local.replay.nfip import read_rows
from local.replay.sending import Sender
from schemas.ids import claim_id
from tests.builders.reports import a_line, a_report, money
from tests.builders.whole_system import FILE, WholeSystem, whole_system

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
CLAIMS = 150
ANSWER_SECONDS = 5.0


@pytest.fixture(scope="module")
def system(servers_folder: Path) -> Iterator[WholeSystem]:
    with whole_system(servers_folder / "walking", LOCAL_PERSON="mia") as found:
        yield found


@pytest.fixture(scope="module")
def report(system: WholeSystem) -> dict[str, Any]:
    """What the replay says of the first claims of the shipped file."""
    found: dict[str, Any] = system.told("replay", "nfip", str(FILE), "--limit", str(CLAIMS))
    return found


def get(system: WholeSystem, path: str, **query: Any) -> Any:
    answer = httpx2.get(system.url("ops") + path, params=query, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def one_of(system: WholeSystem, state: str, reasons: Sequence[str] | None = None) -> str:
    """The id of a claim in this state, referred for these reasons alone if any are named."""
    found = get(system, "/v1/claims", state=state, limit=100)["claims"]
    return next(str(one["claim_id"]) for one in found if reasons is None or one["reasons"] == list(reasons))


def becomes(system: WholeSystem, claim: str, state: str) -> bool:
    return wait_until(lambda: get(system, f"/v1/claims/{claim}")["state"] == state, 30, 0.2)


def mails_of(system: WholeSystem, claim: str) -> Counter[str]:
    return Counter(
        mail.headers["x-claimflow-kind"] for mail in system.mails() if mail.headers.get("x-claimflow-claim") == claim
    )


async def copies(system: WholeSystem) -> int:
    """How many events lie in the log, second copies included."""
    return len((await gather(system.running)).events)


def test_every_claim_of_the_file_is_acknowledged_and_settled_or_with_a_person(report: dict[str, Any]) -> None:
    assert (report["claims"], report["acknowledged"], report["lost"]) == (CLAIMS, CLAIMS, 0)
    assert (report["duplicate_payments"], report["ledger_balanced"], report["violations"]) == (0, True, {})
    assert report["by_state"] == {"closed (paid)": 113, "referred": 37}
    assert report["agreement"]["building_acv"]["rate"] >= 0.9


def test_the_promises_hold_as_seen_from_outside(system: WholeSystem, report: dict[str, Any]) -> None:
    verdict = system.told("verify")

    assert (verdict["holds"], verdict["findings"]) == (True, [])
    assert verdict["counts"]["acknowledged"] == CLAIMS


def test_a_referred_claim_that_a_person_approves_is_paid_and_told(system: WholeSystem, report: dict[str, Any]) -> None:
    # The terms gave nothing, and its coverages have limits: other amounts may lie above them and be referred again.
    claim = one_of(system, "REFERRED", ["nothing_payable"])
    verdict = ("approve_amount", "--amount", "1234.50", "--reason", "inspected on site")

    system.told("review", claim, *verdict)

    assert becomes(system, claim, "CLOSED")
    found = get(system, f"/v1/claims/{claim}")
    assert (found["outcome"], found["paid"]) == ("paid", money("1234.50"))
    told = Counter(received=1, referred=1, paid=1)
    # "Approved" is left out when the bank has paid before it could be sent.
    assert wait_until(lambda: mails_of(system, claim) - Counter(approved=1) == told, 30, 0.2)
    again = system.claimflow("review", claim, *verdict)
    assert again.returncode == Exit.usage and "Traceback" not in again.stderr


def test_a_referred_claim_that_a_person_denies_gets_its_letter(system: WholeSystem, report: dict[str, Any]) -> None:
    claim = one_of(system, "REFERRED")
    why = ("--reason", "outside the policy", "--clause", "SFIP:III.A", "--fact", "the building stood empty")

    system.told("review", claim, "deny", *why)

    assert becomes(system, claim, "CLOSED")
    assert get(system, f"/v1/claims/{claim}")["outcome"] == "denied"
    assert wait_until(lambda: mails_of(system, claim) == Counter(received=1, referred=1, denied=1), 30, 0.2)
    [letter] = [mail for mail in system.mails() if mail.headers.get("x-claimflow-kind") == "denied"]
    assert "SFIP:III.A" in letter.body and "the building stood empty" in letter.body


def test_a_trace_shows_a_paid_claim_across_all_topics(system: WholeSystem, report: dict[str, Any]) -> None:
    traced = system.told("trace", report["example_claim"])

    names = [event["type"].split(".")[1] for event in traced["events"]]
    assert names[0] == "ClaimReported" and names.count("ClaimClosed") == 1
    assert {"ClaimApproved", "PaymentInstructed", "PaymentConfirmed", "NoticeSent"} <= set(names)
    assert {event["topic"] for event in traced["events"]} == {
        "claims.intake.v1",
        "claims.assessment.v1",
        "claims.payment.v1",
        "claims.notify.v1",
    }
    assert all(event["partition"] >= 0 and event["offset"] >= 0 for event in traced["events"])


def test_nothing_waits_and_no_topic_differs_from_the_registry(system: WholeSystem, report: dict[str, Any]) -> None:
    def even() -> bool:
        stages = {stage["stage"]: stage for stage in system.told("lag")["stages"]}
        assert {"assessment", "payment", "notify", "ops-views"} <= set(stages)
        return all(stage["backlog"] == 0 and stage["parked"] == 0 for stage in stages.values())

    assert wait_until(even, 30, 0.5)
    assert system.told("topics", "plan") == []


async def test_the_same_run_sent_again_changes_nothing(system: WholeSystem, report: dict[str, Any]) -> None:
    before, mails = await copies(system), len(system.mails())
    folder = journal_folder(system.running)
    [journal] = folder.glob("2*.acknowledged.jsonl")
    acknowledged = dict(read_acknowledged(folder))
    run_id = journal.name.removesuffix(".acknowledged.jsonl")

    async with Sender(system.url("intake"), system.url("policy_system"), run_id, folder) as sender:
        await sender.send(list(read_rows(FILE, CLAIMS)), lambda count: None)

    assert dict(read_acknowledged(folder)).keys() == acknowledged.keys()
    assert (await copies(system), len(system.mails())) == (before, mails)


def submit(system: WholeSystem, key: str, number: int = 1, **changes: Any) -> httpx2.Response:
    body = a_report(number, **changes)
    return httpx2.post(system.url("intake") + "/v1/claims", json=body, headers={"Idempotency-Key": key}, timeout=30)


def test_a_paused_stage_takes_nothing_until_it_is_resumed(system: WholeSystem, report: dict[str, Any]) -> None:
    system.told("pause", "assessment", "--person", "omar", "--reason", "maintenance")
    claim = submit(system, "while-paused").json()["claim_id"]

    def assessment() -> dict[str, Any]:
        return next(stage for stage in system.told("lag")["stages"] if stage["stage"] == "assessment")

    assert wait_until(lambda: assessment()["paused"] and assessment()["backlog"] == 1, 30, 0.5)
    assert get(system, f"/v1/claims/{claim}")["state"] == "RECEIVED"
    system.told("resume", "assessment", "--person", "omar", "--reason", "done")
    assert becomes(system, claim, "AWAITING_POLICY")


def test_an_erased_person_is_shown_nowhere_and_totals_stay(system: WholeSystem, report: dict[str, Any]) -> None:
    claim, summary = report["example_claim"], get(system, "/v1/summary")
    before = get(system, f"/v1/claims/{claim}")
    assert "[erased]" not in json.dumps(before)

    system.told("person", "erase", claim, "--who", "payee", "--person", "pia", "--reason", "asked for it", "--yes")

    after = get(system, f"/v1/claims/{claim}")
    assert "[erased]" in json.dumps(after)
    assert (after["paid"], after["state"]) == (before["paid"], before["state"])
    assert get(system, "/v1/summary") == summary
    assert system.told("verify")["findings"] == []


async def test_without_a_broker_a_report_gets_503_in_time_and_the_same_key_succeeds_later_once(
    system: WholeSystem, report: dict[str, Any]
) -> None:
    loop, broker = asyncio.get_running_loop(), system.pid("broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        begun = loop.time()
        refused = await asyncio.to_thread(submit, system, "broker-away")
        took = loop.time() - begun
    finally:
        os.kill(broker, signal.SIGCONT)

    assert refused.status_code == 503, refused.text
    assert int(refused.headers["Retry-After"]) >= 1 and took < ANSWER_SECONDS + 3
    assert refused.headers["Content-Type"] == "application/problem+json"
    taken = await asyncio.to_thread(taken_in_the_end, system, "broker-away")
    assert taken == str(claim_id("default", "broker-away"))
    assert await asyncio.to_thread(becomes, system, taken, "AWAITING_POLICY")
    assert (await gather_reports(system, taken)) == 1


async def gather_reports(system: WholeSystem, claim: str) -> int:
    """Different reports of this claim in the log; a second copy of the same one is allowed after a fault."""
    evidence = await gather(system.running)
    found = {event.event_id for event in evidence.events if event.claim_id == claim and event.name == "ClaimReported"}
    return len(found)


def taken_in_the_end(system: WholeSystem, key: str) -> str:
    found: list[str] = []

    def taken() -> bool:
        answer = submit(system, key)
        if answer.status_code == 202:
            found.append(answer.json()["claim_id"])
        return bool(found)

    assert wait_until(taken, 60, 0.5)
    return found[0]


async def test_of_two_bodies_that_race_under_one_key_one_is_taken(system: WholeSystem, report: dict[str, Any]) -> None:
    other: dict[str, Any] = {"lines": [a_line(asked=money("9999.00"))]}

    answers = await asyncio.gather(
        asyncio.to_thread(submit, system, "raced"), asyncio.to_thread(submit, system, "raced", **other)
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 202 and statuses[1] in (409, 422), statuses
    raced = str(claim_id("default", "raced"))
    assert await gather_reports(system, raced) == 1
    assert await asyncio.to_thread(becomes, system, raced, "AWAITING_POLICY")


def test_after_all_this_the_promises_still_hold(system: WholeSystem, report: dict[str, Any]) -> None:
    verdict = system.told("verify")

    assert (verdict["holds"], verdict["findings"]) == (True, [])
