"""The ledger on PostgreSQL. The database itself refuses what is unbalanced, posted twice, changed or taken out."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId, LedgerTransferId
from services.payment.domain.ledger import Transfer
from services.payment.ports import LedgerLine

_TRANSFERS = text("""
    INSERT INTO ledger_transfers (transfer_id, claim_id, purpose, postings, booked_at)
    SELECT * FROM unnest(CAST(:transfer_id AS uuid[]), CAST(:claim_id AS uuid[]), CAST(:purpose AS text[]),
                         CAST(:postings AS int[]), CAST(:booked_at AS timestamptz[]))
""")
_POSTINGS = text("""
    INSERT INTO ledger_postings (transfer_id, account, currency, amount_minor)
    SELECT * FROM unnest(CAST(:transfer_id AS uuid[]), CAST(:account AS text[]), CAST(:currency AS text[]),
                         CAST(:amount_minor AS bigint[]))
""")
_TOTALS = text("SELECT account, currency, sum(amount_minor) AS total FROM ledger_postings GROUP BY account, currency")
_STATEMENT = text("""
    SELECT t.transfer_id, t.claim_id, t.purpose, p.account, p.currency, p.amount_minor
      FROM ledger_transfers t JOIN ledger_postings p USING (transfer_id)
     WHERE t.claim_id = :claim_id
     ORDER BY t.number, p.account COLLATE "C", p.currency COLLATE "C"
""")
_UNBALANCED = text("""
    SELECT transfer_id
      FROM ledger_transfers t LEFT JOIN ledger_postings p USING (transfer_id)
     GROUP BY transfer_id, t.postings HAVING count(p.account) <> t.postings
    UNION
    SELECT transfer_id FROM ledger_postings GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0
    UNION
    SELECT transfer_id FROM ledger_postings p
     WHERE NOT EXISTS (SELECT FROM ledger_transfers t WHERE t.transfer_id = p.transfer_id)
    ORDER BY transfer_id
""")


class LedgerBookSql:
    """See `LedgerBook`."""

    async def append(self, transfers: Sequence[Transfer], tx: Tx) -> None:
        if not transfers:
            return
        await tx.connection.execute(
            _TRANSFERS,
            {
                "transfer_id": [one.transfer_id for one in transfers],
                "claim_id": [one.claim_id for one in transfers],
                "purpose": [one.purpose.value for one in transfers],
                "postings": [len(one.postings) for one in transfers],
                "booked_at": [one.booked_at for one in transfers],
            },
        )
        postings = [(transfer.transfer_id, posting) for transfer in transfers for posting in transfer.postings]
        await tx.connection.execute(
            _POSTINGS,
            {
                "transfer_id": [transfer_id for transfer_id, _ in postings],
                "account": [posting.account for _, posting in postings],
                "currency": [posting.amount.currency for _, posting in postings],
                "amount_minor": [posting.amount.amount_minor for _, posting in postings],
            },
        )

    async def totals(self, tx: Tx) -> dict[tuple[str, str], int]:
        rows = await tx.connection.execute(_TOTALS)
        return {(row.account, row.currency): int(row.total) for row in rows}

    async def statement(self, claim_id: ClaimId, tx: Tx) -> list[LedgerLine]:
        rows = await tx.connection.execute(_STATEMENT, {"claim_id": claim_id})
        return [
            LedgerLine(
                LedgerTransferId(row.transfer_id),
                ClaimId(row.claim_id),
                row.purpose,
                row.account,
                row.currency,
                row.amount_minor,
            )
            for row in rows
        ]

    async def unbalanced(self, tx: Tx) -> list[LedgerTransferId]:
        return [LedgerTransferId(row.transfer_id) for row in await tx.connection.execute(_UNBALANCED)]
