"""What a rehearsal found, as JSON: how many would get what instead, sums then and now, every claim that differs.

Claims a person decided are counted by themselves: there the draft's proposal stands beside the earlier proposal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.money import Money
from services.assessment.domain.differences import Answer, Change, Way, change_of
from services.assessment.domain.rehearsal import Rehearsed, Uncompared

LARGEST = 10


@dataclass(slots=True)
class _Sums:
    """Minor units of one currency."""

    was: int = 0
    then: int = 0
    paid_was: int = 0
    paid_then: int = 0

    def take(self, was: Answer, then: Answer) -> None:
        self.was += _minor(was)
        self.then += _minor(then)
        self.paid_was += _minor(was) if was.way is Way.software else 0
        self.paid_then += _minor(then) if then.way is Way.software else 0

    def as_json(self, currency: str) -> dict[str, str]:
        names = ("was", "then", "paid_was", "paid_then")
        return {name: Money(getattr(self, name), currency).to_text() for name in names}


@dataclass(slots=True)
class _Block:
    """Counts over some of the claims."""

    claims: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    sums: dict[str, _Sums] = field(default_factory=dict)

    def take(self, one: Rehearsed) -> None:
        self.claims += 1
        self.counts.update(_kinds(one))
        amount = one.was.amount or one.then.amount
        if amount is not None:
            self.sums.setdefault(amount.currency, _Sums()).take(one.was, one.then)

    def as_json(self) -> dict[str, Any]:
        return {
            "claims": self.claims,
            **{name: self.counts[name] for name in KINDS},
            "sums": {currency: sums.as_json(currency) for currency, sums in sorted(self.sums.items())},
        }


KINDS = ("same", "more", "less", "nothing", "to_person", "to_software", "otherwise")
"""How a claim may differ. One may get another amount and go another way too; `otherwise`: only sorted or asked so."""


def result_of(found: Iterable[Rehearsed], left: Uncompared) -> dict[str, Any]:
    """The whole result."""
    by_rules, by_person, kept = _Block(), _Block(), Counter[str]()
    differing = []
    for one in found:
        (by_rules if one.person is None else by_person).take(one)
        kept.update({part.why.value for part in one.kept})
        if one.difference is not None:
            differing.append(claim_json(one))
    return {
        "claims": by_rules.claims + by_person.claims,
        "differing": len(differing),
        "by_rules": by_rules.as_json(),
        "decided_by_a_person": by_person.as_json(),
        "not_as_in_force": sum("in_force_differs" in one for one in differing),
        "terms_kept": dict(sorted(kept.items())),
        "not_compared": {
            "report_missing": left.unreported,
            "never_registered": left.unregistered,
            "not_decided": left.undecided,
        },
        "claims_differing": differing,
    }


def claim_json(one: Rehearsed) -> dict[str, Any]:
    """One claim that differs."""
    content: dict[str, Any] = {
        "claim_id": str(one.claim_id),
        "reference": one.reference,
        "line": one.line,
        "decided_at": one.at.isoformat(),
        "change": change_of(one.was, one.then).value,
        "was": _answer(one.was),
        "then": _answer(one.then),
    }
    if one.difference is not None:
        content["first_difference"] = {
            "where": one.difference.where,
            "was": one.difference.was,
            "then": one.difference.then,
        }
    if one.person is not None:
        content["person"] = one.person
    if one.kept:
        content["terms_kept"] = {part.coverage_code: part.why.value for part in one.kept}
    if one.in_force_differs:
        content["in_force_differs"] = True
    return content


def largest(found: Sequence[Rehearsed], most: int = LARGEST) -> list[Rehearsed]:
    """Of each currency the claims whose amount changes most; by reference where it changes as much."""
    by_currency: dict[str, list[Rehearsed]] = {}
    for one in found:
        amount = one.then.amount or one.was.amount
        if amount is not None and change_of(one.was, one.then) is not Change.same:
            by_currency.setdefault(amount.currency, []).append(one)
    ranked = (sorted(ones, key=_rank)[:most] for _, ones in sorted(by_currency.items()))
    return [one for ones in ranked for one in ones]


def _rank(one: Rehearsed) -> tuple[int, str]:
    return -abs(_minor(one.then) - _minor(one.was)), one.reference


def _kinds(one: Rehearsed) -> list[str]:
    if one.difference is None:
        return ["same"]
    change, kinds = change_of(one.was, one.then), []
    if change is not Change.same:
        kinds.append(change.value)
    if one.was.way is not one.then.way:
        kinds.append("to_person" if one.then.way is Way.person else "to_software")
    return kinds or ["otherwise"]


def _answer(one: Answer) -> dict[str, Any]:
    content = {
        "way": one.way.value,
        "amount": None if one.amount is None else {"amount": one.amount.to_text(), "currency": one.amount.currency},
        "reasons": [reason.value for reason in one.reasons],
        "desk": one.desk,
        "segment": one.segment,
        "lane": one.lane,
        "flags": list(one.flags),
        "advance": None if one.advance is None else one.advance.to_text(),
    }
    return {name: value for name, value in content.items() if value not in (None, [])}


def _minor(one: Answer) -> int:
    return 0 if one.amount is None else one.amount.amount_minor
