"""One suite for the stage runner over a log in memory, on both stores: order, positions, queues, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from local.database import PostgresServer
from messaging import claim_queues, stage_runner
from messaging.deciding import PROCESS_ENDED
from messaging.ports import Fatal, PublishFailed, Tx
from messaging.stage import Input, Recorded
from messaging.stores.store_memory import CommitUnknown, Conflict, MemoryStore
from schemas.event import EVENT_BYTES_MAX
from schemas.ids import ClaimId, event_id
from schemas.outcomes import Emit, Nothing, Outcome, Reject, RetryLater, Work
from tests.builders.events import (
    REPORTED_AT,
    a_claim_closed,
    a_claim_id,
    a_claim_reported,
    a_payment_confirmed,
    a_review_recorded,
    an_envelope,
    an_id,
    on_the_wire,
)
from tests.builders.stages import (
    ANSWERS,
    PARTITIONS,
    READS,
    Bench,
    Crash,
    always,
    awaited,
    crash_at,
    emptied,
    place_of,
    sql_store,
)

CLAIM, NEIGHBOUR = a_claim_id(1), a_claim_id(2)
REPORT, REVIEW, CONFIRMED = a_claim_reported(), a_review_recorded(), a_payment_confirmed()


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    """One database for the module; each test empties it."""
    yield postgres.create_database("runner_suite")
    postgres.drop_database("runner_suite")


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield Bench(MemoryStore())
        return
    async with sql_store(request.getfixturevalue("database")) as store:
        yield Bench(store)


def fails(bench: Bench, *events: tuple[ClaimId, str, int]) -> None:
    """From now on the decisions of these events raise."""

    def instead(event: Input) -> Outcome | None:
        if (event.claim_id, event.writer, event.sequence) in events:
            raise KeyError("a culprit")
        return None

    bench.toy.instead = instead


def heals(bench: Bench) -> None:
    bench.toy.instead = lambda event: None


async def the_letter(bench: Bench, number: int = -1) -> UUID:
    return UUID(bench.letters()[number][1]["id"])


# ---- the straight way


async def test_answers_are_stored_published_and_marked_in_order(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM, 1, after={"intake": 1})
    bench.tell(REPORT, NEIGHBOUR)

    await running.engine.run_dry()

    found = bench.answers(CLAIM)
    assert [(sequence, name) for sequence, _, name, _ in found] == [
        (1, "PolicyAwaited"),
        (2, "ClaimClosed"),
        (3, "PolicyAwaited"),
    ]
    report, review = an_envelope(REPORT, CLAIM), an_envelope(REVIEW, CLAIM)
    expected = [event_id(report.id, "assessment", 0), event_id(report.id, "assessment", 1)]
    assert [made for _, made, _, _ in found] == [*expected, event_id(review.id, "assessment", 0)]
    assert bench.attempts(CLAIM) == [1, 2] and bench.attempts(NEIGHBOUR) == [1]
    async with bench.store.begin() as tx:
        assert await bench.tables().unmarked_of(tx, None, REPORTED_AT + timedelta(days=9), 9) == []
    assert await bench.position(place_of(CLAIM)) == running.engine.next[place_of(CLAIM)]


async def test_an_answer_names_its_cause_and_what_its_writer_had_applied(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    bench.tell(CONFIRMED, CLAIM, 1, after={"assessment": 7, "intake": 1, "notify": 2})

    await running.engine.run_dry()

    headers = [dict(record.headers) for record in bench.log.records(ANSWERS)]
    assert headers[0]["ce_after"] == b"intake:1"
    assert headers[2]["ce_after"] == b"intake:1,notify:2,payment:1"
    assert headers[2]["ce_causeid"] == str(an_envelope(CONFIRMED, CLAIM).id).encode()


async def test_a_redelivered_record_is_seen_and_skipped(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    await running.engine.run_dry()

    running.engine.next = dict.fromkeys(running.engine.next, 0)
    await running.engine.run_dry()

    assert len(bench.log.records(ANSWERS)) == 2 and len(bench.toy.decided) == 1


async def test_a_second_copy_of_an_event_is_counted_once(bench: Bench) -> None:
    running = await bench.start()
    for _ in range(3):
        bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM)

    await running.engine.run_dry()

    assert bench.attempts(CLAIM) == [1, 2] and bench.letters() == []


async def test_a_registered_type_the_stage_does_not_handle_counts_as_seen(bench: Bench) -> None:
    running = await bench.start()
    key, _, headers = on_the_wire(a_claim_reported(), CLAIM)
    headers = [(name, b"claimflow.PaymentHeld.v1" if name == "ce_type" else value) for name, value in headers]
    headers = [(name, b"claimflow/payment" if name == "ce_source" else value) for name, value in headers]
    bench.tell_raw(key, b"not even JSON", headers, "claims.payment.v1")
    bench.tell(CONFIRMED, CLAIM, 2)

    await running.engine.run_dry()

    assert bench.attempts(CLAIM) == [1] and bench.letters() == []


# ---- positions


async def test_a_gap_ends_the_process_and_stores_nothing(bench: Bench) -> None:
    running = await bench.start()
    first, second = bench.tell(REPORT, CLAIM), bench.tell(REPORT, CLAIM, 2)

    with pytest.raises(Fatal, match="gap"):
        await running.runner.batch([second])

    assert await bench.position(first.place) == 0 and bench.toy.decided == []


async def test_a_partition_never_assigned_ends_the_process(bench: Bench) -> None:
    running = await bench.start()
    record = bench.tell(REPORT, CLAIM)
    await running.runner.revoked([record.place])

    with pytest.raises(Fatal, match="without a loaded position"):
        await running.runner.batch([record])


async def test_a_partition_without_a_position_is_refused(bench: Bench) -> None:
    await bench.start()
    newer = replace(bench.stage, reads=(*READS, "notify"))
    bench.stage = newer

    with pytest.raises(Fatal, match="has no position"):
        await bench.start()


async def test_a_topic_made_again_is_refused(bench: Bench) -> None:
    await bench.start()
    bench.log.recreate("claims.ops.v1")

    with pytest.raises(Fatal, match="made again"):
        await bench.start()


@pytest.mark.parametrize("kept", [1, 2])
async def test_a_position_whose_records_are_gone_is_refused(bench: Bench, kept: int) -> None:
    place = place_of(CLAIM)
    for sequence in (1, 2):
        bench.tell(REPORT, CLAIM, sequence)
    bench.log.trim(place, kept)

    with pytest.raises(Fatal, match="records are gone"):
        await bench.start()

    async with bench.store.begin() as tx:
        assert await bench.tables().positions(tx) == {}


async def test_a_position_beyond_the_end_of_the_log_is_refused(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    await running.engine.run_dry()
    number = bench.log._ids["claims.intake.v1"]
    bench.log.recreate("claims.intake.v1")
    bench.log._ids["claims.intake.v1"] = number

    with pytest.raises(Fatal, match="lies outside the log"):
        await bench.start()


async def test_another_number_of_partitions_than_the_settings_say_is_refused(bench: Bench) -> None:
    running = bench.process()
    running.runner._partitions = PARTITIONS + 1

    with pytest.raises(Fatal, match="partitions of the settings"):
        await running.engine.start()


async def test_a_zombie_is_fenced_and_stores_nothing(bench: Bench) -> None:
    zombie, successor = await bench.start(), await bench.start()
    bench.tell(REPORT, CLAIM)
    await successor.engine.run_dry()
    published = len(bench.log.records(ANSWERS))

    with pytest.raises(Fatal, match="fenced"):
        await zombie.engine.run_dry()

    assert len(bench.log.records(ANSWERS)) == published


# ---- crashes


def tell_a_story(bench: Bench) -> None:
    """Plain events, a failing decision, poison, a late record, a reused number, over four claims."""
    failing, poisoned, late = a_claim_id(2), a_claim_id(3), a_claim_id(4)
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, late, 1, after={"intake": 1})
    bench.tell(REPORT, failing)
    bench.tell(REVIEW, failing)
    bench.tell_raw(*on_the_wire(REPORT, poisoned)[:1], b"{", on_the_wire(REPORT, poisoned)[2])
    bench.tell(REVIEW, poisoned)
    bench.tell(CONFIRMED, CLAIM, 1, after={"intake": 1})
    bench.tell(REPORT, late)
    bench.tell(CONFIRMED, late)


async def live_a_story(bench: Bench, crash: int) -> list[str]:
    """Lives through the story with a crash at one passage of any point; then restarts until nothing is left."""
    fails(bench, (a_claim_id(2), "intake", 1))
    tell_a_story(bench)

    async def live() -> None:
        running = await bench.start()
        await running.drain()
        heals(bench)
        bench.clock.advance(60)
        await running.drain()
        _, why = bench.letters()[-1]
        if why["attempts"] == "1":
            await running.runner.redrive(UUID(why["id"]), always)

    with crash_at("*", crash) as passed:
        try:
            await live()
        except Crash:
            await live()
    return passed


def what_came_of(bench: Bench) -> list[object]:
    claims: list[object] = [bench.answers(a_claim_id(number)) for number in range(1, 5)]
    letters = {why["id"]: (record.key, record.value, why["code"], why["attempts"]) for record, why in bench.letters()}
    return [*claims, letters]


BATCH_POINTS = """batch.received decoded handler.returned answer.commit answer.committed publish.send publish.acked
    published.mark published.marked input.ack park.commit park.committed unpark.each dead-letter.send
    dead-letter.acked"""


async def test_a_crash_at_any_passage_of_any_point_loses_doubles_and_reorders_nothing(bench: Bench) -> None:
    passed = await live_a_story(bench, 0)
    expected = what_came_of(bench)
    assert set(BATCH_POINTS.split()) <= set(passed)
    assert bench.attempts(a_claim_id(2)) == [1, 2] and bench.attempts(a_claim_id(4)) == [1, 2, 3]

    crashes = set(range(1, len(passed) + 1))
    if not isinstance(bench.store, MemoryStore):
        # Every passage in memory; on the slower store each point once early and once late.
        late = len(passed) - 1
        crashes = {at for name in set(passed) for at in (passed.index(name) + 1, late - passed[::-1].index(name) + 1)}
    for crash in sorted(crashes):
        again = Bench(await emptied(bench.store))
        await live_a_story(again, crash)
        assert what_came_of(again) == expected, f"crash {crash} at {passed[crash - 1]}"


async def test_a_commit_of_unknown_outcome_is_found_again_after_the_restart() -> None:
    commits: list[str] = []
    expected = Bench(MemoryStore(commits.append))
    await live_a_story(expected, 0)

    for nth in range(1, commits.count("after") + 1):
        seen: list[str] = []

        def broken(moment: str, seen: list[str] = seen, nth: int = nth) -> None:
            seen.append(moment)
            if moment == "after" and seen.count("after") == nth:
                raise CommitUnknown

        bench = Bench(MemoryStore(broken))
        with pytest.raises(CommitUnknown):
            await live_a_story(bench, 0)
        for _ in range(2):
            running = await bench.start()
            await running.drain()
            heals(bench)
            bench.clock.advance(60)
        assert what_came_of(bench)[:4] == what_came_of(expected)[:4], f"commit {nth}"


async def test_what_was_not_acknowledged_is_published_by_the_next_owner_byte_for_byte(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    running.producer.fault = lambda sends: 1
    with pytest.raises(PublishFailed):
        await running.engine.run_dry()
    (early,) = bench.log.records(ANSWERS)
    assert running.engine.next[place_of(CLAIM)] == 0

    bench.clock.advance(1)
    successor = await bench.start()

    assert [sequence for sequence, *_ in bench.answers(CLAIM)] == [1, 2]
    again = bench.log.records(ANSWERS)[1]
    assert (again.key, again.value, again.headers) == (early.key, early.value, early.headers)
    assert await successor.engine.run_dry() == 0


async def test_what_an_earlier_process_left_is_published_before_what_follows(bench: Bench) -> None:
    left = await bench.start()
    bench.tell(REPORT, CLAIM)
    left.producer.fault = lambda sends: 0
    with pytest.raises(PublishFailed):
        await left.engine.run_dry()
    assert bench.log.records(ANSWERS) == []

    asking = bench.process()
    async with bench.store.begin() as tx:
        stored = await asking.recorder.record(tx, [Recorded(CLAIM, an_id("click"), (a_claim_closed(),))])
    await asking.publisher.publish_answers(stored)

    assert [sequence for sequence, *_ in bench.answers(CLAIM)] == [1, 2, 3]


async def test_a_batch_publishes_what_another_process_left_of_its_claims_first(bench: Bench) -> None:
    left, right = bench.process(), bench.process()
    await left.engine.assign(bench.log.places("claims.intake.v1"))
    await right.engine.assign(bench.log.places("claims.ops.v1"))
    left.producer.fault = lambda sends: 0
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM)
    with pytest.raises(PublishFailed):
        await left.engine.run_dry()

    await right.engine.run_dry()

    assert [sequence for sequence, *_ in bench.answers(CLAIM)] == [1, 2, 3]


async def test_a_transaction_that_met_another_is_repeated(bench: Bench) -> None:
    running = await bench.start()
    met = [2]

    def conflict(moment: str) -> None:
        if moment == "before" and bench.toy.decided and met[0]:
            met[0] -= 1
            raise Conflict

    if isinstance(bench.store, MemoryStore):
        bench.store.at_commit = conflict
    else:
        bench.toy.in_save = "DO $$ BEGIN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END $$"
    bench.tell(REPORT, CLAIM)

    await running.engine.run_dry()

    assert len(bench.toy.decided) > 1 and bench.attempts(CLAIM) == [1]


# ---- decisions that fail


async def test_a_failing_decision_parks_only_its_claim_and_its_later_events_wait_in_order(bench: Bench) -> None:
    running = await bench.start()
    fails(bench, (CLAIM, "intake", 1))
    for number in range(1, 8):
        bench.tell(REPORT, a_claim_id(number))
        bench.tell(REVIEW, a_claim_id(number), 1, after={"intake": 1})
    bench.tell(REVIEW, CLAIM, 2, after={"intake": 1})

    await running.drain()

    assert all(bench.attempts(a_claim_id(number)) == [1, 2] for number in range(2, 8))
    assert bench.attempts(CLAIM) == []
    block = await bench.block(CLAIM)
    assert block.code == "KeyError" and block.attempts == 1 and block.due_at > bench.clock.now()
    tries = bench.toy.decided.count((CLAIM, "intake", 1))
    assert tries >= claim_queues.TRIES

    await running.drain()
    assert bench.toy.decided.count((CLAIM, "intake", 1)) == tries
    heals(bench)
    bench.clock.advance(31)
    await running.drain()

    assert bench.attempts(CLAIM) == [1, 2, 3] and await bench.block(CLAIM) is None
    assert bench.toy.decided[-3:] == [(CLAIM, "intake", 1), (CLAIM, "ops", 1), (CLAIM, "ops", 2)]


async def test_a_claim_that_keeps_failing_waits_longer_each_time_and_neighbours_due_with_it_go_on(bench: Bench) -> None:
    running = await bench.start()
    fails(bench, (CLAIM, "intake", 1), (NEIGHBOUR, "intake", 1))
    bench.tell(REPORT, CLAIM)
    bench.tell(REPORT, NEIGHBOUR)
    await running.drain()
    fails(bench, (CLAIM, "intake", 1))
    bench.clock.advance(31)

    await running.drain()

    block = await bench.block(CLAIM)
    assert block.attempts == 2 and block.due_at - bench.clock.now() == timedelta(seconds=120)
    assert bench.attempts(NEIGHBOUR) == [1]


async def test_a_fault_in_the_middle_of_a_queue_stops_there(bench: Bench) -> None:
    running = await bench.start()
    fails(bench, (CLAIM, "intake", 1))
    bench.tell(REPORT, CLAIM)
    for sequence in range(1, 7):
        bench.tell(REVIEW, CLAIM, sequence, after={"intake": 1})
    await running.drain()
    fails(bench, (CLAIM, "ops", 4))
    bench.clock.advance(31)

    await running.drain()

    assert bench.attempts(CLAIM) == [1, 2, 3, 4]
    heals(bench)
    assert await running.runner.unblock(CLAIM) == "succeeded"
    assert bench.attempts(CLAIM) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("part", ["at_prepare", "at_load"])
async def test_a_part_around_the_decision_that_fails_parks_too(bench: Bench, part: str) -> None:
    def raising(what: object) -> None:
        raise ValueError("not today")

    running = await bench.start()
    setattr(bench.toy, part, raising)
    bench.tell(REPORT, CLAIM)
    await running.drain()
    bench.clock.advance(31)
    await running.drain()

    block = await bench.block(CLAIM)
    assert (block.code, block.attempts) == ("ValueError", 2)
    setattr(bench.toy, part, lambda what: None)
    bench.clock.advance(121)
    await running.drain()
    assert bench.attempts(CLAIM) == [1]


async def test_an_event_that_is_not_the_stages_to_write_parks_its_claim(bench: Bench) -> None:
    running = await bench.start()
    bench.toy.instead = lambda event: Emit((REVIEW,)) if event.claim_id == CLAIM else None
    bench.tell(REPORT, CLAIM)
    bench.tell(REPORT, NEIGHBOUR)

    await running.drain()

    assert (await bench.block(CLAIM)).code == "ValueError" and bench.attempts(NEIGHBOUR) == [1]


async def test_a_parked_claim_behind_a_dead_letter_stays_behind_it(bench: Bench) -> None:
    running = await bench.start()
    bench.tell_raw(str(CLAIM).encode(), b"{", on_the_wire(REPORT, CLAIM)[2])
    await running.drain()

    def raising(ids: object) -> None:
        raise ValueError("not today")

    bench.toy.at_load = raising
    bench.tell(REVIEW, CLAIM)
    await running.drain()
    bench.clock.advance(7200)
    await running.drain()

    assert (await bench.block(CLAIM)).dead_letter_id == await the_letter(bench)
    assert await running.runner.unblock(CLAIM) == "failed: a dead letter blocks the claim, which is redriven or skipped"


async def test_retry_later_stores_no_answer_and_is_taken_up_when_due(bench: Bench) -> None:
    running = await bench.start()
    due = bench.clock.now() + timedelta(hours=1)
    bench.toy.instead = lambda event: RetryLater("policy-system", due) if event.writer == "intake" else None
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM)
    await running.drain()
    assert bench.attempts(CLAIM) == [] and (await bench.block(CLAIM)).due_at == due

    bench.clock.advance(3600)
    due += timedelta(hours=1)
    await running.drain()
    assert (await bench.block(CLAIM)).attempts == 2

    heals(bench)
    bench.clock.advance(3600)
    await running.drain()
    assert bench.attempts(CLAIM) == [1, 2]


async def test_a_paused_stage_takes_nothing_up(bench: Bench) -> None:
    running = await bench.start()
    fails(bench, (CLAIM, "intake", 1))
    bench.tell(REPORT, CLAIM)
    await running.drain()
    heals(bench)
    bench.clock.advance(31)
    running.runner.paused = lambda: True

    await running.drain()

    assert bench.attempts(CLAIM) == []


# ---- records that end the process


async def test_a_record_that_ends_the_process_is_isolated_at_the_third_start(bench: Bench) -> None:
    def kills(event: Input) -> Outcome | None:
        if event.claim_id == CLAIM:
            raise Crash
        return None

    bench.toy.instead = kills
    bench.tell(REPORT, NEIGHBOUR)
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM)
    for _ in range(2):
        with pytest.raises(Crash):
            await (await bench.start()).drain()

    running = await bench.start()
    await running.engine.run_dry()

    assert bench.attempts(NEIGHBOUR) == [1]
    assert (await bench.block(CLAIM)).code == PROCESS_ENDED
    bench.clock.advance(31)
    with pytest.raises(Crash):
        await running.drain()
    running = await bench.start()
    bench.clock.advance(99_999)
    await running.drain()
    assert (await bench.block(CLAIM)).due_at is None
    heals(bench)
    assert await running.runner.unblock(CLAIM) == "succeeded"
    assert bench.attempts(CLAIM) == [1, 2]


async def test_careful_running_ends_in_the_middle_of_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_runner, "CAUTIOUS_RECORDS", 2)
    for sequence in range(1, 6):
        bench.tell(REPORT, CLAIM, sequence)
    for _ in range(2):
        running = await bench.start()

    await running.engine.run_dry()

    assert bench.attempts(CLAIM) == [1, 2, 3, 4, 5]
    async with bench.store.begin() as tx:
        assert (await bench.tables().positions(tx))[place_of(CLAIM)].starts == 0


async def test_starts_are_counted_only_where_something_waits(bench: Bench) -> None:
    for _ in range(4):
        await bench.start()

    async with bench.store.begin() as tx:
        assert {held.starts for held in (await bench.tables().positions(tx)).values()} == {0}


# ---- order


async def test_a_record_out_of_turn_waits_and_is_taken_in_turn(bench: Bench) -> None:
    running = await bench.start()
    for sequence in (3, 1, 4, 2):
        bench.tell(REVIEW, CLAIM, sequence)
        await running.engine.run_dry()

    assert [sequence for _, writer, sequence in bench.toy.decided] == [1, 2, 3, 4]
    assert bench.attempts(CLAIM) == [1, 2, 3, 4]


async def test_a_record_waits_for_what_its_writer_had_applied(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(CONFIRMED, CLAIM, 1, after={"ops": 1, "notify": 9})
    bench.tell(REVIEW, CLAIM, 1, after={"intake": 1})
    await running.engine.run_dry()
    assert bench.toy.decided == [] and await running.runner.missing(CLAIM) == "intake:1"

    bench.tell(REPORT, CLAIM)
    await running.engine.run_dry()

    assert [writer for _, writer, _ in bench.toy.decided] == ["intake", "ops", "payment"]
    async with bench.store.begin() as tx:
        assert await bench.tables().standing_claims(tx, 9) == []


async def test_topics_delivered_one_after_the_other_give_the_same_order(bench: Bench) -> None:
    running = await bench.start()
    for number in range(1, 30):
        claim = a_claim_id(number)
        bench.tell(REPORT, claim)
        bench.tell(REVIEW, claim, 1, after={"intake": 1})
        bench.tell(CONFIRMED, claim, 1, after={"intake": 1, "ops": 1})

    for topic in ("claims.payment.v1", "claims.ops.v1", "claims.intake.v1"):
        for place in bench.log.places(topic):
            await running.engine.step([place])

    assert all(bench.attempts(a_claim_id(number)) == [1, 2, 3] for number in range(1, 30))


async def test_what_a_crash_left_in_turn_is_taken_up_after_the_assignment(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REVIEW, CLAIM, 2)
    bench.tell(REVIEW, CLAIM, 1)
    with crash_at("unpark.each"), pytest.raises(Crash):
        await running.engine.run_dry()

    running = await bench.start()
    await running.runner.resume_due()

    assert bench.attempts(CLAIM) == [1, 2]


async def test_a_queue_longer_than_one_read_is_taken_to_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_queues, "QUEUE_MAX", 3)
    running = await bench.start()
    fails(bench, (CLAIM, "ops", 1))
    for sequence in range(1, 11):
        bench.tell(REVIEW, CLAIM, sequence)
    await running.drain()
    heals(bench)
    bench.clock.advance(31)

    await running.drain()

    assert bench.attempts(CLAIM) == list(range(1, 11))
    async with bench.store.begin() as tx:
        assert await bench.tables().standing_claims(tx, 9) == []


async def test_a_crash_between_two_reads_of_a_long_queue_strands_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_queues, "QUEUE_MAX", 3)
    running = await bench.start()
    fails(bench, (CLAIM, "ops", 1))
    for sequence in range(1, 8):
        bench.tell(REVIEW, CLAIM, sequence)
    await running.drain()
    heals(bench)
    bench.clock.advance(31)
    with crash_at("publish.send"), pytest.raises(Crash):
        await running.drain()

    await (await bench.start()).drain()

    assert bench.attempts(CLAIM) == list(range(1, 8))


async def test_a_hole_is_skipped_and_what_waited_goes_on(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REVIEW, CLAIM, 2)
    await running.engine.run_dry()

    refused = await running.runner.skip(always, CLAIM, "ops", 2)
    outcome = await running.runner.skip(always, CLAIM, "ops", 1)

    assert refused.startswith("failed") and outcome == "succeeded"
    assert bench.attempts(CLAIM) == [1]
    bench.tell(REVIEW, CLAIM, 1)
    await running.engine.run_dry()
    assert bench.attempts(CLAIM) == [1] and bench.letters() == []


async def test_a_reused_sequence_is_a_dead_letter(bench: Bench) -> None:
    running = await bench.start()
    bench.tell(REPORT, CLAIM)
    bench.tell(REPORT, CLAIM, 1, id=event_id(an_id("another"), "intake", 0))

    await running.drain()

    ((_, why),) = bench.letters()
    assert (why["code"], why["class"]) == ("sequence-reused", "SECURITY")
    assert bench.attempts(CLAIM) == [1]


# ---- dead letters

KEY, VALUE, HEADERS = on_the_wire(REPORT, CLAIM)


def without(name: str) -> list[tuple[str, bytes]]:
    return [header for header in HEADERS if header[0] != name]


def changed(name: str, value: str) -> list[tuple[str, bytes]]:
    return [(held, value.encode() if held == name else old) for held, old in HEADERS]


POISON = {
    "undecodable": (KEY, b"{", HEADERS, "DATA"),
    "oversized": (KEY, b" " * (EVENT_BYTES_MAX + 1), HEADERS, "DATA"),
    "tombstone": (KEY, None, HEADERS, "DATA"),
    "unknown-type": (KEY, VALUE, changed("ce_type", "claimflow.ClaimReported.v2"), "DATA"),
    "missing-header": (KEY, VALUE, without("ce_id"), "DATA"),
    "bad-header": (KEY, VALUE, changed("ce_sequence", "0"), "DATA"),
    "duplicate-header": (KEY, VALUE, [*HEADERS, HEADERS[1]], "DATA"),
    "unsupported-version": (KEY, VALUE, changed("ce_specversion", "2.0"), "DATA"),
    "unsupported-content-type": (KEY, VALUE, changed("content-type", "application/x-python-serialize"), "DATA"),
    "wrong-writer": (KEY, VALUE, changed("ce_source", "claimflow/payment"), "SECURITY"),
    "key-differs-from-subject": (str(NEIGHBOUR).encode(), VALUE, HEADERS, "SECURITY"),
    "bad-key": (str(CLAIM).upper().encode(), VALUE, HEADERS, "DATA"),
}


@pytest.mark.parametrize("code", POISON)
async def test_poison_becomes_a_dead_letter_untouched_and_others_go_on(bench: Bench, code: str) -> None:
    running = await bench.start()
    key, value, headers, error_class = POISON[code]
    source = bench.tell_raw(key, value, [*headers, ("foreign", b"\xff\x00")])
    bench.tell(REPORT, a_claim_id(3))

    await running.drain()

    ((record, why),) = bench.letters()
    assert (record.key, record.value) == (key, value)
    assert list(record.headers[: len(source.headers)]) == list(source.headers)
    assert (why["code"], why["class"], why["stage"]) == (code, error_class, "assessment")
    assert why["source"] == f"{source.topic}-{source.partition}@{source.offset}"
    assert bench.attempts(a_claim_id(3)) == [1]
    async with bench.store.begin() as tx:
        letter = await bench.tables().dead_letter(tx, UUID(why["id"]))
    assert letter is not None and letter.record._replace(headers=()) == source._replace(headers=())


async def test_later_events_of_a_dead_lettered_claim_wait_until_it_is_redriven(bench: Bench) -> None:
    running = await bench.start()
    bench.toy.instead = lambda event: Reject("bad-amount") if event.writer == "intake" else None
    bench.tell(REPORT, CLAIM)
    bench.tell(REVIEW, CLAIM)
    await running.drain()
    bench.clock.advance(99_999)
    await running.drain()
    assert bench.attempts(CLAIM) == []

    first = await the_letter(bench)
    assert await running.runner.redrive(first, always) == "failed again: bad-amount"
    second = await the_letter(bench)
    assert second != first and bench.letters()[-1][1]["attempts"] == "2"
    assert await running.runner.redrive(first, always) == "nothing to redrive"
    heals(bench)
    assert await running.runner.redrive(second, always) == "succeeded"
    assert await running.runner.redrive(second, always) == "nothing to redrive"

    assert bench.attempts(CLAIM) == [1, 2]
    async with bench.store.begin() as tx:
        assert await bench.tables().open_dead_letters(tx) == 0


async def test_a_redrive_that_raises_takes_its_command_and_changes_nothing(bench: Bench) -> None:
    running = await bench.start()
    bench.toy.instead = lambda event: Reject("bad-amount")
    bench.tell(REPORT, CLAIM)
    await running.drain()
    fails(bench, (CLAIM, "intake", 1))
    letter, taken = await the_letter(bench), an_id("command")

    async def take(tx: Tx) -> bool:
        return await bench.tables().take_command(tx, taken, bench.clock.now())

    assert await running.runner.redrive(letter, take) == "failed again: KeyError"

    async with bench.store.begin() as tx:
        assert await bench.tables().new_commands(tx, [taken]) == set()
        assert await bench.tables().open_dead_letters(tx) == 1
    assert (await bench.block(CLAIM)).dead_letter_id == letter


async def test_a_command_another_process_took_does_nothing(bench: Bench) -> None:
    running = await bench.start()
    bench.tell_raw(KEY, b"{", HEADERS)
    bench.tell(REVIEW, CLAIM, 2)
    await running.drain()
    letter = await the_letter(bench)

    async def taken(tx: Tx) -> bool:
        return False

    assert await running.runner.redrive(letter, taken) == claim_queues.TAKEN
    assert await running.runner.skip(taken, dead_letter_id=letter) == claim_queues.TAKEN
    assert await running.runner.skip(taken, CLAIM, "ops", 1) == claim_queues.TAKEN
    async with bench.store.begin() as tx:
        assert await bench.tables().open_dead_letters(tx) == 1


async def test_a_dead_letter_given_up_lets_its_claim_go_on(bench: Bench) -> None:
    running = await bench.start()
    bench.tell_raw(KEY, b"{", HEADERS)
    bench.tell(REVIEW, CLAIM, 1, after={"intake": 1})
    await running.drain()

    outcome = await running.runner.skip(always, dead_letter_id=await the_letter(bench))

    assert outcome == "succeeded" and bench.attempts(CLAIM) == [1]
    assert await running.runner.skip(always, dead_letter_id=await the_letter(bench)) == "nothing to skip"


async def test_giving_up_a_forged_record_does_not_give_up_the_true_one(bench: Bench) -> None:
    running = await bench.start()
    bench.tell_raw(KEY, VALUE, changed("ce_source", "claimflow/ops"))
    await running.drain()

    await running.runner.skip(always, dead_letter_id=await the_letter(bench))
    bench.tell(REVIEW, CLAIM, 1)
    await running.drain()

    assert bench.attempts(CLAIM) == [1]


async def test_a_hole_skipped_does_not_free_a_claim_from_its_dead_letter(bench: Bench) -> None:
    running = await bench.start()
    bench.tell_raw(KEY, b"{", HEADERS)
    bench.tell(REVIEW, CLAIM, 2)
    await running.drain()

    await running.runner.skip(always, CLAIM, "ops", 1)

    assert (await bench.block(CLAIM)).dead_letter_id == await the_letter(bench)
    assert bench.attempts(CLAIM) == []


# ---- work, and two processes


async def test_work_is_ready_only_once_its_event_is_marked(bench: Bench) -> None:
    running = await bench.start()
    bench.toy.instead = lambda event: Emit((awaited(1),), (Work("look-up", {"policy": "1"}),))
    bench.tell(REPORT, CLAIM)
    woken: list[int] = []
    running.publisher.on_ready = lambda: woken.append(1)

    async def leased() -> int:
        now = bench.clock.now()
        async with bench.store.begin() as tx:
            return len(await bench.tables().lease_work(tx, "look-up", now, now + timedelta(1), UUID(int=1), 9))

    with crash_at("published.mark"), pytest.raises(Crash):
        await running.engine.run_dry()
    assert await leased() == 0 and not woken

    running = await bench.start()
    running.publisher.on_ready = lambda: woken.append(1)
    await running.engine.run_dry()
    assert await leased() == 1


async def test_work_without_an_event_is_ready_at_commit(bench: Bench) -> None:
    running = await bench.start()
    bench.toy.instead = lambda event: Nothing((Work("look-up", {}),))
    woken: list[int] = []
    running.publisher.on_ready = lambda: woken.append(1)
    bench.tell(REPORT, CLAIM)

    await running.engine.run_dry()

    assert woken and bench.answers(CLAIM) == []


async def test_two_processes_of_one_stage_never_decide_a_claim_on_stale_state(bench: Bench) -> None:
    claims = [a_claim_id(number) for number in range(1, 9)]
    left, right = bench.process(), bench.process()
    await left.engine.assign(bench.log.places("claims.intake.v1"))
    await right.engine.assign([*bench.log.places("claims.ops.v1"), *bench.log.places("claims.payment.v1")])
    for sequence in range(1, 13):
        for claim in claims:
            bench.tell(REPORT, claim, sequence)
            bench.tell(REVIEW, claim, sequence)

    await asyncio.gather(left.engine.run_dry(limit=7), right.engine.run_dry(limit=5))

    for claim in claims:
        assert bench.attempts(claim) == list(range(1, 25))
        assert [sequence for sequence, *_ in bench.answers(claim)] == list(range(1, 37))
