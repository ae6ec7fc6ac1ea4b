"""The report of a replay: what became of the claims, how it agrees with what was really paid, how fast, at what cost.

Agreement is judged where the programme really paid something and the row's terms are known. Damage in the file is in
whole dollars and payments are in cents, so one dollar is the tolerance throughout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.replay.following import Story
from local.replay.invariants import Verdict
from local.replay.nfip import Outcome
from local.replay.sending import Sent

TOLERANCE = Decimal(1)
ACV_YEARS = range(2000, 2018)
FROM_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Run:
    """One finished replay, in the order of the file; seconds are wall clock from the first send to the last settled."""

    claim_ids: Sequence[str]
    outcomes: Sequence[Outcome]
    stories: Mapping[str, Story]
    sent: Sent
    acknowledged: int
    seconds: float
    cpu_seconds: Mapping[str, float]
    engine: str
    mail: str
    verdict: Verdict


def report_of(run: Run) -> dict[str, Any]:
    """The report as JSON-able data; rates are fractions, times in milliseconds."""
    stories = [run.stories[claim] for claim in run.claim_ids]
    end_to_end = [
        (story.settled_at - run.sent.sent_at[claim]).total_seconds()
        for claim, story in zip(run.claim_ids, stories, strict=True)
        if story.settled_at is not None and claim in run.sent.sent_at
    ]
    settled = sum(story.settled_at is not None for story in stories)
    broken = Counter(finding.invariant for finding in run.verdict.findings)
    return {
        "claims": len(stories),
        "acknowledged": run.acknowledged,
        "by_state": dict(sorted(Counter(_state(story) for story in stories).items())),
        "referral_reasons": dict(Counter(reason for story in stories for reason in story.reasons).most_common()),
        "lost": sum(not story.reported for story in stories) + broken["I1"],
        "duplicate_payments": sum(story.paid > 1 for story in stories) + broken["I2"],
        "ledger_balanced": not broken["I3"],
        "violations": dict(sorted(broken.items())),
        "agreement": agreement(stories, run.outcomes),
        "claims_per_s": round(settled / run.seconds, 1) if run.seconds else 0.0,
        "ack_ms": _percentiles(run.sent.ack_seconds),
        "end_to_end_ms": _percentiles(end_to_end),
        "cpu_s_per_1000": round(1000 * sum(run.cpu_seconds.values()) / max(1, len(stories)), 2),
        "cpu_s_per_1000_by_process": {
            name: round(1000 * seconds / max(1, len(stories)), 3) for name, seconds in sorted(run.cpu_seconds.items())
        },
        "seconds": round(run.seconds, 1),
        "engine": run.engine,
        "mail": run.mail,
        "notices": sum(story.notices for story in stories),
        "chunks_repeated": run.sent.repeats,
        "example_claim": _example(run),
    }


def agreement(stories: Sequence[Story], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How our payable compares with what the programme really paid, where it paid."""
    acv, rc, contents = _Share("within_1"), _Share("inside_interval"), _Share("within_1")
    unpaid = Counter[str]()
    for story, real in zip(stories, outcomes, strict=True):
        ours = story.payable or {}
        building, goods = _amount(ours.get("building")), _amount(ours.get("contents"))
        if real.building_paid > 0 and building is not None and real.building_terms_known:
            if real.basis == "A" and real.loss_year in ACV_YEARS:
                acv.take(abs(building - real.building_paid) <= TOLERANCE)
            if real.basis == "R" and real.loss_year >= FROM_YEAR:
                rc.take(building - TOLERANCE <= real.building_paid <= real.building_limit + TOLERANCE)
        if real.contents_paid > 0 and goods is not None and real.contents_terms_known and real.loss_year >= FROM_YEAR:
            contents.take(abs(goods - real.contents_paid) <= TOLERANCE)
        if real.building_paid <= 0 and real.contents_paid <= 0:
            unpaid["referred" if story.state == "referred" else "paid by the terms"] += 1
    return {
        "building_acv": acv.as_json(),
        "building_rc": rc.as_json(),
        "contents": contents.as_json(),
        "programme_paid_nothing": {"n": sum(unpaid.values()), **dict(sorted(unpaid.items()))},
    }


def _example(run: Run) -> str:
    """A paid claim to look at, if there is one."""
    paid = (claim for claim in run.claim_ids if run.stories[claim].paid)
    return next(paid, run.claim_ids[0])


class _Share:
    """How many of n."""

    def __init__(self, name: str) -> None:
        self._name, self.n, self.hits = name, 0, 0

    def take(self, hit: bool) -> None:
        self.n += 1
        self.hits += hit

    def as_json(self) -> dict[str, Any]:
        return {"n": self.n, self._name: self.hits, "rate": round(self.hits / self.n, 4) if self.n else None}


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _state(story: Story) -> str:
    return f"closed ({story.outcome})" if story.state == "closed" else story.state


def _percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(seconds)
    if not ordered:
        return {"p50": None, "p99": None}
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))], 1)
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }
