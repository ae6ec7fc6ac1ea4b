"""The views stage: every event of every writer becomes a change of its claim's view and a line of its timeline.

It emits nothing, so the views may be dropped and built again from the topics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from messaging import crash_points
from messaging.ports import Tx
from messaging.stage import Input, Stage
from schemas.assessment import ClaimRegistered
from schemas.event import Event, registered_types
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.model import Code, Model, Privacy
from schemas.outcomes import Nothing, Outcome
from schemas.topics import READS
from services.ops.domain.claim_view import ClaimView, Told, fold, fresh_view
from services.ops.domain.timeline import KnownId, TimelineEntry, facts_of, ids_of
from services.ops.ports import PartyRow, ViewChanges, Views

STAGE = "ops-views"


class PolicySeen(Model):
    """What the views keep of a policy: reading its whole terms would cost more than everything else about the event."""

    version_id: Annotated[Code, Privacy.internal]


class RegisteredSeen(ClaimRegistered):
    """ClaimRegistered as the views read it."""

    policy: Annotated[PolicySeen, Privacy.internal]  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class ClaimState:
    """A claim's view with what this batch adds to it."""

    view: ClaimView
    entries: tuple[TimelineEntry, ...] = ()
    ids: tuple[KnownId, ...] = ()
    parties: tuple[PartyRow, ...] = ()


class Projection:
    """The handler of the views stage."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def prepare(self, inputs: Sequence[Input]) -> None:
        return None

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, ClaimState]:
        known = await self._views.load(tx, claim_ids)
        return {claim_id: ClaimState(known.get(claim_id) or fresh_view(claim_id)) for claim_id in claim_ids}

    def decide(self, state: ClaimState, event: Input, facts: None) -> tuple[Outcome, ClaimState]:
        data: Event = event.data
        told = Told(event.cause_id, event.writer, event.sequence, event.time, data)
        return Nothing(), ClaimState(
            fold(state.view, told),
            (*state.entries, _entry(event)),
            (*state.ids, *ids_of(event.claim_id, data)),
            (*state.parties, *_parties(event)),
        )

    async def save(self, states: Mapping[ClaimId, ClaimState], tx: Tx) -> None:
        changed = states.values()
        await self._views.save(
            tx,
            ViewChanges(
                claims=[state.view for state in changed],
                entries=[entry for state in changed for entry in state.entries],
                ids=[known for state in changed for known in state.ids],
                parties=[party for state in changed for party in state.parties],
            ),
        )
        crash_points.reach("view.commit")


def views_stage(views: Views) -> Stage:
    """The stage that reads all five writers. Of the policy on a claim it reads only the version."""
    handles = dict(registered_types()) | {ClaimRegistered.TYPE: RegisteredSeen}
    return Stage(name=STAGE, writer="ops", reads=READS["ops"], handles=handles, handler=Projection(views))


def _entry(event: Input) -> TimelineEntry:
    source = event.source
    if source is None or event.caused_by is None:
        raise ValueError("a view is made from events of the log only")
    return TimelineEntry(
        event_id=event.cause_id,
        claim_id=event.claim_id,
        type=event.type,
        writer=event.writer,
        sequence=event.sequence,
        cause_id=event.caused_by,
        time=event.time,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        appended_at=datetime.fromtimestamp(source.timestamp_ms / 1000, UTC),
        trace_id=event.traceparent.split("-")[1] if event.traceparent else None,
        facts=facts_of(event.data),
    )


def _parties(event: Input) -> list[PartyRow]:
    data = event.data
    if not isinstance(data, ClaimReported):
        return []
    rows = [PartyRow(event.claim_id, "reporter", data.reporter)]
    return rows if data.payee is None else [*rows, PartyRow(event.claim_id, "payee", data.payee)]
