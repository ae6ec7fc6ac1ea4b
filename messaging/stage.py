"""What a service gives the runner: a stage with its handler and its effects.

The handler's four parts and an effect's two are all a service writes; storing, publishing, ordering,
retrying and acknowledging are the runner's. None of the parts publishes, sleeps, reads a clock or makes an id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import BaseModel

from messaging.ports import Tx
from schemas.event import Event
from schemas.ids import ClaimId
from schemas.outcomes import Outcome, Work


class Source(NamedTuple):
    """Where in the log an input lies, and when the broker appended it (milliseconds since 1970, UTC)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(slots=True)
class Input:
    """One cause to decide about: an event from the log, in turn for its claim; `caused_by` is its own cause.

    Never changed once made: not frozen, for speed.
    """

    cause_id: UUID
    claim_id: ClaimId
    type: str
    data: Any
    time: datetime
    now: datetime
    writer: str
    sequence: int
    source: Source | None = None
    traceparent: str | None = None
    caused_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A leased work row. `attempt` counts from 1 over all leases; `payload` is plain JSON."""

    work_id: UUID
    kind: str
    claim_id: ClaimId
    payload: Mapping[str, Any]
    attempt: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What came of one item: whatever the effect's `act` returned for it."""

    item: WorkItem
    result: Any


class Handler(Protocol):
    """A stage's four small parts; S is the service's state of one claim, F the facts of one batch."""

    async def prepare(self, inputs: Sequence[Input]) -> Any:
        """Fetch what the batch's decisions need from outside, many in one call under one deadline.

        Must not raise because an answer is slow or missing: what did not come is a state.
        """

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: Any) -> dict[ClaimId, Any]:
        """Read and lock rows in id order; a state for every id, a fresh one if unknown.

        `facts` are the batch's, as `prepare` gave them; None where work is concluded.
        """

    def decide(self, state: Any, event: Input, facts: Any) -> tuple[Outcome, Any]:
        """Pure: the outcome and the next state; the very state that was given if nothing of it changed."""

    async def save(self, states: Mapping[ClaimId, Any], tx: Tx) -> None:
        """Write the changed states in one statement a table."""


class Effect(Protocol):
    """One kind of work row: an effect outside Kafka and SQL, carried out under a lease.

    `act` may run again for the same item after a crash, so it carries an idempotency key from the payload.
    """

    kind: str
    batch_max: int
    lease_seconds: float
    concurrency: int

    async def act(self, items: Sequence[WorkItem]) -> Sequence[Any]:
        """One result per item, in order. Raising means: all items again later, with back-off."""

    def conclude(self, state: Any, done: WorkDone, now: datetime) -> tuple[Outcome, Any]:
        """Pure. Emit and Nothing finish the row; RetryLater keeps it for `when`; Reject is a bug: the row waits long.

        A changed state is saved with each of these, so a doubt can be remembered before the next try.
        """


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: one consumer group of one name, one stage per process.

    `handles` maps the types it decides about to their models; other registered types count as seen by header.
    `reads` names writers; `writer` is whose topic its events go to.
    """

    name: str
    writer: str
    reads: tuple[str, ...]
    handles: Mapping[str, type[BaseModel]]
    handler: Handler
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events to be stored without an event as their cause: a request, a click, a callback."""

    claim_id: ClaimId
    cause_id: UUID
    events: tuple[Event, ...]
    work: tuple[Work, ...] = ()
    after: Mapping[str, int] | None = None
    traceparent: str | None = None
