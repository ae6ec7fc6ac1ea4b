"""A mail channel in memory, for the simulation and the fast tests: keeps what it accepts, fails as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from messaging.crash_points import reach
from services.notify.ports import Delivery, OutgoingMail, Taken

ACCEPTED = Delivery(Taken.accepted, "250")


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One accepted mail, repeats included."""

    at: datetime
    mail: OutgoingMail


class MemoryMailbox:
    """See `MailChannel`. `fault` may be replaced at any time: what becomes of a mail, None for accepted.

    A mail whose outcome is `unknown` is kept: the server took it and its answer was lost.
    """

    def __init__(
        self, now: Callable[[], datetime], fault: Callable[[OutgoingMail], Delivery | None] = lambda _: None
    ) -> None:
        self._now, self.fault = now, fault
        self.kept: list[KeptMail] = []

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[Delivery]:
        """One outcome a mail, in order."""
        return [self._take(mail) for mail in mails]

    def _take(self, mail: OutgoingMail) -> Delivery:
        delivery = self.fault(mail) or ACCEPTED
        if delivery.taken in (Taken.refused, Taken.later):
            return delivery
        reach("channel.send")
        self.kept.append(KeptMail(self._now(), mail))
        reach("channel.accepted")
        return delivery
