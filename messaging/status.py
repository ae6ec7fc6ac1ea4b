"""Tells on the status topic where a stage stands: positions and backlog, parked claims, pauses, outcomes of commands.

Compacted: the last word per thing holds, and a claim that is no longer parked is taken back with a tombstone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from messaging.control import Control
from messaging.ports import Clock, Producer, Store, Tail
from messaging.record import Outgoing, TopicPartition
from messaging.rows import Block, ClaimRow
from messaging.stage_runner import StageRunner
from messaging.tables import Tables
from schemas.control import PauseStage
from schemas.ids import ClaimId, CommandId, DeadLetterId
from schemas.status import (
    CommandOutcome,
    CommandState,
    ParkedClaim,
    PartitionStatus,
    StagePause,
    StatusRecord,
    encode_status,
    status_key,
)
from schemas.topics import status_topic

PARKED_MAX = 2_000
GROWTHS_MAX = 1_000
WAIT_ALARM = timedelta(seconds=60)


class Status:
    """One process's reports. `backlog` and `progressed_at` are what health is judged by.

    `growths`: per partition, at which ends the log was seen and when first; None for what was there before.
    """

    def __init__(
        self,
        runner: StageRunner,
        control: Control,
        tables: Tables,
        store: Store,
        producer: Producer,
        clock: Clock,
        instance: str,
    ) -> None:
        self._runner, self._control, self._tables, self._store = runner, control, tables, store
        self._producer, self._clock, self._instance = producer, clock, instance
        self._said: dict[bytes, bytes] = {}
        self._outcomes_since = clock.now() - timedelta(days=1)
        self._waiting_since: dict[ClaimId, datetime] = {}
        self._done = -1
        self.growths: dict[TopicPartition, deque[tuple[int, datetime | None]]] = {}
        self.backlog = 0
        self.progressed_at = clock.now()

    async def recall(self, tail: Tail) -> None:
        """Learns what earlier processes said of parked claims, so that it can be taken back."""
        await tail.start()
        prefix = f"parked:{self._runner.stage.name}:".encode()
        while not await tail.caught_up():
            for record in await tail.poll(0.2):
                if record.key is not None and record.key.startswith(prefix):
                    self._said[record.key] = record.value or b""
        await tail.stop()
        self._said = {key: value for key, value in self._said.items() if value}

    async def report(self) -> None:
        """Says what has changed since the last report."""
        now, sends = self._clock.now(), []
        told = {status_key(record): encode_status(record) for record in await self._records(now)}
        gone = [key for key in self._said if key.startswith(b"parked:") and key not in told and self._said[key]]
        topic = status_topic(self._runner.stage.name)
        for key, value in told.items():
            if self._said.get(key) != value:
                sends.append(Outgoing(topic, 0, key, value, ()))
        sends += [Outgoing(topic, 0, key, None, ()) for key in gone]
        if sends:
            await self._producer.send(sends, 30.0)
        for key in gone:
            del self._said[key]
        self._said.update(told)

    async def _records(self, now: datetime) -> list[StatusRecord]:
        stage = self._runner.stage.name
        positions = self._runner.positions()
        ends = await self._control.tail.ends(list(positions)) if positions else {}
        self._watch(positions, ends, now)
        waiting = {place: max(0, ends.get(place, offset) - offset) for place, offset in positions.items()}
        self.backlog = sum(waiting.values())
        if self.backlog == 0 or self._runner.records_done != self._done or self._control.paused():
            self._done, self.progressed_at = self._runner.records_done, now
        # Coarse on purpose: what has not moved is said again every ten seconds only.
        at = now.replace(microsecond=0, second=now.second // 10 * 10)
        records: list[StatusRecord] = [
            PartitionStatus(
                stage=stage,
                topic=place.topic,
                partition=place.partition,
                next_offset=offset,
                end_offset=ends.get(place),
                backlog=waiting[place],
                oldest_waiting_at=self._oldest(place) if waiting[place] else None,
                instance=self._instance,
                at=at,
            )
            for place, offset in positions.items()
        ]
        async with self._store.begin() as tx:
            standing = await self._tables.standing_claims(tx, PARKED_MAX)
            outcomes = await self._tables.command_outcomes(tx, self._outcomes_since)
        held = {row.claim_id for row, _ in standing}
        self._waiting_since = {claim: since for claim, since in self._waiting_since.items() if claim in held}
        records += [
            parked for row, waiting in standing if (parked := await self._parked(row, waiting, now)) is not None
        ]
        for command_id, outcome, detail, at in outcomes:
            applied = CommandState.applied if outcome == "succeeded" else CommandState.refused
            said = outcome if not detail else f"{outcome}: {detail}"
            records.append(
                CommandOutcome(stage=stage, command_id=CommandId(command_id), state=applied, detail=said, at=at)
            )
        order = self._control.standing
        if order is not None:
            pause = order if isinstance(order, PauseStage) and self._control.paused() else None
            records.append(
                StagePause(
                    stage=stage,
                    paused=pause is not None,
                    author=order.author,
                    reason=order.reason,
                    until=pause.until if pause else None,
                    at=order.at,
                )
            )
        return records

    def _watch(
        self, positions: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], now: datetime
    ) -> None:
        """Notes where the log has grown, and forgets what has been taken."""
        if ends:
            self.growths = {place: self.growths.get(place) or deque([(end, None)]) for place, end in ends.items()}
        for place, end in ends.items():
            grown = self.growths[place]
            if end > grown[-1][0]:
                grown.append((end, now))
            while len(grown) > 1 and grown[0][0] <= positions[place]:
                grown.popleft()
            if len(grown) > GROWTHS_MAX:
                del grown[-2]

    def _oldest(self, place: TopicPartition) -> datetime | None:
        """Since when it waits, without reading: of the batch in hand, else when it was first seen to be there."""
        in_hand = self._runner.undecided_ms(place)
        return self.growths[place][0][1] if in_hand is None else datetime.fromtimestamp(in_hand / 1000, UTC)

    async def _parked(self, row: ClaimRow, waiting: int, now: datetime) -> ParkedClaim | None:
        block = row.blocked
        if row.partition not in self._runner.owned:
            return None
        if block is None:
            first = self._waiting_since.setdefault(row.claim_id, now)
            if now - first < WAIT_ALARM:
                return None
            missing = await self._runner.missing(row.claim_id)
            block = Block(f"waits for {missing}", first, None, 0, "waiting")
        letter = DeadLetterId(block.dead_letter_id) if block.dead_letter_id else None
        return ParkedClaim(
            stage=self._runner.stage.name,
            claim_id=row.claim_id,
            reason=block.code[:200],
            fingerprint=block.fingerprint or "-",
            since=block.since,
            due_at=block.due_at,
            attempts=block.attempts,
            waiting=waiting,
            dead_letter_id=letter,
        )
