"""Payment for tests: a stepped clock, the simulated bank in process, and the whole stage on a log in memory.

`PaymentHouse` runs the very handlers of the service; `restart` forgets everything a process forgets.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from messaging.arrival import Decoder
from messaging.ports import Store
from messaging.publishing import Publisher
from messaging.record import Outgoing, partition_of
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from messaging.stores.tables_memory import MemoryTables
from messaging.stores.tables_sql import SqlTables
from messaging.tables import Tables
from messaging.work import Dispatcher
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer
from schemas.assessment import ClaimOutcome
from schemas.decision import Decision, ReserveLine
from schemas.event import Event, decode
from schemas.ids import ClaimId, SubjectId
from schemas.outcomes import Outcome
from schemas.party import Account, Party, SealedParty
from schemas.payment import PaymentKind
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.payment.adapters.files_memory import FileBookMemory
from services.payment.adapters.files_sql import FileBookSql
from services.payment.adapters.ledger_memory import LedgerBookMemory
from services.payment.adapters.ledger_sql import LedgerBookSql
from services.payment.adapters.payment_gateway_http import order_on_the_wire, replies_in
from services.payment.app import payment_stage
from services.payment.domain.approval import approve
from services.payment.domain.bank import BankOrder, BankReply, CreditTransfer, InDoubt, NotSent
from services.payment.domain.files import ClaimFile
from services.payment.ports import FileBook, LedgerBook, PaymentGateway
from simulators.bank.book import Book
from tests.builders.events import (
    REPORTED_AT,
    a_claim_approved,
    a_claim_closed,
    a_claim_id,
    a_claim_reported,
    a_decision,
    a_reserve_set,
    an_advance_approved,
    an_id,
    on_the_wire,
)

PARTITIONS = 2
Fate = Literal["answered", "lost before", "lost after", "busy"]


class SteppedClock:
    """Moves only when told to, or when somebody sleeps."""

    def __init__(self, start: datetime = REPORTED_AT) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        self._now += by

    def monotonic(self) -> float:
        return (self._now - REPORTED_AT).total_seconds()


class BankInProcess:
    """The simulator's book behind the port, without sockets. `fate` says what becomes of each request."""

    def __init__(self, clock: SteppedClock, book: Book | None = None) -> None:
        self.book = book or Book()
        self.executed: list[str] = []
        self.fate: Callable[[], Fate] = lambda: "answered"
        self._clock = clock

    async def instruct_many(self, orders: Sequence[CreditTransfer]) -> list[BankReply]:
        fate = self.fate()
        if fate == "busy":
            return [NotSent(timedelta(seconds=3))] * len(orders)
        if fate == "lost before":
            return [InDoubt()] * len(orders)
        answers, fresh = self.book.execute([order_on_the_wire(order) for order in orders], self._clock.now())
        self.executed += [entry.end_to_end_id for entry in fresh if entry.status == "executed"]
        ids = [order.end_to_end_id for order in orders]
        return [InDoubt()] * len(orders) if fate == "lost after" else self._read(answers, ids)

    async def inquire_many(self, end_to_end_ids: Sequence[str]) -> list[BankReply]:
        if self.fate() != "answered":
            return [InDoubt()] * len(end_to_end_ids)
        return self._read([self.book.inquire(one) for one in end_to_end_ids], end_to_end_ids)

    def _read(self, answers: list[dict[str, Any]], ids: Sequence[str]) -> list[BankReply]:
        replies = replies_in(json.dumps({"results": answers}).encode(), ids)
        assert replies is not None
        return list(replies)


def a_party(name: str = "Ada Example", **changes: Any) -> Party:
    """A person with an account at a bank."""
    account = Account(holder=name, account_number="000123456789", bank_code="021000021", country="US")
    fields: dict[str, Any] = {"name": name, "email": "ada@example.org", "account": account}
    return Party(**fields | changes)


def an_order(file: ClaimFile, **changes: Any) -> BankOrder:
    """The order of the file's newest instruction, as its work row holds it."""
    instruction = next(one.instruction for one in reversed(file.payments) if one.instruction is not None)
    assert file.payee is not None and file.reference is not None
    fields: dict[str, Any] = {
        "payment_id": instruction.payment_id,
        "end_to_end_id": instruction.end_to_end_id,
        "attempt": instruction.attempt,
        "amount": instruction.amount,
        "reference": file.reference,
        "payee": file.payee,
    }
    return BankOrder(**fields | changes)


def approved(
    file: ClaimFile,
    decision: Decision | None = None,
    reserves: Sequence[ReserveLine] | None = None,
    kind: PaymentKind = PaymentKind.final,
) -> tuple[Outcome, ClaimFile]:
    """The file after an approval, by default from a reserve of just what is payable."""
    decision = decision or a_decision()
    lines = a_claim_approved(decision).reserves if reserves is None else reserves
    return approve(file, kind, decision, lines, an_id(f"approval of {decision.decision_id}"), REPORTED_AT)


