"""The policy system's own JSON shape, and which rows it takes.

A row is one version of one policy:
    {"number": "FL-2012-000123", "version": 1, "effective_from": "2012-01-01T00:00:00-05:00",
     "effective_to": "2013-01-01T00:00:00-05:00" (or null: open end), "status": "in_force", "currency": "USD",
     "line": "flood", "jurisdiction": "US-NY", "coverages": [{"code": "building", "limit": "250000.00",
     "deductible": "1000.00", "valuation": "ACV", "insured_value": "310000.00" (or null),
     "clause_version": "SFIP-2009"}]}
Intervals are half-open. Statuses: in_force, pending, cancelled, lapsed, void; only in_force is in force. Money is
decimal text in the policy's currency. A version may be put again (a correction); two versions must not overlap."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

STATUSES = frozenset({"in_force", "pending", "cancelled", "lapsed", "void"})
VALUATIONS = frozenset({"ACV", "RC"})
COVERAGES_MAX = 50
OPEN_END = "9999-12-31T23:59:59.999999+00:00"

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/\-]{0,63}", re.ASCII)
_MONEY = re.compile(r"\d{1,15}(\.\d{1,3})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\- ]{0,63}", re.ASCII)
_FIELDS = frozenset(
    {
        "number",
        "version",
        "effective_from",
        "effective_to",
        "status",
        "currency",
        "line",
        "jurisdiction",
        "coverages",
    }
)
_COVERAGE_FIELDS = frozenset({"code", "limit", "deductible", "valuation", "insured_value", "clause_version"})


class RowRefusedError(ValueError):
    """A row cannot be taken; `field` and a reason that does not echo the value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One accepted version: its interval as comparable UTC texts, its JSON text as kept and answered."""

    number: str
    version: int
    starts: str
    ends: str
    status: str
    body: str


def policy_row(row: object) -> PolicyRow:
    """The row, checked; RowRefusedError names the first field that is wrong."""
    if not isinstance(row, Mapping):
        raise RowRefusedError("row", "must be an object")
    _demand(not set(row) - _FIELDS, "row", "has a field the policy system does not know")
    number, version, status = row.get("number"), row.get("version"), row.get("status")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise RowRefusedError("number", "must be a text of up to 64 letters, digits and . _ / -")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= 1_000_000:
        raise RowRefusedError("version", "must be an integer from 1")
    if not isinstance(status, str) or status not in STATUSES:
        raise RowRefusedError("status", f"must be one of {', '.join(sorted(STATUSES))}")
    _demand(_matches(_CURRENCY, row.get("currency")), "currency", "must be three capital letters")
    for name in ("line", "jurisdiction"):
        _demand(_matches(_WORD, row.get(name)), name, "must be a word of up to 64 characters")
    starts = instant_text(row.get("effective_from"), "effective_from")
    ends = OPEN_END if row.get("effective_to") is None else instant_text(row["effective_to"], "effective_to")
    _demand(starts < ends, "effective_to", "must be later than effective_from")
    coverages = row.get("coverages")
    if not isinstance(coverages, list) or not 1 <= len(coverages) <= COVERAGES_MAX:
        raise RowRefusedError("coverages", f"must be a list of 1 to {COVERAGES_MAX}")
    for position, coverage in enumerate(coverages):
        _check_coverage(coverage, f"coverages/{position}")
    _demand(len({one["code"] for one in coverages}) == len(coverages), "coverages", "must have each code once")
    return PolicyRow(number, version, starts, ends, status, json.dumps(row, separators=(",", ":")))


def instant_text(value: object, field: str) -> str:
    """An RFC 3339 instant with an offset as a UTC text that sorts by time."""
    if not isinstance(value, str) or len(value) > 40:
        raise RowRefusedError(field, "must be an RFC 3339 instant")
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise RowRefusedError(field, "must have an offset")
        return instant.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise RowRefusedError(field, "must be an RFC 3339 instant with an offset") from None


def _check_coverage(coverage: object, where: str) -> None:
    if not isinstance(coverage, Mapping):
        raise RowRefusedError(where, "must be an object")
    _demand(not set(coverage) - _COVERAGE_FIELDS, where, "has a field the policy system does not know")
    _demand(_matches(_WORD, coverage.get("code")), f"{where}/code", "must be a word of up to 64 characters")
    for name in ("limit", "deductible"):
        _demand(_matches(_MONEY, coverage.get(name)), f"{where}/{name}", "must be a decimal text like 1000.00")
    insured_value = coverage.get("insured_value")
    if insured_value is not None:
        _demand(_matches(_MONEY, insured_value), f"{where}/insured_value", "must be a decimal text or null")
    valuation = coverage.get("valuation")
    _demand(
        isinstance(valuation, str) and valuation in VALUATIONS,
        f"{where}/valuation",
        f"must be one of {', '.join(sorted(VALUATIONS))}",
    )
    _demand(_matches(_WORD, coverage.get("clause_version")), f"{where}/clause_version", "must be a word")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _demand(holds: bool, field: str, reason: str) -> None:
    if not holds:
        raise RowRefusedError(field, reason)
