"""What the terms of a policy give for what is asked, coverage by coverage, and what software proposes to decide.

Pure: the same report, policy and ledgers give the same bytes. What cannot be computed is a question for a person, and
counts as nothing until they answer; a refusal, a reduction and a nil are proposals, never decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from schemas.assessment import ReferralReason
from schemas.conditions import DeclaredFact
from schemas.decision import CoverageResult, DecisionKind, DecisionLine, Refusal
from schemas.intake import ReportedLine
from schemas.money import Money, exact_text
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.domain.claim import Report
from services.assessment.domain.coverage_run import CoverageRun, exact_total, run
from services.assessment.domain.facts import FactBook, FactError, Value, check_kind
from services.assessment.domain.operations.cover import CLAUSE_NOT_EFFECTIVE
from services.assessment.domain.position import PAYABLE, ZERO, Line, Terms, Use
from services.assessment.domain.vocabulary import KNOWN_FACTS, OPERATIONS, flaws

Used = Mapping[tuple[str, str], Fraction]
"""What other claims have used of each ledger's period, in major units."""

NOTHING_USED: Used = MappingProxyType({})
_NOTHING_DECLARED: Mapping[str, DeclaredFact] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Adjudication:
    """One decision line per reported line, in the order reported; `questions` in the order of their enum.

    `kind` is what is proposed where there are no questions, `problems` say in words what could not be computed,
    `uses` what the claim takes from shared ledgers if it is paid as computed, `answered` what is proposed for the lines
    that could be computed, whatever questions others leave.
    """

    lines: tuple[DecisionLine, ...]
    computed: Money
    questions: tuple[ReferralReason, ...]
    kind: DecisionKind = DecisionKind.refer
    coverages: tuple[CoverageResult, ...] = ()
    problems: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    answered: DecisionKind = DecisionKind.refer


def adjudicate(report: Report, policy: PolicySnapshot, used: Used = NOTHING_USED) -> Adjudication:
    """Run every coverage's operations over the lines asked under it. All amounts are in the policy's currency."""
    by_coverage: dict[str, list[ReportedLine]] = {}
    for line in report.lines:
        by_coverage.setdefault(line.coverage_code, []).append(line)
    found: dict[str, DecisionLine] = {}
    questions: set[ReferralReason] = set() if report.lines else {ReferralReason.no_amount_stated}
    runs: list[CoverageRun] = []
    uses: list[Use] = []
    problems: list[str] = []
    taken = dict(used)
    earlier: dict[str, Fraction] = {}
    claim_facts = _claim_facts(report, policy)
    for code, coverage in _in_policy_order(by_coverage, policy):
        asked = by_coverage[code]
        unfit = _unfit(coverage)
        if coverage is None or unfit is not None:
            questions.add(
                ReferralReason.coverage_not_on_policy if coverage is None else ReferralReason.operation_unknown
            )
            problems.append(f"coverage {code}: {unfit or 'is not on the policy'}")
            found.update((line.line_id, _unanswered(line, policy.currency)) for line in asked)
            continue
        stated = asked if _says_what_it_is_worth(coverage) else [line for line in asked if line.asked is not None]
        if len(stated) < len(asked):
            questions.add(ReferralReason.no_amount_stated)
            found.update((line.line_id, _unanswered(line, policy.currency)) for line in asked)
        if not stated:
            continue
        try:
            terms = _terms(coverage, policy, report, stated, claim_facts, taken, earlier)
            done = run(terms, stated, policy.currency)
        except FactError as error:
            questions.add(ReferralReason.fact_missing if error.missing else ReferralReason.fact_unreadable)
            problems.append(f"coverage {code}: {error}")
            found.update((line.line_id, _unanswered(line, policy.currency)) for line in stated)
            continue
        runs.append(done)
        found.update((line.line_id, line) for line in done.lines)
        earlier[code + PAYABLE] = done.payable.as_fraction()
        for exact in done.uses:
            # Ledgers count what is really paid, in whole minor units: the next coverage finds only that left.
            use = replace(exact, amount=Money.of_fraction(exact.amount, policy.currency).as_fraction())
            uses.append(use)
            taken[use.aggregate_id, use.period] = taken.get((use.aggregate_id, use.period), ZERO) + use.amount
    decided = tuple(found[line.line_id] for line in report.lines)
    kind = _kind(runs, policy)
    if any(CLAUSE_NOT_EFFECTIVE in one.reasons for one in runs):
        questions.add(ReferralReason.clause_not_effective)
    return Adjudication(
        lines=decided,
        computed=Money.total((line.payable for line in decided), policy.currency),
        questions=in_order(questions),
        kind=DecisionKind.refer if questions else kind,
        coverages=tuple(_result(one, policy) for one in runs),
        problems=tuple(problems),
        uses=tuple(uses),
        answered=kind,
    )


def _in_policy_order(codes: Collection[str], policy: PolicySnapshot) -> list[tuple[str, Coverage | None]]:
    """What later coverages may build on comes first: as the policy lists them, then those it does not know."""
    known: list[tuple[str, Coverage | None]] = [(one.code, one) for one in policy.coverages if one.code in codes]
    return known + [(code, None) for code in codes if policy.coverage(code) is None]


def in_order(reasons: Collection[ReferralReason]) -> tuple[ReferralReason, ...]:
    """Each reason once, in the order of their enum, so that the same reasons are always told the same."""
    return tuple(reason for reason in ReferralReason if reason in reasons) if reasons else ()


def unknown_facts(report: Report, policy: PolicySnapshot) -> tuple[str, ...]:
    """Facts stated that none of the claimed coverages asks for: a misspelt one must not be passed over."""
    stated = set(report.facts or ())
    known = set(KNOWN_FACTS)
    for line in report.lines:
        stated.update(line.facts or ())
    for code in {line.coverage_code for line in report.lines}:
        coverage = policy.coverage(code)
        known.update((coverage.facts if coverage is not None else None) or ())
    return tuple(sorted(stated - known))


