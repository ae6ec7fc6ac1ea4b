"""What stands around a claim: the other claims of its policy, and what they have used of limits they share.

Read and locked with the claim, so that what is decided on it cannot have changed meanwhile. Within a batch each
decision is noted here before the next one is made: two claims at once never spend the same money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType

from schemas.assessment import LedgerUse
from schemas.ids import ClaimId
from schemas.money import Money, exact_amount
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage, DeductibleKind, DeductiblePer, LimitBasis

LedgerKey = tuple[str, str]
NOTHING_USED: Mapping[LedgerKey, Fraction] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another claim of the same policy, near in time. `open_or_paid`: not closed as duplicate, withdrawn or denied."""

    claim_id: ClaimId
    reference: str
    loss_at: datetime
    peril: str
    place: str | None
    asked: Money | None
    open_or_paid: bool


@dataclass(frozen=True, slots=True)
class Around:
    """What the other claims of the policy come to, seen from one claim."""

    claims_on_policy: int = 0
    near: tuple[Neighbour, ...] = ()
    used: Mapping[LedgerKey, Fraction] = NOTHING_USED


ALONE = Around()


class Vicinity:
    """The policies of one batch: what is stored about their claims, and what the batch itself decides, noted at once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._near: dict[str, dict[ClaimId, Neighbour]] = {}
        self._used: dict[str, dict[LedgerKey, dict[ClaimId | None, Fraction]]] = {}

    def count(self, policy_number: str, claims: int) -> None:
        """How many claims of the policy are stored, the batch's own included."""
        self._counts[policy_number] = claims

    def add(self, policy_number: str, neighbour: Neighbour) -> None:
        self._near.setdefault(policy_number, {})[neighbour.claim_id] = neighbour

    def use(self, policy_number: str, key: LedgerKey, claim_id: ClaimId | None, amount: Fraction) -> None:
        """What a claim has used; None stands for all claims that are not in the batch."""
        self._used.setdefault(policy_number, {}).setdefault(key, {})[claim_id] = amount

    def around(self, policy_number: str, claim_id: ClaimId, is_stored: bool) -> Around:
        """What stands around one claim of the policy."""
        near = [one for one in self._near.get(policy_number, {}).values() if one.claim_id != claim_id]
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
            self._counts[policy_number] = self._counts.get(policy_number, 0) + 1
        claim_id = neighbour.claim_id
        for holders in self._used.get(policy_number, {}).values():
            holders.pop(claim_id, None)
        for one in uses:
            self.use(policy_number, (one.aggregate_id, one.period), claim_id, exact_amount(one.amount))


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
