"""The world outside claimflow under one seed: bank, mail server, policy system.

Each keeps its own journal, which is what the auditor reads; each misbehaves as often as the seed's faults say.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.replay.evidence import Delivered
from local.replay.evidence import Executed as BankEntry
from messaging.ports import Clock
from schemas.policy import PolicySnapshot
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing
from services.notify.ports import Delivery, OutgoingMail, Taken
from services.payment.domain.bank import BankReply, CreditTransfer, Executed, InDoubt, NotKnown, NotSent, Refused
from simulators.mail.message import parse_mail
from tests.simulation.losses import CLOSED_ACCOUNT, COMMON, a_policy


class SimClock:
    """Time that the driver moves. Who sleeps moves it too."""

    def __init__(self, start: datetime) -> None:
        self.instant = start

    def now(self) -> datetime:
        return self.instant

    def move(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)


@dataclass(frozen=True, slots=True)
class Faults:
    """How often things go wrong, per occasion; drawn per seed, so that some seeds have none of a kind."""

    crash: float
    publish_cut: float
    commit_unknown: float
    redelivery: float
    reorder: float
    bank_silent: float
    bank_busy: float
    mail_cut: float
    mail_later: float
    policy_down: float

    @classmethod
    def drawn(cls, chance: random.Random) -> Faults:
        def often(most: float) -> float:
            return chance.choice((0.0, most / 4, most))

        return cls(
            crash=often(0.01),
            publish_cut=often(0.05),
            commit_unknown=often(0.02),
            redelivery=often(0.2),
            reorder=chance.choice((0.0, 0.5, 1.0)),
            bank_silent=often(0.4),
            bank_busy=often(0.3),
            mail_cut=often(0.2),
            mail_later=often(0.3),
            policy_down=often(0.5),
        )

    @classmethod
    def none(cls) -> Faults:
        return cls(*[0.0] * 10)


@dataclass(slots=True)
class SimBank:
    """Pays once per end-to-end id. Silent: the answer is lost, before or after it was carried out."""

    clock: Clock
    chance: random.Random
    faults: Faults
    entries: dict[str, tuple[Executed | Refused, CreditTransfer]] = field(default_factory=dict)
    doubts: int = 0

    async def instruct_many(self, orders: Sequence[CreditTransfer]) -> list[BankReply]:
        if self.chance.random() < self.faults.bank_busy:
            return [NotSent(timedelta(seconds=1)) for _ in orders]
        return [self._instruct(order) for order in orders]

    def _instruct(self, order: CreditTransfer) -> BankReply:
        silent = self.chance.random() < self.faults.bank_silent
        if silent and self.chance.random() < 0.5:
            self.doubts += 1
            return InDoubt()
        held = self.entries.get(order.end_to_end_id)
        if held is None:
            reply: Executed | Refused = Executed(order.amount, f"BK{len(self.entries):06d}", self.clock.now())
            if order.account.account_number == CLOSED_ACCOUNT:
                reply = Refused("AC04")
            held = self.entries[order.end_to_end_id] = (reply, order)
        assert held[1] == order, "one end-to-end id, two different instructions"
        self.doubts += silent
        return InDoubt() if silent else held[0]

    async def inquire_many(self, end_to_end_ids: Sequence[str]) -> list[BankReply]:
        if self.chance.random() < self.faults.bank_silent:
            return [InDoubt() for _ in end_to_end_ids]
        return [self.entries[one][0] if one in self.entries else NotKnown() for one in end_to_end_ids]

    def journal(self) -> list[BankEntry]:
        return [
            BankEntry(name, "executed" if isinstance(reply, Executed) else "rejected", *_texts(order))
            for name, (reply, order) in self.entries.items()
        ]


def _texts(order: CreditTransfer) -> tuple[str, str]:
    return order.amount.to_text(), order.amount.currency


@dataclass(slots=True)
class SimMail:
    """Takes mail; cut: it was taken and the sender does not know."""

    clock: Clock
    chance: random.Random
    faults: Faults
    delivered: list[Delivered] = field(default_factory=list)

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[Delivery]:
        return [self._take(mail) for mail in mails]

    def _take(self, mail: OutgoingMail) -> Delivery:
        if self.chance.random() < self.faults.mail_later:
            return Delivery(Taken.later, "451")
        headers = parse_mail(mail.content).headers
        self.delivered.append(
            Delivered(
                mail.message_id,
                headers["x-claimflow-claim"],
                headers["x-claimflow-event"],
                headers["x-claimflow-kind"],
                self.clock.now(),
            )
        )
        if self.chance.random() < self.faults.mail_cut:
            return Delivery(Taken.unknown, "cut")
        return Delivery(Taken.accepted, "250")


@dataclass(slots=True)
class SimPolicyBook:
    """The core policy system. Terms change between look-ups: what counts is what was on the claim first."""

    chance: random.Random
    faults: Faults
    policies: dict[str, PolicySnapshot] = field(default_factory=dict)

    async def get_many(self, keys: Collection[PolicyKey], timeout_seconds: float) -> Mapping[PolicyKey, PolicyFinding]:
        if self.chance.random() < self.faults.policy_down:
            return dict.fromkeys(keys, PolicyMissing.unavailable)
        return {key: self._find(key) for key in sorted(keys)}

    def _find(self, key: PolicyKey) -> PolicyFinding:
        policy = self.policies.get(key.policy_number)
        if policy is None:
            return PolicyMissing.unknown
        return policy if policy.in_force_at(key.as_of) else PolicyMissing.outside_period

    def change_terms(self) -> None:
        """Every policy of a single claim gets another deductible from now on."""
        deductible = self.chance.choice(("500.00", "1000.00", "2000.00"))
        for number in self.policies:
            if number not in COMMON:
                self.policies[number] = a_policy(number, deductible)
