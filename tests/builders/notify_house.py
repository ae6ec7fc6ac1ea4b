"""The whole notify stage over a log, a store and a key ring in memory: restarted at will, stepped by hand."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from messaging.arrival import Decoder
from messaging.publishing import Publisher
from messaging.record import Outgoing, partition_of
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog
from messaging.stores.store_memory import MemoryStore
from messaging.stores.tables_memory import MemoryTables
from messaging.work import Dispatcher
from privacy.wiring import memory_sealer_with_ring
from schemas.event import Event, decode
from schemas.ids import ClaimId, DecisionId, SubjectId
from schemas.notify import NoticeFailed, NoticeSent
from schemas.party import Party, SealedParty
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.notify.adapters.memory_channel import MemoryMailbox
from services.notify.app import memory_notify_stage
from services.notify.domain.rules import Rules
from services.notify.ports import MailChannel
from tests.builders.events import (
    a_claim_approved,
    a_claim_id,
    a_claim_reported,
    a_decision,
    a_payment_confirmed,
    a_payment_instructed,
    an_id,
    on_the_wire,
)
from tests.builders.notices import a_party
from tests.builders.stages import SteppedClock

PARTITIONS = 4


class Running:
    """One process of the stage."""

    def __init__(self, house: NotifyHouse) -> None:
        stage: Stage = memory_notify_stage(house.store, house.sealer, house.channel, house.rules, batch_max=10)
        tables = MemoryTables("notify")
        self.publisher = Publisher(tables, house.store, house.log.producer(), house.clock)
        decoder = Decoder(stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        self.runner = StageRunner(
            stage, tables, house.store, self.publisher, house.log.info(), decoder, house.clock, PARTITIONS
        )
        self.dispatcher = Dispatcher(stage, tables, house.store, self.publisher, house.clock, PARTITIONS, uuid4)
        self.engine: MemoryEngine = house.log.engine(self.runner)
        self.effects = stage.effects


class NotifyHouse:
    """Everything that outlives a process of notify. `channel` None: the mail channel is off."""

    def __init__(self, channel: MailChannel | str | None = "memory", rules: Rules | None = None) -> None:
        self.clock = SteppedClock()
        self.store = MemoryStore()
        self.log = MemoryLog(PARTITIONS, self.clock)
        self.sealer, self.ring = memory_sealer_with_ring(random.Random(11).randbytes)
        self.mailbox = MemoryMailbox(self.clock.now)
        self.channel = self.mailbox if isinstance(channel, str) else channel
        self.rules = rules
        self._sequences: Counter[tuple[ClaimId, str]] = Counter()
        self._subjects = itertools.count(1)
        self.running = Running(self)

    async def restart(self) -> None:
        """A new process; leases of the old one have run out."""
        self.clock.advance(200)
        self.running = Running(self)
        await self.running.engine.start()

    async def settle(self, rounds: int = 20) -> None:
        """Takes in everything there is, and carries out what is due, until nothing moves."""
        for _ in range(rounds):
            moved = await self.running.engine.run_dry()
            await self.running.runner.resume_due()
            for effect in self.running.effects:
                moved += await self.running.dispatcher.step(effect)
            if not moved:
                return
        raise AssertionError("notify does not come to rest")

    def tell(self, event: Event, claim: ClaimId | None = None, **envelope: Any) -> None:
        """Appends the next event of its writer for the claim."""
        claim = claim or a_claim_id()
        self._sequences[claim, event.WRITER] += 1
        self.tell_at(event, claim, self._sequences[claim, event.WRITER], **envelope)

    def tell_at(self, event: Event, claim: ClaimId, sequence: int, **envelope: Any) -> None:
        """Appends an event under a sequence number of its writer."""
        key, value, headers = on_the_wire(event, claim, sequence, **envelope)
        self.log.append(Outgoing(topic_of(event.WRITER), partition_of(key, PARTITIONS), key, value, headers))

    def tell_again(self) -> None:
        """Appends a second copy of every record that others wrote."""
        for writer in ("intake", "assessment", "payment"):
            for record in self.log.records(topic_of(writer)):
                self.log.append(Outgoing(record.topic, record.partition, record.key, record.value, record.headers))

    async def reporter(self, party: Party | None = None) -> SealedParty:
        """A sealed reporter, each with a key of its own."""
        subject = SubjectId(an_id(f"person:{next(self._subjects)}"))
        [box] = await self.sealer.seal_many([(subject, party or a_party())])
        assert isinstance(box, SealedParty)
        return box

    async def report(self, number: int = 1, language: str = "en", party: Party | None = None) -> SealedParty:
        """Claim number `number` is reported; its reporter."""
        claim = a_claim_id(number)
        box = await self.reporter(party)
        self.tell(a_claim_reported(claim, reporter=box, language=language), claim)
        return box

    def approve(self, number: int = 1) -> None:
        self.tell(a_claim_approved(a_decision(name=f"decision:{number}")), a_claim_id(number), after={"intake": 1})

    def instruct(self, number: int = 1) -> None:
        event = a_payment_instructed(f"payment:{number}", decision_id=DecisionId(an_id(f"decision:{number}")))
        self.tell(event, a_claim_id(number), after={"intake": 1, "assessment": 1})

    def confirm(self, number: int = 1) -> None:
        event = a_payment_confirmed(f"payment:{number}")
        self.tell(event, a_claim_id(number), after={"intake": 1, "assessment": 1})

    def told(self) -> list[NoticeSent | NoticeFailed]:
        """What notify told, second copies left out, by claim in sequence; a copy that differs fails."""
        seen: dict[UUID, tuple[bytes | None, tuple[tuple[str, bytes], ...]]] = {}
        found: list[NoticeSent | NoticeFailed] = []
        for record in self.log.records(topic_of("notify")):
            headers = dict(record.headers)
            event_id = UUID(headers["ce_id"].decode())
            copy = (record.value, tuple(record.headers))
            if event_id not in seen:
                event = decode(headers["ce_type"].decode(), record.value or b"")
                assert isinstance(event, NoticeSent | NoticeFailed)
                found.append(event)
            assert seen.setdefault(event_id, copy) == copy
        return found

    def mails(self) -> Counter[str]:
        """How often each Message-ID was accepted by the mailbox in memory."""
        return Counter(kept.mail.message_id for kept in self.mailbox.kept)


def kinds_told(told: Sequence[NoticeSent | NoticeFailed]) -> list[str]:
    return [event.kind.value for event in told]
