"""What stands around a claim: the other claims of its policy, and what they have used of limits they share.

Read and locked with the claim, so that what is decided on it cannot have changed meanwhile. Within a batch each
decision is noted here before the next one is made: two claims at once never spend the same money.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from types import MappingProxyType

from schemas.decision import LedgerUse
from schemas.ids import ClaimId, claim_reference
from schemas.intake import Place
from schemas.money import Money
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage, DeductibleKind, DeductiblePer, LimitBasis

LedgerKey = tuple[str, str]
NOTHING_USED: Mapping[LedgerKey, Fraction] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another claim of the same policy, near in time. `open_or_paid`: not closed as duplicate, withdrawn or denied."""

    claim_id: ClaimId
    loss_at: datetime
    peril: str
    place: str | None
    asked: Money | None
    open_or_paid: bool

    @property
    def reference(self) -> str:
        """What people call the claim by."""
        return claim_reference(self.claim_id)


@dataclass(frozen=True, slots=True)
class Around:
    """What the other claims of the policy come to, seen from one claim."""

    claims_on_policy: int = 0
    near: tuple[Neighbour, ...] = ()
    used: Mapping[LedgerKey, Fraction] = field(default_factory=lambda: NOTHING_USED)


ALONE = Around()
NEAR_DAYS = timedelta(days=30)
NEAR_MAX = 50
"""Of other claims of a policy, those whose loss is at most so far away are looked at, the nearest so many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be read around a claim: its near neighbours always, what its policy's ledgers hold if it says so."""

    policy_number: str
    loss_at: datetime
    ledgers: bool


class Vicinity:
    """The policies of one batch: what is stored about their claims, and what the batch decides, noted at once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._near: dict[str, dict[ClaimId, Neighbour]] = {}
        self._used: dict[str, dict[LedgerKey, dict[ClaimId | None, Fraction]]] = {}

    def count(self, policy_number: str, claims: int) -> None:
        """So many more claims of the policy are stored, those of the batch included."""
        self._counts[policy_number] = self._counts.get(policy_number, 0) + claims

    def add(self, policy_number: str, neighbour: Neighbour) -> None:
        self._near.setdefault(policy_number, {})[neighbour.claim_id] = neighbour

    def use(self, policy_number: str, key: LedgerKey, claim_id: ClaimId | None, amount: Fraction) -> None:
        """What a claim has used, on top of what was said before; None: all claims that are not in the batch."""
        holders = self._used.setdefault(policy_number, {}).setdefault(key, {})
        holders[claim_id] = holders.get(claim_id, Fraction(0)) + amount

    @property
    def policies(self) -> Collection[str]:
        """The numbers of the policies that were read."""
        return self._counts.keys()

    def around(self, policy_number: str, claim_id: ClaimId, is_stored: bool, loss_at: datetime | None = None) -> Around:
        """What stands around one claim of the policy, whose loss was then: the same, whatever else is in the batch."""
        near = [one for one in self._near.get(policy_number, {}).values() if one.claim_id != claim_id]
        if loss_at is not None:
            near = nearest(near, loss_at)
        used = {
            key: sum((amount for holder, amount in holders.items() if holder != claim_id), Fraction(0))
            for key, holders in self._used.get(policy_number, {}).items()
        }
        return Around(
            claims_on_policy=self._counts.get(policy_number, 0) - is_stored,
            near=tuple(sorted(near, key=lambda one: (one.loss_at, one.claim_id))),
            used=MappingProxyType(used) if used else NOTHING_USED,
        )

    def note(self, policy_number: str, neighbour: Neighbour, uses: Iterable[LedgerUse], is_new: bool) -> None:
        """What was just decided about a claim of the batch."""
        self.add(policy_number, neighbour)
        if is_new:
            self.count(policy_number, 1)
        claim_id = neighbour.claim_id
        for holders in self._used.get(policy_number, {}).values():
            holders.pop(claim_id, None)
        for one in uses:
            self.use(policy_number, (one.aggregate_id, one.period), claim_id, one.amount.as_fraction())


@dataclass(frozen=True, slots=True)
class Within:
    """Where a claim stands in its batch's vicinity. `is_stored`: among the stored claims that were counted."""

    vicinity: Vicinity
    policy_number: str
    is_stored: bool
    loss_at: datetime | None = None


def nearest(claims: Iterable[Neighbour], loss_at: datetime) -> list[Neighbour]:
    """Of these claims the nearest ones to a loss, as far and as many as are looked at."""
    near = [one for one in claims if abs(one.loss_at - loss_at) <= NEAR_DAYS]
    return sorted(near, key=lambda one: (abs(one.loss_at - loss_at), one.claim_id))[:NEAR_MAX]


def shares_ledgers(policy: PolicySnapshot) -> bool:
    """Whether some amount of the policy is shared with other claims."""
    return any(_shares(coverage) for coverage in policy.coverages)


def _shares(coverage: Coverage) -> bool:
    return bool(
        coverage.aggregates
        or coverage.oop_aggregate_id
        or coverage.limit_basis in (LimitBasis.aggregate_annual, LimitBasis.lifetime)
        or any(one.kind is DeductibleKind.annual for one in coverage.deductibles)
        or any(one.per is DeductiblePer.year for one in coverage.sublimits or ())
    )


def place_key(place: Place | None) -> str | None:
    """Where it happened as one text to compare: the postcode, else the area, with the country; None if neither."""
    if place is None or (place.postcode is None and place.admin is None):
        return None
    # Written in several ways, it is still one postcode.
    postcode = None if place.postcode is None else place.postcode.replace(" ", "").replace("-", "")
    return f"{place.country}:{postcode}" if postcode else f"{place.country}/{place.admin}"
