"""The arithmetic of a decision in words: per line from the loss by way of each step to what is payable, then in total.

The amounts written add up to the payable: each step says by how much it lowers or raises what was written before it,
to the currency's smallest unit, and what rounding adds is said as such. A step that changes nothing is left out,
unless it has a reason or is itself news.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from explain.figures import Figures
from explain.filling import Filled, TextError
from schemas.decision import DecisionLine, Step
from schemas.money import Money, MoneyError, exact_amount

_FRAME = {
    "line": frozenset({"coverage", "amount"}),
    "line_unstated": frozenset({"coverage"}),
    "numbered": frozenset({"coverage", "line_id"}),
    "less": frozenset({"what", "clause", "amount", "after", "reason"}),
    "more": frozenset({"what", "clause", "amount", "after", "reason"}),
    "note": frozenset({"what", "clause", "reason"}),
    "nothing": frozenset({"what", "clause", "reason"}),
    "clause": frozenset({"clause"}),
    "reason": frozenset({"reason"}),
    "rounding": frozenset[str](),
    "rounded": frozenset({"exact"}),
    "pay": frozenset({"amount"}),
    "nil": frozenset[str](),
    "open": frozenset[str](),
    "value": frozenset({"amount"}),
    "total": frozenset({"amount"}),
    "override": frozenset({"computed", "amount"}),
    "omitted": frozenset({"count"}),
    "unknown": frozenset[str](),
    "other": frozenset({"name"}),
}
_MONEY = ("amount", "carried", "required", "base", "borne", "least", "most")
_PERCENT = ("rate", "ratio")
_PLAIN = ("observed", "at_least", "policies", "lines")
_VALUES = frozenset({*_MONEY, *_PERCENT, *_PLAIN, "name", "working"})
NEWS = ("holdback", "subrogation")
"""Operations that change no amount and are told all the same, once a coverage."""


class Working:
    """The sentences of one language. `words` are the tables of its file, `where` names it in a TextError."""

    def __init__(self, words: Mapping[str, Mapping[str, Any]], figures: Figures, where: str) -> None:
        frame = words.get("frame", {})
        wrong = sorted(set(_FRAME) ^ set(frame))
        if wrong:
            raise TextError(f"{where}: frame must have exactly its sentences, see {', '.join(wrong)}")
        self.figures = figures
        self._say = {name: Filled(frame[name], known, where) for name, known in _FRAME.items()}
        self._operations = {op: _ways(said, f"{where}: {op}") for op, said in words["operations"].items()}
        self._reasons, self._coverages, self._names = words["reasons"], words["coverages"], words["names"]
        self._families = {
            name: Filled(said, frozenset({"code"}), where) for name, said in words["reason_families"].items()
        }

    @property
    def operations(self) -> frozenset[str]:
        """The operations this language has a sentence for."""
        return frozenset(self._operations)

    @property
    def reasons(self) -> frozenset[str]:
        """The reason codes this language words one by one; the families word the rest."""
        return frozenset(self._reasons)

    def explain(
        self,
        lines: Sequence[DecisionLine],
        computed: Money | None,
        payable: Money | None,
        lines_told: int = 100,
        valuation: bool = False,
    ) -> str:
        """The whole decision; `valuation` where its amounts are values, not payments."""
        if computed is None or payable is None or not lines:
            return self._say["unknown"].fill({})
        said: list[str] = []
        news: set[tuple[str, str]] = set()
        names = [self.coverage(line.coverage_code) for line in lines]
        for line, coverage in zip(lines[:lines_told], names, strict=False):
            if names.count(coverage) > 1:
                coverage = self._say["numbered"].fill({"coverage": coverage, "line_id": line.line_id})
            said.extend(self._line(line, coverage, computed.currency, valuation, news))
        if len(lines) > lines_told:
            said.append(self._say["omitted"].fill({"count": str(len(lines) - lines_told)}))
        if len(lines) > 1 and any(line.steps or line.payable for line in lines):
            said.append(self._with("total", computed))
        if payable != computed:
            amounts = {"computed": computed, "amount": payable}
            said.append(self._say["override"].fill({name: self.figures.money(one) for name, one in amounts.items()}))
        return "\n".join(said)

    def operation(self, op: str, params: Mapping[str, str] | None, currency: str) -> str:
        """What a step does, with as many of its figures as it has."""
        values = self._values(params or {}, currency)
        for way in self._operations.get(op, ()):
            if values.keys() >= set(way.names):
                return way.fill(values)
        return self._say["other"].fill({"name": op})

    def coverage(self, code: str) -> str:
        """A coverage by its name; its code, as words, where this language has none."""
        return str(self._coverages.get(code, code.replace("_", " ")))

    def reason(self, code: str) -> str:
        """A reason code in words: its own, those of its family, or that the terms give it."""
        if code in self._reasons:
            return str(self._reasons[code])
        family = next((one for one in self._families if code == one or code.startswith(f"{one}_")), "OTHER")
        return self._families[family].fill({"code": code})

    def _line(
        self, line: DecisionLine, coverage: str, currency: str, valuation: bool, news: set[tuple[str, str]]
    ) -> Iterator[str]:
        stated = line.asked if line.asked is not None else _first(line, currency)
        at = Money.zero(currency) if stated is None else stated
        head = {"coverage": coverage, "amount": self.figures.money(at)}
        yield self._say["line_unstated" if stated is None else "line"].fill(head)
        exact = at.as_fraction()
        for step in line.steps:
            exact = exact_amount(step.amount_out)
            after = Money.of_fraction(exact, currency)
            if after != at:
                yield self._moved(self.operation(step.op, step.params, currency), at, after, step)
            elif stated is None and step.op == "value" and not after:
                what = self.operation(step.op, step.params, currency)
                yield self._say["nothing"].fill({"what": what, **self._grounds(step)})
            elif step.reason is not None or self._is_news(step, (line.coverage_code, step.op), news):
                what = self.operation(step.op, step.params, currency)
                yield self._say["note"].fill({"what": what, **self._grounds(step)})
            at = after
        if at != line.payable and line.steps:
            yield self._moved(self._say["rounding"].fill({}), at, line.payable, None)
        elif exact != line.payable.as_fraction() and line.steps:
            yield "- " + self._say["rounded"].fill({"exact": self.figures.exact(exact)})
        if not line.steps and not line.payable:
            yield self._say["open"].fill({})
        elif valuation:
            yield self._with("value", line.payable)
        else:
            yield self._with("pay", line.payable) if line.payable else self._say["nil"].fill({})

    def _moved(self, what: str, before: Money, after: Money, step: Step | None) -> str:
        """What was taken or added, and what that leaves."""
        lower = after < before
        size = before - after if lower else after - before
        written = {"amount": self.figures.money(size), "after": self.figures.money(after)}
        return self._say["less" if lower else "more"].fill({"what": what, **written, **self._grounds(step)})

    def _grounds(self, step: Step | None) -> dict[str, str]:
        clause = "" if step is None or step.clause_id is None else self._say["clause"].fill({"clause": step.clause_id})
        if step is None or step.reason is None:
            return {"clause": clause, "reason": ""}
        return {"clause": clause, "reason": self._say["reason"].fill({"reason": self.reason(step.reason)})}

    def _is_news(self, step: Step, key: tuple[str, str], told: set[tuple[str, str]]) -> bool:
        """Whether a step that changed nothing has something to say that was not said for its coverage yet."""
        if step.op not in NEWS or key in told or _exact((step.params or {}).get("amount", "")) in (None, 0):
            return False
        told.add(key)
        return True

    def _values(self, params: Mapping[str, str], currency: str) -> dict[str, str]:
        values: dict[str, str] = {}
        for name in (*_MONEY, *_PERCENT):
            figure = _exact(params.get(name, ""))
            if figure is not None and name in _MONEY:
                values[name] = self.figures.money(Money.of_fraction(figure, currency))
            elif figure is not None:
                values[name] = self.figures.percent(figure)
        values |= {name: params[name] for name in _PLAIN if name in params}
        if "of" in params:
            values["working"] = self._sum(params)
        if "name" in params:
            values["name"] = self._names.get(params["name"], params["name"].replace("_", " "))
        return values

    def _sum(self, params: Mapping[str, str]) -> str:
        """How a value was worked out, in figures: (11 − 6) × 25."""
        of, less, times = (_exact(params.get(name, "")) for name in ("of", "less", "times"))
        said = "" if of is None else self.figures.exact(of)
        if less is not None:
            said = f"{said} − {self.figures.exact(less)}"
        if times is not None:
            said = (
                f"({said}) × {self.figures.exact(times)}"
                if less is not None
                else f"{said} × {self.figures.exact(times)}"
            )
        return said

    def _with(self, name: str, amount: Money) -> str:
        return self._say[name].fill({"amount": self.figures.money(amount)})


def _ways(said: object, where: str) -> tuple[Filled, ...]:
    if not isinstance(said, list) or not said:
        raise TextError(f"{where}: a list of at least one sentence")
    ways = tuple(Filled(one, _VALUES, where) for one in said)
    if ways[-1].names:
        raise TextError(f"{where}: the last way to say it must need no value")
    return ways


def _first(line: DecisionLine, currency: str) -> Money | None:
    """What an earlier release began with where it kept no amount asked; nothing stated is nothing."""
    begun = exact_amount(line.steps[0].amount_in) if line.steps else Fraction(0)
    return Money.of_fraction(begun, currency) if begun else None


def _exact(text: str) -> Fraction | None:
    try:
        return exact_amount(text)
    except MoneyError:
        return None
