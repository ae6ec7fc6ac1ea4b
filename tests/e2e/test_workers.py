"""The stage runner with real worker processes over a real broker and database, on both engines: killed, stopped,
raising, poisoned, several at once; nothing missing, nothing twice, each claim in order, never on stale state."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from hosting.database import open_engine
from hosting.exits import Exit
from local.home import ROOT
from messaging.kafka_client.reading import KafkaTail
from messaging.kafka_client.settings import KafkaSettings
from messaging.record import Outgoing, Record, partition_of
from schemas.control import Order, PauseStage, Redrive, ResumeStage, Unpark, encode_order, order_key
from schemas.ids import ClaimId, CommandId, DeadLetterId
from schemas.topics import CONTROL_TOPIC, dead_letter_topic, topic_of
from tests.builders.events import a_claim_id, a_review_recorded, on_the_wire
from tests.builders.kafka_stage import PARTITIONS, ends, report, reports, until, write

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
STAGE = "assessment"
ANSWERS, LETTERS, INTAKE = topic_of(STAGE), dead_letter_topic(STAGE), topic_of("intake")
WAIT = 60.0


class House:
    """One stage's database, log and folder; workers of it are started, killed and looked at from outside."""

    def __init__(self, kafka: str, database: str, folder: Path, engine: str) -> None:
        self.kafka, self.database, self.engine = kafka, database, engine
        self.notes, self.faults = folder / "notes", folder / "faults"
        self.faults.mkdir()
        self._folder = folder

    def environment(self, instance: str, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
        own = {
            "PROFILE": "test",
            "KAFKA": self.kafka,
            "ENGINE": self.engine,
            "INSTANCE": instance,
            "PARTITIONS": str(PARTITIONS),
            "ASSESSMENT_DATABASE": self.database,
            "TEST_NOTES": str(self.notes),
            "TEST_FAULTS": str(self.faults),
        }
        return kept | {f"CLAIMFLOW_{name}": value for name, value in {**own, **more}.items()}

    @asynccontextmanager
    async def worker(self, instance: str = "1", **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker that has said it is ready; ended by SIGKILL if the test did not end it."""
        with (self._folder / f"worker-{instance}.log").open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.builders.stage_worker"),
                cwd=ROOT,
                env=self.environment(instance, more),
                stdout=said,
                stderr=said,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def asked(self, question: str) -> list[Any]:
        """Rows of the stage's database; none while it has no tables."""
        engine = open_engine(self.database, "test", 2)
        try:
            async with engine.connect() as connection:
                there = await connection.execute(text("SELECT to_regclass('decided')"))
                return [] if there.scalar() is None else list(await connection.execute(text(question)))
        finally:
            await engine.dispose()

    async def decided(self) -> dict[ClaimId, list[str]]:
        """What was decided about each claim, in order, each on the state the one before it left."""
        rows = await self.asked("SELECT claim_id, events FROM decided")
        return {ClaimId(str(claim)): events.split() for claim, events in rows}

    async def records(self, topic: str) -> list[Record]:
        tail, found = KafkaTail([topic], KafkaSettings(self.kafka)), list[Record]()
        await tail.start()
        try:
            while not await tail.caught_up():
                found += await tail.poll(0.2)
        finally:
            await tail.stop()
        return found

    async def answers(self) -> dict[ClaimId, list[tuple[str, str]]]:
        """Per claim the answers' sequences and ids in the log's order, second copies left out, which must be equal."""
        copies: dict[str, Record] = {}
        told: dict[ClaimId, list[tuple[str, str]]] = {}
        for record in await self.records(ANSWERS):
            headers = {name: value.decode() for name, value in record.headers}
            first = copies.setdefault(headers["ce_id"], record)
            assert (first.key, first.value, first.headers) == (record.key, record.value, record.headers)
            if first is record:
                claim = ClaimId((record.key or b"").decode())
                told.setdefault(claim, []).append((headers["ce_sequence"], headers["ce_id"]))
        return told

    async def order(self, order: Order) -> None:
        key = order_key(order)
        await write(self.kafka, [Outgoing(CONTROL_TOPIC, 0, key, encode_order(order), [])])

    async def done(self, count: int) -> None:
        """Returns when so many events have been decided and all that was stored is marked as published."""

        async def enough() -> bool:
            decided = await self.decided()
            left = await self.asked("SELECT count(*) FROM runner_unmarked")
            return sum(map(len, decided.values())) >= count and left[0][0] == 0

        await until(enough, WAIT)


@pytest.fixture(params=["aiokafka", pytest.param("faust", marks=pytest.mark.long)])
def house(fresh_kafka: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> House:
    return House(fresh_kafka, database_url, tmp_path, request.param)


def review(claim: ClaimId, sequence: int = 1) -> Outgoing:
    """A person's review, which follows the claim's report."""
    key, value, headers = on_the_wire(a_review_recorded(), claim, sequence, after={"intake": 1})
    return Outgoing(topic_of("ops"), partition_of(key, PARTITIONS), key, value, headers)


def claims(count: int) -> list[ClaimId]:
    return [a_claim_id(number) for number in range(count)]


async def until_ended(process: asyncio.subprocess.Process) -> int:
    return await asyncio.wait_for(process.wait(), WAIT)


def orders(kind: Callable[..., Order], **more: Any) -> Order:
    return kind(stage=STAGE, author="omar", reason="a test", at=datetime.now(UTC), **more)


@pytest.mark.parametrize(
    "point",
    [
        "answer.committed",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("handler.returned", "publish.acked", "input.ack")),
    ],
)
async def test_a_worker_killed_at_the_point_tells_the_same_events_in_the_same_order(house: House, point: str) -> None:
    await write(house.kafka, [*reports(range(60)), *(review(claim) for claim in claims(60))])

    async with house.worker(CRASH_AT=point) as doomed:
        assert await until_ended(doomed) == -signal.SIGKILL
    stored = await house.asked("SELECT claim_id, sequence, event_id FROM runner_answers WHERE sequence IS NOT NULL")
    async with house.worker():
        await house.done(120)

    told = await house.answers()
    assert await house.decided() == {claim: ["intake:1", "ops:1"] for claim in claims(60)}
    assert {claim: [number for number, _ in found] for claim, found in told.items()} == {
        claim: ["1", "2"] for claim in claims(60)
    }
    assert {(str(claim), str(number), str(event)) for claim, number, event in stored} <= {
        (str(claim), number, event) for claim, found in told.items() for number, event in found
    }


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_worker_ended_in_the_middle_of_a_batch_loses_nothing(house: House, number: signal.Signals) -> None:
    await write(house.kafka, [*reports(range(40)), *(review(claim) for claim in claims(40))])

    async with house.worker(TEST_SLOW="1.5") as ended:
        await until(lambda: house_has(house, "runner_positions"), WAIT)
        await asyncio.sleep(1)
        ended.send_signal(number)
        assert await until_ended(ended) in (0, -signal.SIGKILL)
    async with house.worker():
        await house.done(80)

    assert await house.decided() == {claim: ["intake:1", "ops:1"] for claim in claims(40)}


async def house_has(house: House, table: str) -> bool:
    rows = await house.asked(f"SELECT count(*) FROM {table}")
    return bool(rows and rows[0][0])


@pytest.mark.long
async def test_a_decision_that_raises_parks_its_claim_alone_until_it_is_unparked_once(house: House) -> None:
    sick, command = a_claim_id(7), CommandId(uuid4())
    (house.faults / str(sick)).touch()
    await write(house.kafka, [*reports(range(30)), *(review(claim) for claim in claims(30))])

    async with house.worker() as first:
        await house.done(58)
        parked = await house.asked("SELECT claim_id FROM runner_claims WHERE blocked IS NOT NULL")
        first.kill()
        await until_ended(first)
    (house.faults / str(sick)).unlink()
    await house.order(orders(Unpark, command_id=command, claim_id=sick))
    async with house.worker():
        await house.done(60)
    async with house.worker():
        await asyncio.sleep(2)

    assert [str(row[0]) for row in parked] == [str(sick)]
    assert await house.decided() == {claim: ["intake:1", "ops:1"] for claim in claims(30)}
    applied = await house.asked(f"SELECT count(*) FROM runner_commands WHERE command_id = '{command}'")
    assert applied[0][0] == 1


@pytest.mark.long
async def test_a_record_the_engine_loses_ends_the_worker_and_is_taken_after_the_restart(house: House) -> None:
    await write(house.kafka, [report(a_claim_id(number), partition=0) for number in range(20)])

    async with house.worker(TEST_DROP=f"{INTAKE}@0@5") as doomed:
        assert await until_ended(doomed) == Exit.internal
    before = sum(map(len, (await house.decided()).values()))
    async with house.worker():
        await house.done(20)

    assert before <= 5
    assert await house.decided() == {claim: ["intake:1"] for claim in claims(20)}


@pytest.mark.long
@pytest.mark.parametrize("point", ["decoded", "handler.returned"])
async def test_a_worker_stopped_past_its_session_is_fenced_when_it_goes_on(house: House, point: str) -> None:
    await write(house.kafka, reports(range(30)))

    async with house.worker("zombie", TEST_STOP_AT=point) as zombie:
        await until(lambda: is_stopped(zombie.pid), WAIT)
        async with house.worker("heir"):
            await house.done(30)
            zombie.send_signal(signal.SIGCONT)
            assert await until_ended(zombie) == Exit.internal
            await write(house.kafka, [review(claim) for claim in claims(30)])
            await house.done(60)

    assert await house.decided() == {claim: ["intake:1", "ops:1"] for claim in claims(30)}
    assert [len(found) for found in (await house.answers()).values()] == [2] * 30


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def poisoned() -> dict[str, Outgoing]:
    """Records that cannot be taken, by what is wrong with them, each of a claim of its own."""
    unknown = report(a_claim_id(101))
    named = [(name, b"claimflow.NoSuchEvent.v1" if name == "ce_type" else value) for name, value in unknown.headers]
    return {
        "bytes": report(a_claim_id(100), value=b"\x00\xffnot json"),
        "type": unknown._replace(headers=named),
        "large": report(a_claim_id(102), value=b"x" * 2_000_000),
        "tombstone": report(a_claim_id(103), value=None),
    }


async def test_poison_is_kept_with_its_bytes_and_later_events_wait_until_it_is_redriven(house: House) -> None:
    poison = poisoned()
    sent = [*poison.values(), *reports(range(10)), *(review(a_claim_id(number)) for number in range(100, 104))]
    await write(house.kafka, [*sent, *(review(claim) for claim in claims(10))])

    async with house.worker():
        await house.done(20)
        await until(lambda: has_records(house, LETTERS, len(poison)), WAIT)
        letters = await house.records(LETTERS)
        open_ones = await house.asked("SELECT dead_letter_id FROM runner_dead_letters WHERE state = 'open'")
        for (letter,) in open_ones:
            order = orders(Redrive, command_id=CommandId(uuid4()), dead_letter_id=DeadLetterId(letter))
            await house.order(order)
        await until(lambda: commands_settled(house, len(open_ones)), WAIT)

    kept = {(record.key, record.value) for record in letters}
    assert {(one.key, one.value) for one in poison.values()} == kept
    assert len(open_ones) == len(poison)
    # Redriven as it was, poison is poison again: what follows it still waits, in order, and neighbours went on.
    assert await house.decided() == {claim: ["intake:1", "ops:1"] for claim in claims(10)}
    waiting = await house.asked("SELECT count(*) FROM runner_queue")
    assert waiting[0][0] == len(poison)


async def has_records(house: House, topic: str, count: int) -> bool:
    return sum((await ends(house.kafka, topic)).values()) >= count


async def commands_settled(house: House, count: int) -> bool:
    rows = await house.asked("SELECT count(*) FROM runner_commands WHERE outcome IS NOT NULL")
    return bool(rows[0][0] >= count)


@pytest.mark.long
async def test_three_workers_that_come_and_go_decide_each_claims_two_topics_in_order(house: House) -> None:
    async with house.worker("a") as first, house.worker("b"):
        await traffic(house, range(60))
        async with house.worker("c"):
            await traffic(house, range(60, 120))
            first.kill()
            await traffic(house, range(120, 180))
        await traffic(house, range(180, 240))
        await house.done(240 * 4)

    assert await house.decided() == {claim: ["intake:1", "ops:1", "ops:2", "ops:3"] for claim in claims(240)}
    for found in (await house.answers()).values():
        assert [number for number, _ in found] == ["1", "2", "3", "4"]


async def traffic(house: House, numbers: range) -> None:
    """Reviews before the reports they follow, in small pieces: what comes early waits for its cause."""
    for start in range(numbers.start, numbers.stop, 20):
        part = [a_claim_id(number) for number in range(start, min(start + 20, numbers.stop))]
        await write(house.kafka, [review(claim, sequence) for sequence in (1, 2) for claim in part])
        await write(house.kafka, [report(claim) for claim in part])
        await write(house.kafka, [review(claim, 3) for claim in part])
        await asyncio.sleep(0.3)


@pytest.mark.long
async def test_a_pause_outlives_a_restart_and_a_quiet_claims_work_is_done_without_a_later_record(house: House) -> None:
    await house.order(orders(PauseStage))
    await write(house.kafka, reports(range(3)))

    async with house.worker() as first:
        await until(lambda: house_has(house, "runner_positions"), WAIT)
        await asyncio.sleep(2)
        first.kill()
        await until_ended(first)
    async with house.worker():
        await asyncio.sleep(4)
        while_paused = await house.decided()
        await house.order(orders(ResumeStage))
        await house.done(3)
        await until(lambda: house.notes.exists() and len(house.notes.read_text().splitlines()) >= 3, WAIT)

    assert while_paused == {}
    assert sorted(house.notes.read_text().splitlines()) == sorted(f"{claim} intake:1" for claim in claims(3))
