"""From rounds to the report: medians over rounds, engines side by side with ratios, the marks, as tables.

Pure: the same results give the same report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.adjudicating import MICROSECONDS_MAX
from benchmarks.figures import GROUPS, SYSTEM, by_group, latencies_ms, per_1000, ratio, spread
from benchmarks.results import MIB, Hop, Phase, SystemRound

PHASES = {"bulk": "bulk, mail off", "bulk_mail": "bulk, mail on", "single": "single reports, mail on"}
LATENCIES = ("p50", "p99", "p99_9")
Row = tuple[str, ...]


class Mark(NamedTuple):
    """A figure the product must reach on the two-core reference machine. `at_least` False: at most."""

    text: str
    engine: str
    phase: str
    wanted: float
    at_least: bool = True


MARKS = (
    Mark("bulk, mail off, claims/s", "faust", "bulk", 150),
    Mark("bulk, mail off, claims/s", "aiokafka", "bulk", 300),
    Mark("bulk, mail on, claims/s", "faust", "bulk_mail", 75),
    Mark("bulk, mail on, claims/s", "aiokafka", "bulk_mail", 150),
    Mark("single reports, end to end p99, ms", "faust", "single", 2_000, at_least=False),
    Mark("single reports, end to end p99, ms", "aiokafka", "single", 2_000, at_least=False),
)
ADJUDICATING_MARK = Mark(
    "adjudicating a flood claim, us of CPU", "engine", "adjudicating", MICROSECONDS_MAX, at_least=False
)
HOP_MARKS = (Mark("stage hop to relay, CPU", "faust", "hop", 8, False), Mark("", "aiokafka", "hop", 3, False))


def summarise(
    rounds: Sequence[SystemRound], hops: Sequence[Hop], adjudicating: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """The report's figures; `rounds` and `hops` in the order measured, `adjudicating` as benchmarks.adjudicating."""
    pipeline: dict[str, dict[str, Any]] = {}
    for engine in _in_order(one.engine for one in rounds):
        mine = [one for one in rounds if one.engine == engine]
        named = _in_order(phase.name for one in mine for phase in one.phases)
        pipeline[engine] = {
            name: _phase([phase for one in mine for phase in one.phases if phase.name == name]) for name in named
        }
        pipeline[engine]["idle_cpu_percent"] = spread([100 * sum(one.idle_cpu.values()) for one in mine])
        pipeline[engine]["violations"] = sum(len(one.findings) for one in mine)
    of_hops = {name: _hop([hop for hop in hops if hop.name == name]) for name in _in_order(hop.name for hop in hops)}
    found: dict[str, Any] = {"pipeline": pipeline, "hops": of_hops, "ratios": _ratios(pipeline, of_hops)}
    if adjudicating:
        found["adjudicating_us"] = dict(adjudicating)
    found["marks"] = marks(found)
    return found


