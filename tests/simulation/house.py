"""Every service of claimflow in one process: the real handlers and the real runner over a log and stores in memory.

A service lives until something cuts it; then everything in its memory is gone, and the next life starts from its
store. Nothing runs by itself: the driver says who does what next.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from messaging import crash_points
from messaging.arrival import Decoder
from messaging.ports import PublishFailed
from messaging.publishing import Publisher, Recorder
from messaging.record import Outgoing, TopicPartition
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog
from messaging.stores.store_memory import CommitUnknown, MemoryStore
from messaging.stores.tables_memory import MemoryTables
from messaging.work import Dispatcher
from privacy.wiring import memory_sealer
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.assessment.app import memory_assessment_stage
from services.intake.adapters.paper_store import memory_paper_store
from services.intake.app import Desks, intake_stage, memory_desks, memory_intake
from services.intake.handlers.reports import Intake, Limits
from services.notify.adapters.memory_repository import MemoryClaimRepository
from services.notify.adapters.text_files import load_letters
from services.notify.adapters.text_files import load_rules as load_notice_rules
from services.notify.app import notify_stage
from services.ops.adapters.desk_memory import MemoryDesk
from services.ops.adapters.views_memory import MemoryViews
from services.ops.app import ops_desk_stage, ops_views_stage
from services.ops.handlers.reviewing import Reviewer
from services.payment.adapters.files_memory import FileBookMemory
from services.payment.adapters.ledger_memory import LedgerBookMemory
from services.payment.app import payment_stage
from tests.builders.events import REPORTED_AT
from tests.simulation.outside import Faults, SimBank, SimClock, SimMail, SimPolicyBook

PARTITIONS = 3
LETTERS, RULES = load_letters(), load_notice_rules()


class Cut(BaseException):
    """The process ends here. Nothing of ours catches it."""


ENDS = (Cut, PublishFailed, CommitUnknown)
"""What ends a life, as it would end a process: a kill, a broker that did not answer, a commit of unknown outcome."""


@dataclass(slots=True)
class Life:
    """The parts of a stage that a process has in memory."""

    publisher: Publisher
    recorder: Recorder
    runner: StageRunner | None
    engine: MemoryEngine | None
    dispatcher: Dispatcher


@dataclass(slots=True)
class Member:
    """A stage with its store; `life` None: it is down."""

    stage: Stage
    store: MemoryStore
    life: Life | None = None
    lives: int = 0


class House:
    """All stages of one simulated installation."""

    def __init__(self, chance: random.Random, faults: Faults) -> None:
        self.chance, self.faults = chance, faults
        self.calm = False
        self.clock = SimClock(REPORTED_AT)
        self.log = MemoryLog(PARTITIONS, self.clock)
        self.sealer = memory_sealer(chance.randbytes)
        self.bank = SimBank(self.clock, chance, faults)
        self.mail = SimMail(self.clock, chance, faults)
        self.book = SimPolicyBook(chance, faults)
        self.ledger, self.views = LedgerBookMemory(), MemoryViews()
        stores = {name: MemoryStore(self._at_commit) for name in WRITERS}
        stages = (
            intake_stage(),
            memory_assessment_stage(self.book),
            payment_stage(FileBookMemory(), self.ledger, self.bank, self.sealer),
            notify_stage(MemoryClaimRepository(), stores["notify"], self.sealer, self.mail, LETTERS, RULES),
            ops_views_stage(self.views),
            ops_desk_stage(),
        )
        self.members = {stage.name: Member(stage, stores[stage.writer]) for stage in stages}
        self.intake: Intake | None = None
        self.desks: Desks | None = None
        self.papers = memory_paper_store()
        self.reviewer: Reviewer | None = None
        self.reached: set[str] = set()
        crash_points.arm("*", self._maybe_cut)

    # ---- faults

    def _happens(self, rate: float) -> bool:
        return not self.calm and self.chance.random() < rate

    def _maybe_cut(self, point: str) -> None:
        self.reached.add(point)
        if self._happens(self.faults.crash):
            raise Cut(point)

    def _at_commit(self, moment: Literal["before", "after"]) -> None:
        if self._happens(self.faults.commit_unknown / 2):
            raise CommitUnknown(moment)

    def _producer_fault(self, sends: Sequence[Outgoing]) -> int | None:
        return self.chance.randrange(len(sends) + 1) if self._happens(self.faults.publish_cut) else None

    def new_id(self) -> UUID:
        return UUID(bytes=self.chance.randbytes(16), version=4)

    # ---- lives

    async def live(self, name: str) -> Life:
        """The member's present life, a new one if it is down."""
        member = self.members[name]
        if member.life is not None:
            return member.life
        stage, store, tables = member.stage, member.store, MemoryTables(name)
        publisher = Publisher(tables, store, self.log.producer(self._producer_fault), self.clock)
        recorder = Recorder(stage, tables, self.clock, PARTITIONS)
        dispatcher = Dispatcher(stage, tables, store, publisher, self.clock, PARTITIONS, self.new_id)
        runner = engine = None
        if stage.reads:
            decoder = Decoder(stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
            runner = StageRunner(stage, tables, store, publisher, self.log, decoder, self.clock, PARTITIONS)
            engine = self.log.engine(runner)
            await engine.start()
        member.life = Life(publisher, recorder, runner, engine, dispatcher)
        member.lives += 1
        if name == "intake":
            self.intake = memory_intake(
                store, tables, self.sealer, recorder, publisher, self.clock, Limits(group_seconds=0, answer_seconds=60)
            )
            self.desks = memory_desks(
                self.intake, store, self.sealer, recorder, publisher, self.clock, self.papers, answer_seconds=60
            )
        if name == "ops-desk":
            self.reviewer = Reviewer(store, self.views, MemoryDesk(), recorder, publisher, self.clock, self.new_id)
        return member.life

    def end(self, name: str) -> None:
        self.members[name].life = None

    # ---- what a member may do next

    async def deliver(self, name: str) -> int:
        """One batch, from all partitions or from some, perhaps with records it has had before."""
        engine = (await self.live(name)).engine
        assert engine is not None
        places: list[TopicPartition] | None = None
        if self._happens(self.faults.reorder):
            places = self.chance.sample(sorted(engine.next), self.chance.randrange(1, len(engine.next) + 1))
        if self._happens(self.faults.redelivery):
            for place in sorted(engine.next):
                engine.next[place] = self.chance.randrange(engine.next[place] + 1)
        return await engine.step(places, limit=self.chance.choice((1, 3, 50)))

    async def dispatch(self, name: str) -> int:
        """A group of each kind of work."""
        life = await self.live(name)
        return sum([await life.dispatcher.step(effect) for effect in self.members[name].stage.effects])

    async def keep_house(self, name: str) -> int:
        """Sweeps what is stored and unpublished, and takes up claims whose time has come."""
        life = await self.live(name)
        swept = await life.publisher.sweep(life.runner.owned if life.runner else None)
        return swept + (await life.runner.resume_due() if life.runner else 0)

    async def unpark(self, name: str) -> int:
        """A person has the claims tried again that wait for one, since a record of theirs was there at several cuts."""
        member, runner = self.members[name], (await self.live(name)).runner
        if runner is None:
            return 0
        async with member.store.begin() as tx:
            standing = await MemoryTables(name).standing_claims(tx, 1_000)
        blocked = [(row.claim_id, row.blocked) for row, _ in standing if row.blocked is not None]
        parked = [claim_id for claim_id, block in blocked if block.due_at is None and block.dead_letter_id is None]
        for claim_id in parked:
            await runner.unblock(claim_id)
        return len(parked)
