"""What was paid of each claim was approved, and what is closed has nothing set aside: judged from evidence alone. Pure.

Events say what was approved, instructed and confirmed; the ledger's own postings say what is still reserved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.replay.evidence import Posting, Seen, amount_minor

APPROVALS = frozenset({"AdvanceApproved", "ClaimApproved", "ClaimPartlyApproved"})
_WHOLE = APPROVALS - {"AdvanceApproved"}
_MAY_BE_OUT = "account_in_doubt"


def unapproved(events: Sequence[Seen]) -> Iterator[str]:
    """What is wrong with a claim's instructions: without an approval, above it, or together above every one."""
    approved = {data["decision"]["decision_id"]: _payable(data) for data in _told(events, *APPROVALS)}
    most: Counter[str] = Counter()
    for minor, currency in approved.values():
        most[currency] = max(most[currency], minor)
    refused = {data["payment_id"] for data in _told(events, "PaymentRejected")}
    # What is held after it was instructed never left, unless that is the very question.
    refused |= {data.get("payment_id") for data in _told(events, "PaymentHeld") if data["reason"] != _MAY_BE_OUT}
    live: Counter[str] = Counter()
    for data in _told(events, "PaymentInstructed"):
        minor, currency = amount_minor(data["amount"])
        approval = approved.get(data["decision_id"])
        if approval is None:
            yield "a payment was instructed that no approval stands behind"
        elif approval[1] != currency or approval[0] < minor:
            yield "a payment was instructed above its approval"
        if data["payment_id"] not in refused:
            live[currency] += minor
    for currency, minor in live.items():
        if minor > most[currency]:
            yield f"{minor} minor units are paid or on their way, {most[currency]} were approved at most"


def paid_as_decided(events: Sequence[Seen]) -> Iterator[str]:
    """What is wrong with the sum of a claim that is closed as paid: neither what was decided nor what was advanced."""
    closed = _last(events, "ClaimClosed")
    if closed is None or closed["outcome"] != "paid":
        return
    kinds = {data["payment_id"]: data["kind"] for data in _told(events, "PaymentInstructed")}
    paid: Counter[str] = Counter()
    advanced: Counter[str] = Counter()
    for data in _told(events, "PaymentConfirmed"):
        minor, currency = amount_minor(data["amount"])
        paid[currency] += minor
        if kinds.get(data["payment_id"]) == "partial":
            advanced[currency] += minor
    decision = _last(events, *_WHOLE)
    minor, currency = (0, "") if decision is None else _payable(decision)
    rightly = _counted(minor, currency) if advanced[currency] <= minor else advanced
    if +paid != +rightly:
        yield f"paid {dict(paid)} minor units, decided {dict(+rightly)}"
    told = closed.get("paid")
    if told is not None and +paid != +_counted(*amount_minor(told)):
        yield f"closed with another sum than the {dict(paid)} minor units that were confirmed"


def still_reserved(postings: Sequence[Posting]) -> Mapping[str, Mapping[tuple[str, str], int]]:
    """Per claim, what its reserve accounts hold: (account, currency) to minor units, where it is not zero."""
    found: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for posting in postings:
        if posting.account.startswith("reserves"):
            found[posting.claim_id][posting.account, posting.currency] -= posting.amount_minor
    left = {claim: {place: minor for place, minor in held.items() if minor} for claim, held in found.items()}
    return {claim: held for claim, held in left.items() if held}


def _counted(minor: int, currency: str) -> Counter[str]:
    return Counter({currency: minor})


def _told(events: Sequence[Seen], *names: str) -> Iterator[Mapping[str, Any]]:
    return (event.data for event in events if event.name in names and event.data is not None)


def _last(events: Sequence[Seen], *names: str) -> Mapping[str, Any] | None:
    return next(_told(list(reversed(events)), *names), None)


def _payable(data: Mapping[str, Any]) -> tuple[int, str]:
    return amount_minor(data["decision"]["payable"])