def marks(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each mark with what was found; those that were not measured are left out."""
    judged = []
    for mark in MARKS:
        phase = found["pipeline"].get(mark.engine, {}).get(mark.phase)
        if phase is not None:
            value = phase["claims_per_s"]["median"] if mark.at_least else phase["end_to_end_ms"]["p99"]
            judged.append(_judged(mark, mark.text, None if phase["wrong"] else value))
    for mark in HOP_MARKS:
        value = found["ratios"].get(f"hop {mark.engine} : relay, CPU of the worker")
        if value is not None:
            judged.append(_judged(mark, HOP_MARKS[0].text, value))
    if "adjudicating_us" in found:
        judged.append(_judged(ADJUDICATING_MARK, ADJUDICATING_MARK.text, found["adjudicating_us"]["engine"]))
    return judged


def is_good(found: Mapping[str, Any]) -> bool:
    """Whether every run kept its promises; speed does not enter."""
    phases = [one for engine in found["pipeline"].values() for one in engine.values() if isinstance(one, dict)]
    wrong = [one for one in (*phases, *found["hops"].values()) if one.get("wrong")]
    return not wrong and not any(engine["violations"] for engine in found["pipeline"].values())


def tables(found: Mapping[str, Any], with_marks: bool = True) -> str:
    """For people."""
    parts = []
    engines = list(found["pipeline"])
    between = [" : ".join(engines)] if len(engines) == 2 else []
    for name, title in PHASES.items():
        phases = [found["pipeline"][engine].get(name) for engine in engines]
        if engines and all(phases):
            parts.append(table((title, *engines, *between), _phase_rows(name, phases)))
    if engines:
        idle = [found["pipeline"][engine]["idle_cpu_percent"]["median"] for engine in engines]
        broken = [found["pipeline"][engine]["violations"] for engine in engines]
        rows = [_row("idle, CPU % of one core", idle), _row("violated invariants", broken)]
        parts.append(table(("", *engines, *between), rows))
    if found["hops"]:
        headings = ("one hop", "events/s", "CPU-s per 1,000: worker", "broker", "database", "worker : relay")
        parts.append(table(headings, _hop_rows(found["hops"])))
    if "adjudicating_us" in found:
        title = "adjudicating one flood claim, us of CPU"
        row = ("building and contents", *map(_text, found["adjudicating_us"].values()))
        parts.append(table((title, "engine", "two operations", "engine : two operations"), [row]))
    if found["marks"] and with_marks:
        rows = [
            (f"{one['what']}, {one['engine']}", one["wanted"], _text(one["found"]), "met" if one["met"] else "NOT met")
            for one in found["marks"]
        ]
        parts.append(table(("mark", "wanted", "found", ""), rows))
    return "\n\n".join(parts)


def table(headings: Row, rows: Sequence[Row]) -> str:
    """Columns of equal width, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]

    def line(row: Row) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(headings), "  ".join("-" * width for width in widths), *(line(row) for row in rows)])


def _phase(rounds: Sequence[Phase]) -> dict[str, Any]:
    cpu = [per_1000(one.cpu_seconds, one.claims) for one in rounds]
    groups = [by_group(one) for one in cpu]
    return {
        "claims": sum(one.claims for one in rounds),
        "claims_per_s": spread([one.claims_per_s for one in rounds]),
        "told_per_s": spread([one.told_per_s for one in rounds]),
        "ack_ms": latencies_ms([value for one in rounds for value in one.ack_seconds]),
        "end_to_end_ms": latencies_ms([value for one in rounds for value in one.end_to_end_seconds]),
        "cpu_s_per_1000": {
            "all processes": spread([sum(one.values()) - one["observer"] for one in groups]),
            "system": spread([sum(one[name] for name in SYSTEM) for one in groups]),
            **{name: spread([one[name] for one in groups]) for name in GROUPS},
        },
        "cpu_s_per_1000_by_process": {
            name: spread([one.get(name, 0.0) for one in cpu])["median"]
            for name in _in_order(n for one in cpu for n in one)
        },
        "memory_mib": spread([sum(one.memory_bytes.values()) / MIB for one in rounds]),
        "notices": sum(one.notices for one in rounds),
        "client_repeats": sum(one.client_repeats for one in rounds),
        "duplicates_absorbed": sum(one.duplicates_absorbed for one in rounds),
        "wrong": [text for one in rounds for text in one.wrong],
    }


def _hop(rounds: Sequence[Hop]) -> dict[str, Any]:
    cpu = [one.cpu_per_1000 for one in rounds]
    return {
        "events_per_s": spread([one.events_per_s for one in rounds]),
        "cpu_s_per_1000": {name: spread([one[name] for one in cpu]) for name in cpu[0]},
        "worker_memory_mib": spread([one.memory_bytes / MIB for one in rounds]),
        "wrong": [text for one in rounds for text in one.wrong],
    }


