"""One request about a claim there is: found by id or reference, recorded, published, answered after the broker did.

What was recorded and not published is published by the retry, or by the sweeper without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from messaging import crash_points
from messaging.ports import PublishFailed, Store, Tx
from messaging.stage import Recorded
from schemas.ids import ClaimId, ClaimReferenceError, parse_reference
from services.intake.domain.reading import RefusedBody
from services.intake.domain.telling import Refusal
from services.intake.handlers.reports import FAULT, KEY_REUSED, LATE, NO_LOG, NO_STORE, REPEATS_MAX
from services.intake.ports import KeyRow, KeyRows, Publishing, Recording, RequestKey, RequestKeys

log = structlog.get_logger("intake")
T = TypeVar("T")

UNKNOWN_CLAIM = Refusal(404, "claim-unknown", "no claim of this id or reference was reported here")
_TWO_CLAIMS = Refusal(409, "reference-ambiguous", "two claims have this reference; name the claim by its id")


class Posting:
    """What requests about known claims share: their claim, their idempotency key, their way into the log."""

    def __init__(
        self,
        store: Store,
        keys: KeyRows,
        requests: RequestKeys,
        recording: Recording,
        publishing: Publishing,
        answer_seconds: float = 5.0,
    ) -> None:
        self.store = store
        self._keys, self._requests = keys, requests
        self._recording, self._publishing = recording, publishing
        self._answer_seconds = answer_seconds
        self._tasks: set[asyncio.Task[Any]] = set()

    async def claim_named(self, name: str) -> KeyRow | Refusal:
        """The claim of an id or a reference, as intake recorded it."""
        return await self.guarded(lambda: self._claim_named(name))

    async def post(
        self, key: RequestKey, record: Callable[[Tx], Awaitable[tuple[T | Refusal, list[Recorded]]]]
    ) -> T | Refusal:
        """Stores what `record` stores under the request's key, publishes its events, gives its result.

        A request that stops waiting does not stop it.
        """
        return await self._in_time(self.guarded(lambda: self._post(key, record)))

    async def is_free(self, tx: Tx, key: RequestKey) -> bool:
        """Whether the key stands for nothing else."""
        return await self._requests.find(tx, key) in (None, key.request_sha256)

    async def publish_again(self, claim: ClaimId) -> Refusal | None:
        """Publishes what of the claim was recorded and not published."""

        async def publish() -> Refusal | None:
            return await self._published(claim, None)

        return await self._in_time(self.guarded(publish))

    async def guarded(self, run: Callable[[], Awaitable[T | Refusal]]) -> T | Refusal:
        """Repeats what the database asks to repeat; its faults are answers, a refused body goes through."""
        for attempt in range(REPEATS_MAX):
            try:
                return await run()
            except RefusedBody:
                raise
            except Exception as error:
                verdict = self.store.verdict(error)
                if verdict == "repeat" and attempt + 1 < REPEATS_MAX:
                    continue
                if verdict in ("repeat", "fault") or isinstance(error, OSError):
                    log.error("a request could not be stored", exception=type(error).__name__)
                    return NO_STORE
                log.error("a request met a fault", exc_info=True)
                return FAULT
        return NO_STORE

    async def close(self) -> None:
        """Waits for what is under way; every publish has its deadline."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _claim_named(self, name: str) -> KeyRow | Refusal:
        try:
            claim = ClaimId(name)
        except ValueError:
            return await self._of_reference(name)
        async with self.store.begin() as tx:
            found = await self._keys.find(tx, [claim])
        return found.get(claim, UNKNOWN_CLAIM)

    async def _of_reference(self, name: str) -> KeyRow | Refusal:
        try:
            reference = parse_reference(name)
        except ClaimReferenceError:
            return UNKNOWN_CLAIM
        async with self.store.begin() as tx:
            found = await self._keys.find_reference(tx, reference)
        if len(found) > 1:
            return _TWO_CLAIMS
        return found[0] if found else UNKNOWN_CLAIM

    async def _post(
        self, key: RequestKey, record: Callable[[Tx], Awaitable[tuple[T | Refusal, list[Recorded]]]]
    ) -> T | Refusal:
        answers = None
        async with self.store.begin() as tx:
            if await self._requests.reserve(tx, key) != key.request_sha256:
                return KEY_REUSED
            crash_points.reach("key-row.reserved")
            result, recorded = await record(tx)
            if recorded:
                answers = await self._recording.record(tx, recorded)
            crash_points.reach("answer.commit")
        crash_points.reach("answer.committed")
        if isinstance(result, Refusal):
            return result
        failed = await self._published(key.claim_id, answers)
        return result if failed is None else failed

    async def _published(self, claim: ClaimId, answers: list[Any] | None) -> Refusal | None:
        try:
            if answers is None:
                await self._publishing.publish([claim], self._answer_seconds)
            else:
                await self._publishing.publish_answers(answers, self._answer_seconds)
        except PublishFailed:
            return NO_LOG
        return None

    async def _in_time(self, part: Coroutine[Any, Any, T | Refusal]) -> T | Refusal:
        task = asyncio.create_task(part)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=self._answer_seconds)
        return task.result() if task.done() else LATE

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        # Fetched here, or a fault would be reported as never seen when the request has gone.
        if not task.cancelled():
            task.exception()
