"""Drafts on PostgreSQL: table `drafts` of intake's own database. People stand in it sealed only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from messaging.ports import Tx
from schemas.party import SealedParty
from services.intake.domain.checks import Fault
from services.intake.domain.drafts import DraftId, DraftRow, Submitted

_COLUMNS = (
    "draft_id", "number", "client", "request_sha256", "body", "people", "given", "missing", "created_missing",
    "version", "created_at", "expires_at", "submitted_at", "body_sha256", "warnings",
)  # fmt: skip
_JSON = frozenset({"body", "people", "given", "missing", "created_missing", "warnings"})
_VALUES = ", ".join(f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}" for name in _COLUMNS)
_ADD = text(f"""
    INSERT INTO drafts ({", ".join(_COLUMNS)}) VALUES ({_VALUES}) ON CONFLICT DO NOTHING RETURNING draft_id
""")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM drafts"
_FIND = text(f"{_SELECT} WHERE draft_id = :name")
_FIND_NUMBER = text(f"{_SELECT} WHERE number = :name")
_REPLACE = text(f"""
    UPDATE drafts SET ({", ".join(_COLUMNS)}) = ROW({_VALUES})
     WHERE draft_id = :draft_id AND version = :known RETURNING draft_id
""")
_PURGE = text("""
    DELETE FROM drafts WHERE draft_id IN (
        SELECT draft_id FROM drafts WHERE expires_at < :before ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING draft_id
""")


class SqlDraftRows:
    """See `DraftRows`."""

    async def add(self, tx: Tx, row: DraftRow) -> DraftRow | None:
        if (await tx.connection.execute(_ADD, _written(row))).first() is not None:
            return None
        # A statement of its own: only a new snapshot sees a row that another process just committed.
        return await self.find(tx, row.draft_id)

    async def find(self, tx: Tx, name: DraftId | str) -> DraftRow | None:
        statement = _FIND if isinstance(name, DraftId) else _FIND_NUMBER
        found = (await tx.connection.execute(statement, {"name": name})).first()
        return None if found is None else _read(found)

    async def replace(self, tx: Tx, row: DraftRow, version: int) -> bool:
        done = await tx.connection.execute(_REPLACE, _written(row) | {"known": version})
        return done.first() is not None

    async def purge(self, tx: Tx, before: datetime, limit: int) -> int:
        return len((await tx.connection.execute(_PURGE, {"before": before, "limit": limit})).all())


def _written(row: DraftRow) -> dict[str, Any]:
    submitted = row.submitted
    values: dict[str, Any] = {
        "body": row.body,
        "people": {name: box.model_dump(mode="json") for name, box in row.people.items()},
        "given": row.given,
        "missing": row.missing,
        "created_missing": row.created_missing,
        "warnings": None if submitted is None else submitted.warnings,
    }
    found = {name: None if value is None else json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    return found | {
        "draft_id": row.draft_id,
        "number": row.number,
        "client": row.client,
        "request_sha256": row.request_sha256,
        "version": row.version,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "submitted_at": None if submitted is None else submitted.at,
        "body_sha256": None if submitted is None else submitted.body_sha256,
    }


def _read(found: Any) -> DraftRow:
    row = dict(zip(_COLUMNS, found, strict=True))
    submitted = None
    if row["submitted_at"] is not None:
        submitted = Submitted(row["submitted_at"], bytes(row["body_sha256"]), _faults(row["warnings"]))
    return DraftRow(
        draft_id=DraftId(row["draft_id"]),
        number=row["number"],
        client=row["client"],
        request_sha256=bytes(row["request_sha256"]),
        body=row["body"],
        people={name: SealedParty.model_validate_json(json.dumps(box)) for name, box in row["people"].items()},
        given={name: tuple(parts) for name, parts in row["given"].items()},
        missing=_faults(row["missing"]),
        created_missing=_faults(row["created_missing"]),
        version=row["version"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        submitted=submitted,
    )


def _faults(rows: Sequence[Sequence[Any]]) -> tuple[Fault, ...]:
    return tuple(Fault(*row) for row in rows)
