"""Faults that a simulator shows on request: switched at run time, drawn from a seeded generator, counted.

POST /faults takes `{"faults": [{"mode": "slow", "rate": 0.05, "seconds": 30, "times": 3, "match": "*@x.example",
"once_per_id": true}], "seed": 7}` or one bare fault; GET shows them with their hits; DELETE ends them all.
The first fault of the list that strikes is the one that happens."""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

FAULTS_MAX = 20
SECONDS_MAX = 3_600.0
IDS_REMEMBERED_MAX = 1_000_000
_FIELDS = frozenset({"mode", "rate", "seconds", "times", "match", "once_per_id"})


class FaultRefusedError(ValueError):
    """The order for a fault is wrong; says which field."""


@dataclass(slots=True)
class Fault:
    """One fault: how often (`rate` 0..1), how long (`seconds`), how many times at most, for which ids."""

    mode: str
    rate: float = 1.0
    seconds: float = 1.0
    times: int | None = None
    match: str = "*"
    once_per_id: bool = False
    hits: int = 0
    struck: set[str] = field(default_factory=set, repr=False)


class FaultSwitch:
    """Holds the standing faults of one simulator and decides, per request, which of them strikes."""

    def __init__(self, modes: Iterable[str], seed: int = 0) -> None:
        self._modes = frozenset(modes)
        self._random = random.Random(seed)
        self._faults: list[Fault] = []

    def set(self, order: object) -> None:
        """Replace the standing faults by an order as in POST /faults; `{"mode": "none"}` ends them."""
        if not isinstance(order, Mapping):
            raise FaultRefusedError("the order must be an object")
        specs = order.get("faults", [order] if "mode" in order else None)
        if not isinstance(specs, Sequence) or isinstance(specs, str) or len(specs) > FAULTS_MAX:
            raise FaultRefusedError(f"faults must be a list of at most {FAULTS_MAX}")
        faults = [self._fault(spec) for spec in specs]
        if "seed" in order:
            if not isinstance(order["seed"], int):
                raise FaultRefusedError("seed must be an integer")
            self._random = random.Random(order["seed"])
        self._faults = [fault for fault in faults if fault.mode != "none"]

    def clear(self) -> None:
        """End all faults."""
        self._faults = []

    def draw(self, ids: Sequence[str] = (), among: Container[str] | None = None) -> Fault | None:
        """The fault that strikes here, if any: `ids` are what `match` and `once_per_id` look at, `among` the modes
        that can happen at this place (all when left out)."""
        for fault in self._faults:
            if (among is None or fault.mode in among) and self._strikes(fault, ids):
                fault.hits += 1
                return fault
        return None

    def describe(self) -> dict[str, Any]:
        """The standing faults with their hits, as GET /faults answers."""
        return {
            "faults": [
                {
                    "mode": fault.mode,
                    "rate": fault.rate,
                    "seconds": fault.seconds,
                    "times": fault.times,
                    "match": fault.match,
                    "once_per_id": fault.once_per_id,
                    "hits": fault.hits,
                }
                for fault in self._faults
            ],
            "modes": sorted(self._modes | {"none"}),
        }

    def _strikes(self, fault: Fault, ids: Sequence[str]) -> bool:
        if fault.times is not None and fault.hits >= fault.times:
            return False
        if fault.match != "*" and not any(fnmatchcase(one, fault.match) for one in ids):
            return False
        if fault.once_per_id:
            fresh = [one for one in ids if one not in fault.struck]
            if not fresh:
                return False
            if fault.rate < 1.0 and self._random.random() >= fault.rate:
                return False
            if len(fault.struck) < IDS_REMEMBERED_MAX:
                fault.struck.update(fresh)
            return True
        return fault.rate >= 1.0 or self._random.random() < fault.rate

    def _fault(self, spec: object) -> Fault:
        if not isinstance(spec, Mapping) or not isinstance(spec.get("mode"), str):
            raise FaultRefusedError("each fault must be an object with a mode")
        if spec["mode"] not in self._modes and spec["mode"] != "none":
            raise FaultRefusedError(f"mode must be one of {', '.join(sorted(self._modes | {'none'}))}")
        unknown = set(spec) - _FIELDS - {"seed"}
        if unknown:
            raise FaultRefusedError(f"a fault has no field beyond {', '.join(sorted(_FIELDS))}")
        times, match, once = spec.get("times"), spec.get("match", "*"), spec.get("once_per_id", False)
        if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
            raise FaultRefusedError("times must be a positive integer")
        if not isinstance(match, str) or not isinstance(once, bool):
            raise FaultRefusedError("match must be a pattern and once_per_id true or false")
        return Fault(
            mode=spec["mode"],
            rate=_number(spec, "rate", 1.0, 1.0),
            seconds=_number(spec, "seconds", 1.0, SECONDS_MAX),
            times=times,
            match=match,
            once_per_id=once,
        )


def _number(spec: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = spec.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise FaultRefusedError(f"{name} must be a number from 0 to {most:g}")
    return float(value)
