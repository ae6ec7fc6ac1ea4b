"""What operations work on: the lines of one coverage, how far the arithmetic has come, and what one step makes of it.

Amounts are exact fractions in major units. Nothing here is changed in place: a step answers with new amounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType

from schemas.ids import ClaimId
from schemas.intake import OtherPolicy
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage, InsuredItem
from services.assessment.domain.facts import FactBook, FactError

PAYABLE = "_payable"
ZERO = Fraction(0)
ONE = Fraction(1)
NO_RESULTS: Mapping[str, Fraction] = MappingProxyType({})
NO_PARAMS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Line:
    """One reported line as the terms see it. `extension` names the extension that takes it out of the main run."""

    line_id: str
    asked: Fraction | None
    facts: FactBook
    category: str | None = None
    item: InsuredItem | None = None
    item_id: str | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What a claim takes from a ledger that other claims share. `period` names the span it counts in.

    `borne`: it is what the policyholder bears that counts, not what is paid.
    """

    aggregate_id: str
    period: str
    amount: Fraction
    borne: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """The terms do not cover this at all: why, by which clause, on which fact. A person has to say so."""

    reason: str
    clause_id: str | None
    fact: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far the arithmetic has come: an amount a line, what they were valued at, and the named results so far.

    `above` is what of each line lay above a limit since it was valued.
    """

    amounts: tuple[Fraction, ...]
    base: tuple[Fraction, ...]
    results: Mapping[str, Fraction] = field(default_factory=lambda: NO_RESULTS)
    ineffective: frozenset[str | None] | None = None
    above: tuple[Fraction, ...] | None = None

    def total(self, places: Sequence[int]) -> Fraction:
        return added(self.amounts, places)

    def base_total(self, places: Sequence[int]) -> Fraction:
        return added(self.base, places)

    def within_limits(self, place: int) -> Fraction:
        """What the line was valued at, less what of it lay above a limit: that much can be covered at all."""
        return self.base[place] - (self.above[place] if self.above is not None else ZERO)

    def with_amounts(self, changed: Mapping[int, Fraction]) -> tuple[Fraction, ...]:
        """All amounts, those at the given places replaced."""
        return tuple(changed.get(place, amount) for place, amount in enumerate(self.amounts))


@dataclass(frozen=True, slots=True)
class Own:
    """What a step says of one line where lines differ: its figures, and its clause if it has one."""

    params: Mapping[str, str]
    clause_id: str | None = None


NO_STOPS: Mapping[int, Stop] = MappingProxyType({})
NO_OWN: Mapping[int, Own] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Applied:
    """What one operation made of the position. `revalues`: what later percentages of the loss are taken from. `capped`:
    what it took lay above a limit, and nobody shares it.

    `reason` is why amounts fell to less than the claim's own terms would give (`reduction`), or to nothing; `stops` are
    the lines it refuses, each with its own. `own` stands in place of `params` and `clause_id` for the lines it names.
    """

    amounts: tuple[Fraction, ...]
    params: Mapping[str, str] = field(default_factory=lambda: NO_PARAMS)
    results: Mapping[str, Fraction] = field(default_factory=lambda: NO_RESULTS)
    clause_id: str | None = None
    reason: str | None = None
    reduction: bool = False
    revalues: bool = False
    stops: Mapping[int, Stop] = field(default_factory=lambda: NO_STOPS)
    uses: tuple[Use, ...] = ()
    ineffective: frozenset[str | None] | None = None
    own: Mapping[int, Own] = field(default_factory=lambda: NO_OWN)
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What stands still while a coverage is run: its terms, the policy, the loss, and what others have used.

    `used` answers how much of a ledger's period is gone; `as_if` runs the coverage again with other facts. `earlier` is
    what the coverages before this one came to, as `<code>_payable`; a coverage that is not claimed came to nothing.
    """

    coverage: Coverage
    policy: PolicySnapshot
    lines: tuple[Line, ...]
    facts: FactBook
    loss_at: datetime
    loss_zone: str
    used: Callable[[str, str], Fraction]
    as_if: Callable[[Mapping[str, bool]], Fraction]
    other_policies: tuple[OtherPolicy, ...] = ()
    earlier: Mapping[str, Fraction] = field(default_factory=lambda: NO_RESULTS)
    claim_id: ClaimId | None = None

    def figure(self, source: str, position: Position, place: int | None = None) -> Fraction | None:
        """The figure a source names, None if it is a fact nobody stated. FactError if it names nothing of the terms."""
        kind, _, name = source.partition(":")
        if not name:
            return Fraction(source)
        if kind == "fact":
            return self.facts_of(place).figure(name)
        if kind == "term":
            return self.term(name)
        if name in position.results:
            return position.results[name]
        if name.endswith(PAYABLE):
            return self.earlier.get(name, ZERO)
        noted = ", ".join(sorted(position.results)) or "none"
        raise FactError(name, f"is no result of an earlier operation; those noted: {noted}")

    def needed(self, source: str, position: Position, place: int | None = None) -> Fraction:
        """The same, but FactError if nobody stated it."""
        found = self.figure(source, position, place)
        if found is None and place is None and self._of_a_line(source):
            raise FactError(
                source.partition(":")[2], "is needed once for all lines: state it of the claim", missing=True
            )
        if found is None:
            raise FactError(source.partition(":")[2], "is needed by the terms and was not stated", missing=True)
        return found

    def not_negative(self, source: str, position: Position, place: int | None = None) -> Fraction:
        """The same, and no less than nothing: what is taken off must not turn into a gain."""
        found = self.needed(source, position, place)
        if found < 0:
            raise FactError(source.partition(":")[2] or "figure", "must not be less than nothing")
        return found

    def limit_of(self, place: int) -> Fraction | None:
        """The limit of the item a line is about, the coverage's where the item has none of its own."""
        item = self.lines[place].item
        own = item.limit if item is not None and item.limit is not None else self.coverage.limit
        return None if own is None else own.as_fraction()

    def facts_of(self, place: int | None) -> FactBook:
        """What is known of a line; of all lines together, those of the only one where there is one."""
        only = 0 if place is None and len(self.lines) == 1 else place
        return self.facts if only is None else self.lines[only].facts

    def _of_a_line(self, source: str) -> bool:
        kind, _, name = source.partition(":")
        return kind == "fact" and any(line.facts.own(name) for line in self.lines)

    def term(self, name: str) -> Fraction:
        """A figure of the coverage by name: its limit, insured value, or one of its own amounts and rates."""
        coverage = self.coverage
        if name == "limit" and coverage.limit is not None:
            return coverage.limit.as_fraction()
        if name == "insured_value" and coverage.insured_value is not None:
            return coverage.insured_value.as_fraction()
        if coverage.amounts and name in coverage.amounts:
            return coverage.amounts[name].as_fraction()
        if coverage.rates and name in coverage.rates:
            return Fraction(coverage.rates[name])
        raise FactError(name, "is not among the terms of the coverage", missing=True)


