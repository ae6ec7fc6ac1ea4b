"""What assessment tells: which policy holds, what was decided with its working, who was asked, how it ended.

Software may pay; only a person may refuse or reduce: every refusal names the person, the clause and the fact.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.conditions import Rate
from schemas.decision import Decision, DecisionKind, Person, ReserveLine, Reserves, Rule
from schemas.event import Event
from schemas.ids import ClaimId
from schemas.model import ClauseId, Code, Instant, LongText, Model, Privacy, Sha256
from schemas.money import Money, NonNegativeMoney
from schemas.policy import PolicySnapshot


class PolicyWaitReason(StrEnum):
    policy_system_unavailable = "policy_system_unavailable"
    policy_unknown = "policy_unknown"
    policy_unreadable = "policy_unreadable"


class ReferralReason(StrEnum):
    nothing_payable = "nothing_payable"
    above_automatic_limit = "above_automatic_limit"
    above_coverage_limits = "above_coverage_limits"
    coverage_not_on_policy = "coverage_not_on_policy"
    loss_outside_policy_period = "loss_outside_policy_period"
    policy_not_in_force = "policy_not_in_force"
    policy_not_found = "policy_not_found"
    policy_unreadable = "policy_unreadable"
    policy_of_another_line = "policy_of_another_line"
    no_amount_stated = "no_amount_stated"
    currency_differs = "currency_differs"
    valuation_unknown = "valuation_unknown"
    operation_unknown = "operation_unknown"
    fact_missing = "fact_missing"
    fact_unreadable = "fact_unreadable"
    fact_unknown = "fact_unknown"
    clause_not_effective = "clause_not_effective"
    denial_proposed = "denial_proposed"
    ledger_changed = "ledger_changed"
    fraud_flag = "fraud_flag"
    duplicate_probable = "duplicate_probable"
    sorted_to_a_person = "sorted_to_a_person"
    documents_received = "documents_received"
    reduction_proposed = "reduction_proposed"
    payment_rejected = "payment_rejected"
    payment_held = "payment_held"


class ClaimOutcome(StrEnum):
    paid = "paid"
    denied = "denied"
    nil = "nil"
    duplicate = "duplicate"
    withdrawn = "withdrawn"


def _demand_reserved(decision: Decision, reserves: tuple[ReserveLine, ...]) -> None:
    if not decision.payable:
        raise ValueError("an approval pays something")
    if Money.total((line.amount for line in reserves), decision.payable.currency) < decision.payable:
        raise ValueError("the reserves must cover what is payable")


def _demand_in_full(decision: Decision, approved_by: Literal["system"] | Person) -> None:
    if approved_by == "system" and (decision.kind is not DecisionKind.pay or decision.override is not None):
        raise ValueError("software approves only what the terms give in full")


class PolicyAwaited(Event):
    """No policy yet; another try is due. Clocks keep running."""

    TYPE: ClassVar[str] = "claimflow.PolicyAwaited.v1"
    WRITER: ClassVar[str] = "assessment"

    reason: Annotated[PolicyWaitReason, Privacy.internal]
    attempt: Annotated[int, Field(ge=1, le=1_000_000), Privacy.internal]
    next_attempt_at: Annotated[Instant, Privacy.internal]


class ClaimRegistered(Event):
    """The claim has its number and, for good, the policy version in force at the date of loss."""

    TYPE: ClassVar[str] = "claimflow.ClaimRegistered.v1"
    WRITER: ClassVar[str] = "assessment"

    claim_number: Annotated[Code, Privacy.internal]
    policy: Annotated[PolicySnapshot, Privacy.internal]
    snapshot_hash: Annotated[Sha256, Privacy.internal]


class FraudFlag(Model):
    """Something a rule found unusual: a reason to look, never a reason to refuse."""

    code: Annotated[Code, Privacy.internal]
    row: Annotated[Code, Privacy.internal]


class ClaimSegmented(Event):
    """Rules sorted the claim: how complex, how urgent, and what is unusual about it."""

    TYPE: ClassVar[str] = "claimflow.ClaimSegmented.v1"
    WRITER: ClassVar[str] = "assessment"

    segment: Annotated[Code, Privacy.internal]
    lane: Annotated[Code, Privacy.internal]
    flags: Annotated[tuple[FraudFlag, ...], Field(max_length=50), Privacy.internal] = ()
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=20), Privacy.internal]
    input_hash: Annotated[Sha256, Privacy.internal]


class DuplicateLinked(Event):
    """Another claim probably tells of the same loss. A person decides whether it does."""

    TYPE: ClassVar[str] = "claimflow.DuplicateLinked.v1"
    WRITER: ClassVar[str] = "assessment"

    other_claim_id: Annotated[ClaimId, Privacy.internal]
    other_reference: Annotated[Code, Privacy.internal]
    score: Annotated[Rate, Privacy.internal]
    reasons: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20), Privacy.internal]


class ReserveReason(StrEnum):
    registration = "registration"
    decision = "decision"
    person = "person"
    closing = "closing"


class ReserveSet(Event):
    """What is set aside for the claim from now on, coverage by coverage: these lines replace all earlier ones."""

    TYPE: ClassVar[str] = "claimflow.ReserveSet.v1"
    WRITER: ClassVar[str] = "assessment"

    reserves: Annotated[tuple[ReserveLine, ...], Field(max_length=100), Privacy.internal]
    reason: Annotated[ReserveReason, Privacy.internal]
    rule: Annotated[Rule | None, Privacy.internal] = None
    person: Annotated[Person | None, Privacy.internal] = None


class RequestedDocument(Model):
    """A paper that is needed: what kind, and for which line."""

    kind: Annotated[Code, Privacy.internal]
    line_id: Annotated[Code | None, Privacy.internal] = None


class DocumentsRequested(Event):
    """One complete list of the papers still needed. Asking again needs a reason (PRC Insurance Law art. 22)."""

    TYPE: ClassVar[str] = "claimflow.DocumentsRequested.v1"
    WRITER: ClassVar[str] = "assessment"

    documents: Annotated[tuple[RequestedDocument, ...], Field(min_length=1, max_length=50), Privacy.internal]
    round: Annotated[int, Field(ge=1, le=100), Privacy.internal]
    reason: Annotated[LongText | None, Privacy.internal] = None
    person: Annotated[Person | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _says_why_again(self) -> Self:
        if self.round > 1 and self.reason is None:
            raise ValueError("a second request needs a reason")
        return self


class AdvanceApproved(Event):
    """A part that nobody disputes is paid while the rest is looked at; it counts towards the final amount."""

    TYPE: ClassVar[str] = "claimflow.AdvanceApproved.v1"
    WRITER: ClassVar[str] = "assessment"

    decision: Annotated[Decision, Privacy.internal]
    reserves: Annotated[Reserves, Privacy.internal]
    approved_by: Annotated[Literal["system"] | Person, Privacy.internal]

    @model_validator(mode="after")
    def _is_reserved(self) -> Self:
        _demand_reserved(self.decision, self.reserves)
        _demand_in_full(self.decision, self.approved_by)
        return self


class ClaimReferred(Event):
    """A person has to look. `decision` is the proposal, if one could be computed."""

    TYPE: ClassVar[str] = "claimflow.ClaimReferred.v1"
    WRITER: ClassVar[str] = "assessment"

    reasons: Annotated[tuple[ReferralReason, ...], Field(min_length=1, max_length=20), Privacy.internal]
    desk: Annotated[Code, Privacy.internal]
    decision: Annotated[Decision | None, Privacy.internal] = None


class ClaimApproved(Event):
    """Payable as decided, from the reserves named here."""

    TYPE: ClassVar[str] = "claimflow.ClaimApproved.v1"
    WRITER: ClassVar[str] = "assessment"

    decision: Annotated[Decision, Privacy.internal]
    reserves: Annotated[Reserves, Privacy.internal]
    approved_by: Annotated[Literal["system"] | Person, Privacy.internal]

    @model_validator(mode="after")
    def _is_reserved(self) -> Self:
        _demand_reserved(self.decision, self.reserves)
        _demand_in_full(self.decision, self.approved_by)
        return self


class ClaimPartlyApproved(Event):
    """A person approved less than claimed."""

    TYPE: ClassVar[str] = "claimflow.ClaimPartlyApproved.v1"
    WRITER: ClassVar[str] = "assessment"

    decision: Annotated[Decision, Privacy.internal]
    reserves: Annotated[Reserves, Privacy.internal]
    person: Annotated[Person, Privacy.internal]
    reason: Annotated[LongText, Privacy.internal]
    clause_id: Annotated[ClauseId | None, Privacy.internal] = None
    fact: Annotated[LongText | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _is_reserved(self) -> Self:
        _demand_reserved(self.decision, self.reserves)
        return self


class ClaimDecidedNil(Event):
    """The arithmetic gives zero, and a person agreed."""

    TYPE: ClassVar[str] = "claimflow.ClaimDecidedNil.v1"
    WRITER: ClassVar[str] = "assessment"

    decision: Annotated[Decision, Privacy.internal]
    person: Annotated[Person, Privacy.internal]
    reason: Annotated[LongText | None, Privacy.internal] = None

    @model_validator(mode="after")
    def _pays_nothing(self) -> Self:
        if self.decision.payable:
            raise ValueError("a nil decision pays nothing")
        return self


class ClaimDenied(Event):
    """A person refused the claim: the clause, the fact it rests on, and how to appeal."""

    TYPE: ClassVar[str] = "claimflow.ClaimDenied.v1"
    WRITER: ClassVar[str] = "assessment"

    person: Annotated[Person, Privacy.internal]
    reason: Annotated[LongText, Privacy.internal]
    clause_id: Annotated[ClauseId, Privacy.internal]
    fact: Annotated[LongText, Privacy.internal]
    appeal: Annotated[LongText, Privacy.internal]
    decision: Annotated[Decision | None, Privacy.internal] = None


class ClaimClosed(Event):
    """Nothing is open any more. `paid` is the sum confirmed by the bank, where something was paid."""

    TYPE: ClassVar[str] = "claimflow.ClaimClosed.v1"
    WRITER: ClassVar[str] = "assessment"

    outcome: Annotated[ClaimOutcome, Privacy.internal]
    paid: Annotated[NonNegativeMoney | None, Privacy.internal] = None


EVENTS: tuple[type[Event], ...] = (
    PolicyAwaited,
    ClaimRegistered,
    ClaimSegmented,
    DuplicateLinked,
    ReserveSet,
    DocumentsRequested,
    AdvanceApproved,
    ClaimReferred,
    ClaimApproved,
    ClaimPartlyApproved,
    ClaimDecidedNil,
    ClaimDenied,
    ClaimClosed,
)
