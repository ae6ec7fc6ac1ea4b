"""What an adjudication says, by the names of the case format: every figure it named, lines by item and in order."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from schemas.decision import DecisionKind
from schemas.money import Money, exact_amount
from services.assessment.domain.adjudicate import Adjudication
from services.assessment.domain.claim import Report

Got = dict[str, Any]

ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "deductible_applied": ("deductible_consumed",),
    "holdback": ("recoverable",),
}
COUNTS = frozenset({"first_payment_due_day"})
LEFT_TO_RECOVER = "recoverable"


def of_one(found: Adjudication, report: Report) -> Got:
    """Everything one adjudication says."""
    currency = found.computed.currency
    got: Got = {"decision": found.kind.value, "payable": found.computed.to_text()}
    got[LEFT_TO_RECOVER] = money_text(Fraction(0), currency)
    for result in found.coverages:
        for name, text in (result.results or {}).items():
            value: Any = money_text(exact_amount(text), currency)
            if name in COUNTS:
                value = int(text)
            got |= dict.fromkeys((name, *ALSO_CALLED.get(name, ())), value)
        for refusal in result.refusals or ():
            got.setdefault("reason", refusal.reason)
            got.setdefault("clause", refusal.clause_id)
    reason = reason_of(found)
    if reason is not None and found.kind is not DecisionKind.pay:
        got.setdefault("reason", reason)
    payable = {line.line_id: line.payable.to_text() for line in found.lines}
    got["by_line"] = [payable[line.line_id] for line in report.lines if line.category != "debris_removal"]
    got["by_item"] = {line.item_id: payable[line.line_id] for line in report.lines if line.item_id is not None}
    if found.problems:
        got["problems"] = list(found.problems)
    return got


def reason_of(found: Adjudication) -> str | None:
    """The first reason any coverage came upon, what the law says of a clause before all others."""
    reasons = [reason for result in found.coverages for reason in result.reasons or ()]
    named = {one.value.upper() for one in found.questions}
    return next((one for one in reasons if one in named), reasons[0] if reasons else None)


def figure(found: Adjudication, name: str) -> Fraction:
    """A named figure over all coverages; nothing where none has it."""
    texts = [(one.results or {}).get(name) for one in found.coverages]
    return sum((exact_amount(text) for text in texts if text is not None), Fraction(0))


def money_text(exact: Fraction, currency: str) -> str:
    """Rounded half-up, once, with the currency's decimals."""
    return Money.of_fraction(exact, currency).to_text()
