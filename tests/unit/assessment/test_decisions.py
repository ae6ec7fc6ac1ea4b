"""What software makes of a claim by itself: it pays within its limit or asks a person, and says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.assessment import (
    ClaimApproved,
    ClaimReferred,
    ClaimRegistered,
    ClaimSegmented,
    PolicyAwaited,
    PolicyWaitReason,
    ReferralReason,
)
from schemas.decision import DecisionKind
from schemas.ids import event_id
from schemas.money import Money
from schemas.outcomes import Emit, Nothing, RetryLater
from schemas.policy import PolicySnapshot, PolicyStatus
from services.assessment.domain.assess import LOOKUP_WORK, Decided, take_finding, take_report
from services.assessment.domain.claim import ClaimState, Status
from services.assessment.domain.policies import PolicyFinding, PolicyMissing
from services.assessment.domain.rules import PolicyWait
from tests.builders.assessment import NOW, RULES, a_cause, a_flood_coverage, a_new_claim, an_asked_line, events_of
from tests.builders.events import LOSS_AT, a_claim_reported, a_policy_snapshot, a_reported_line, usd


def reported(finding: PolicyFinding | None = None, **changes: Any) -> Decided:
    return take_report(
        a_new_claim(), a_claim_reported(**changes), finding or a_policy_snapshot(), RULES, a_cause(), NOW
    )


def referral(decided: Decided) -> ClaimReferred:
    referred = events_of(decided[0])[-1]
    assert isinstance(referred, ClaimReferred)
    return referred


def test_a_claim_within_the_terms_and_the_limit_is_registered_and_approved_by_the_system() -> None:
    policy = a_policy_snapshot()

    outcome, state = reported(policy)

    registered, _, approved = events_of(outcome)
    assert isinstance(registered, ClaimRegistered) and isinstance(approved, ClaimApproved)
    assert registered.policy == policy and registered.snapshot_hash == policy.snapshot_hash()
    assert approved.approved_by == "system" and approved.decision.kind is DecisionKind.pay
    assert approved.decision.payable == usd("1200.00")
    assert [(line.coverage_code, line.amount) for line in approved.reserves] == [("building", usd("1200.00"))]
    assert state.status is Status.approved and state.decision == approved.decision


def test_a_decision_names_the_version_of_the_rules_and_of_the_terms() -> None:
    [_, _, approved] = events_of(reported()[0])

    assert isinstance(approved, ClaimApproved)
    named = [(rule.id, rule.version) for rule in approved.decision.rules]
    assert named == [
        ("assessment-rules", "2026-01"),
        ("straight-through", "2026-01"),
        ("policy-terms:building", "SFIP-DF-2010"),
    ]


def test_the_same_question_gives_the_same_decision_and_another_amount_another_hash() -> None:
    first, again = events_of(reported()[0])[-1], events_of(reported()[0])[-1]
    other = events_of(reported(lines=(a_reported_line(asked=usd("2200.01")),))[0])[-1]

    assert first == again
    assert isinstance(first, ClaimApproved) and isinstance(other, ClaimApproved)
    assert first.decision.input_hash != other.decision.input_hash


@pytest.mark.parametrize(
    "changes, reasons",
    [
        ({"lines": (an_asked_line("1000.00"),)}, ["nothing_payable"]),
        ({"lines": (an_asked_line("600000.00"),)}, ["above_automatic_limit"]),
        ({"lines": (an_asked_line("5000.00"), an_asked_line("10.00", "garden"))}, ["coverage_not_on_policy"]),
        ({"lines": (an_asked_line("5000.00", "garden"),)}, ["nothing_payable", "coverage_not_on_policy"]),
        ({"lines": ()}, ["nothing_payable", "no_amount_stated"]),
        ({"lines": (an_asked_line(None),)}, ["nothing_payable", "no_amount_stated"]),
        ({"line": "home"}, ["policy_of_another_line"]),
        ({"currency": "EUR", "lines": ()}, ["currency_differs"]),
        ({"lines": (an_asked_line("5000.00", currency="EUR"),)}, ["currency_differs"]),
        ({"loss_at": LOSS_AT + timedelta(days=900)}, ["loss_outside_policy_period"]),
    ],
)
def test_what_software_may_not_pay_is_referred_with_its_reasons(changes: dict[str, Any], reasons: list[str]) -> None:
    policy = a_policy_snapshot(coverages=(a_flood_coverage(limit="900000.00"),))

    outcome, state = reported(policy, **changes)

    assert [str(reason) for reason in referral((outcome, state)).reasons] == reasons
    assert referral((outcome, state)).desk in ("flood", "general")
    last = len(events_of(outcome)) - 1
    assert state.status is Status.in_assessment
    assert state.referral is not None and state.referral.event_id == event_id(a_cause(), "assessment", last)


def test_what_is_payable_goes_with_the_referral_as_a_proposal() -> None:
    decided = reported(lines=(an_asked_line("5000.00"), an_asked_line("10.00", "garden")))

    proposal = referral(decided).decision
    assert proposal is not None and proposal.kind is DecisionKind.refer
    assert proposal.payable == usd("4000.00")


def test_a_currency_without_an_automatic_limit_always_needs_a_person() -> None:
    coverage = a_flood_coverage(limit="1000000", deductible="0", currency="JPY")
    policy = a_policy_snapshot(currency="JPY", coverages=(coverage,))

    decided = reported(policy, currency="JPY", lines=(an_asked_line("5", currency="JPY"),))

    assert referral(decided).reasons == (ReferralReason.above_automatic_limit,)


def test_exactly_the_automatic_limit_is_paid_by_software() -> None:
    policy = a_policy_snapshot(coverages=(a_flood_coverage(limit="900000.00", deductible="0.00"),))

    [_, _, approved] = events_of(reported(policy, lines=(an_asked_line("500000.00"),))[0])

    assert isinstance(approved, ClaimApproved)
    assert approved.decision.payable == Money.of_text("500000.00", "USD")


def test_a_policy_that_was_not_in_force_is_never_paid_under() -> None:
    decided = reported(a_policy_snapshot(status=PolicyStatus.cancelled))

    assert referral(decided).reasons == (ReferralReason.policy_not_in_force,)


@pytest.mark.parametrize(
    "missing, reason",
    [
        (PolicyMissing.outside_period, ReferralReason.loss_outside_policy_period),
        (PolicyMissing.not_in_force, ReferralReason.policy_not_in_force),
    ],
)
def test_a_policy_without_a_version_in_force_goes_to_a_person_at_once(
    missing: PolicyMissing, reason: ReferralReason
) -> None:
    decided = reported(missing)

    assert referral(decided).reasons == (reason,)
    assert decided[1].status is Status.received and decided[1].policy is None


def test_a_second_report_of_the_same_claim_changes_nothing() -> None:
    _, state = reported()

    outcome, after = take_report(state, a_claim_reported(), a_policy_snapshot(), RULES, a_cause("again"), NOW)

    assert outcome == Nothing() and after is state


# --- waiting for a policy


def waiting(missing: PolicyMissing = PolicyMissing.unavailable) -> ClaimState:
    return reported(missing)[1]


def looked_up(state: ClaimState, finding: PolicyFinding, attempt: int) -> Decided:
    return take_finding(state, finding, attempt, RULES, a_cause(f"try-{attempt}"), NOW)


@pytest.mark.parametrize(
    "missing, reason, seconds",
    [
        (PolicyMissing.unavailable, PolicyWaitReason.policy_system_unavailable, 2),
        (PolicyMissing.unknown, PolicyWaitReason.policy_unknown, 60),
        (PolicyMissing.unreadable, PolicyWaitReason.policy_unreadable, 60),
    ],
)
def test_a_missing_policy_is_awaited_with_a_work_row_for_the_next_try(
    missing: PolicyMissing, reason: PolicyWaitReason, seconds: int
) -> None:
    outcome, state = reported(missing)

    due = NOW + timedelta(seconds=seconds)
    assert isinstance(outcome, Emit)
    assert outcome.events == (PolicyAwaited(reason=reason, attempt=1, next_attempt_at=due),)
    [work] = outcome.work
    assert (work.kind, work.due_at) == (LOOKUP_WORK, due)
    assert work.payload == {"policy_number": "FL-000001", "as_of": LOSS_AT.isoformat()}
    assert state.status is Status.awaiting_policy


def test_the_same_answer_again_waits_longer_and_longer_in_silence() -> None:
    state = waiting()

    waits = []
    for attempt in range(1, 9):
        outcome, after = looked_up(state, PolicyMissing.unavailable, attempt)
        assert isinstance(outcome, RetryLater) and after is state
        waits.append((outcome.when - NOW).total_seconds())

    assert waits == [5, 10, 20, 30, 60, 60, 60, 60]


def test_another_answer_is_told_and_gets_its_own_tries() -> None:
    outcome, state = looked_up(waiting(), PolicyMissing.unknown, attempt=3)

    [awaited] = events_of(outcome)
    assert awaited == PolicyAwaited(
        reason=PolicyWaitReason.policy_unknown, attempt=4, next_attempt_at=NOW + timedelta(seconds=60)
    )
    assert state.wait is not None and state.wait.reason is PolicyWaitReason.policy_unknown


@pytest.mark.parametrize(
    "missing, reason",
    [
        (PolicyMissing.unknown, ReferralReason.policy_not_found),
        (PolicyMissing.unreadable, ReferralReason.policy_unreadable),
    ],
)
def test_a_policy_that_stays_missing_goes_to_a_person_in_the_end(
    missing: PolicyMissing, reason: ReferralReason
) -> None:
    state, outcome = waiting(missing), None
    for attempt in range(1, 20):
        outcome, after = looked_up(state, missing, attempt)
        if not isinstance(outcome, RetryLater):
            break

    assert outcome is not None
    assert referral((outcome, after)).reasons == (reason,)
    assert attempt == len(RULES.decisions.policy_wait.unknown if missing is PolicyMissing.unknown else (1, 2, 3, 4))


def test_a_policy_that_appears_registers_and_decides_the_claim() -> None:
    outcome, state = looked_up(waiting(), a_policy_snapshot(), attempt=2)

    assert [type(event) for event in events_of(outcome)] == [ClaimRegistered, ClaimSegmented, ClaimApproved]
    assert state.status is Status.approved and state.wait is None


def test_a_look_up_for_a_claim_that_waits_no_more_changes_nothing() -> None:
    _, state = reported()

    assert looked_up(state, a_policy_snapshot(), attempt=1) == (Nothing(), state)


def test_unavailability_is_waited_out_for_ever_and_ignorance_is_not() -> None:
    wait = PolicyWait(unavailable=(1, 2), unknown=(3,), unreadable=(4, 5))

    assert [wait.seconds_after(PolicyMissing.unavailable, tries) for tries in (1, 2, 3, 1000)] == [1, 2, 2, 2]
    assert [wait.seconds_after(PolicyMissing.unknown, tries) for tries in (1, 2)] == [3, None]
    assert wait.seconds_after(PolicyMissing.outside_period, 1) is None


def test_the_loss_decides_which_version_holds_not_the_look_up() -> None:
    policy: PolicySnapshot = a_policy_snapshot(effective_to=LOSS_AT)

    assert referral(reported(policy)).reasons == (ReferralReason.loss_outside_policy_period,)
