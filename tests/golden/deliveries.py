"""Reports delivered, some of them several times, to the services in memory: what is counted is what they did."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import available_timezones

import structlog

from messaging import crash_points
from schemas.assessment import ClaimRegistered
from schemas.envelope import Envelope
from schemas.event import decode
from schemas.money import Money
from schemas.payment import PaymentInstructed
from schemas.policy import PolicySnapshot
from schemas.topics import topic_of
from services.assessment.adapters.rule_book_files import load_rule_book
from services.assessment.app import memory_assessment_stage
from services.assessment.domain.claim import Report
from services.assessment.domain.rule_book import RuleBook
from services.intake.domain.reading import read_claim
from tests.builders.reports import a_report, money
from tests.golden.translate import CaseError
from tests.simulation.house import House, Member
from tests.simulation.losses import Client
from tests.simulation.outside import Faults

DELIVERIES_MAX = 50
ROUNDS_MAX = 200
QUIET_ROUNDS = 5


@dataclass(frozen=True)
class Told:
    """What came of the deliveries: how many claims, and every payment that was instructed, in order."""

    claims: int
    payments: tuple[Money, ...]
    paid: Money


def deliver(policy: PolicySnapshot, deliveries: Sequence[tuple[str, Report]]) -> Told:
    """Reports, each under its idempotency key, through intake, assessment and payment until nothing moves."""
    if not 1 <= len(deliveries) <= DELIVERIES_MAX:
        raise CaseError(f"inputs.deliveries: is not from 1 to {DELIVERIES_MAX}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        return asyncio.run(_deliver(policy, deliveries))
    finally:
        crash_points.disarm()
        structlog.reset_defaults()


async def _deliver(policy: PolicySnapshot, deliveries: Sequence[tuple[str, Report]]) -> Told:
    house = House(random.Random(7), Faults.none())
    rules = _that_pay(policy)
    store = house.members["assessment"].store
    house.members["assessment"] = Member(memory_assessment_stage(house.book, rules), store)
    house.book.policies[policy.policy_number] = policy
    for key, report in deliveries:
        house.clock.instant = max(house.clock.instant, report.loss_at)
        client = Client(key, _body(policy, report))
        await house.live("intake")
        assert house.intake is not None
        submission = read_claim(client.raw(), "default", client.key, house.clock.now(), available_timezones())
        await house.intake.submit([submission])
        await house.intake.close()
        await _settle(house)
    return _told(house, policy.currency)


async def _settle(house: House) -> None:
    quiet = 0
    for _ in range(ROUNDS_MAX):
        moved = 0
        for name, member in house.members.items():
            moved += await house.keep_house(name)
            if member.stage.reads:
                moved += await house.deliver(name)
                moved += await house.dispatch(name)
        house.clock.move(10.0)
        quiet = 0 if moved else quiet + 1
        if quiet > QUIET_ROUNDS:
            return
    raise RuntimeError("the services do not come to rest")


def _told(house: House, currency: str) -> Told:
    claims: set[Any] = set()
    payments: dict[Any, Money] = {}
    for writer in ("assessment", "payment"):
        for record in house.log.records(topic_of(writer)):
            envelope = Envelope.from_headers(record.headers)
            event = decode(envelope.type, record.value or b"")
            if isinstance(event, ClaimRegistered):
                claims.add(envelope.subject)
            if isinstance(event, PaymentInstructed):
                payments[envelope.id] = event.amount
    return Told(len(claims), tuple(payments.values()), Money.total(payments.values(), currency))


def _that_pay(policy: PolicySnapshot) -> RuleBook:
    """The rules that are shipped, with a limit for this line below which software pays."""
    rules = load_rule_book()
    limit = Money(10**12, policy.currency)
    versions = tuple(
        replace(one, other_lines=replace(one.other_lines, automatic_limits=(limit,)))
        for one in rules.decisions.versions
    )
    return replace(rules, decisions=replace(rules.decisions, versions=versions))


def _body(policy: PolicySnapshot, report: Report) -> dict[str, Any]:
    lines = [
        {"line_id": line.line_id, "coverage_code": line.coverage_code}
        | ({} if line.asked is None else {"asked": money(line.asked.to_text(), policy.currency)})
        for line in report.lines
    ]
    return a_report(
        policy_number=policy.policy_number,
        line=policy.line,
        loss_at=report.loss_at.isoformat(),
        loss_zone=report.loss_zone,
        peril=report.peril,
        currency=policy.currency,
        lines=lines,
    )
