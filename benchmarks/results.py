"""What was measured, as values: one phase of a pipeline, one system's round, one hop. Samples in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import by_group, latencies_ms, per_1000

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Phase:
    """One load on one system. `settled_seconds` to the last claim closed or referred, `told_seconds` to the last event.

    `wrong` says in words what was not as it must be; such a phase counts as zero.
    """

    name: str
    claims: int
    settled: int
    settled_seconds: float
    told_seconds: float
    ack_seconds: Sequence[float]
    end_to_end_seconds: Sequence[float]
    cpu_seconds: Mapping[str, float]
    memory_bytes: Mapping[str, int]
    notices: int = 0
    client_repeats: int = 0
    duplicates_absorbed: int = 0
    wrong: Sequence[str] = ()

    @property
    def claims_per_s(self) -> float:
        """Completed claims per second, by the last of them; zero when anything is wrong."""
        return 0.0 if self.wrong or not self.settled_seconds else self.settled / self.settled_seconds

    @property
    def told_per_s(self) -> float:
        """The same by the last event of any of the claims, so with every notice sent."""
        return 0.0 if self.wrong or not self.told_seconds else self.settled / self.told_seconds

    def as_json(self) -> dict[str, Any]:
        """Figures without samples."""
        return {
            "phase": self.name,
            "claims": self.claims,
            "settled": self.settled,
            "claims_per_s": round(self.claims_per_s, 1),
            "told_per_s": round(self.told_per_s, 1),
            "settled_seconds": round(self.settled_seconds, 2),
            "told_seconds": round(self.told_seconds, 2),
            "ack_ms": latencies_ms(self.ack_seconds),
            "end_to_end_ms": latencies_ms(self.end_to_end_seconds),
            "cpu_s_per_1000": per_1000(self.cpu_seconds, self.claims),
            "cpu_s_per_1000_by_group": by_group(per_1000(self.cpu_seconds, self.claims)),
            "memory_mib": {name: round(size / MIB, 1) for name, size in self.memory_bytes.items()},
            "notices": self.notices,
            "client_repeats": self.client_repeats,
            "duplicates_absorbed": self.duplicates_absorbed,
            "wrong": list(self.wrong),
        }


@dataclass(frozen=True, slots=True)
class SystemRound:
    """One engine's system in one round. `findings` are broken invariants: with any, every phase counts as zero."""

    engine: str
    round: int
    phases: Sequence[Phase]
    idle_cpu: Mapping[str, float]
    findings: Sequence[str]
    counts: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """`idle_cpu_percent` of one core."""
        return {
            "engine": self.engine,
            "round": self.round,
            "phases": [phase.as_json() for phase in self.phases],
            "idle_cpu_percent": {name: round(100 * share, 2) for name, share in self.idle_cpu.items()},
            "verify": {"holds": not self.findings, "findings": list(self.findings), "counts": dict(self.counts)},
        }


@dataclass(frozen=True, slots=True)
class Hop:
    """One burst through one hop: CPU-seconds of `worker`, `broker` and `database` over all `events`.

    `seconds` are those of `timed_events`, which came after the first answer was seen.
    """

    kind: str
    engine: str
    round: int
    events: int
    timed_events: int
    seconds: float
    cpu_seconds: Mapping[str, float]
    memory_bytes: int
    wrong: Sequence[str] = ()

    @property
    def events_per_s(self) -> float:
        """Zero when anything is wrong."""
        return 0.0 if self.wrong or not self.seconds else self.timed_events / self.seconds

    @property
    def cpu_per_1000(self) -> dict[str, float]:
        """CPU-seconds per 1,000 events, per process."""
        return per_1000(self.cpu_seconds, self.events)

    @property
    def name(self) -> str:
        """Key in the report."""
        return "relay" if self.kind == "relay" else f"stage-{self.engine}"

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {
            "hop": self.name,
            "round": self.round,
            "events": self.events,
            "timed_events": self.timed_events,
            "seconds": round(self.seconds, 2),
            "events_per_s": round(self.events_per_s, 1),
            "cpu_s_per_1000": self.cpu_per_1000,
            "worker_memory_mib": round(self.memory_bytes / MIB, 1),
            "wrong": list(self.wrong),
        }
