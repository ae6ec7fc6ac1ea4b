"""Assessment for tests: policies, rules, states, and the whole stage on a log in memory with a stepped clock."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid5

from hosting.breaker import Breaker
from messaging.arrival import Decoder
from messaging.publishing import Publisher
from messaging.record import Outgoing, partition_of
from messaging.stage import Stage
from messaging.stage_runner import StageRunner
from messaging.stores.memory_log import MemoryEngine, MemoryLog
from messaging.stores.store_memory import MemoryStore
from messaging.stores.tables_memory import MemoryTables
from messaging.work import Dispatcher
from schemas.assessment import ClaimReferred
from schemas.envelope import Envelope
from schemas.event import Event, decode
from schemas.ids import ClaimId, EventId, PaymentId
from schemas.intake import ReportedLine
from schemas.money import Money
from schemas.ops import ReviewRecorded
from schemas.outcomes import Emit, Outcome
from schemas.payment import PaymentRejected
from schemas.terms import Coverage, Deductible, Operation, Valuation
from schemas.topics import EVENT_TYPES, WRITERS, topic_of
from services.assessment.adapters.claims_memory import MemoryClaims
from services.assessment.adapters.policy_book_memory import MemoryPolicyBook
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.rule_book_files import load_rule_book
from services.assessment.adapters.surroundings_memory import MemorySurroundings
from services.assessment.app import assessment_stage
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from services.assessment.domain.claim import ClaimState, Report, fold
from services.assessment.domain.rule_book import RuleBook
from services.assessment.ports import PolicyBook
from tests.builders.events import (
    REPORTED_AT,
    a_claim_id,
    a_payment_confirmed,
    a_policy_snapshot,
    a_review_recorded,
    an_id,
    on_the_wire,
)

PARTITIONS = 2
RULES = load_rule_book()
TERMS = load_terms()
NOW = REPORTED_AT

E = TypeVar("E", bound=Event)


def a_breaker(monotonic: Callable[[], float], failures_max: int = 3) -> Breaker:
    """As the service has it unless it is set otherwise."""
    return Breaker(monotonic, failures_max, pause_seconds=2.0, pause_seconds_max=30.0)


def a_flood_coverage(
    code: str = "building", limit: str = "250000.00", deductible: str = "1000.00", currency: str = "USD", **changes: Any
) -> Coverage:
    """Deductible, then limit, as the flood form orders them."""
    fields: dict[str, Any] = {
        "code": code,
        "clause_version": "SFIP-DF-2010",
        "limit": Money.of_text(limit, currency),
        "deductibles": (Deductible(amount=Money.of_text(deductible, currency)),),
        "valuation": Valuation.ACV,
        "operations": (Operation(op="deductible", clause_id="SFIP.VI"), Operation(op="limit", clause_id="SFIP.III.A")),
    }
    return Coverage(**fields | changes)


def an_asked_line(
    asked: str | None, code: str = "building", line_id: str | None = None, currency: str = "USD"
) -> ReportedLine:
    amount = None if asked is None else Money.of_text(asked, currency)
    return ReportedLine(line_id=line_id or code, coverage_code=code, asked=amount)


def a_loss(lines: Sequence[ReportedLine], **changes: Any) -> Report:
    """A flood loss of the default policy, as a decision needs it."""
    fields: dict[str, Any] = {
        "policy_number": "FL-000001",
        "line": "flood",
        "loss_at": datetime(2012, 10, 29, 16, tzinfo=UTC),
        "currency": "USD",
        "lines": tuple(lines),
        "loss_zone": "America/New_York",
        "peril": "flood",
    }
    return Report(**fields | changes)


def a_policy_row(number: str = "FL-000001", **changes: Any) -> dict[str, Any]:
    """A row in the core policy system's own form, in force at the default loss."""
    coverages = changes.pop("coverages", None) or [a_coverage_row()]
    return {
        "number": number,
        "version": 1,
        "effective_from": "2012-01-01T00:00:00-05:00",
        "effective_to": "2013-01-01T00:00:00-05:00",
        "status": "in_force",
        "currency": "USD",
        "line": "flood",
        "jurisdiction": "US-NY",
        "coverages": coverages,
    } | changes


