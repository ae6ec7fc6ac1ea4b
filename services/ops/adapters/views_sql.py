"""The views on PostgreSQL: one statement a table and batch, every look-up by an index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, text

from messaging.ports import Tx
from schemas.ids import ClaimId, KeyId, SubjectId
from schemas.party import SealedParty
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.timeline import KnownId, TimelineEntry
from services.ops.ports import PartyRow, ViewChanges, Who

_LOAD = text("SELECT doc::text FROM view_claims WHERE claim_id = ANY(CAST(:ids AS uuid[]))")
_SAVE = text("""
    INSERT INTO view_claims (claim_id, reference, policy_number, state, doc)
    SELECT claim_id, reference, policy_number, state, doc::json
      FROM unnest(CAST(:claim_ids AS uuid[]), CAST(:references AS text[]), CAST(:policies AS text[]),
                  CAST(:states AS text[]), CAST(:docs AS text[]))
        AS fresh (claim_id, reference, policy_number, state, doc)
    ON CONFLICT (claim_id) DO UPDATE SET reference = excluded.reference, policy_number = excluded.policy_number,
       state = excluded.state, doc = excluded.doc
""")
_ADD_EVENTS = text("""
    INSERT INTO view_events (event_id, claim_id, type, writer, sequence, cause_id, time, topic, partition, log_offset,
                             appended_at, trace_id, facts)
    SELECT event_id, claim_id, type, writer, sequence, cause_id, time, topic, partition, log_offset, appended_at,
           trace_id, facts::json
      FROM unnest(CAST(:event_id AS uuid[]), CAST(:claim_id AS uuid[]), CAST(:type AS text[]),
                  CAST(:writer AS text[]), CAST(:sequence AS bigint[]), CAST(:cause_id AS uuid[]),
                  CAST(:time AS timestamptz[]), CAST(:topic AS text[]), CAST(:partition AS int[]),
                  CAST(:offset AS bigint[]), CAST(:appended_at AS timestamptz[]), CAST(:trace_id AS text[]),
                  CAST(:facts AS text[]))
        AS fresh (event_id, claim_id, type, writer, sequence, cause_id, time, topic, partition, log_offset,
                  appended_at, trace_id, facts)
    ON CONFLICT (event_id) DO NOTHING
""")
_ADD_IDS = text("""
    INSERT INTO view_ids (id, kind, claim_id)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:kinds AS text[]), CAST(:claim_ids AS uuid[]))
    ON CONFLICT DO NOTHING
""")
_ADD_PARTIES = text("""
    INSERT INTO view_parties (claim_id, who, subject_id, key_id, box)
    SELECT * FROM unnest(CAST(:claim_ids AS uuid[]), CAST(:whos AS text[]), CAST(:subject_ids AS uuid[]),
                         CAST(:key_ids AS uuid[]), CAST(:boxes AS text[]))
    ON CONFLICT DO NOTHING
""")
_BY_REFERENCE = text("SELECT doc::text FROM view_claims WHERE reference = :reference ORDER BY claim_id LIMIT 2")
_LIST = text("""
    SELECT doc::text FROM view_claims WHERE claim_id > CAST(:after AS uuid) ORDER BY claim_id LIMIT :limit
""")
_LIST_STATE = text("""
    SELECT doc::text FROM view_claims WHERE state = :state AND claim_id > CAST(:after AS uuid)
     ORDER BY claim_id LIMIT :limit
""")
_COUNTS = text("SELECT state, count(*) AS claims FROM view_claims GROUP BY state")
_TIMELINE = text("""
    SELECT event_id, claim_id, type, writer, sequence, cause_id, time, topic, partition, log_offset, appended_at,
           trace_id, facts::text AS facts
      FROM view_events WHERE claim_id = CAST(:claim_id AS uuid)
     ORDER BY appended_at, time, sequence OFFSET :skip LIMIT :limit
""")
_PARTIES = text("""
    SELECT claim_id, who, subject_id, key_id, box FROM view_parties WHERE claim_id = CAST(:claim_id AS uuid)
     ORDER BY who DESC
""")
_LOOK_UP = text("""
    (SELECT 'policy' AS kind, claim_id FROM view_claims WHERE policy_number = :text ORDER BY claim_id LIMIT :limit)
    UNION ALL
    (SELECT kind, claim_id FROM view_ids WHERE id = :text ORDER BY claim_id, kind LIMIT :limit)
""")
_LOOK_UP_UUID = text("""
    SELECT 'event' AS kind, claim_id FROM view_events WHERE event_id = CAST(:id AS uuid)
    UNION ALL SELECT 'claim', claim_id FROM view_claims WHERE claim_id = CAST(:id AS uuid)
    UNION ALL (SELECT 'subject', claim_id FROM view_parties WHERE subject_id = CAST(:id AS uuid)
                ORDER BY claim_id LIMIT :limit)
