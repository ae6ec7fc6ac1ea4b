"""What a well-shaped report must say besides: rules that need the time, the zones, or two fields at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.conditions import Facts
from schemas.intake import ReportedLine
from schemas.money import Money
from schemas.party import Party
from services.intake.domain.report import DraftClaim, Level, SubmitClaim

FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a client's clock may be ahead of ours."""

_YEARS = range(1900, 2200)

# Control characters, marks that turn text around, and those that cannot be seen: they forge mails, logs and screens.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


class Fault(NamedTuple):
    """What is wrong with one place of a body: a JSON pointer, a stable code, words without the value.

    `level` is what cannot be done because of it: save the report, submit it as a claim, or pay it.
    """

    pointer: str
    code: str
    detail: str
    level: Level = "save"


def faults_of(claim: SubmitClaim | DraftClaim, now: datetime, zones: Collection[str]) -> list[Fault]:
    """Every broken rule of what the report says; an empty list when nothing it says is wrong."""
    faults: list[Fault] = []
    if claim.loss_at is not None and claim.loss_at > now + FUTURE_TOLERANCE:
        faults.append(Fault("/loss_at", "in-the-future", "the loss must not lie in the future"))
    if claim.loss_zone is not None and claim.loss_zone not in zones:
        faults.append(Fault("/loss_zone", "unknown-zone", "the zone must be one of the IANA time zone database"))
    if isinstance(claim, DraftClaim):
        faults.extend(_loss_date(claim, now, zones))
    faults.extend(_lines(claim.lines or (), claim.currency))
    faults.extend(_facts(claim.facts, ""))
    for number, other in enumerate(claim.other_policies or ()):
        faults.extend(_currency(other.limit, claim.currency, f"/other_policies/{number}/limit"))
    for name, party in (("/reporter", claim.reporter), ("/payee", claim.payee)):
        if party is not None:
            faults.extend(_party(party, name))
    return faults


def _loss_date(draft: DraftClaim, now: datetime, zones: Collection[str]) -> Iterator[Fault]:
    if draft.loss_date is None:
        if draft.loss_at is None:
            yield Fault("/loss_at", "missing", "a draft says when it happened: loss_at, or loss_date with loss_zone")
        return
    if draft.loss_at is not None:
        yield Fault("/loss_date", "rule-broken", "a draft has either loss_at or loss_date")
    if draft.loss_zone is None:
        yield Fault("/loss_zone", "missing", "a loss_date needs the zone it is meant in")
    try:
        day = date.fromisoformat(draft.loss_date)
    except ValueError:
        yield Fault("/loss_date", "wrong-format", "there is no such day")
        return
    if day.year not in _YEARS:
        yield Fault("/loss_date", "out-of-range", "days lie from 1900 to 2199")
    zone = ZoneInfo(draft.loss_zone) if draft.loss_zone in zones and draft.loss_zone else UTC
    if day > (now + FUTURE_TOLERANCE).astimezone(zone).date():
        yield Fault("/loss_date", "in-the-future", "the loss must not lie in the future")


def _lines(lines: Sequence[ReportedLine], currency: str | None) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if line.line_id in seen:
            yield Fault(f"/lines/{number}/line_id", "repeated", "each line_id stands once")
        seen.add(line.line_id)
        for name, money in (
            ("asked", line.asked),
            ("insured_value", line.insured_value),
            ("replacement_cost", line.replacement_cost),
        ):
            if money is not None:
                yield from _currency(money, currency, f"/lines/{number}/{name}")
        yield from _facts(line.facts, f"/lines/{number}")


def _currency(money: Money, currency: str | None, place: str) -> Iterator[Fault]:
    if currency is not None and money.currency != currency:
        yield Fault(f"{place}/currency", "other-currency", "amounts are in the currency of the report")


def _facts(facts: Facts | None, place: str) -> Iterator[Fault]:
    for name, value in (facts or {}).items():
        texts = [value] if isinstance(value, str) else () if isinstance(value, bool) else value
        if any(_UNSAFE.search(text) for text in texts):
            where = f"{place}/facts/{name}"
            yield Fault(where, "unsafe-character", "control and invisible characters are not allowed")


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
