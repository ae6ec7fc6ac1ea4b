"""Runs a translated case through the product: one adjudication, stages, a series, every order, or all services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.money import Money
from services.assessment.adapters.policy_terms import PolicyTerms
from services.assessment.domain.adjudicate import NOTHING_USED, Adjudication, adjudicate
from services.assessment.domain.history import in_every_order, in_series, kind_of, opening, settle
from services.assessment.domain.policies import version_at
from tests.golden.contract import ledgers_of, others_of, policies_of, reports_of
from tests.golden.deliveries import DELIVERIES_MAX, deliver
from tests.golden.results import Got, figure, money_text, of_one, reason_of
from tests.golden.translate import Task

INVARIANT = "sum(paid) <= aggregate_limit in every interleaving and every replay"


def run(task: Task, terms: PolicyTerms) -> Got:
    """What the product makes of the case, by the names the format has for it."""
    return _PLANS[task.plan](task, terms)


def _claim(task: Task, terms: PolicyTerms) -> Got:
    [policy], [report] = policies_of(task, terms), reports_of(task)
    used = opening(policy, report, ledgers_of(task)) if task.ledgers else NOTHING_USED
    return of_one(adjudicate(report, policy, used), report)


def _stages(task: Task, terms: PolicyTerms) -> Got:
    [policy], reports = policies_of(task, terms), reports_of(task)
    settled = settle(reports, policy)
    got: dict[str, Any] = {}
    for one, report in zip(settled.stages, reports, strict=True):
        got |= of_one(one, report)
    got["payable"] = settled.paid.to_text()
    got["payments"] = [one.to_text() for one in settled.due if one]
    got["decision"] = kind_of([one.kind for one in settled.stages if one.computed or one is settled.last]).value
    return got


def _series(task: Task, terms: PolicyTerms) -> Got:
    [policy], reports = policies_of(task, terms), reports_of(task)
    series = in_series(reports, policy)
    return _together(series.claims, series.kind.value, series.total) | {
        "by_event": [one.computed.to_text() for one in series.claims],
        "deductible_by_event": [
            money_text(figure(one, "deductible_applied"), policy.currency) for one in series.claims
        ],
    }


def _orders(task: Task, terms: PolicyTerms) -> Got:
    [policy], reports = policies_of(task, terms), reports_of(task)
    used = opening(policy, reports[0], ledgers_of(task)) if task.ledgers else NOTHING_USED
    orders = in_every_order(reports, policy, used)
    got = _together(orders.first.claims, orders.first.kind.value, orders.first.total)
    last = orders.first.claims[-1]
    got["aggregate_remaining_after"] = money_text(figure(last, "aggregate_remaining_after"), policy.currency)
    got["by_event"] = [one.computed.to_text() for one in orders.first.claims]
    got["orders"] = orders.tried
    if orders.kept:
        got["invariant"] = INVARIANT
    return got


def _policies(task: Task, terms: PolicyTerms) -> Got:
    """Every policy's own part, each as its insurer works it out."""
    policies, [report] = policies_of(task, terms), reports_of(task)
    found = [
        adjudicate(replace(report, other_policies=others_of(policies, number) or None), policy)
        for number, policy in enumerate(policies)
    ]
    got = of_one(found[0], report) | {
        "by_policy": dict(zip(task.labels, (one.computed.to_text() for one in found), strict=True)),
        "decision": kind_of([one.kind for one in found]).value,
    }
    whole = figure(found[0], "contribution_total") if len(found) > 1 else None
    together = Money.total((one.computed for one in found), task.currency)
    got["payable"] = together.to_text() if whole is None else money_text(whole, task.currency)
    return got


def _versions(task: Task, terms: PolicyTerms) -> Got:
    policies, [report] = policies_of(task, terms), reports_of(task)
    policy = version_at(policies, report.loss_at)
    got = of_one(adjudicate(report, policy), report)
    if policy.in_force_at(report.loss_at):
        got["policy_version_used"] = policy.version_id
    return got


def _deliveries(task: Task, terms: PolicyTerms) -> Got:
    [policy], [report] = policies_of(task, terms), reports_of(task)
    same = task.run.get("same_idempotency_key", True)
    keys = [
        "delivery" if same else f"delivery-{number}"
        for number in range(min(task.run["deliveries"], DELIVERIES_MAX + 1))
    ]
    told = deliver(policy, [(key, report) for key in keys])
    expected = of_one(adjudicate(report, policy), report)
    return expected | {
        "payable": told.paid.to_text(),
        "claims_created": told.claims,
        "payments_issued": len(told.payments),
    }


def _together(claims: Sequence[Adjudication], kind: str, total: Money) -> dict[str, Any]:
    got: dict[str, Any] = {"decision": kind, "payable": total.to_text()}
    reasons = [reason for one in claims if (reason := reason_of(one)) is not None]
    problems = [problem for one in claims for problem in one.problems]
    if kind != "pay" and reasons:
        got["reason"] = reasons[0]
    if problems:
        got["problems"] = problems
    return got


_PLANS: Mapping[str, Callable[[Task, PolicyTerms], Got]] = {
    "claim": _claim,
    "costs": _claim,
    "stages": _stages,
    "series": _series,
    "orders": _orders,
    "policies": _policies,
    "versions": _versions,
    "deliveries": _deliveries,
}
