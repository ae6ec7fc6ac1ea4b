"""The promises I1 to I5, judged from evidence alone. Pure: the same evidence gives the same findings.

I1 nothing acknowledged is lost; I2 nobody is paid twice or without approval; I3 the ledger balances, equals the bank,
and keeps nothing reserved for a closed claim; I4 each person is told each decision, once, after the booking; I5 a
claim's events come in order, and no refusal is without a person.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from local.replay.evidence import Evidence, Seen, amount_minor, distinct
from local.replay.money import paid_as_decided, still_reserved, unapproved
from local.replay.notices import AFTER_BOOKING, owed
from schemas.money import Money

INVARIANTS = {
    "I1": "every acknowledged claim is reported and stands somewhere",
    "I2": "no decision is booked or paid twice, and what is paid is what was approved",
    "I3": "the ledger balances, equals the bank's record, and reserves nothing for a closed claim",
    "I4": "each notice owed went out or was given up with a reason, once, after the booking",
    "I5": "every claim's events are in order, and a person stands behind every refusal",
}
TERMINAL = frozenset({"ClaimClosed"})
WAITING = frozenset({"ClaimReferred", "PolicyAwaited", "PaymentHeld", "DocumentsRequested"})
ASIDE = frozenset({"ClaimSegmented", "DuplicateLinked", "ReserveSet", "AdvanceApproved"})
"""Events of assessment beside the claim's path: what the claim waits for is said by another."""

