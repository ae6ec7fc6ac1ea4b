"""The payment files in memory: the same rules as on PostgreSQL, for simulation and fast tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from messaging.ports import Tx
from schemas.ids import ClaimId, PaymentId
from services.payment.domain.files import ClaimFile, Payment

FILES = "payment_files"


class FileBookMemory:
    """See `FileBook`."""

    async def load(self, claim_ids: Collection[ClaimId], tx: Tx) -> dict[ClaimId, ClaimFile]:
        held = tx.table(FILES)
        return {claim_id: held.get(claim_id) or ClaimFile(claim_id) for claim_id in claim_ids}

    async def save(self, files: Sequence[ClaimFile], tx: Tx) -> None:
        held = tx.table(FILES)
        for file in files:
            held[file.claim_id] = replace(file, stored=file.reserves, touched=frozenset(), named=False, posted=())

    async def payments(self, tx: Tx, after: PaymentId | None, limit: int) -> list[tuple[ClaimId, Payment]]:
        every = [(file.claim_id, payment) for file in tx.table(FILES).values() for payment in file.payments]
        every.sort(key=lambda one: one[1].payment_id)
        return [one for one in every if after is None or one[1].payment_id > after][:limit]