class PaymentHouse:
    """The payment stage over a log and a store in memory, stepped by hand."""

    def __init__(
        self,
        gateway: PaymentGateway | None = None,
        clock: SteppedClock | None = None,
        sealer: Sealer | None = None,
        database: SqlStore | None = None,
    ) -> None:
        """Over the store in memory, or over a migrated PostgreSQL database."""
        self.clock = clock or SteppedClock()
        self.bank = BankInProcess(self.clock)
        self.sealer = sealer or memory_sealer(random.Random(7).randbytes)
        self.memory, self.database = MemoryStore(), database
        self.store: Store = database or self.memory
        self.log = MemoryLog(PARTITIONS, self.clock)
        self.files: FileBook = FileBookSql() if database else FileBookMemory()
        self.ledger: LedgerBook = LedgerBookSql() if database else LedgerBookMemory()
        self.gateway = gateway or self.bank
        self._tokens = random.Random(11)
        self._sequences: dict[tuple[ClaimId, str], int] = {}
        self.engine: MemoryEngine
        self.runner: StageRunner
        self.dispatcher: Dispatcher
        self.stage: Stage

    async def restart(self) -> None:
        """A new process over the same database and log."""
        self.stage = payment_stage(self.files, self.ledger, self.gateway, self.sealer)
        tables: Tables = SqlTables(self.stage.name) if self.database else MemoryTables(self.stage.name)
        publisher = Publisher(tables, self.store, self.log.producer(), self.clock)
        decoder = Decoder(self.stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        self.runner = runner = StageRunner(
            self.stage, tables, self.store, publisher, self.log.info(), decoder, self.clock, PARTITIONS
        )
        self.dispatcher = Dispatcher(self.stage, tables, self.store, publisher, self.clock, PARTITIONS, self._token)
        self.engine = self.log.engine(runner)
        await self.engine.start()

    def _token(self) -> UUID:
        return UUID(int=self._tokens.getrandbits(128), version=4)

    async def sealed(self, party: Party | None = None, name: str = "reporter") -> SealedParty:
        """The party as it travels, sealed with a key of its own."""
        [sealed] = await self.sealer.seal_many([(SubjectId(an_id(f"subject:{name}")), party or a_party())])
        assert isinstance(sealed, SealedParty)
        return sealed

    def tell(self, event: Event, claim: ClaimId | None = None, **envelope: Any) -> None:
        """Appends the event to its writer's topic, next in its claim's sequence."""
        claim = claim or a_claim_id()
        sequence = self._sequences[claim, event.WRITER] = self._sequences.get((claim, event.WRITER), 0) + 1
        key, value, headers = on_the_wire(event, claim, sequence, **envelope)
        self.log.append(Outgoing(topic_of(event.WRITER), partition_of(key, PARTITIONS), key, value, headers))

    async def report_and_approve(self, count: int = 1, payable: str = "1200.00", party: Party | None = None) -> None:
        """Claims 1 to `count`, each reported and approved."""
        payee = await self.sealed(party)
        for number in range(1, count + 1):
            claim = a_claim_id(number)
            self.tell(a_claim_reported(claim, reporter=payee), claim)
            decision = a_decision(payable, name=f"decision-{number}")
            self.tell(a_claim_approved(decision), claim, after={"intake": 1})

    async def report_and_reserve(self, number: int = 1, reserve: str = "900.00", party: Party | None = None) -> None:
        """The claim reported, and its reserve set at registration."""
        claim = a_claim_id(number)
        self.tell(a_claim_reported(claim, reporter=await self.sealed(party)), claim)
        self.tell(a_reserve_set(reserve), claim, after={"intake": 1})

    def tell_of_advance(self, number: int = 1, payable: str = "300.00", reserve: str = "900.00") -> None:
        """An advance approved, of the claim whose reserve then is `reserve`."""
        advance = an_advance_approved(a_decision(payable, name=f"advance-{number}"), reserve)
        self.tell(advance, a_claim_id(number), after={"intake": 1})

    def tell_of_approval(self, number: int = 1, payable: str = "700.00", name: str = "decision") -> None:
        """The whole approved, from a reserve of just that."""
        approval = a_claim_approved(a_decision(payable, name=f"{name}-{number}"))
        self.tell(approval, a_claim_id(number), after={"intake": 1})

    def tell_of_close(self, number: int = 1, outcome: ClaimOutcome = ClaimOutcome.paid) -> None:
        self.tell(a_claim_closed(outcome=outcome, paid=None), a_claim_id(number), after={"intake": 1})

    async def settle(self, steps_max: int = 60) -> None:
        """Takes in what is on the log and carries out work until nothing is pending, letting time pass."""
        [effect] = self.stage.effects
        for _ in range(steps_max):
            await self.engine.run_dry()
            await self.runner.resume_due()
            while await self.dispatcher.step(effect):
                pass
            if not await self.pending() and not await self.engine.step():
                return
            self.clock.advance(timedelta(seconds=61))
        raise AssertionError(f"still pending after {steps_max} rounds")

    async def pending(self) -> int:
        """Work rows that are left."""
        async with self.store.begin() as tx:
            if self.database:
                return int(await tx.connection.scalar(text("SELECT count(*) FROM runner_work")))
            return len(tx.table(f"runner_work:{self.stage.name}"))

    async def file(self, claim: ClaimId | None = None) -> ClaimFile:
        async with self.store.begin() as tx:
            return (await self.files.load([claim or a_claim_id()], tx))[claim or a_claim_id()]

    async def totals(self) -> dict[tuple[str, str], int]:
        async with self.store.begin() as tx:
            return {account: amount for account, amount in (await self.ledger.totals(tx)).items() if amount}

    def told(self, kind: type[Event] | None = None) -> list[Any]:
        """Payment's events as they lie on the log, each id once: a late second copy is no second event."""
        by_id: dict[bytes, Event] = {}
        for record in self.log.records(topic_of("payment")):
            headers = dict(record.headers)
            assert record.value is not None
            event = decode(headers["ce_type"].decode(), record.value)
            assert by_id.setdefault(headers["ce_id"], event) == event
        return [event for event in by_id.values() if kind is None or isinstance(event, kind)]


@asynccontextmanager
async def a_payment_house(**options: Any) -> AsyncIterator[PaymentHouse]:
    """A house that has started."""
    house = PaymentHouse(**options)
    await house.restart()
    yield house
    await house.engine.stop()