def added(amounts: Sequence[Fraction], places: Sequence[int]) -> Fraction:
    """The sum of the amounts at these places; most coverages have one line, which needs no adding."""
    if len(places) == 1:
        return amounts[places[0]]
    return sum((amounts[place] for place in places), ZERO)


def shared_by(places: Sequence[int]) -> dict[str, str]:
    """How many lines a figure is for together, if it is not for one alone."""
    return {"lines": str(len(places))} if len(places) > 1 else {}


def by_item(terms: Terms, places: Sequence[int]) -> list[list[int]]:
    """The lines of each item together. Lines that name no item are items of their own."""
    groups: dict[str, list[int]] = {}
    for place in places:
        groups.setdefault(terms.lines[place].item_id or f"line {place}", []).append(place)
    return list(groups.values())


def spread(position: Position, places: Sequence[int], total: Fraction) -> dict[int, Fraction]:
    """The new total over the lines in proportion to what each stood at; nothing stays nothing."""
    before = position.total(places)
    if not before:
        return dict.fromkeys(places, ZERO)
    if len(places) == 1:
        return {places[0]: total}
    return {place: total * position.amounts[place] / before for place in places}


def take_in_order(position: Position, places: Sequence[int], taken: Fraction) -> dict[int, Fraction]:
    """What is taken comes off the first line as far as it goes, then the next."""
    left, changed = taken, {}
    for place in places:
        part = min(left, position.amounts[place])
        changed[place] = position.amounts[place] - part
        left -= part
    return changed


def keep_in_order(position: Position, places: Sequence[int], kept: Fraction) -> dict[int, Fraction]:
    """What may be kept goes to the first line as far as it needs it, then to the next."""
    left, changed = kept, {}
    for place in places:
        changed[place] = min(left, position.amounts[place])
        left -= changed[place]
    return changed
