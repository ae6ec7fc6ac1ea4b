"""What the terms give for what is asked: exact fractions all the way, one rounding, half-up, at the end.

Deductible and limit belong to a coverage, so the lines of one coverage run together and share its result in
proportion to what each asked. The lines sum to the computed amount. What cannot be computed is a question for a
person, and counts as nothing until they answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from schemas.assessment import DecisionLine, ReferralReason, Step
from schemas.intake import ReportedLine
from schemas.money import Money, exact_text
from schemas.policy import Coverage, PolicySnapshot
from services.assessment.domain.operations import OPERATIONS, ZERO, understood


@dataclass(frozen=True, slots=True)
class Adjudication:
    """One decision line per reported line, in the order reported; `questions` in the order of their enum."""

    lines: tuple[DecisionLine, ...]
    computed: Money
    questions: tuple[ReferralReason, ...]


def adjudicate(lines: Sequence[ReportedLine], policy: PolicySnapshot) -> Adjudication:
    """Run every coverage's operations over the lines asked under it. All amounts are in the policy's currency.

    Replacement cost coverage pays by the same rule at first: `asked` is the damage at actual cash value.
    """
    by_coverage: dict[str, list[ReportedLine]] = {}
    for line in lines:
        by_coverage.setdefault(line.coverage_code, []).append(line)
    found: dict[str, DecisionLine] = {}
    questions: set[ReferralReason] = set() if lines else {ReferralReason.no_amount_stated}
    for code, asked in by_coverage.items():
        coverage = policy.coverage(code)
        question = _question(coverage)
        if coverage is None or question is not None:
            questions.add(question or ReferralReason.coverage_not_on_policy)
            found.update((line.line_id, _unanswered(line, policy.currency)) for line in asked)
            continue
        stated = [line for line in asked if line.asked is not None]
        if len(stated) < len(asked):
            questions.add(ReferralReason.no_amount_stated)
            found.update((line.line_id, _unanswered(line, policy.currency)) for line in asked)
        if stated:
            found.update(zip((line.line_id for line in stated), _run(coverage, stated), strict=True))
    decided = tuple(found[line.line_id] for line in lines)
    computed = Money.total((line.payable for line in decided), policy.currency)
    return Adjudication(decided, computed, in_order(questions))


def in_order(reasons: Collection[ReferralReason]) -> tuple[ReferralReason, ...]:
    """Each reason once, in the order of their enum, so that the same reasons are always told the same."""
    return tuple(reason for reason in ReferralReason if reason in reasons) if reasons else ()


def _question(coverage: Coverage | None) -> ReferralReason | None:
    """Why these terms cannot be run, if they cannot. Terms that never cap are taken for incomplete."""
    if coverage is None:
        return ReferralReason.coverage_not_on_policy
    if coverage.valuation is None:
        return ReferralReason.valuation_unknown
    capped = any(operation.op == "limit" for operation in coverage.operations)
    if not capped or not all(understood(operation, coverage) for operation in coverage.operations):
        return ReferralReason.operation_unknown
    return None


def _run(coverage: Coverage, lines: Sequence[ReportedLine]) -> list[DecisionLine]:
    asked = [line.asked.as_fraction() for line in lines if line.asked is not None]
    total = whole = sum(asked[1:], asked[0])
    amounts, texts = asked, [exact_text(amount) for amount in asked]
    steps: list[list[Step]] = [[] for _ in lines]
    for operation in coverage.operations:
        spec = OPERATIONS[operation.op]
        applied = spec.amount(coverage)
        before, reached = texts, spec.run(total, applied.as_fraction())
        if reached != total:
            total = reached
            amounts = [total] if len(lines) == 1 else _shares(total, asked, whole)
            texts = [exact_text(amount) for amount in amounts]
        params = {"amount": applied.to_text()}
        for place, taken in enumerate(steps):
            taken.append(
                Step(
                    op=operation.op,
                    clause_id=operation.clause_id,
                    amount_in=before[place],
                    amount_out=texts[place],
                    params=params,
                )
            )
    payable = _round(total, amounts, coverage.limit.currency)
    return [
        DecisionLine(
            line_id=line.line_id,
            coverage_code=line.coverage_code,
            asked=line.asked,
            payable=payable[place],
            steps=tuple(steps[place]),
        )
        for place, line in enumerate(lines)
    ]


def _shares(total: Fraction, asked: Sequence[Fraction], whole: Fraction) -> list[Fraction]:
    return [total * amount / whole if whole else ZERO for amount in asked]


def _round(total: Fraction, amounts: Sequence[Fraction], currency: str) -> list[Money]:
    """The one rounding: the coverage's total half-up, then shared out so that the lines sum to it."""
    rounded = Money.of_fraction(total, currency)
    if len(amounts) == 1:
        return [rounded]
    return rounded.allocate(amounts) if rounded else [rounded for _ in amounts]


def _unanswered(line: ReportedLine, currency: str) -> DecisionLine:
    return DecisionLine(
        line_id=line.line_id, coverage_code=line.coverage_code, asked=line.asked, payable=Money.zero(currency)
    )
