"""The payment files on PostgreSQL: one statement a table, whatever the size of the batch.

No row is locked here: every way to a claim's rows goes through the runner's lock on the claim."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from messaging.ports import Tx
from schemas.ids import ClaimId, DecisionId, InstructionId, PaymentId
from schemas.money import Money
from schemas.party import SealedParty
from schemas.payment import HoldReason, PaymentKind
from services.payment.domain.files import ClaimFile, Draw, Instruction, Payment, PaymentStatus, Reserve

_CLAIMS = text("""
    SELECT claim_id, p.reference, p.payee, r.held
      FROM unnest(CAST(:ids AS uuid[])) AS asked (claim_id)
      LEFT JOIN payees p USING (claim_id) LEFT JOIN reserves r USING (claim_id)
     WHERE p.claim_id IS NOT NULL OR r.claim_id IS NOT NULL
""")
_SELECT = """
    SELECT p.payment_id, p.claim_id, p.decision_id, p.kind, p.amount_minor, p.currency, p.status, p.decided_at,
           p.draws, p.hold_reason, i.instruction_id, i.attempt, i.end_to_end_id, i.amount_minor AS instructed_minor,
           i.bank_reference, i.refusal_code, i.settled_at
      FROM payments p LEFT JOIN instructions i ON i.instruction_id = p.instruction_id
"""
_PAYMENTS = text(f"{_SELECT} WHERE p.claim_id = ANY(CAST(:ids AS uuid[])) ORDER BY p.decided_at, p.payment_id")
_PAGE = text(f"{_SELECT} WHERE p.payment_id > :after ORDER BY p.payment_id LIMIT :limit")
_BEFORE_ALL = UUID(int=0)
_SAVE_PAYEES = text("""
    INSERT INTO payees (claim_id, reference, payee)
    SELECT * FROM unnest(CAST(:claim_id AS uuid[]), CAST(:reference AS text[]), CAST(:payee AS text[]))
    ON CONFLICT (claim_id) DO UPDATE SET reference = excluded.reference, payee = excluded.payee
""")
_SAVE_RESERVES = text("""
    INSERT INTO reserves (claim_id, held)
    SELECT * FROM unnest(CAST(:claim_id AS uuid[]), CAST(:held AS text[]))
    ON CONFLICT (claim_id) DO UPDATE SET held = excluded.held
""")
_SAVE_PAYMENTS = text("""
    INSERT INTO payments (payment_id, claim_id, decision_id, kind, amount_minor, currency, status, decided_at, draws,
                          hold_reason, instruction_id)
    SELECT * FROM unnest(CAST(:payment_id AS uuid[]), CAST(:claim_id AS uuid[]), CAST(:decision_id AS uuid[]),
                         CAST(:kind AS text[]), CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]),
                         CAST(:status AS text[]), CAST(:decided_at AS timestamptz[]), CAST(:draws AS text[]),
                         CAST(:hold_reason AS text[]), CAST(:instruction_id AS uuid[]))
    ON CONFLICT (payment_id) DO UPDATE
       SET status = excluded.status, hold_reason = excluded.hold_reason, instruction_id = excluded.instruction_id
""")
_SAVE_INSTRUCTIONS = text("""
    INSERT INTO instructions (instruction_id, payment_id, attempt, end_to_end_id, amount_minor, currency,
                              bank_reference, refusal_code, settled_at)
    SELECT * FROM unnest(CAST(:instruction_id AS uuid[]), CAST(:payment_id AS uuid[]), CAST(:attempt AS int[]),
                         CAST(:end_to_end_id AS text[]), CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]),
                         CAST(:bank_reference AS text[]), CAST(:refusal_code AS text[]),
                         CAST(:settled_at AS timestamptz[]))
    ON CONFLICT (instruction_id) DO UPDATE
       SET bank_reference = excluded.bank_reference, refusal_code = excluded.refusal_code,
           settled_at = excluded.settled_at
