"""The stage's decisions and its one effect: instruct the bank.

A first try sends. Every later try asks the bank first, whatever was recorded of the earlier ones, because a process
may have ended between the bank's deed and our record; only what the bank does not know is sent, under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from messaging import crash_points
from messaging.ports import Tx
from messaging.stage import Input, WorkDone, WorkItem
from privacy.erased import Erased
from privacy.errors import SealError
from schemas.assessment import (
    AdvanceApproved,
    ClaimApproved,
    ClaimClosed,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimOutcome,
    ClaimPartlyApproved,
    ReserveSet,
)
from schemas.event import Event
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.outcomes import Nothing, Outcome
from schemas.payment import PaymentKind
from services.payment.domain.approval import BANK_INSTRUCTION, approve, decline
from services.payment.domain.bank import (
    AccountMissing,
    BankOrder,
    CreditTransfer,
    InDoubt,
    NotKnown,
    PayeeErased,
    PayeeUnreadable,
    Result,
)
from services.payment.domain.files import ClaimFile
from services.payment.domain.reserving import release, set_aside
from services.payment.domain.settlement import settle
from services.payment.ports import INQUIRIES_MAX, ORDERS_MAX, FileBook, LedgerBook, PayeeOpener, PaymentGateway

_MODELS: tuple[type[Event], ...] = (
    ClaimReported,
    ReserveSet,
    AdvanceApproved,
    ClaimApproved,
    ClaimPartlyApproved,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimClosed,
)
HANDLED: Mapping[str, type[Event]] = {model.TYPE: model for model in _MODELS}


class PaymentHandler:
    """Keeps whom to pay and what is reserved, and books and instructs what was approved."""

    def __init__(self, files: FileBook, ledger: LedgerBook) -> None:
        self._files, self._ledger = files, ledger

    async def prepare(self, inputs: Sequence[Input]) -> None:
        """Nothing from outside is needed to decide."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx, facts: object) -> dict[ClaimId, ClaimFile]:
        return await self._files.load(claim_ids, tx)

    def decide(self, state: ClaimFile, event: Input, facts: object) -> tuple[Outcome, ClaimFile]:
        data = event.data
        if isinstance(data, ClaimReported):
            return Nothing(), state.with_payee(data.reference, data.payee or data.reporter)
        if isinstance(data, ReserveSet):
            return Nothing(), set_aside(state, data.reserves, event.cause_id, event.now)
        if isinstance(data, AdvanceApproved | ClaimApproved | ClaimPartlyApproved):
            kind = PaymentKind.partial if isinstance(data, AdvanceApproved) else PaymentKind.final
            return approve(state, kind, data.decision, data.reserves, event.cause_id, event.now)
        if isinstance(data, ClaimClosed) and data.outcome is ClaimOutcome.paid:
            # A payment that the bank refused stays owed, whatever the claim is called.
            return Nothing(), release(state, event.cause_id, event.now)
        if isinstance(data, ClaimDecidedNil | ClaimDenied | ClaimClosed):
            return decline(state, event.cause_id, event.now)
        raise TypeError(f"payment does not decide about {event.type}")

    async def save(self, states: Mapping[ClaimId, ClaimFile], tx: Tx) -> None:
        await self._files.save(list(states.values()), tx)
        await self._ledger.append([transfer for file in states.values() for transfer in file.posted], tx)


class BankInstruction:
    """Work of kind `bank-instruction`, in groups as large as the bank takes."""

    kind: str = BANK_INSTRUCTION
    batch_max: int = ORDERS_MAX
    lease_seconds: float = 30
    concurrency: int = 4

    def __init__(self, gateway: PaymentGateway, payees: PayeeOpener) -> None:
        self._gateway, self._payees = gateway, payees

    async def act(self, items: Sequence[WorkItem]) -> list[Result]:
        """One result an item. Raises only if payees cannot be opened at all; then nothing was sent."""
        orders = [BankOrder.model_validate(dict(item.payload)) for item in items]
        results: dict[int, Result] = {}
        await self._inquire({n: orders[n] for n, item in enumerate(items) if item.attempt > 1}, results)
        open_ones = {n: order for n, order in enumerate(orders) if n not in results}
        transfers = await self._opened(open_ones, results)
        await self._instruct(transfers, results)
        return [results[n] for n in range(len(items))]

    def conclude(self, state: ClaimFile, done: WorkDone, now: datetime) -> tuple[Outcome, Any]:
        return settle(state, BankOrder.model_validate(dict(done.item.payload)), done.result, done.item.attempt, now)

    async def _inquire(self, asked: Mapping[int, BankOrder], results: dict[int, Result]) -> None:
        for numbers in _chunks(list(asked), INQUIRIES_MAX):
            replies = await self._gateway.inquire_many([asked[n].end_to_end_id for n in numbers])
            for n, reply in zip(numbers, replies, strict=True):
                if not isinstance(reply, NotKnown):
                    results[n] = reply

    async def _opened(self, orders: Mapping[int, BankOrder], results: dict[int, Result]) -> dict[int, CreditTransfer]:
        transfers: dict[int, CreditTransfer] = {}
        payees = await self._payees.open_each([order.payee for order in orders.values()])
        for (n, order), payee in zip(orders.items(), payees, strict=True):
            if isinstance(payee, Erased):
                results[n] = PayeeErased()
            elif isinstance(payee, SealError):
                results[n] = PayeeUnreadable()
            elif payee.account is None:
                results[n] = AccountMissing()
            else:
                transfers[n] = CreditTransfer(order.end_to_end_id, order.amount, order.reference, payee.account)
        return transfers

    async def _instruct(self, transfers: Mapping[int, CreditTransfer], results: dict[int, Result]) -> None:
        for numbers in _chunks(list(transfers), ORDERS_MAX):
            crash_points.reach("bank.send")
            replies = await self._gateway.instruct_many([transfers[n] for n in numbers])
            crash_points.reach("bank.replied")
            for n, reply in zip(numbers, replies, strict=True):
                results[n] = InDoubt() if isinstance(reply, NotKnown) else reply


def _chunks(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
