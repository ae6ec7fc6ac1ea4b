"""What people did, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

from sqlalchemy import Row, text

from messaging.ports import Tx
from schemas.ids import ClaimId, CommandId, EventId, ReviewId, SubjectId
from services.ops.ports import AuditRow, OrderRow, ReviewRow

_REVIEW = text("""
    SELECT review_id, claim_id, referral_event_id, person_id, request_hash, answer, recorded_at, published
      FROM desk_reviews WHERE review_id = CAST(:id AS uuid)
""")
_ADD_REVIEW = text("""
    INSERT INTO desk_reviews (review_id, claim_id, referral_event_id, person_id, request_hash, answer, recorded_at)
    VALUES (:review_id, :claim_id, :referral_event_id, :person_id, :request_hash, :answer, :recorded_at)
    ON CONFLICT DO NOTHING RETURNING review_id
""")
_MARK_REVIEW = text("UPDATE desk_reviews SET published = true WHERE review_id = CAST(:id AS uuid)")
_ORDERS = "SELECT number, command_id, request_hash, doc, recorded_at, sent FROM desk_orders"
_ORDER = text(f"{_ORDERS} WHERE command_id = CAST(:id AS uuid)")
_UNSENT = text(f"{_ORDERS} WHERE NOT sent ORDER BY number LIMIT :limit")
_ADD_ORDER = text("""
    INSERT INTO desk_orders (command_id, request_hash, doc, recorded_at)
    VALUES (:command_id, :request_hash, :doc, :recorded_at)
""")
_MARK_ORDERS = text("UPDATE desk_orders SET sent = true WHERE command_id = ANY(CAST(:ids AS uuid[]))")
_ADD_AUDIT = text("""
    INSERT INTO desk_audit (audit_id, action, claim_id, subject_id, person_id, reason, at)
    VALUES (:audit_id, :action, :claim_id, :subject_id, :person_id, :reason, :at)
""")
_AUDIT = text("""
    SELECT audit_id, action, claim_id, subject_id, person_id, reason, at FROM desk_audit
     WHERE subject_id = CAST(:id AS uuid) ORDER BY at, audit_id LIMIT :limit
""")


class SqlDesk:
    """See `Desk`."""

    async def review(self, tx: Tx, review_id: ReviewId) -> ReviewRow | None:
        row = (await tx.connection.execute(_REVIEW, {"id": review_id})).first()
        return None if row is None else _review(row)

    async def add_review(self, tx: Tx, row: ReviewRow) -> bool:
        values = {
            "review_id": row.review_id,
            "claim_id": row.claim_id,
            "referral_event_id": row.referral_event_id,
            "person_id": row.person_id,
            "request_hash": row.request_hash,
            "answer": row.answer,
            "recorded_at": row.recorded_at,
        }
        return (await tx.connection.execute(_ADD_REVIEW, values)).first() is not None

    async def mark_review(self, tx: Tx, review_id: ReviewId) -> None:
        await tx.connection.execute(_MARK_REVIEW, {"id": review_id})

    async def order(self, tx: Tx, command_id: CommandId) -> OrderRow | None:
        row = (await tx.connection.execute(_ORDER, {"id": command_id})).first()
        return None if row is None else _order(row)

    async def add_order(self, tx: Tx, row: OrderRow) -> None:
        values = {
            "command_id": row.command_id,
            "request_hash": row.request_hash,
            "doc": row.order,
            "recorded_at": row.recorded_at,
        }
        await tx.connection.execute(_ADD_ORDER, values)

    async def unsent_orders(self, tx: Tx, limit: int) -> list[OrderRow]:
        return [_order(row) for row in await tx.connection.execute(_UNSENT, {"limit": limit})]

    async def mark_orders(self, tx: Tx, command_ids: Collection[CommandId]) -> None:
        await tx.connection.execute(_MARK_ORDERS, {"ids": list(command_ids)})

    async def add_audit(self, tx: Tx, rows: Sequence[AuditRow]) -> None:
        if rows:
            values = [{name: getattr(row, name) for name in AuditRow.__slots__} for row in rows]
            await tx.connection.execute(_ADD_AUDIT, values)

    async def audit_of(self, tx: Tx, subject_id: SubjectId, limit: int) -> list[AuditRow]:
        return [_audit(row) for row in await tx.connection.execute(_AUDIT, {"id": subject_id, "limit": limit})]


def _review(row: Row[Any]) -> ReviewRow:
    return ReviewRow(
        ReviewId(row.review_id),
        ClaimId(row.claim_id),
        EventId(row.referral_event_id),
        row.person_id,
        row.request_hash,
        row.answer,
        row.recorded_at,
        row.published,
    )


def _order(row: Row[Any]) -> OrderRow:
    return OrderRow(row.number, CommandId(row.command_id), row.request_hash, bytes(row.doc), row.recorded_at, row.sent)


def _audit(row: Row[Any]) -> AuditRow:
    return AuditRow(
        row.audit_id,
        cast(Literal["erase", "unmask"], row.action),
        ClaimId(row.claim_id) if row.claim_id else None,
        SubjectId(row.subject_id) if row.subject_id else None,
        row.person_id,
        row.reason,
        row.at,
    )