""")


class FileBookSql:
    """See `FileBook`."""

    async def load(self, claim_ids: Collection[ClaimId], tx: Tx) -> dict[ClaimId, ClaimFile]:
        if not claim_ids:
            return {}
        asked = {"ids": list(claim_ids)}
        payments: dict[ClaimId, list[Payment]] = {}
        for row in await tx.connection.execute(_PAYMENTS, asked):
            payments.setdefault(ClaimId(row.claim_id), []).append(_payment(row))
        files = {one: ClaimFile(one, payments=tuple(payments.get(one, ()))) for one in claim_ids}
        for row in await tx.connection.execute(_CLAIMS, asked):
            claim_id = ClaimId(row.claim_id)
            payee = SealedParty.model_validate_json(row.payee) if row.payee else None
            held = tuple(Reserve(name, Money(minor, coin)) for name, coin, minor in json.loads(row.held or "[]"))
            files[claim_id] = ClaimFile(claim_id, row.reference, payee, files[claim_id].payments, held, held)
        return files

    async def save(self, files: Sequence[ClaimFile], tx: Tx) -> None:
        named = [file for file in files if file.named and file.payee is not None]
        await _insert(
            tx,
            _SAVE_PAYEES,
            [
                {"claim_id": file.claim_id, "reference": file.reference, "payee": file.payee.model_dump_json()}
                for file in named
                if file.payee is not None
            ],
        )
        changed = [file for file in files if file.reserves != file.stored]
        held = [{"claim_id": file.claim_id, "held": _reserves_text(file.reserves)} for file in changed]
        await _insert(tx, _SAVE_RESERVES, held)
        touched = [(file.claim_id, one) for file in files for one in file.payments if one.payment_id in file.touched]
        await _insert(tx, _SAVE_PAYMENTS, [_payment_row(claim_id, payment) for claim_id, payment in touched])
        instructions = [payment.instruction for _, payment in touched if payment.instruction is not None]
        await _insert(tx, _SAVE_INSTRUCTIONS, [_instruction_row(one) for one in instructions])

    async def payments(self, tx: Tx, after: PaymentId | None, limit: int) -> list[tuple[ClaimId, Payment]]:
        rows = await tx.connection.execute(_PAGE, {"after": after or _BEFORE_ALL, "limit": limit})
        return [(ClaimId(row.claim_id), _payment(row)) for row in rows]


async def _insert(tx: Tx, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await tx.connection.execute(statement, {name: [row[name] for row in rows] for name in rows[0]})


def _reserves_text(reserves: Sequence[Reserve]) -> str:
    rows = [[one.account, one.amount.currency, one.amount.amount_minor] for one in reserves]
    return json.dumps(rows, separators=(",", ":"))


def _payment_row(claim_id: ClaimId, payment: Payment) -> dict[str, Any]:
    draws = [[one.account, one.drawn.amount_minor] for one in payment.draws]
    return {
        "payment_id": payment.payment_id,
        "claim_id": claim_id,
        "decision_id": payment.decision_id,
        "kind": payment.kind.value,
        "amount_minor": payment.amount.amount_minor,
        "currency": payment.amount.currency,
        "status": payment.status.value,
        "decided_at": payment.decided_at,
        "draws": json.dumps(draws, separators=(",", ":")),
        "hold_reason": payment.hold_reason.value if payment.hold_reason else None,
        "instruction_id": payment.instruction.instruction_id if payment.instruction else None,
    }


def _instruction_row(instruction: Instruction) -> dict[str, Any]:
    return {
        "instruction_id": instruction.instruction_id,
        "payment_id": instruction.payment_id,
        "attempt": instruction.attempt,
        "end_to_end_id": instruction.end_to_end_id,
        "amount_minor": instruction.amount.amount_minor,
        "currency": instruction.amount.currency,
        "bank_reference": instruction.bank_reference,
        "refusal_code": instruction.refusal_code,
        "settled_at": instruction.settled_at,
    }


def _payment(row: Any) -> Payment:
    currency, payment_id = row.currency, PaymentId(row.payment_id)
    instruction = None
    if row.instruction_id is not None:
        instruction = Instruction(
            InstructionId(row.instruction_id),
            payment_id,
            row.attempt,
            row.end_to_end_id,
            Money(row.instructed_minor, currency),
            row.bank_reference,
            row.refusal_code,
            row.settled_at,
        )
    return Payment(
        payment_id,
        DecisionId(row.decision_id),
        PaymentKind(row.kind),
        Money(row.amount_minor, currency),
        PaymentStatus(row.status),
        row.decided_at,
        tuple(Draw(name, Money(drawn, currency)) for name, drawn in json.loads(row.draws)),
        instruction,
        HoldReason(row.hold_reason) if row.hold_reason else None,
    )
