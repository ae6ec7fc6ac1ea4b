"""How the stages stand, as their status topics say it: the last word per key, bounded, nothing guessed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from schemas.status import (
    CommandOutcome,
    ParkedClaim,
    PartitionStatus,
    StagePause,
    StatusRecord,
    decode_status,
    status_key,
)
from schemas.topics import STAGES

RECORDS_MAX = 50_000
OUTCOMES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class StageStanding:
    """One stage: whether it holds, how much waits, since when, and who works."""

    stage: str
    pause: StagePause | None
    partitions: tuple[PartitionStatus, ...]
    parked: int

    @property
    def backlog(self) -> int:
        return sum(one.backlog for one in self.partitions)

    @property
    def oldest_waiting_at(self) -> datetime | None:
        return min((one.oldest_waiting_at for one in self.partitions if one.oldest_waiting_at), default=None)

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(sorted({one.instance for one in self.partitions}))

    @property
    def reported_at(self) -> datetime | None:
        return max((one.at for one in self.partitions), default=None)

    def paused_at(self, now: datetime) -> bool:
        """A pause that has ended by itself holds no more, whether or not the stage has said so yet."""
        pause = self.pause
        return pause is not None and pause.paused and (pause.until is None or now < pause.until)


class StageBoard:
    """Folds status records. Beyond its bounds it stops taking new things and says how many it left out."""

    def __init__(self) -> None:
        self._records: dict[bytes, StatusRecord] = {}
        self._outcomes: OrderedDict[bytes, CommandOutcome] = OrderedDict()
        self.unreadable = 0
        self.left_out = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """One record of a status topic; a null value takes back what was said under the key."""
        if key is None:
            self.unreadable += 1
            return
        if value is None:
            self._records.pop(key, None)
            self._outcomes.pop(key, None)
            return
        try:
            record = decode_status(value)
        except ValidationError:
            self.unreadable += 1
            return
        if status_key(record) != key:
            self.unreadable += 1
        elif isinstance(record, CommandOutcome):
            self._outcomes[key] = record
            self._outcomes.move_to_end(key)
            if len(self._outcomes) > OUTCOMES_MAX:
                self._outcomes.popitem(last=False)
        elif key not in self._records and len(self._records) >= RECORDS_MAX:
            self.left_out += 1
        else:
            self._records[key] = record

    def stages(self) -> list[StageStanding]:
        """Every stage of the system, whether it has reported or not."""
        return [self.stage(name) for name in STAGES]

    def stage(self, name: str) -> StageStanding:
        mine = [one for one in self._records.values() if one.stage == name]
        partitions = sorted(
            (one for one in mine if isinstance(one, PartitionStatus)), key=lambda one: (one.topic, one.partition)
        )
        pause = next((one for one in mine if isinstance(one, StagePause)), None)
        parked = sum(isinstance(one, ParkedClaim) for one in mine)
        return StageStanding(name, pause, tuple(partitions), parked)

    def parked(self, stage: str | None, limit: int) -> list[ParkedClaim]:
        """Claims that stand still, longest first."""
        found = [
            one
            for one in self._records.values()
            if isinstance(one, ParkedClaim) and (stage is None or one.stage == stage)
        ]
        return sorted(found, key=lambda one: (one.since, one.claim_id))[:limit]

    def outcome(self, stage: str, command_id: object) -> CommandOutcome | None:
        return self._outcomes.get(f"command:{stage}:{command_id}".encode())