REFUSALS = frozenset({"ClaimDenied", "ClaimPartlyApproved", "ClaimDecidedNil"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: which invariant, which claim (or other id), in words. `may_come`: time alone may heal it."""

    invariant: str
    subject: str
    words: str
    may_come: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit found. `counts` are for people; `mail_repeats` are allowed and shown."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]

    @property
    def holds(self) -> bool:
        return not self.findings

    @property
    def may_come_right(self) -> bool:
        """Something is missing, nothing is wrong: what was found may be gone when it is judged again later."""
        return bool(self.findings) and all(finding.may_come for finding in self.findings)


def audit(evidence: Evidence) -> Verdict:
    """Judges everything; the drain must be over: a claim on its way counts against I1, its notices against I4."""
    events = distinct(evidence.events)
    by_claim: dict[str, list[Seen]] = defaultdict(list)
    for event in events:
        by_claim[event.claim_id].append(event)
    state = {claim: standing(found) for claim, found in by_claim.items()}
    notices = list(owed(events, evidence.mail_since, _stuck(evidence)))
    findings = [
        *_nothing_lost(evidence, state),
        *_paid_once(evidence, events),
        *_paid_as_approved(by_claim),
        *_closed_unpaid(by_claim),
        *_balanced(evidence, events),
        *_reserves_released(evidence, state),
        *_told_once(evidence, events),
        *_told_at_all(notices, events),
        *_in_order(evidence, by_claim),
        *_person_behind(events),
    ]
    counts = dict(sorted(Counter(f"state {one}" for one in state.values()).items()))
    counts |= {
        "acknowledged": len(evidence.acknowledged),
        "events": len(events),
        "second copies of events": len(evidence.events) - len(events),
        "bank executed": sum(one.status == "executed" for one in evidence.bank),
        "notices owed": len(notices),
        "mails": len(evidence.mails),
        "mail repeats": len(evidence.mails) - len({mail.message_id for mail in evidence.mails}),
        "unreadable records": len(evidence.unreadable),
    }
    return Verdict(tuple(findings), counts)


def standing(events: Iterable[Seen]) -> str:
    """Where a claim stands, from its events alone.

    It is closed, referred, awaiting_policy, awaiting_documents, payment_held or in_flight.
    """
    latest: dict[str, Seen] = {}
    told = [event for event in events if event.name not in ASIDE]
    for event in told:
        held = latest.get(event.writer)
        if held is None or event.sequence > held.sequence:
            latest[event.writer] = event
    decided, paying = latest.get("assessment"), latest.get("payment")
    if decided is None:
        return "in_flight" if "intake" in latest else "unreported"
    match decided.name:
        case "ClaimClosed":
            return "closed"
        case "PolicyAwaited":
            return "awaiting_policy"
        case "DocumentsRequested":
            return "awaiting_documents" if _lacks_papers(decided, told) else "in_flight"
        case "ClaimReferred":
            review = latest.get("ops")
            answered = review is not None and review.data is not None
            return "in_flight" if answered and _answers(review, decided) else "referred"
    if paying is not None and paying.name == "PaymentHeld":
        return "payment_held"
    return "in_flight"


def _lacks_papers(request: Seen, events: list[Seen]) -> bool:
    """Whether some kind of paper that was asked for has not come since, and the claim was not withdrawn."""
    since = [one for one in events if one.writer == "intake" and one.sequence > request.after.get("intake", 0)]
    came = {
        paper["kind"] for one in since if one.name == "DocumentsReceived" for paper in (one.data or {})["documents"]
    }
    asked = {paper["kind"] for paper in (request.data or {})["documents"]}
    return not asked <= came and all(one.name != "ClaimWithdrawn" for one in since)


def _answers(review: Seen | None, referral: Seen) -> bool:
    return review is not None and (review.data or {}).get("referral_event_id") == referral.event_id


def _nothing_lost(evidence: Evidence, state: dict[str, str]) -> Iterator[Finding]:
    stuck = _stuck(evidence)
    for claim in evidence.acknowledged:
        if claim not in state or state[claim] == "unreported":
            yield Finding("I1", claim, "acknowledged with 202, but no ClaimReported is in the log")
    for claim, where in state.items():
        if where == "in_flight" and claim not in stuck:
            yield Finding("I1", claim, "neither finished nor waiting, parked or dead-lettered")
        if where == "unreported":
            yield Finding("I1", claim, "has events but was never reported")


def _stuck(evidence: Evidence) -> set[str]:
    return {*evidence.dead_lettered, *evidence.parked.values()}


def _paid_once(evidence: Evidence, events: list[Seen]) -> Iterator[Finding]:
    instructed = [event for event in events if event.name == "PaymentInstructed"]
    payment_of = {event.data["end_to_end_id"]: event.data["payment_id"] for event in instructed if event.data}
    executed = Counter[str]()
    for one in evidence.bank:
        if one.status != "executed":
            continue
        payment = payment_of.get(one.end_to_end_id)
        if payment is None:
            yield Finding("I2", one.end_to_end_id, "the bank executed an instruction no event tells of")
        else:
            executed[payment] += 1
    for payment, times in executed.items():
        if times > 1:
            yield Finding("I2", payment, f"executed {times} times by the bank")
    decisions = Counter(
        (event.claim_id, event.data["decision_id"], event.data["attempt"]) for event in instructed if event.data
    )
    for (claim, _, _), times in decisions.items():
        if times > 1:
            yield Finding("I2", claim, f"one decision was instructed {times} times")
    transfers = {posting.transfer_id for posting in evidence.postings if posting.purpose == "instructed"}
    told = {event.data["ledger_transfer_id"] for event in instructed if event.data}
    for transfer in sorted(transfers ^ told):
        words = "booked, but no event tells of it" if transfer in transfers else "told, but not booked"
        yield Finding("I2", transfer, f"the transfer of an instruction is {words}")


def _paid_as_approved(by_claim: dict[str, list[Seen]]) -> Iterator[Finding]:
    for claim, events in by_claim.items():
        for words in (*unapproved(events), *paid_as_decided(events)):
            yield Finding("I2", claim, words)


def _reserves_released(evidence: Evidence, state: dict[str, str]) -> Iterator[Finding]:
    stuck = {*evidence.dead_lettered, *evidence.parked.values()}
    for claim, held in still_reserved(evidence.postings).items():
        if state.get(claim) == "closed" and claim not in stuck:
            account, currency = min(held)
            yield Finding("I3", claim, f"closed, but {account} still holds {held[account, currency]} of {currency}")


def _balanced(evidence: Evidence, events: list[Seen]) -> Iterator[Finding]:
    per_transfer: Counter[tuple[str, str]] = Counter()
    total: Counter[str] = Counter()
    accounts: Counter[tuple[str, str]] = Counter()
    for posting in evidence.postings:
        per_transfer[posting.transfer_id, posting.currency] += posting.amount_minor
        total[posting.currency] += posting.amount_minor
        accounts[posting.account, posting.currency] += posting.amount_minor
    for (transfer, currency), rest in per_transfer.items():
        if rest:
            yield Finding("I3", transfer, f"debits and credits differ by {rest} minor units of {currency}")
    for currency, rest in total.items():
        if rest:
            yield Finding("I3", currency, f"the ledger as a whole is off by {rest} minor units")
    executed: Counter[str] = Counter()
    for one in evidence.bank:
        if one.status == "executed":
            executed[one.currency] += Money.of_text(one.amount, one.currency).amount_minor
    confirmed: Counter[str] = Counter()
    for event in events:
        if event.name == "PaymentConfirmed" and event.data:
            minor, currency = amount_minor(event.data["amount"])
            confirmed[currency] += minor
    for currency in sorted({*executed, *confirmed, *(currency for _, currency in accounts)}):
        # An asset that went out: the bank account is credited (negative) by what the bank executed.
        booked, suspense = -accounts["bank", currency], accounts["suspense", currency]
        pending = -accounts["bank-clearing", currency]
        if booked != executed[currency] and not booked <= executed[currency] <= booked + pending:
            yield Finding(
                "I3", currency, f"the ledger paid {booked}, the bank executed {executed[currency]} minor units"
            )
        if booked != confirmed[currency] and not suspense:
            yield Finding("I3", currency, f"the ledger paid {booked}, events confirm {confirmed[currency]} minor units")


def _told_once(evidence: Evidence, events: list[Seen]) -> Iterator[Finding]:
    mails_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    first: dict[str, datetime] = {}
    for mail in evidence.mails:
        mails_of[mail.event_id, mail.kind].add(mail.message_id)
        first[mail.message_id] = min(mail.received_at, first.get(mail.message_id, mail.received_at))
    for (event_id, kind), ids in mails_of.items():
        if len(ids) > 1:
            yield Finding("I4", event_id, f"{kind} went out under {len(ids)} Message-IDs")
    sent = [event for event in events if event.name == "NoticeSent" and event.data]
    notices = Counter((event.data["source_event_id"], event.data["kind"]) for event in sent if event.data)
    for (event_id, kind), times in notices.items():
        if times > 1:
            yield Finding("I4", event_id, f"{kind} was told {times} times")
        if evidence.mails and (event_id, kind) not in mails_of:
            yield Finding("I4", event_id, f"{kind} is said to be sent, but the mail server has no such mail")
    known = {event.event_id for event in events}
    booked = _booked(events)
    for mail in evidence.mails:
        if mail.event_id not in known:
            yield Finding("I4", mail.event_id or mail.message_id, "a mail about an event that is not in the log")
        if mail.kind in AFTER_BOOKING:
            at = booked.get(mail.event_id)
            if at is None or first[mail.message_id] < at:
                yield Finding("I4", mail.claim_id, f"{mail.kind} was told before the money was booked")


def _told_at_all(notices: list[tuple[Seen, str]], events: list[Seen]) -> Iterator[Finding]:
    told = {
        (event.data["source_event_id"], event.data["kind"])
        for event in events
        if event.name in ("NoticeSent", "NoticeFailed") and event.data
    }
    for event, kind in notices:
        if (event.event_id, kind) not in told:
            words = f"{event.name} owes the notice {kind}, which was not told"
            yield Finding("I4", event.claim_id, words, may_come=True)


def _booked(events: list[Seen]) -> dict[str, datetime]:
    """When the money of each instruction and confirmation was booked, by the id of the event that tells of it."""
    of_payment: dict[str, datetime] = {}
    found = {}
    for event in events:
        if event.data and event.name == "PaymentInstructed":
            found[event.event_id] = datetime.fromisoformat(event.data["booked_at"])
            of_payment.setdefault(event.data["payment_id"], found[event.event_id])
        if event.data and event.name == "PaymentConfirmed" and event.data["payment_id"] in of_payment:
            found[event.event_id] = of_payment[event.data["payment_id"]]
    return found


def _in_order(evidence: Evidence, by_claim: dict[str, list[Seen]]) -> Iterator[Finding]:
    digests: dict[str, int] = {}
    for event in evidence.events:
        if digests.setdefault(event.event_id, event.digest) != event.digest:
            yield Finding("I5", event.claim_id, f"two copies of event {event.event_id} differ")
    for claim, events in by_claim.items():
        numbers: dict[str, list[int]] = defaultdict(list)
        for event in events:
            numbers[event.writer].append(event.sequence)
        for writer, found in numbers.items():
            if found != list(range(1, len(found) + 1)):
                yield Finding("I5", claim, f"the events of {writer} are not 1, 2, 3 ... in the log")
        for event in events:
            ahead = [writer for writer, number in event.after.items() if number > len(numbers.get(writer, ()))]
            if ahead:
                yield Finding("I5", claim, f"{event.name} follows an event of {ahead[0]} that is not in the log")
        names = [event.name for event in events if event.writer == "assessment"]
        if names.count("ClaimRegistered") > 1 or ("ClaimClosed" in names and names[-1] != "ClaimClosed"):
            yield Finding("I5", claim, f"its states cannot follow each other: {', '.join(names)}")


def _closed_unpaid(by_claim: dict[str, list[Seen]]) -> Iterator[Finding]:
    for claim, events in by_claim.items():
        outcomes = {event.data["outcome"] for event in events if event.name == "ClaimClosed" and event.data}
        if outcomes - {"paid"} and any(event.name == "PaymentConfirmed" for event in events):
            yield Finding("I2", claim, f"closed as {', '.join(sorted(outcomes))}, but paid")


def _person_behind(events: list[Seen]) -> Iterator[Finding]:
    reviews = {event.event_id for event in events if event.name == "ReviewRecorded"}
    wishes = {event.event_id for event in events if event.name == "ClaimWithdrawn"}
    for event in events:
        if event.name == "ClaimClosed" and event.data and event.data["outcome"] != "paid":
            behind = wishes if event.data["outcome"] == "withdrawn" else reviews
            if event.cause_id not in behind:
                yield Finding("I5", event.claim_id, f"closed as {event.data['outcome']} and nobody asked for it")
    for event in events:
        if event.name in REFUSALS and (event.cause_id not in reviews or not (event.data or {}).get("person")):
            yield Finding("I5", event.claim_id, f"{event.name} without a person's review as its cause")
