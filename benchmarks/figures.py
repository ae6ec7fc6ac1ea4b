"""From samples to figures. Pure: percentiles, medians with their spread, costs per thousand, who belongs to what."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

GROUPS: Mapping[str, tuple[str, ...]] = {
    "services": ("intake", "assessment", "payment", "notify", "ops"),
    "simulators": ("policy_system", "bank", "mail"),
    "broker": ("broker",),
    "database": ("database",),
    "supervisor": ("supervisor",),
    "load generator": ("load",),
    "observer": ("observer",),
}
"""`observer` is the benchmark itself, which follows the log."""

SYSTEM = ("services", "broker", "database", "supervisor")
"""What an installation runs; simulators stand for other people's systems, load and observer for nobody's."""

_SAMPLES_FOR = {"p50": (0.5, 1), "p99": (0.99, 100), "p99_9": (0.999, 1_000)}


def percentile(ordered: Sequence[float], part: float) -> float:
    """The nearest rank in ascending samples: the smallest one that at least this part does not exceed."""
    rank = -(-round(part * 1_000_000) * len(ordered) // 1_000_000)
    return ordered[max(0, rank - 1)]


def latencies_ms(seconds: Sequence[float]) -> dict[str, float | int | None]:
    """Percentiles in milliseconds; None where the samples are too few to hold one."""
    ordered = sorted(seconds)
    found: dict[str, float | int | None] = {"n": len(ordered)}
    for name, (part, needed) in _SAMPLES_FOR.items():
        found[name] = round(1000 * percentile(ordered, part), 1) if len(ordered) >= needed else None
    found["max"] = round(1000 * ordered[-1], 1) if ordered else None
    return found


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Median, smallest and largest over the rounds."""
    if not values:
        return {"median": None, "min": None, "max": None}
    return {"median": _short(statistics.median(values)), "min": _short(min(values)), "max": _short(max(values))}


def per_1000(seconds: Mapping[str, float], count: int) -> dict[str, float]:
    """CPU-seconds per 1,000 of each process."""
    return {name: round(1000 * spent / max(1, count), 4) for name, spent in seconds.items()}


def by_group(amounts: Mapping[str, float]) -> dict[str, float]:
    """Sums of what belongs together; processes of no group are an error of the caller."""
    known = {name for members in GROUPS.values() for name in members}
    unknown = set(amounts) - known
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} belongs to no group")
    return {group: round(sum(amounts.get(name, 0.0) for name in members), 4) for group, members in GROUPS.items()}


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times the other; None when either is missing or nothing."""
    return round(one / other, 2) if one and other else None


def _short(value: float) -> float:
    return round(value, 1) if abs(value) >= 100 else round(value, 3)