""")
_NIL = UUID(int=0)
_ENTRY_FIELDS = ("event_id", "claim_id", "type", "writer", "sequence", "cause_id", "time", "topic", "partition")
_ENTRY_TAIL = ("offset", "appended_at", "trace_id")


class SqlViews:
    """See `Views`. Rows are guarded by the runner's own lock on the claim."""

    async def load(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, ClaimView]:
        found = await self._docs(tx, _LOAD, {"ids": list(claim_ids)})
        return {view.claim_id: view for view in found}

    async def save(self, tx: Tx, changes: ViewChanges) -> None:
        await self._save_claims(tx, changes.claims)
        await self._add_entries(tx, changes.entries)
        if changes.ids:
            columns = {
                "ids": [one.id for one in changes.ids],
                "kinds": [one.kind for one in changes.ids],
                "claim_ids": [one.claim_id for one in changes.ids],
            }
            await tx.connection.execute(_ADD_IDS, columns)
        if changes.parties:
            sealed = [one.sealed for one in changes.parties]
            columns = {
                "claim_ids": [one.claim_id for one in changes.parties],
                "whos": [one.who for one in changes.parties],
                "subject_ids": [one.subject_id for one in sealed],
                "key_ids": [one.key_id for one in sealed],
                "boxes": [one.box for one in sealed],
            }
            await tx.connection.execute(_ADD_PARTIES, columns)

    async def by_reference(self, tx: Tx, reference: str) -> list[ClaimView]:
        return await self._docs(tx, _BY_REFERENCE, {"reference": reference})

    async def listed(self, tx: Tx, state: str | None, after: ClaimId | None, limit: int) -> list[ClaimView]:
        bounds = {"after": after or _NIL, "limit": limit}
        if state is None:
            return await self._docs(tx, _LIST, bounds)
        return await self._docs(tx, _LIST_STATE, {**bounds, "state": state})

    async def counts(self, tx: Tx) -> dict[str, int]:
        return {row.state: row.claims for row in await tx.connection.execute(_COUNTS)}

    async def timeline(self, tx: Tx, claim_id: ClaimId, skip: int, limit: int) -> list[TimelineEntry]:
        bounds = {"claim_id": claim_id, "skip": skip, "limit": limit}
        return [_entry(row) for row in await tx.connection.execute(_TIMELINE, bounds)]

    async def parties(self, tx: Tx, claim_id: ClaimId) -> list[PartyRow]:
        return [_party(row) for row in await tx.connection.execute(_PARTIES, {"claim_id": claim_id})]

    async def look_up(self, tx: Tx, text: str, limit: int) -> list[KnownId]:
        rows = list(await tx.connection.execute(_LOOK_UP, {"text": text, "limit": limit}))
        as_uuid = _uuid(text)
        if as_uuid is not None:
            rows += list(await tx.connection.execute(_LOOK_UP_UUID, {"id": as_uuid, "limit": limit}))
        found = {KnownId(text, kind, ClaimId(claim_id)) for kind, claim_id in rows}
        return sorted(found, key=lambda one: (one.claim_id, one.kind))[:limit]

    async def drop(self, tx: Tx) -> None:
        await tx.connection.execute(text("TRUNCATE view_claims, view_events, view_ids, view_parties"))

    async def _docs(self, tx: Tx, statement: Any, values: dict[str, Any]) -> list[ClaimView]:
        return [ClaimView.model_validate_json(doc) for (doc,) in await tx.connection.execute(statement, values)]

    async def _save_claims(self, tx: Tx, views: Sequence[ClaimView]) -> None:
        if not views:
            return
        columns = {
            "claim_ids": [view.claim_id for view in views],
            "references": [view.reference for view in views],
            "policies": [view.policy_number for view in views],
            "states": [view.state for view in views],
            "docs": [view.model_dump_json(exclude_none=True) for view in views],
        }
        await tx.connection.execute(_SAVE, columns)

    async def _add_entries(self, tx: Tx, entries: Iterable[TimelineEntry]) -> None:
        entries = list(entries)
        if not entries:
            return
        columns: dict[str, list[Any]] = {
            name: [getattr(entry, name) for entry in entries] for name in (*_ENTRY_FIELDS, *_ENTRY_TAIL)
        }
        columns["facts"] = [json.dumps(entry.facts, separators=(",", ":")) for entry in entries]
        await tx.connection.execute(_ADD_EVENTS, columns)


def _entry(row: Row[Any]) -> TimelineEntry:
    *values, log_offset, appended_at, trace_id, facts = tuple(row)
    known = dict(zip(_ENTRY_FIELDS, values, strict=True))
    known["claim_id"] = ClaimId(known["claim_id"])
    return TimelineEntry(
        **known, offset=log_offset, appended_at=appended_at, trace_id=trace_id, facts=json.loads(facts)
    )


def _party(row: Row[Any]) -> PartyRow:
    sealed = SealedParty(subject_id=SubjectId(row.subject_id), key_id=KeyId(row.key_id), box=row.box)
    return PartyRow(ClaimId(row.claim_id), cast(Who, row.who), sealed)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
