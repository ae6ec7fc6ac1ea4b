"""What people did, in memory: for tests and the simulation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from messaging.ports import Tx
from schemas.ids import CommandId, ReviewId, SubjectId
from services.ops.ports import AuditRow, OrderRow, ReviewRow

REVIEWS, REFERRALS, ORDERS, AUDIT = "desk_reviews", "desk_reviews_by_referral", "desk_orders", "desk_audit"


class MemoryDesk:
    """See `Desk`."""

    async def review(self, tx: Tx, review_id: ReviewId) -> ReviewRow | None:
        row: ReviewRow | None = tx.table(REVIEWS).get(review_id)
        return row

    async def add_review(self, tx: Tx, row: ReviewRow) -> bool:
        reviews, referrals = tx.table(REVIEWS), tx.table(REFERRALS)
        if row.review_id in reviews or row.referral_event_id in referrals:
            return False
        reviews[row.review_id] = row
        referrals[row.referral_event_id] = row.review_id
        return True

    async def mark_review(self, tx: Tx, review_id: ReviewId) -> None:
        reviews = tx.table(REVIEWS)
        reviews[review_id] = replace(reviews[review_id], published=True)

    async def order(self, tx: Tx, command_id: CommandId) -> OrderRow | None:
        row: OrderRow | None = tx.table(ORDERS).get(command_id)
        return row

    async def add_order(self, tx: Tx, row: OrderRow) -> None:
        orders = tx.table(ORDERS)
        if row.command_id in orders:
            raise ValueError("the order is there already")
        orders[row.command_id] = replace(row, number=len(orders) + 1, sent=False)

    async def unsent_orders(self, tx: Tx, limit: int) -> list[OrderRow]:
        unsent = [row for row in tx.table(ORDERS).values() if not row.sent]
        return sorted(unsent, key=lambda row: row.number)[:limit]

    async def mark_orders(self, tx: Tx, command_ids: Collection[CommandId]) -> None:
        orders = tx.table(ORDERS)
        for command_id in command_ids:
            orders[command_id] = replace(orders[command_id], sent=True)

    async def add_audit(self, tx: Tx, rows: Sequence[AuditRow]) -> None:
        audit = tx.table(AUDIT)
        for row in rows:
            audit[row.audit_id] = row

    async def audit_of(self, tx: Tx, subject_id: SubjectId, limit: int) -> list[AuditRow]:
        rows = [row for row in tx.table(AUDIT).values() if row.subject_id == subject_id]
        return sorted(rows, key=lambda row: (row.at, row.audit_id))[:limit]
