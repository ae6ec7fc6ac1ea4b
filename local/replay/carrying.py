"""Carries a file of claims through the running system, from the first policy to the last claim settled or referred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from hosting.exits import CannotStartError, Exit
from local.replay.costs import Meter
from local.replay.evidence import (
    Evidence,
    claim_topics,
    other_topics,
    read_acknowledged,
    read_bank,
    read_deliveries,
    read_ledger,
    read_log,
    take_event,
    take_other,
)
from local.replay.following import Follower
from local.replay.invariants import Verdict, audit
from local.replay.nfip import Row, outcome_of
from local.replay.report import Run
from local.replay.sending import Sender
from local.running import Running
from messaging.kafka_client.reading import KafkaTail
from simulators.bank import record as bank_record
from simulators.mail import record as mail_record

STUCK_SECONDS = 180.0
QUIET_SECONDS = 3.0
METERED = ("intake", "assessment", "payment", "notify", "ops", "bank", "policy_system", "mail", "broker", "database")
BARS = ("policies", "acknowledged", "registered", "settled", "paid")


class Bars(Protocol):
    """Progress for people: totals are the number of claims, `paid` is open-ended."""

    def advance(self, bar: str, done: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a replay was asked for; `rate` in claims per second, None: as fast as intake takes them."""

    rows: Sequence[Row]
    rate: float | None = None
    run_id: str | None = None


async def carry(running: Running, wish: Wish, bars: Bars) -> Run:
    """One whole replay; CannotStartError (75) when claims stop moving for three minutes."""
    run_id = wish.run_id or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:6]}"
    kafka = running.kafka_settings("replay")
    follower = Follower(KafkaTail(claim_topics(), kafka, only_new=True))
    async with Sender(running.url("intake"), running.url("policy_system"), run_id, journal_folder(running)) as sender:
        claim_ids = [sender.claim_id_of(row) for row in wish.rows]
        follower.expect(claim_ids)
        await sender.put_policies(wish.rows, lambda count: bars.advance("policies", count))
        meter, loop = Meter(_pids(running)), asyncio.get_running_loop()
        async with following(follower):
            begun = loop.time()
            sending = sender.send(wish.rows, lambda count: bars.advance("acknowledged", count), wish.rate)
            await until_settled(asyncio.create_task(sending), follower, len(claim_ids), bars)
            seconds = loop.time() - begun
            spent = meter.spent(_pids(running))
            await until_quiet(follower)
    return Run(
        claim_ids=claim_ids,
        outcomes=[outcome_of(row) for row in wish.rows],
        stories=follower.stories,
        sent=sender.sent,
        acknowledged=len(sender.sent.ack_seconds),
        seconds=seconds,
        cpu_seconds=spent,
        engine=running.settings["engine"],
        mail=running.settings["mail"],
        verdict=await verify(running, STUCK_SECONDS),
    )


async def verify(running: Running, patience: float = 0.0) -> Verdict:
    """Judges I1 to I5 over everything this installation has ever done.

    `patience`: for how many seconds it is judged again while nothing is wrong but that notices are still to come.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    verdict = audit(await gather(running))
    while verdict.may_come_right and loop.time() < deadline:
        await asyncio.sleep(QUIET_SECONDS)
        verdict = audit(await gather(running))
    return verdict


async def gather(running: Running) -> Evidence:
    """Everything from outside the services; the log to the ends there are now."""
    evidence = Evidence(acknowledged=dict(read_acknowledged(journal_folder(running))), mail_since=running.mail_since)
    kafka = running.kafka_settings("verify")
    async for record in read_log(KafkaTail(claim_topics(), kafka)):
        take_event(evidence, record)
    async for record in read_log(KafkaTail(other_topics(), kafka)):
        take_other(evidence, record)
    evidence.bank = read_bank(running.folder("bank") / bank_record.FILE_NAME)
    evidence.mails = read_deliveries(running.folder("mail") / mail_record.FILE_NAME)
    evidence.postings = await read_ledger(running.database("payment"))
    return evidence


def journal_folder(running: Running) -> Path:
    """Where clients keep what was acknowledged to them."""
    return running.home.folder / "replay"


@asynccontextmanager
async def following(follower: Follower) -> AsyncIterator[asyncio.Task[None]]:
    """The follower at work; its task, which ends only by a fault."""
    await follower.tail.start()
    task = asyncio.create_task(follower.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await follower.tail.stop()


async def until_settled(sending: asyncio.Task[None], follower: Follower, wanted: int, bars: Bars) -> None:
    """Returns when everything is sent and every claim is closed or with a person; CannotStartError when they stick."""
    shown = dict.fromkeys(follower.counts, 0)
    loop = asyncio.get_running_loop()
    try:
        while not (sending.done() and follower.settled >= wanted):
            await asyncio.sleep(0.1)
            if sending.done():
                sending.result()
            for bar, count in follower.counts.items():
                if bar in BARS:
                    bars.advance(bar, count - shown[bar])
                shown[bar] = count
            if loop.time() - follower.moved_at > STUCK_SECONDS:
                left = wanted - follower.settled
                raise CannotStartError(
                    f"{left} claims have not moved for {STUCK_SECONDS:.0f} s; see claimflow lag and claimflow doctor",
                    Exit.try_again,
                )
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def until_quiet(follower: Follower) -> None:
    """Notices may still be on their way after the last claim is settled."""
    loop = asyncio.get_running_loop()
    while loop.time() - follower.moved_at < QUIET_SECONDS:
        await asyncio.sleep(0.2)


def _pids(running: Running) -> dict[str, int | None]:
    return {name: running.pid(name) for name in METERED}


Told = Callable[[int], None]
