"""The losses of a simulated installation: whose policy they fall under, what is asked, and which are told twice.

Most policies have one claim. Some have several that share the money of a year, or a deductible that is borne once a
year; under one a deductible was perhaps never shown to the customer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.money import Money
from schemas.policy import DisclosureEvidence, PolicySnapshot
from schemas.terms import Aggregate, Deductible, DeductibleKind, LimitBasis, Operation, Period
from tests.builders.assessment import a_flood_coverage
from tests.builders.events import LOSS_AT, a_policy_snapshot, usd
from tests.builders.reports import JsonObject, a_line, a_party_in_clear, a_report, money

CLOSED_ACCOUNT = "000000000004"
YEARLY, STORMS, CHINESE = "FL-YEARLY", "FL-STORMS", "CN-FLOOD"
_OWN: tuple[str | None, str] = (None, "USD")
COMMON = frozenset({YEARLY, STORMS, CHINESE})
APART = timedelta(days=5)
_LIMIT = Operation(op="limit", clause_id="SFIP.III.A")


def a_policy(number: str, deductible: str = "1000.00") -> PolicySnapshot:
    coverages = (
        a_flood_coverage("building", "50000.00", deductible),
        a_flood_coverage("contents", "9000.00", deductible),
    )
    return a_policy_snapshot(policy_number=number, coverages=coverages)


def a_yearly_policy() -> PolicySnapshot:
    """Both coverages together pay at most 60,000 a year."""
    shared: dict[str, Any] = {
        "aggregates": (Aggregate(aggregate_id="all-losses", limit=usd("60000.00"), period=Period.policy_year),),
        "operations": (Operation(op="deductible", clause_id="SFIP.VI"), Operation(op="aggregate"), _LIMIT),
    }
    coverages = (
        a_flood_coverage("building", "50000.00", "500.00", **shared),
        a_flood_coverage("contents", "9000.00", "0.00", **shared),
    )
    return a_policy_snapshot(policy_number=YEARLY, coverages=coverages)


def a_storms_policy() -> PolicySnapshot:
    """9,000 are borne once a year, then 500 a storm; nothing is borne for the contents, which share a limit."""
    yearly = Deductible(
        kind=DeductibleKind.annual,
        amount=usd("9000.00"),
        at_least="term:others",
        aggregate_id="storms",
        period=Period.policy_year,
    )
    coverages = (
        a_flood_coverage("building", "50000.00", deductibles=(yearly,), amounts={"others": usd("500.00")}),
        a_flood_coverage("contents", "9000.00", deductibles=(), limit_basis=LimitBasis.aggregate_annual),
    )
    return a_policy_snapshot(policy_number=STORMS, coverages=coverages)


def a_chinese_policy(is_shown: bool) -> PolicySnapshot:
    """Its deductible has effect only if it was pointed out at sale."""
    operations = (
        Operation(op="disclosure", clause_id="art. 17"),
        Operation(op="deductible", clause_id="DED"),
        _LIMIT,
    )
    coverages = tuple(
        a_flood_coverage(
            code,
            "50000.00",
            currency="CNY",
            operations=operations,
            deductibles=(Deductible(amount=Money.of_text("1000.00", "CNY"), clause_id="DED"),),
        )
        for code in ("building", "contents")
    )
    evidence = (DisclosureEvidence(clause_id="DED", method="signed", at=LOSS_AT),) if is_shown else None
    return a_policy_snapshot(
        policy_number=CHINESE, currency="CNY", jurisdiction="CN", coverages=coverages, disclosure_evidence=evidence
    )


def common_policies(chance: random.Random) -> dict[str, PolicySnapshot]:
    """The policies several claims fall under. Their terms stay as they are."""
    is_shown = chance.random() < 0.5
    return {YEARLY: a_yearly_policy(), STORMS: a_storms_policy(), CHINESE: a_chinese_policy(is_shown)}


@dataclass(slots=True)
class Client:
    """Somebody who reports a loss and repeats under the same key until it is acknowledged."""

    key: str
    body: JsonObject
    acknowledged_at: datetime | None = None

    def raw(self) -> bytes:
        return json.dumps(self.body).encode()

    @property
    def policy_number(self) -> str:
        return str(self.body["policy_number"])


def clients(chance: random.Random, count: int, apart: bool = False) -> list[Client]:
    """A mix of losses: payable, nothing payable, without an amount, unknown policy, closed account, two languages."""
    found: list[Client] = []
    for number in range(count):
        told_before = chance.choice(found).body if found and not apart and chance.random() < 0.12 else None
        found.append(Client(f"key-{number}", _body(chance, number, told_before, apart)))
    return found


def _body(chance: random.Random, number: int, told_before: Mapping[str, Any] | None, apart: bool) -> JsonObject:
    kind = chance.randrange(10)
    person = a_party_in_clear(f"Person {number}", email=f"person-{number}@example.org")
    if kind == 2:
        person["account"]["account_number"] = CLOSED_ACCOUNT
    if kind == 3:
        person["account"] = None
        person = {name: value for name, value in person.items() if value is not None}
    changes: JsonObject = {"reporter": person, "language": chance.choice(("en", "zh-CN"))}
    if told_before is not None:
        # The same loss, told by somebody else.
        return {**told_before, **changes}
    whose = (_OWN, _OWN, (YEARLY, "USD"), (STORMS, "USD"), (CHINESE, "CNY"))
    policy, currency = _OWN if apart else chance.choice(whose)
    changes["lines"] = _lines(chance, kind, currency)
    if policy is not None:
        at = LOSS_AT + number * APART
        changes |= {"policy_number": policy, "currency": currency, "loss_at": at.isoformat()}
    return a_report(number, **changes)


def _lines(chance: random.Random, kind: int, currency: str) -> list[JsonObject]:
    def asked(amount: str) -> JsonObject:
        return money(amount, currency)

    lines = [a_line("1", asked=asked(f"{chance.randrange(900, 60_000)}.{chance.randrange(100):02d}"))]
    if chance.random() < 0.4:
        lines.append(a_line("2", coverage_code="contents", asked=asked(f"{chance.randrange(100, 12_000)}.00")))
    if kind == 0:
        lines = [a_line("1", asked=None)]
    if kind == 1:
        lines = [a_line("1", asked=asked("400.00"))]
    if kind in (4, 5):
        # One thing is clear, of another nobody knows yet what it costs.
        lines = [lines[0], a_line("later", coverage_code="contents", asked=None)]
    return lines
