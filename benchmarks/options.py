"""What a run of the benchmarks was asked for, and the order of its parts. Everything is bounded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

Engine = Literal["faust", "aiokafka"]
ENGINES: tuple[Engine, ...] = ("faust", "aiokafka")
Part = Literal["hops", "pipeline"]
PARTS: tuple[Part, ...] = ("hops", "pipeline")

FULL = {"claims": 3_000, "seconds": 30, "events": 40_000, "rounds": 2, "warm_seconds": 25, "minutes": 15}
QUICK = {"claims": 200, "seconds": 4, "events": 3_000, "rounds": 1, "warm_seconds": 2, "minutes": 3}
MOST = {"claims": 1_000_000, "seconds": 3_600, "events": 5_000_000, "rounds": 20, "warm_seconds": 600, "minutes": 600}


@dataclass(frozen=True, slots=True)
class Options:
    """`claims` of each bulk phase, `seconds` of single reports, `events` of a hop's burst; `minutes` bounds all."""

    claims: int = FULL["claims"]
    seconds: int = FULL["seconds"]
    events: int = FULL["events"]
    rounds: int = FULL["rounds"]
    warm_seconds: int = FULL["warm_seconds"]
    minutes: int = FULL["minutes"]
    rate: float = 50.0
    partitions: int = 8
    engines: tuple[Engine, ...] = ENGINES
    parts: tuple[Part, ...] = PARTS
    quick: bool = False
    keep: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


class Unit(NamedTuple):
    """One thing to measure: `relay` and `stage` are hops, `pipeline` is the whole system."""

    kind: Literal["relay", "stage", "pipeline"]
    engine: Engine
    round: int

    @property
    def title(self) -> str:
        """In words."""
        what = {
            "relay": "bare relay hop",
            "stage": f"stage hop on {self.engine}",
            "pipeline": f"pipeline, {self.engine}",
        }
        return f"{what[self.kind]}, round {self.round}"


def plan(options: Options) -> list[Unit]:
    """The units in their order: what is compared alternates (A-B-A-B), so that a slow minute hits both."""
    units: list[Unit] = []
    if "hops" in options.parts:
        for number in range(1, options.rounds + 1):
            units.append(Unit("relay", "aiokafka", number))
            units += [Unit("stage", engine, number) for engine in options.engines]
    if "pipeline" in options.parts:
        for number in range(1, options.rounds + 1):
            units += [Unit("pipeline", engine, number) for engine in options.engines]
    return units


def parse(words: Sequence[str]) -> Options:
    """From the command line; what --quick sets can be set again one by one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    about = {
        "claims": "claims of each bulk phase",
        "seconds": "length of the phase of single reports",
        "events": "events in the burst of a hop",
        "rounds": "rounds, engines taking turns",
        "warm_seconds": "load before anything counts",
        "minutes": "end after so long with what there is",
    }
    for name, text in about.items():
        help_text = f"{text} (default {FULL[name]}, quick {QUICK[name]})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=_bounded(MOST[name]), metavar="N", help=help_text)
    parser.add_argument("--rate", type=_bounded(2_000), default=50, metavar="N", help="single reports a second (50)")
    parser.add_argument("--partitions", type=_bounded(64), default=8, metavar="N", help="of every topic (8)")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="only this one; may be repeated")
    parser.add_argument("--only", choices=PARTS, help="only hops, or only the pipeline")
    parser.add_argument("--quick", action="store_true", help="tiny numbers: proves that it runs, not how fast")
    parser.add_argument("--keep", action="store_true", help="keep data and logs of the systems measured")
    given = parser.parse_args(words)
    numbers = {name: getattr(given, name) or (QUICK if given.quick else FULL)[name] for name in about}
    engines = tuple(engine for engine in ENGINES if not given.engine or engine in given.engine)
    parts = tuple(part for part in PARTS if given.only in (None, part))
    return Options(
        **numbers,
        rate=float(given.rate),
        partitions=given.partitions,
        engines=engines,
        parts=parts,
        quick=given.quick,
        keep=given.keep,
    )


def _bounded(most: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"must lie from 1 to {most}")
        return value

    return number
