"""One seed, one history: the driver lets members of the house act in a drawn order, breaks them, and lets all end well.

`simulate(seed)` returns the evidence the auditor judges. The same seed gives the same history, byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from zoneinfo import available_timezones

from local.replay.evidence import Evidence, Posting, claim_topics, other_topics, take_event, take_other
from local.replay.invariants import Verdict, audit
from messaging import crash_points
from schemas.assessment import ClaimOutcome
from schemas.ids import ClaimId, claim_id
from schemas.money import Money
from schemas.ops import Verdict as Say
from services.assessment.adapters.claims_memory import TABLE as CLAIMS_TABLE
from services.assessment.domain.claim import ClaimState
from services.intake.domain.papers import Paper
from services.intake.domain.reading import read_claim
from services.intake.domain.telling import Receipt, Refusal
from services.intake.handlers.papers import Asked
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.people import Role, Staff
from services.ops.handlers.reviewing import NotAcknowledged, ReviewRefused, ReviewRequest, WantedDocument
from tests.builders.events import REPORTED_AT
from tests.simulation.house import ENDS, House
from tests.simulation.judging import unsound
from tests.simulation.losses import COMMON, Client, a_policy, clients, common_policies
from tests.simulation.outside import Faults

CLIENT = "default"
KINDS = ("invoice", "photo", "letter")
STEPS = 220
CALM_ROUNDS_MAX = 400
ZONES = available_timezones()


@dataclass(slots=True)
class History:
    """What a seed led to. `reached` names the hard states it came through."""

    seed: int
    faults: Faults
    verdict: Verdict
    evidence: Evidence
    digest: str
    unsound: list[str]
    unanswered: int
    views: dict[str, str]
    reached: dict[str, int] = field(default_factory=dict)


def simulate(seed: int, claims: int = 12) -> History:
    """Runs one seed to its end."""
    return asyncio.run(Driver(seed, claims).run())


class Driver:
    """Draws who acts, until the drawn steps are over; then everything is calm until nothing moves.

    `apart`: every claim has a policy of its own, so that none depends on the order in which others are decided.
    """

    def __init__(self, seed: int, claims: int, apart: bool = False) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.faults = Faults.drawn(self.chance)
        self.house = House(self.chance, self.faults)
        self.clients = clients(self.chance, claims, apart)
        self.reviews = 0
        for number, client in enumerate(self.clients):
            if number % 9 != 8 and client.policy_number not in COMMON:
                self.house.book.policies[client.policy_number] = a_policy(client.policy_number)
        self.house.book.policies |= common_policies(self.chance)

    async def run(self) -> History:
        try:
            for _ in range(STEPS):
                await self._one_act()
            self.house.calm = True
            for part in (self.house.bank, self.house.mail, self.house.book):
                part.faults = Faults.none()
            await self._calm_down()
            return await self._history()
        finally:
            crash_points.disarm()

    async def _one_act(self) -> int:
        """A drawn act; a member that is cut in it is down afterwards."""
        name, part = self._draw()
        try:
            return await part
        except ENDS:
            self.house.end(name)
            return 1

    def _draw(self) -> tuple[str, Awaitable[int]]:
        house, chance = self.house, self.chance
        house.clock.move(chance.choice((0.01, 0.3, 7.0, 40.0)))
        match chance.randrange(10):
            case 0 | 1:
                client = chance.choice(self.clients)
                told = client.acknowledged_at is not None and chance.random() < 0.4
                return "intake", self._add(client) if told else self._report(client)
            case 2:
                return "ops-desk", self._review()
            case 3:
                return (name := chance.choice(sorted(house.members))), house.keep_house(name)
            case 4 | 5:
                return (name := chance.choice(("assessment", "payment", "notify"))), house.dispatch(name)
            case 6 if chance.random() < 0.1:
                house.book.change_terms()
        name = chance.choice(("assessment", "payment", "notify", "ops-views"))
        return name, house.deliver(name)

    # ---- what people do

    async def _report(self, client: Client) -> int:
        """Reports, or repeats a report that may have been taken already: the answer must be the same."""
        await self.house.live("intake")
        assert self.house.intake is not None
        submission = read_claim(client.raw(), CLIENT, client.key, self.house.clock.now(), ZONES)
        [result] = await self.house.intake.submit([submission])
        await self.house.intake.close()
        if isinstance(result, Receipt) and client.acknowledged_at is None:
            client.acknowledged_at = self.house.clock.now()
            return 1
        return 0

    async def _add(self, client: Client) -> int:
        """Sends a paper, asked for or not, or, seldom, takes the claim back."""
        await self.house.live("intake")
        desks = self.house.desks
        assert desks is not None
        claim = await desks.papers.claim_named(str(claim_id(CLIENT, client.key)))
        if isinstance(claim, Refusal):
            return 0
        number = self.chance.randrange(10)
        asked = Asked(CLIENT, f"{client.key}-{number}", claim)
        if not number:
            withdrawn = await desks.papers.withdraw(asked, None)
            return int(not isinstance(withdrawn, Refusal))
        kind = self.chance.choice(await self._papers_wanted(claim.claim_id))
        content = f"{client.key} {kind} {number}".encode()
        paper = Paper(kind, "application/pdf", hashlib.sha256(content).hexdigest(), len(content))
        return int(not isinstance(await desks.papers.take(asked, paper, BytesIO(content)), Refusal))

    async def _papers_wanted(self, claim: ClaimId) -> Sequence[str]:
        """The kinds of paper the customer was asked for, as far as they know; any, if none."""
        async with self.house.members["ops-views"].store.begin() as tx:
            view = (await self.house.views.load(tx, [claim])).get(claim)
        asked = [] if view is None or not view.papers_awaited else view.papers_asked[-1].papers
        return [one.kind for one in asked] or KINDS

    async def _review(self) -> int:
        """A person looks at some referred claim, perhaps days later, perhaps one that is reviewed already."""
        await self.house.live("ops-desk")
        assert self.house.reviewer is not None
        async with self.house.members["ops-views"].store.begin() as tx:
            known = await self.house.views.load(tx, self._claim_ids())
        referred = [view for view in known.values() if view.referral is not None]
        if not referred:
            return 0
        view = self.chance.choice(sorted(referred, key=lambda one: one.claim_id))
        currency = view.currency or "USD"
        staff = Staff(id="ada", roles=(Role.manager,), authority=Money.of_text("99999.00", currency))
        try:
            await self.house.reviewer.review(
                view.claim_id, staff, self._verdict(view), f"click-{self.chance.randrange(40)}"
            )
        except (ReviewRefused, NotAcknowledged):
            return 0
        self.reviews += 1
        return 1

    def _verdict(self, view: ClaimView) -> ReviewRequest:
        assert view.referral is not None
        referral = view.referral.event_id
        if view.duplicates and self.chance.random() < 0.5:
            return ReviewRequest(referral_event_id=referral, verdict=Say.duplicate, reason="told twice")
        match self.chance.randrange(8):
            case 0 | 1 | 2:
                return ReviewRequest(referral_event_id=referral, verdict=Say.approve)
            case 3:
                kinds = self.chance.sample(KINDS, self.chance.randrange(1, 3))
                wanted = tuple(WantedDocument(kind=kind) for kind in kinds)
                reason = self.chance.choice((None, "not to be read"))
                return ReviewRequest(
                    referral_event_id=referral, verdict=Say.ask_documents, documents=wanted, reason=reason
                )
            case 4 | 5 | 6:
                most = self.chance.choice((5_000, 60_000))
                amount = Money.of_text(f"{self.chance.randrange(1, most)}.00", view.currency or "USD")
                return ReviewRequest(
                    referral_event_id=referral, verdict=Say.approve_amount, amount=amount, reason="seen"
                )
        return ReviewRequest(
            referral_event_id=referral, verdict=Say.deny, reason="no flood", clause_id="SFIP.II.B", fact="a burst pipe"
        )

    def _claim_ids(self) -> list[ClaimId]:
        return [ClaimId(record.key.decode()) for record in self.house.log.records("claims.intake.v1") if record.key]

    # ---- the end

    async def _calm_down(self) -> None:
        """Nothing breaks any more, clients get their answers, what is parked is tried again: until nothing moves."""
        for client in self.clients:
            await self._report(client)
        quiet = 0
        for _ in range(CALM_ROUNDS_MAX):
            moved = 0
            for name, member in self.house.members.items():
                moved += await self.house.keep_house(name) + await self.house.unpark(name)
                if member.stage.reads:
                    moved += await self.house.deliver(name)
                    moved += await self.house.dispatch(name)
            quiet = 0 if moved else quiet + 1
            # Waiting work comes due after seconds, a policy that is unknown is asked for again for a long time.
            self.house.clock.move(10.0 if quiet < 40 else 4000.0)
            if quiet > 60:
                return
        raise AssertionError(f"seed {self.seed}: the house does not come to rest")

    async def _history(self) -> History:
        house = self.house
        evidence = Evidence(mail_since=REPORTED_AT)
        for client in self.clients:
            if client.acknowledged_at is not None:
                submission = read_claim(client.raw(), CLIENT, client.key, house.clock.now(), ZONES)
                evidence.acknowledged[str(submission.claim_id)] = client.acknowledged_at
        digest = hashlib.sha256()
        for topic in claim_topics():
            for record in house.log.records(topic):
                digest.update(repr(record).encode())
                take_event(evidence, record)
        for topic in other_topics():
            for record in house.log.records(topic):
                take_other(evidence, record)
        evidence.bank, evidence.mails = house.bank.journal(), house.mail.delivered
        evidence.postings = await self._postings()
        return History(
            seed=self.seed,
            faults=self.faults,
            verdict=audit(evidence),
            unsound=unsound(house.log, await self._states()),
            evidence=evidence,
            digest=digest.hexdigest(),
            unanswered=sum(client.acknowledged_at is None for client in self.clients),
            views=await self._views(),
            reached=self._reached(evidence),
        )

    async def _postings(self) -> list[Posting]:
        house, found = self.house, []
        async with house.members["payment"].store.begin() as tx:
            for claim_id in sorted(set(self._claim_ids())):
                for line in await house.ledger.statement(claim_id, tx):
                    found.append(
                        Posting(
                            str(line.transfer_id),
                            str(claim_id),
                            line.purpose,
                            house.clock.now(),
                            line.account,
                            line.currency,
                            line.amount_minor,
                        )
                    )
        return found

    async def _states(self) -> list[ClaimState]:
        async with self.house.members["assessment"].store.begin() as tx:
            return list(tx.table(CLAIMS_TABLE).values())

    async def _views(self) -> dict[str, str]:
        async with self.house.members["ops-views"].store.begin() as tx:
            known = await self.house.views.load(tx, sorted(set(self._claim_ids())))
        return {str(claim): view.model_dump_json() for claim, view in known.items()}

    def _reached(self, evidence: Evidence) -> dict[str, int]:
        names = [event.name for event in evidence.events]
        return {
            "restarts": sum(member.lives - 1 for member in self.house.members.values()),
            "second copies": len(names) - len({event.event_id for event in evidence.events}),
            "bank in doubt": self.house.bank.doubts,
            "reviews": self.reviews,
            "policy awaited": names.count("PolicyAwaited"),
            "rejected by the bank": names.count("PaymentRejected"),
            "denied": names.count("ClaimDenied"),
            "partly approved": names.count("ClaimPartlyApproved"),
            "advances": names.count("AdvanceApproved"),
            "duplicates": names.count("DuplicateLinked"),
            "papers asked": names.count("DocumentsRequested"),
            "withdrawn": names.count("ClaimWithdrawn"),
            "shared money used meanwhile": self._referred_for(evidence, "ledger_changed"),
            "papers that came": self._referred_for(evidence, "documents_received"),
            "clauses without effect": self._referred_for(evidence, "clause_not_effective"),
            **{f"closed as {one.value}": self._closed_as(evidence, one) for one in ClaimOutcome},
            "mail repeated": len(evidence.mails) - len({mail.message_id for mail in evidence.mails}),
        }

    def _referred_for(self, evidence: Evidence, reason: str) -> int:
        referrals = [one.data for one in evidence.events if one.name == "ClaimReferred" and one.data]
        return sum(reason in one["reasons"] for one in referrals)

    def _closed_as(self, evidence: Evidence, outcome: ClaimOutcome) -> int:
        closings = [one.data for one in evidence.events if one.name == "ClaimClosed" and one.data]
        return sum(one["outcome"] == outcome.value for one in closings)
