"""One seed, one history: the driver lets members of the house act in a drawn order, breaks them, and lets all end well.

`simulate(seed)` returns the evidence the auditor judges. The same seed gives the same history, byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from local.replay.evidence import Evidence, Posting, claim_topics, other_topics, take_event, take_other
from local.replay.invariants import Verdict, audit
from messaging import crash_points
from schemas.ids import ClaimId
from schemas.ops import Verdict as Say
from services.intake.domain.reading import read_claim
from services.intake.domain.telling import Receipt
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.people import Role, Staff
from services.ops.handlers.reviewing import NotAcknowledged, ReviewRefused, ReviewRequest
from tests.builders.events import REPORTED_AT, usd
from tests.simulation.house import ENDS, House
from tests.simulation.outside import Client, Faults, a_policy, clients

CLIENT = "default"
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
    unanswered: int
    views: dict[str, str]
    reached: dict[str, int] = field(default_factory=dict)


def simulate(seed: int, claims: int = 12) -> History:
    """Runs one seed to its end."""
    return asyncio.run(Driver(seed, claims).run())


class Driver:
    """Draws who acts, until the drawn steps are over; then everything is calm until nothing moves."""

    def __init__(self, seed: int, claims: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.faults = Faults.drawn(self.chance)
        self.house = House(self.chance, self.faults)
        self.clients = clients(self.chance, claims)
        self.reviews = 0
        for number, client in enumerate(self.clients):
            if number % 9 != 8:
                policy = client.body["policy_number"]
                self.house.book.policies[policy] = a_policy(policy)

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
                return "intake", self._report(chance.choice(self.clients))
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
        staff = Staff(id="ada", roles=(Role.manager,), authority=usd("99999.00"))
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
        match self.chance.randrange(3):
            case 0:
                return ReviewRequest(referral_event_id=referral, verdict=Say.approve)
            case 1:
                amount = usd(f"{self.chance.randrange(1, 5000)}.00")
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
            "mail repeated": len(evidence.mails) - len({mail.message_id for mail in evidence.mails}),
        }