def _unfit(coverage: Coverage | None) -> str | None:
    """Why these terms cannot be run, if they cannot."""
    flaw = None if coverage is None else next(flaws(coverage), None)
    return None if flaw is None else f"{flaw.place}: {flaw.rule}"


def _says_what_it_is_worth(coverage: Coverage) -> bool:
    return any(
        OPERATIONS[one.op].values and (one.of is not None or one.op == "step_schedule") for one in coverage.operations
    )


def _terms(
    coverage: Coverage,
    policy: PolicySnapshot,
    report: Report,
    asked: Sequence[ReportedLine],
    claim_facts: Mapping[str, Value],
    used: Used,
    earlier: Mapping[str, Fraction],
) -> Terms:
    declared = coverage.facts or _NOTHING_DECLARED
    if coverage.insured_value is not None:
        claim_facts = {**claim_facts, "insured_value": coverage.insured_value.as_fraction()}
    for name, fact in declared.items():
        stated = claim_facts.get(name)
        if stated is not None:
            check_kind(name, stated, fact.kind)
        for line in asked:
            if line.facts is not None and line.facts.get(name) is not None:
                check_kind(name, line.facts[name], fact.kind)

    def used_of(aggregate_id: str, period: str) -> Fraction:
        return used.get((aggregate_id, period), ZERO)

    def as_if(assumed: Mapping[str, bool]) -> Fraction:
        lines = tuple(replace(line, facts=line.facts.with_first(assumed)) for line in terms.lines)
        return exact_total(replace(terms, lines=lines, facts=terms.facts.with_first(assumed)))

    terms = Terms(
        coverage=coverage,
        policy=policy,
        lines=tuple(_line(line, coverage, claim_facts, declared) for line in asked),
        facts=FactBook((claim_facts,), declared),
        loss_at=report.loss_at,
        loss_zone=report.loss_zone,
        used=used_of,
        as_if=as_if,
        other_policies=report.other_policies or (),
        earlier=earlier,
    )
    return terms


def _line(
    line: ReportedLine, coverage: Coverage, claim_facts: Mapping[str, Value], declared: Mapping[str, DeclaredFact]
) -> Line:
    own: dict[str, Value] = dict(line.facts or {})
    item = next((one for one in coverage.items or () if one.item_id == line.item_id), None) if line.item_id else None
    if line.item_id is not None and coverage.items is not None and item is None:
        raise FactError("item_id", "is not among the items of the coverage")
    values = (line.insured_value, item.insured_value if item else None)
    value = next((one for one in values if one is not None), None)
    amounts = {"asked": line.asked, "insured_value": value, "replacement_cost": line.replacement_cost}
    own |= {name: amount.as_fraction() for name, amount in amounts.items() if amount is not None}
    own["coverage_code"] = line.coverage_code
    if line.category is not None:
        own["category"] = line.category
    if line.item_id is not None:
        own["item_id"] = line.item_id
    extension = next((one.name for one in coverage.extensions or () if one.category == line.category), None)
    return Line(
        line_id=line.line_id,
        asked=None if line.asked is None else line.asked.as_fraction(),
        facts=FactBook((own, claim_facts), declared),
        category=line.category,
        item=item,
        item_id=line.item_id,
        extension=extension,
    )


def _claim_facts(report: Report, policy: PolicySnapshot) -> dict[str, Value]:
    """What every claim states by itself, over what was reported; instants in the zone of the loss."""
    zone = ZoneInfo(report.loss_zone)
    moments: dict[str, datetime | None] = {
        "loss_at": report.loss_at,
        "reported_at": report.reported_at,
        "effective_from": policy.effective_from,
        "effective_to": policy.effective_to,
        "inception": policy.inception or policy.effective_from,
    }
    facts: dict[str, Value] = dict(report.facts or {})
    facts |= {name: moment.astimezone(zone) for name, moment in moments.items() if moment is not None}
    facts |= {"peril": report.peril, "line": report.line, "jurisdiction": policy.jurisdiction}
    if report.cause_code is not None:
        facts["cause_code"] = report.cause_code
    return facts


def _kind(runs: Sequence[CoverageRun], policy: PolicySnapshot) -> DecisionKind:
    """What the terms propose: nothing is refused or reduced by it until a person says so."""
    if not runs:
        return DecisionKind.refer
    payable = sum((one.payable.amount_minor for one in runs), 0)
    covered = [policy.coverage(one.coverage_code) for one in runs]
    if all(one is not None and one.purpose is not None for one in covered):
        return DecisionKind.value
    stopped = any(one.stops for one in runs)
    if not payable:
        return DecisionKind.deny if stopped and all(one.stops for one in runs) else DecisionKind.nil
    return DecisionKind.partial if stopped or any(one.reductions for one in runs) else DecisionKind.pay


def _result(one: CoverageRun, policy: PolicySnapshot) -> CoverageResult:
    return CoverageResult(
        coverage_code=one.coverage_code,
        exact=exact_text(one.exact),
        payable=one.payable,
        results={name: exact_text(amount) for name, amount in one.results.items()} or None,
        reasons=one.reasons or None,
        refusals=tuple(
            Refusal(line_id=one.lines[place].line_id, reason=stop.reason, clause_id=stop.clause_id, fact=stop.fact)
            for place, stop in sorted(one.stops.items())
        )
        or None,
    )


def _unanswered(line: ReportedLine, currency: str) -> DecisionLine:
    return DecisionLine(
        line_id=line.line_id, coverage_code=line.coverage_code, asked=line.asked, payable=Money.zero(currency)
    )
