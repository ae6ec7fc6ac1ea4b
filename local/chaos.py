"""Kills broker and services with SIGKILL, one after the other, while claims are carried; then judges what is left.

The order is drawn from a seed. Every blow falls while claims are on their way, and the next one waits until its victim
was back and ready. Nothing is judged by what the services say of themselves: see local/replay/invariants.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from hosting.exits import CannotStartError, Exit
from local.child import answers
from local.kafka_probe import answers_metadata
from local.replay.carrying import STUCK_SECONDS, Bars, following, journal_folder, until_quiet, until_settled, verify
from local.replay.evidence import claim_topics
from local.replay.following import Follower
from local.replay.invariants import Verdict
from local.replay.nfip import Row
from local.replay.sending import Sender
from local.running import Running
from local.system import PROCESSES
from messaging.kafka_client.reading import KafkaTail

SERVICES = tuple(spec.name for spec in PROCESSES if spec.kind == "service")
BACK_SECONDS_MAX = 120.0
CHUNK = 25
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to kill and how often: `kills` go round the services, broker and database are counted apart."""

    kills: int
    broker_kills: int
    database_kills: int = 0
    seed: int = 1

    def order(self) -> list[str]:
        """The victims in their order, the same for the same seed."""
        chance = random.Random(self.seed)
        kinds = ["service"] * self.kills + ["broker"] * self.broker_kills + ["database"] * self.database_kills
        chance.shuffle(kinds)
        turns = iter(range(self.kills))
        return [SERVICES[next(turns) % len(SERVICES)] if kind == "service" else kind for kind in kinds]


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill: after how many seconds of the run, and how long until the victim was ready again."""

    victim: str
    at: float
    back_after: float


@dataclass(slots=True)
class Storm:
    """What happened, and what the auditor says of it."""

    engine: str
    seed: int
    claims: int
    acknowledged: int = 0
    unreported: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    longest_silence: float = 0.0
    repeated_requests: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)
    verdict: Verdict | None = None

    def as_json(self) -> dict[str, Any]:
        """Everything for the report; counts of broken invariants by name."""
        assert self.verdict is not None
        broken = Counter(finding.invariant for finding in self.verdict.findings)
        longest: dict[str, float] = {}
        for blow in self.blows:
            longest[blow.victim] = max(longest.get(blow.victim, 0.0), blow.back_after)
        return {
            "engine": self.engine,
            "seed": self.seed,
            "claims": self.claims,
            "acknowledged": self.acknowledged,
            "lost": self.unreported + broken["I1"],
            "duplicate_payments": broken["I2"],
            "second_copies_of_events": self.verdict.counts["second copies of events"],
            "mail_repeats": self.verdict.counts["mail repeats"],
            "by_state": self.by_state,
            "kills": dict(Counter(blow.victim for blow in self.blows)),
            "restarts": self.restarts,
            "longest_recovery_s": longest,
            "longest_silence_s": round(self.longest_silence, 1),
            "repeated_requests": self.repeated_requests,
            "seconds": round(self.seconds, 1),
            "verify": "holds" if self.verdict.holds else "BROKEN",
            "violations": dict(sorted(broken.items())),
            "findings": [asdict(finding) for finding in self.verdict.findings[:100]],
            "blows": [asdict(blow) for blow in self.blows],
        }


async def storm(running: Running, rows: Sequence[Row], plan: Plan, bars: Bars, say: Callable[[str], None]) -> Storm:
    """Carries the rows while the blows fall, drains and verifies; CannotStartError (75) when something stays down."""
    found = Storm(running.settings["engine"], plan.seed, len(rows))
    begun, before = time.monotonic(), _restarts(running)
    follower = Follower(KafkaTail(claim_topics(), running.kafka_settings("chaos"), only_new=True))
    run_id = f"chaos-{plan.seed}-{uuid4().hex[:6]}"
    async with Sender(running.url("intake"), running.url("policy_system"), run_id, journal_folder(running)) as sender:
        follower.expect([sender.claim_id_of(row) for row in rows])
        await sender.put_policies(rows, lambda count: bars.advance("policies", count))
        async with following(follower) as watching:
            gate = _Gate(len(rows), len(plan.order()))
            work = asyncio.create_task(_both(_send(sender, rows, gate, bars), _strike(running, plan, gate, found, say)))
            silence = asyncio.create_task(_watch_silence(follower, found))
            try:
                await until_settled(work, follower, len(rows), bars)
            finally:
                silence.cancel()
            await until_quiet(follower)
            if watching.done():
                watching.result()
    found.acknowledged = len(sender.sent.ack_seconds)
    found.unreported = sum(not story.reported for story in follower.stories.values())
    found.by_state = dict(sorted(Counter(story.state for story in follower.stories.values()).items()))
    found.repeated_requests = sender.sent.repeats
    found.restarts = {name: count - before[name] for name, count in _restarts(running).items()}
    found.seconds = time.monotonic() - begun
    found.verdict = await verify(running, STUCK_SECONDS)
    return found


class _Gate:
    """Lets a share of the rows through for each blow, so that claims are on their way under every one of them."""

    def __init__(self, rows: int, blows: int) -> None:
        self._rows, self._blows, self._opened = rows, max(1, blows), 0
        self._changed = asyncio.Event()

    def open(self) -> None:
        self._opened += 1
        self._changed.set()

    async def passed(self, row: int) -> None:
        while row >= self._rows * self._opened // self._blows and self._opened < self._blows:
            self._changed.clear()
            await self._changed.wait()


async def _both(sending: Any, striking: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sending)
        group.create_task(striking)


async def _send(sender: Sender, rows: Sequence[Row], gate: _Gate, bars: Bars) -> None:
    for start in range(0, len(rows), CHUNK):
        await gate.passed(start)
        await sender.send(rows[start : start + CHUNK], lambda count: bars.advance("acknowledged", count))


async def _strike(running: Running, plan: Plan, gate: _Gate, found: Storm, say: Callable[[str], None]) -> None:
    chance, begun = random.Random(plan.seed), time.monotonic()
    for number, victim in enumerate(plan.order(), start=1):
        await _until_back(running, victim, None)
        gate.open()
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        pid = running.pid(victim)
        struck = time.monotonic()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await _until_back(running, victim, pid)
        blow = Blow(victim, round(struck - begun, 1), round(time.monotonic() - struck, 1))
        found.blows.append(blow)
        say(f"kill {number} of {len(plan.order())}: {victim}, ready again after {blow.back_after} s")


async def _until_back(running: Running, name: str, killed: int | None) -> None:
    deadline = time.monotonic() + BACK_SECONDS_MAX
    while not (running.pid(name) not in (None, killed) and await _serves(running, name)):
        if time.monotonic() > deadline:
            raise CannotStartError(f"{name} was not back within {BACK_SECONDS_MAX:.0f} s", Exit.try_again)
        await asyncio.sleep(_LOOK_SECONDS)


async def _serves(running: Running, name: str) -> bool:
    if name == "database":
        # The supervisor writes its process id only when it takes connections.
        return True
    host, _, port = (running.kafka if name == "broker" else running.url(name).rpartition("/")[2]).rpartition(":")
    if name == "broker":
        return await asyncio.to_thread(answers_metadata, host, int(port))
    return await answers(int(port), "/readyz")


async def _watch_silence(follower: Follower, found: Storm) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        found.longest_silence = max(found.longest_silence, loop.time() - follower.moved_at)


def _restarts(running: Running) -> dict[str, int]:
    return {name: int(running.process(name)["restarts"]) for name in SERVICES}