def _ratios(pipeline: Mapping[str, Any], hops: Mapping[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if {"faust", "aiokafka"} <= set(pipeline):
        for name in PHASES:
            one, other = pipeline["aiokafka"].get(name), pipeline["faust"].get(name)
            if one and other:
                rates = one["claims_per_s"]["median"], other["claims_per_s"]["median"]
                found[f"{name} aiokafka : faust, claims/s"] = ratio(*rates)
                costs = [each["cpu_s_per_1000"]["system"]["median"] for each in (other, one)]
                found[f"{name} faust : aiokafka, CPU of the system"] = ratio(*costs)
    relay = hops.get("relay")
    for engine in ("aiokafka", "faust"):
        stage = hops.get(f"stage-{engine}")
        if relay and stage:
            costs = [each["cpu_s_per_1000"]["worker"]["median"] for each in (stage, relay)]
            found[f"hop {engine} : relay, CPU of the worker"] = ratio(*costs)
            whole = [sum(value["median"] for value in each["cpu_s_per_1000"].values()) for each in (stage, relay)]
            found[f"hop {engine} : relay, CPU of worker, broker and database"] = ratio(*whole)
    return found


def _judged(mark: Mark, text: str, value: float | None) -> dict[str, Any]:
    met = value is not None and (value >= mark.wanted if mark.at_least else value <= mark.wanted)
    wanted = f"{'>=' if mark.at_least else '<='} {mark.wanted:g}"
    return {"what": text, "engine": mark.engine, "wanted": wanted, "found": value, "met": met}


def _phase_rows(name: str, phases: Sequence[Mapping[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    if name == "single":
        for text, key in (("202", "ack_ms"), ("end to end", "end_to_end_ms")):
            for part in LATENCIES:
                rows.append(_row(f"{text} ms, {part.replace('_', '.')}", [one[key][part] for one in phases]))
    else:
        for text, key in (
            ("claims/s to closed or referred", "claims_per_s"),
            ("claims/s to the last event", "told_per_s"),
        ):
            rows.append(_row(text, [one[key]["median"] for one in phases], [_range(one[key]) for one in phases]))
    for total in ("all processes", "system"):
        rows.append(_row(f"CPU-s per 1,000, {total}", [one["cpu_s_per_1000"][total]["median"] for one in phases]))
    for group, members in GROUPS.items():
        rows.append(_row(f"  {group}", [one["cpu_s_per_1000"][group]["median"] for one in phases]))
        for process in members if len(members) > 1 else ():
            rows.append(_row(f"    {process}", [one["cpu_s_per_1000_by_process"].get(process) for one in phases]))
    rows.append(_row("memory MiB", [one["memory_mib"]["median"] for one in phases]))
    rows.append(_row("duplicates absorbed", [one["duplicates_absorbed"] for one in phases]))
    rows.append(_row("client repeats", [one["client_repeats"] for one in phases]))
    return rows


def _row(text: str, values: Sequence[float | None], tails: Sequence[str] = ()) -> Row:
    """The values, and how many times the second the first is when there are two."""
    cells = [_text(value) + tail for value, tail in zip(values, tails or [""] * len(values), strict=True)]
    return (text, *cells, *([_text(ratio(*values))] if len(values) == 2 else []))


def _hop_rows(hops: Mapping[str, Any]) -> list[Row]:
    relay = hops.get("relay")
    rows = []
    for name, hop in hops.items():
        cpu = {process: values["median"] for process, values in hop["cpu_s_per_1000"].items()}
        times = ratio(cpu["worker"], relay["cpu_s_per_1000"]["worker"]["median"]) if relay else None
        costs = [_text(cpu[process]) for process in ("worker", "broker", "database")]
        rows.append((name, _text(hop["events_per_s"]["median"]) + _range(hop["events_per_s"]), *costs, _text(times)))
    return rows


def _range(values: Mapping[str, float | None]) -> str:
    if values["min"] == values["max"]:
        return ""
    return f" ({_text(values['min'])}-{_text(values['max'])})"


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1_000 else f"{value:.4g}"


def _in_order(names: Any) -> list[str]:
    return list(dict.fromkeys(names))
