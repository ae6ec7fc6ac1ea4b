"""What notify asks of the outside: where a claim's state is kept, who opens sealed parties, who takes mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from messaging.ports import Tx
from privacy.erased import Erased
from privacy.errors import SealError
from schemas.ids import ClaimId, PaymentId
from schemas.party import Party, SealedParty
from services.notify.domain.notices import ClaimNotices


class ClaimRepository(Protocol):
    """The state of claims; every method costs one statement however many claims it is given."""

    async def load(self, claim_ids: Sequence[ClaimId], tx: Tx) -> dict[ClaimId, ClaimNotices]:
        """The claims that are known; the runner holds their rows locked."""

    async def save(self, states: Mapping[ClaimId, ClaimNotices], tx: Tx) -> None:
        """Insert or replace."""

    async def confirmed(self, claim_ids: Sequence[ClaimId], tx: Tx) -> frozenset[PaymentId]:
        """The payments of these claims that the bank has carried out. Takes no lock."""


class PartyOpener(Protocol):
    """Opens sealed parties; keeps no key between calls."""

    async def open_each(self, sealed: Sequence[SealedParty]) -> Sequence[Party | Erased | SealError]: ...


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail as bytes, with the envelope's recipient (host in ASCII) and the id that shows a repeat."""

    address: str
    message_id: str
    content: bytes


class Taken(StrEnum):
    """What a server made of one mail. `unknown`: the connection broke after the mail was given, before an answer."""

    accepted = "accepted"
    refused = "refused"
    later = "later"
    unknown = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one mail; `code` is the server's three digits or a word of ours, never its text."""

    taken: Taken
    code: str


class MailChannel(Protocol):
    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[Delivery]:
        """One outcome a mail, in order, within a bounded time; never raises for what a server or network does."""