def a_coverage_row(code: str = "building", **changes: Any) -> dict[str, Any]:
    return {
        "code": code,
        "limit": "250000.00",
        "deductible": "1000.00",
        "valuation": "ACV",
        "insured_value": None,
        "clause_version": "SFIP-DF-2010",
    } | changes


def a_cause(name: str = "cause") -> UUID:
    return an_id(f"cause:{name}")


def a_new_claim(number: int = 1) -> ClaimState:
    return ClaimState(a_claim_id(number))


def events_of(outcome: Outcome) -> tuple[Event, ...]:
    return outcome.events if isinstance(outcome, Emit) else ()


class SteppedClock:
    """Moves only when told to, or when somebody sleeps."""

    def __init__(self, start: datetime = REPORTED_AT) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class AssessmentHouse:
    """The assessment stage over a log and a store in memory, stepped by hand. `restart` is a new process."""

    def __init__(
        self,
        book: PolicyBook | None = None,
        rules: RuleBook = RULES,
        at_commit: Callable[[Literal["before", "after"]], None] = lambda _: None,
        batch: int = 500,
    ) -> None:
        self._batch = batch
        self.clock = SteppedClock()
        self.policies = MemoryPolicyBook(TERMS, self.clock.now)
        self.store = MemoryStore(at_commit)
        self.log = MemoryLog(PARTITIONS, self.clock)
        self.claims = MemoryClaims()
        self.rules = rules
        self._book = book or self.policies
        self._tokens = random.Random(11)
        self._sequences: dict[tuple[ClaimId, str], int] = {}
        self.inputs: list[tuple[Envelope, Event]] = []
        self.engine: MemoryEngine
        self.dispatcher: Dispatcher
        self.stage: Stage

    async def restart(self) -> None:
        self.stage = assessment_stage(self.claims, MemorySurroundings(), self._book, self.rules)
        tables = MemoryTables(self.stage.name)
        publisher = Publisher(tables, self.store, self.log.producer(), self.clock)
        decoder = Decoder(self.stage, {topic_of(writer): writer for writer in WRITERS}, EVENT_TYPES)
        runner = StageRunner(
            self.stage, tables, self.store, publisher, self.log.info(), decoder, self.clock, PARTITIONS
        )
        self.dispatcher = Dispatcher(self.stage, tables, self.store, publisher, self.clock, PARTITIONS, self._token)
        self.engine = self.log.engine(runner)
        await self.engine.start()

    def _token(self) -> UUID:
        return UUID(int=self._tokens.getrandbits(128), version=4)

    def tell(self, event: Event, claim: ClaimId | None = None, **envelope: Any) -> None:
        """Appends the event to its writer's topic, next in its claim's sequence."""
        claim = claim or a_claim_id()
        sequence = self._sequences[claim, event.WRITER] = self._sequences.get((claim, event.WRITER), 0) + 1
        envelope.setdefault("cause_id", uuid5(claim, f"cause:{event.WRITER}:{sequence}"))
        key, value, headers = on_the_wire(event, claim, sequence, **envelope)
        self.inputs.append((Envelope.from_headers(headers), event))
        self.log.append(Outgoing(topic_of(event.WRITER), partition_of(key, PARTITIONS), key, value, headers))

    def judge(self, claim: ClaimId | None = None, **changes: Any) -> None:
        """A person's verdict on the claim's open referral, an approval unless it says otherwise."""
        claim = claim or a_claim_id()
        event = a_review_recorded(**{"referral_event_id": EventId(self.referral_id(claim))} | changes)
        self.tell(event, claim, after={"intake": 1})

    def confirm(self, amount: str, claim: ClaimId | None = None, name: str = "payment") -> None:
        """The bank has paid so much."""
        claim = claim or a_claim_id()
        event = a_payment_confirmed(f"{claim}:{name}", amount=Money.of_text(amount, "USD"))
        self.tell(event, claim, after={"intake": 1})

    def reject(self, claim: ClaimId | None = None, name: str = "payment") -> None:
        """The bank has refused for good."""
        claim = claim or a_claim_id()
        payment = PaymentId(an_id(f"{claim}:{name}"))
        event = PaymentRejected(payment_id=payment, end_to_end_id="0" * 32, code="AC04", reason="account closed")
        self.tell(event, claim, after={"intake": 1})

    async def run(self) -> None:
        """Takes in what is on the log and carries out the work that is due now."""
        await self.engine.run_dry(self._batch)
        [effect] = self.stage.effects
        while await self.dispatcher.step(effect):
            pass

    async def after(self, seconds: float) -> None:
        """Lets time pass, then runs."""
        self.clock.advance(seconds)
        await self.run()

    async def state(self, claim: ClaimId | None = None) -> ClaimState:
        claim = claim or a_claim_id()
        async with self.store.begin() as tx:
            return (await self.claims.load([claim], tx)).get(claim) or ClaimState(claim)

    async def pending(self) -> int:
        async with self.store.begin() as tx:
            return len(tx.table(f"runner_work:{self.stage.name}"))

    def records(self) -> list[tuple[Envelope, Event]]:
        """Assessment's events as they lie on the log, each id once, with their envelopes."""
        found: dict[UUID, tuple[Envelope, Event]] = {}
        for record in self.log.records(topic_of("assessment")):
            envelope = Envelope.from_headers(record.headers)
            assert record.value is not None
            event = decode(envelope.type, record.value)
            assert found.setdefault(envelope.id, (envelope, event))[1] == event
        return list(found.values())

    def folded(self, claim: ClaimId) -> ClaimState:
        """The claim's state from the log alone: each input it was told, then what it told because of it."""
        answers: dict[UUID, list[tuple[Envelope, Event]]] = {}
        for envelope, event in self.records():
            answers.setdefault(envelope.cause_id, []).append((envelope, event))
        state = ClaimState(claim)
        for envelope, event in self.inputs:
            if envelope.subject != claim:
                continue
            if not isinstance(event, ReviewRecorded):
                state = fold(state, event, envelope.id)
            for answer, told in answers.get(envelope.id, ()):
                state = fold(state, told, answer.id)
        return state

    def told(self, kind: type[E], claim: ClaimId | None = None) -> list[E]:
        return [
            event
            for envelope, event in self.records()
            if isinstance(event, kind) and (claim is None or envelope.subject == claim)
        ]

    def names(self, claim: ClaimId | None = None) -> list[str]:
        """The claim's story in event names."""
        claim = claim or a_claim_id()
        return [type(event).__name__ for envelope, event in self.records() if envelope.subject == claim]

    def referral_id(self, claim: ClaimId | None = None) -> UUID:
        """The event a verdict has to name: the last referral."""
        claim = claim or a_claim_id()
        found = [
            envelope.id
            for envelope, event in self.records()
            if isinstance(event, ClaimReferred) and envelope.subject == claim
        ]
        return found[-1]


@asynccontextmanager
async def an_assessment_house(**options: Any) -> AsyncIterator[AssessmentHouse]:
    """A house that has started."""
    house = AssessmentHouse(**options)
    await house.restart()
    yield house
    await house.engine.stop()


def in_usd(text: str) -> dict[str, str]:
    """An amount as files and events write it."""
    return {"amount": text, "currency": "USD"}


def what_terms_give(
    lines: Sequence[Mapping[str, Any]], *operations: Mapping[str, Any], claim_facts: Any = None, **terms: Any
) -> Adjudication:
    """What a coverage of these operations and terms gives for the lines, all written as in a file."""
    coverage = Coverage.model_validate(
        {"code": "contents", "clause_version": "1", "operations": operations, **terms}, strict=False
    )
    asked = [
        ReportedLine.model_validate({"line_id": str(number), "coverage_code": "contents", **line}, strict=False)
        for number, line in enumerate(lines, start=1)
    ]
    return adjudicate(a_loss(asked, facts=claim_facts), a_policy_snapshot(coverages=(coverage,)))
