"""Record, publish, mark: takes submissions, stores key and event in one transaction, answers after the broker did.

Concurrent submissions share transactions. A key tells one claim once, whatever crashes and whoever repeats: a
submission that was recorded and not published is published by its retry.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from messaging import crash_points
from messaging.ports import Clock, PublishFailed, Store, Tx
from messaging.stage import Input, Recorded
from schemas.event import EventTooLargeError
from schemas.ids import ClaimId
from schemas.outcomes import ErrorClass, Outcome, Reject
from schemas.party import SealedParty
from services.intake.domain.reading import Submission
from services.intake.domain.telling import Receipt, Refusal, cause_of, claim_reported, people_of, receipt_of
from services.intake.ports import Backlog, KeyRow, KeyRows, Publishing, Recording, Sealing

log = structlog.get_logger("intake")
REPEATS_MAX = 3
STORING_MAX = 2
RETRY_SECONDS = 2
BACKLOG_SECONDS = 2.0

KEY_REUSED = Refusal(422, "idempotency-key-reused", "the idempotency key stands for another body")
_KEY_IN_USE = Refusal(409, "idempotency-key-in-use", "another request with this key is under way", RETRY_SECONDS)
ERASED = Refusal(422, "person-erased", "a person of this claim was erased; report under another key")
_TOO_LARGE = Refusal(413, "report-too-large", "the report is larger than an event may be")
LATE = Refusal(503, "not-acknowledged", "the log did not acknowledge in time; repeat with the same key", RETRY_SECONDS)
NO_LOG = Refusal(503, "log-unavailable", "the log is unavailable; repeat with the same key", RETRY_SECONDS)
NO_STORE = Refusal(503, "store-unavailable", "the store is unavailable; repeat with the same key", RETRY_SECONDS)
FAULT = Refusal(500, "internal-fault", "the report met a fault of ours; nothing was taken")

Result = Receipt | Refusal


class ReadsNothing:
    """The handler of a stage that reads no topic: whatever reaches it is a fault in the wiring."""

    async def prepare(self, inputs: Sequence[Input]) -> None:
        return None

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, None]:
        return dict.fromkeys(claim_ids)

    def decide(self, state: None, event: Input, facts: None) -> tuple[Outcome, None]:
        return Reject("intake-reads-nothing", error_class=ErrorClass.BUG), None

    async def save(self, states: Any, tx: Tx) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """See `IntakeSettings`."""

    unpublished_max: int = 5_000
    answer_seconds: float = 5.0
    group_rows: int = 250
    group_seconds: float = 0.002


@dataclass(slots=True)
class _Pending:
    """A submission on its way. `result` is set once; a request that stops waiting does not stop it."""

    submission: Submission
    deadline: float
    result: asyncio.Future[Result]

    def settle(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)


@dataclass(slots=True)
class _Stored:
    """What a transaction did: submissions told now, with their answers, and those that had been recorded before."""

    fresh: list[_Pending] = field(default_factory=list)
    before: list[_Pending] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    rows: dict[ClaimId, KeyRow] = field(default_factory=dict)


class Intake:
    """Takes submissions of one process. Several processes share one database safely."""

    def __init__(
        self,
        store: Store,
        keys: KeyRows,
        sealing: Sealing,
        recording: Recording,
        publishing: Publishing,
        backlog: Backlog,
        clock: Clock,
        status_url: str,
        limits: Limits | None = None,
    ) -> None:
        self._store, self._keys, self._sealing, self._clock = store, keys, sealing, clock
        self._recording, self._publishing, self._backlog = recording, publishing, backlog
        self._status_url, self._limits = status_url, limits or Limits()
        self._waiting: deque[_Pending] = deque()
        self._live: dict[ClaimId, _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing, self._gathering, self._unpublished = 0, False, 0

    @property
    def unpublished(self) -> int:
        """Stored events that wait for the broker, as far as this process knows."""
        return self._unpublished

    def overloaded(self) -> bool:
        """True while too many stored events wait for the broker: then nothing new is stored."""
        return self._unpublished >= self._limits.unpublished_max

    async def submit(self, submissions: Sequence[Submission], patience: float = 1.0) -> list[Result]:
        """A result for each, in order, within `patience` times the time an answer may take."""
        seconds = self._limits.answer_seconds * patience
        deadline = asyncio.get_running_loop().time() + seconds
        waits = [self._enter(submission, deadline) for submission in submissions]
        futures = {wait for wait in waits if isinstance(wait, asyncio.Future)}
        self._gather()
        if futures:
            await asyncio.wait(futures, timeout=seconds)
        return [_result(wait) for wait in waits]

    async def watch_backlog(self) -> None:
        """Counts for ever what waits to be published, other processes' and earlier lives' events too."""
        while True:
            try:
                self._unpublished = await self._backlog.count(self._limits.unpublished_max)
            except Exception as error:
                if self._store.verdict(error) not in ("fault", "repeat") and not isinstance(error, OSError):
                    raise
                log.warning("the backlog could not be counted", exception=type(error).__name__)
            await self._clock.sleep(BACKLOG_SECONDS)

    async def close(self) -> None:
        """Waits for what is under way; every publish has its deadline."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _enter(self, submission: Submission, deadline: float) -> asyncio.Future[Result] | Refusal:
        live = self._live.get(submission.claim_id)
        if live is not None:
            same = live.submission.body_sha256 == submission.body_sha256
            return live.result if same else _KEY_IN_USE
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        pending = _Pending(submission, deadline, result)
        self._live[submission.claim_id] = pending
        result.add_done_callback(lambda done: self._leave(submission.claim_id, done))
        self._waiting.append(pending)
        return result

    def _leave(self, claim: ClaimId, done: asyncio.Future[Result]) -> None:
        self._live.pop(claim, None)
        # Fetched here, or a fault would be reported as never seen when the request has gone.
        if not done.cancelled():
            done.exception()

    def _gather(self) -> None:
        """Starts a group after a moment for company, unless one is about to start or enough are being stored."""
        if self._waiting and not self._gathering and self._storing < STORING_MAX:
            self._gathering = True
            self._spawn(self._start_groups())

    async def _start_groups(self) -> None:
        try:
            if self._limits.group_seconds and len(self._waiting) < self._limits.group_rows:
                await self._clock.sleep(self._limits.group_seconds)
        finally:
            self._gathering = False
        while self._waiting and self._storing < STORING_MAX:
            count = min(len(self._waiting), self._limits.group_rows)
            group = [self._waiting.popleft() for _ in range(count)]
            self._storing += 1
            self._spawn(self._carry(group))

    def _spawn(self, part: Any) -> None:
        task = asyncio.create_task(part)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, group: list[_Pending]) -> None:
        """One group from the queue to its answers. Whatever happens, every submission of it is settled."""
        try:
            try:
                stored = await self._store_in_parts(self._in_time(group))
            finally:
                self._storing -= 1
                self._gather()
            await asyncio.gather(*(self._publish(one) for one in stored))
        except BaseException as error:
            for pending in group:
                if not pending.result.done():
                    pending.result.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _in_time(self, group: list[_Pending]) -> list[_Pending]:
        """Those whose clients still wait; for the others nothing is stored."""
        now = asyncio.get_running_loop().time()
        for pending in group:
            if pending.deadline <= now:
                pending.settle(LATE)
        return [pending for pending in group if not pending.result.done()]

    async def _store_in_parts(self, group: list[_Pending]) -> list[_Stored]:
        """Stores the group; one that cannot be stored is found by halving and refused alone."""
        if not group:
            return []
        for attempt in range(REPEATS_MAX):
            try:
                return [await self._store_group(group)]
            except Exception as error:
                verdict = self._store.verdict(error)
                if verdict == "repeat" and attempt + 1 < REPEATS_MAX:
                    continue
                if verdict in ("repeat", "fault") or isinstance(error, OSError):
                    log.error("a group could not be stored", rows=len(group), exception=type(error).__name__)
                    _settle(group, NO_STORE)
                    return []
                if len(group) == 1 and isinstance(error, EventTooLargeError):
                    _settle(group, _TOO_LARGE)
                    return []
                if len(group) == 1:
                    log.error("a report could not be stored", claim_id=str(group[0].submission.claim_id), exc_info=True)
                    _settle(group, FAULT)
                    return []
                break
        half = len(group) // 2
        return [*await self._store_in_parts(group[:half]), *await self._store_in_parts(group[half:])]

    async def _store_group(self, group: list[_Pending]) -> _Stored:
        boxes = await self._seal(group)
        crash_points.reach("parties.sealed")
        now = self._clock.now()
        rows = [self._row(pending, now) for pending in group if boxes[pending.submission.claim_id] is not None]
        stored = _Stored(rows={row.claim_id: row for row in rows})
        async with self._store.begin() as tx:
            fresh = await self._keys.reserve(tx, rows)
            others = [one.submission.claim_id for one in group if one.submission.claim_id not in fresh]
            stored.rows.update(await self._keys.find(tx, others) if others else {})
            crash_points.reach("key-row.reserved")
            recorded = []
            for pending in group:
                sealed = boxes[pending.submission.claim_id]
                if pending.submission.claim_id in fresh and sealed is not None:
                    stored.fresh.append(pending)
                    recorded.append(_recorded(pending.submission, sealed, now))
                else:
                    stored.before.append(pending)
            if recorded:
                stored.answers = await self._recording.record(tx, recorded)
            crash_points.reach("answer.commit")
        crash_points.reach("answer.committed")
        self._unpublished += len(stored.answers)
        return stored

    async def _seal(self, group: list[_Pending]) -> dict[ClaimId, list[SealedParty] | None]:
        """The sealed people of each submission in the order of `people_of`; None where one was erased."""
        people = [people_of(pending.submission) for pending in group]
        boxes = iter(await self._sealing.seal_many([person for each in people for person in each]))
        found: dict[ClaimId, list[SealedParty] | None] = {}
        for pending, each in zip(group, people, strict=True):
            mine = [next(boxes) for _ in each]
            sealed = [box for box in mine if isinstance(box, SealedParty)]
            found[pending.submission.claim_id] = sealed if len(sealed) == len(mine) else None
        return found

    def _row(self, pending: _Pending, now: datetime) -> KeyRow:
        submission = pending.submission
        status_url = f"{self._status_url}/v1/claims/{submission.claim_id}"
        return KeyRow(submission.claim_id, submission.client, submission.key, submission.body_sha256, status_url, now)

    async def _publish(self, stored: _Stored) -> None:
        """Publishes and marks; for what was recorded before, whatever of it is unmarked."""
        again = [pending for pending in stored.before if self._same(pending, stored.rows)]
        await asyncio.gather(
            self._published(stored.fresh, stored, stored.answers),
            self._published(again, stored, None),
        )

    def _same(self, pending: _Pending, rows: dict[ClaimId, KeyRow]) -> bool:
        submission, row = pending.submission, rows.get(pending.submission.claim_id)
        if row is None:
            pending.settle(ERASED)
            return False
        mine = (submission.client, submission.key, submission.body_sha256)
        if mine != (row.client, row.key, row.body_sha256):
            pending.settle(KEY_REUSED)
            return False
        return True

    async def _published(self, group: list[_Pending], stored: _Stored, answers: list[Any] | None) -> None:
        if not group:
            return
        left = max(pending.deadline for pending in group) - asyncio.get_running_loop().time()
        try:
            if answers is None:
                await self._publishing.publish([one.submission.claim_id for one in group], max(left, 0.05))
            else:
                await self._publishing.publish_answers(answers, max(left, 0.05))
                self._unpublished = max(0, self._unpublished - len(answers))
        except PublishFailed:
            _settle(group, NO_LOG)
        except Exception as error:
            # A producer that can never succeed again ends the process by the sweeper, which meets it within seconds.
            if self._store.verdict(error) not in ("repeat", "fault") and not isinstance(error, OSError):
                log.error("a group could not be published", rows=len(group), exc_info=True)
            _settle(group, NO_STORE)
        for pending in group:
            claim = pending.submission.claim_id
            pending.settle(receipt_of(claim, stored.rows[claim].status_url))


def _recorded(submission: Submission, sealed: list[SealedParty], now: datetime) -> Recorded:
    event = claim_reported(submission, sealed, now)
    claim = submission.claim_id
    return Recorded(claim, cause_of(claim), (event,), traceparent=submission.traceparent)


def _settle(group: Collection[_Pending], result: Result) -> None:
    for pending in group:
        pending.settle(result)


def _result(wait: asyncio.Future[Result] | Refusal) -> Result:
    if isinstance(wait, Refusal):
        return wait
    return wait.result() if wait.done() else LATE
