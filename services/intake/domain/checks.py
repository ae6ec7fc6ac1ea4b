"""What a well-shaped report must say besides: rules that need the time, the zones, or two fields at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.party import Party
from services.intake.domain.report import SubmitClaim

FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a client's clock may be ahead of ours."""

# Control characters, marks that turn text around, and those that cannot be seen: they forge mails, logs and screens.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


class Fault(NamedTuple):
    """What is wrong with one place of a body: a JSON pointer, a stable code, words without the value."""

    pointer: str
    code: str
    detail: str


def faults_of(claim: SubmitClaim, now: datetime, zones: Collection[str]) -> list[Fault]:
    """Every broken rule of the report; an empty list when it can be taken."""
    faults: list[Fault] = []
    if claim.loss_at > now + FUTURE_TOLERANCE:
        faults.append(Fault("/loss_at", "in-the-future", "the loss must not lie in the future"))
    if claim.loss_zone not in zones:
        faults.append(Fault("/loss_zone", "unknown-zone", "the zone must be one of the IANA time zone database"))
    faults.extend(_lines(claim))
    faults.extend(_party(claim.reporter, "/reporter"))
    if claim.payee is not None:
        faults.extend(_party(claim.payee, "/payee"))
    return faults


def _lines(claim: SubmitClaim) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, line in enumerate(claim.lines):
        if line.line_id in seen:
            yield Fault(f"/lines/{number}/line_id", "repeated", "each line_id stands once")
        seen.add(line.line_id)
        for name, money in (
            ("asked", line.asked),
            ("insured_value", line.insured_value),
            ("replacement_cost", line.replacement_cost),
        ):
            if money is not None and money.currency != claim.currency:
                place = f"/lines/{number}/{name}/currency"
                yield Fault(place, "other-currency", "amounts are in the currency of the report")


def _party(party: Party, place: str) -> Iterator[Fault]:
    texts = list(_texts(party))
    # One search over everything: nearly every report is clean.
    if not _UNSAFE.search("".join(text for _, text in texts)) and all(not text.isspace() for _, text in texts):
        return
    for name, text in texts:
        if _UNSAFE.search(text):
            yield Fault(place + name, "unsafe-character", "control and invisible characters are not allowed")
        elif text.isspace():
            yield Fault(place + name, "blank", "the text must hold something to read")


def _texts(party: Party) -> Iterator[tuple[str, str]]:
    yield "/name", party.name
    if party.email is not None:
        yield "/email", party.email
    if party.account is not None:
        yield "/account/holder", party.account.holder
    address = party.address
    if address is None:
        return
    for number, line in enumerate(address.lines):
        yield f"/address/lines/{number}", line
    for name, text in (("city", address.city), ("admin", address.admin), ("postcode", address.postcode)):
        if text is not None:
            yield f"/address/{name}", text
