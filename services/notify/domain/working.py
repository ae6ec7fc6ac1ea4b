"""The arithmetic of a decision in words: one sentence a line, from the damage by way of each step to what is payable.

Amounts are exact until they are written; a step that changes nothing is not mentioned.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from schemas.assessment import DecisionLine, Step
from schemas.money import Money, MoneyError, exact_amount
from services.notify.domain.figures import Figures
from services.notify.domain.notices import Explained
from services.notify.domain.templates import Filled, TextError

_SENTENCES = {
    "line": frozenset({"coverage", "start", "steps", "payable"}),
    "line_nil": frozenset({"coverage", "start", "steps"}),
    "start": frozenset({"amount"}),
    "start_unknown": frozenset[str](),
    "deductible": frozenset({"amount"}),
    "deductible_all": frozenset({"amount"}),
    "limit": frozenset({"amount"}),
    "limit_share": frozenset({"amount"}),
    "other": frozenset({"operation", "amount"}),
    "total": frozenset({"amount"}),
    "override": frozenset({"computed", "amount"}),
    "more": frozenset({"count"}),
    "unknown": frozenset[str](),
}
LINES_TOLD = 12


class Working:
    """The sentences of one language."""

    def __init__(self, words: Mapping[str, Mapping[str, str]], figures: Figures, where: str) -> None:
        sentences = words.get("working", {})
        missing = sorted(set(_SENTENCES) ^ set(sentences))
        if missing:
            raise TextError(f"{where}: working must have exactly its sentences, see {', '.join(missing)}")
        self._say = {name: Filled(sentences[name], known, where) for name, known in _SENTENCES.items()}
        self._coverages, self._operations = words["coverages"], words["operations"]
        self._figures = figures

    def explain(self, explained: Explained | None) -> str:
        """One sentence a line, a sum where there are several, and who set another amount."""
        if explained is None or explained.computed is None or explained.payable is None or not explained.lines:
            return self._say["unknown"].fill({})
        currency = explained.computed.currency
        said = [self._line(line, currency) for line in explained.lines[:LINES_TOLD]]
        if len(explained.lines) > LINES_TOLD:
            said.append(self._say["more"].fill({"count": str(len(explained.lines) - LINES_TOLD)}))
        if len(explained.lines) > 1:
            said.append(self._say["total"].fill({"amount": self._figures.money(explained.computed)}))
        if explained.payable != explained.computed:
            amounts = {"computed": explained.computed, "amount": explained.payable}
            said.append(self._say["override"].fill({name: self._figures.money(one) for name, one in amounts.items()}))
        return "\n".join(said)

    def _line(self, line: DecisionLine, currency: str) -> str:
        start = self._start(line, currency)
        values = {
            "coverage": self._coverages.get(line.coverage_code, line.coverage_code),
            "start": self._say["start_unknown"].fill({}) if start is None else self._with("start", start),
            "steps": "".join(self._step(step, currency) for step in line.steps),
            "payable": self._figures.money(line.payable),
        }
        return self._say["line" if line.payable else "line_nil"].fill(values)

    def _start(self, line: DecisionLine, currency: str) -> Money | None:
        if line.steps:
            return Money.of_fraction(exact_amount(line.steps[0].amount_in), currency)
        return line.asked

    def _step(self, step: Step, currency: str) -> str:
        before, after = exact_amount(step.amount_in), exact_amount(step.amount_out)
        if before == after:
            return ""
        if step.op == "deductible" and after < before:
            whole = _parameter(step, "amount") or before
            borne = Money.of_fraction(before - after if after else whole, currency)
            return self._with("deductible" if after else "deductible_all", borne)
        if step.op == "limit" and after < before:
            # Several lines of one coverage share its limit; then this line's part is not the limit itself.
            shared = _parameter(step, "amount") not in (None, after)
            return self._with("limit_share" if shared else "limit", Money.of_fraction(after, currency))
        operation = self._operations.get(step.op, step.op)
        amount = self._figures.money(Money.of_fraction(after, currency))
        return self._say["other"].fill({"operation": operation, "amount": amount})

    def _with(self, name: str, amount: Money) -> str:
        return self._say[name].fill({"amount": self._figures.money(amount)})


def _parameter(step: Step, name: str) -> Fraction | None:
    try:
        return exact_amount((step.params or {}).get(name, ""))
    except MoneyError:
        return None
