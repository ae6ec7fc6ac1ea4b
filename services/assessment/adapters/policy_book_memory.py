"""A core policy system in memory, for the simulation: the same rows, read by the same translation, and outages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from services.assessment.adapters.policy_rows import snapshot_of
from services.assessment.adapters.policy_terms import PolicyTerms
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing


class MemoryPolicyBook:
    """Rows in the policy system's own form, put by number; while `down` is true nothing is found."""

    def __init__(self, terms: PolicyTerms, now: Callable[[], datetime]) -> None:
        self._terms = terms
        self._now = now
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self.down = False

    def put(self, row: dict[str, Any]) -> None:
        """One more version of a policy."""
        self._rows.setdefault(str(row.get("number")), []).append(row)

    async def get_many(self, keys: Collection[PolicyKey], timeout_seconds: float) -> Mapping[PolicyKey, PolicyFinding]:
        return {key: PolicyMissing.unavailable if self.down else self._find(key) for key in keys}

    def _find(self, key: PolicyKey) -> PolicyFinding:
        rows = self._rows.get(key.policy_number)
        if rows is None:
            return PolicyMissing.unknown
        held = [row for row in rows if _holds(row, key.as_of)]
        if not held:
            return PolicyMissing.outside_period
        try:
            return snapshot_of(held[0], key, self._terms, self._now())
        except ValueError:
            return PolicyMissing.unreadable


def _holds(row: dict[str, Any], instant: datetime) -> bool:
    starts, ends = datetime.fromisoformat(row["effective_from"]), row.get("effective_to")
    return starts <= instant and (ends is None or instant < datetime.fromisoformat(ends))
