"""Over the whole catalogue of events: what refuses or reduces cannot be told without a person.

Which events those are is read off their fields, so that one added later is held to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from schemas.assessment import AdvanceApproved, ClaimApproved, ClaimClosed, ClaimOutcome, ClaimReferred
from schemas.decision import Decision, DecisionKind, Override, Person, ReserveLine
from schemas.event import Event, registered_types
from tests.builders.events import a_claim_approved, a_decision, a_person, an_advance_approved, usd

CATALOGUE: Mapping[str, type[Event]] = registered_types()
ASSESSED = {name: model for name, model in CATALOGUE.items() if model.WRITER == "assessment"}


def kinds_in(annotation: Any) -> set[Any]:
    """Everything an annotation is made of."""
    found = {annotation}
    for part in get_args(annotation):
        found |= kinds_in(part)
    return found


def fields_of(model: type[BaseModel], kind: type) -> list[str]:
    """The fields that hold such a value."""
    return [name for name, one in model.model_fields.items() if kind in kinds_in(one.annotation)]


def decides(model: type[Event]) -> bool:
    """Whether the event says what is paid: it carries a decision that is more than a proposal to a person."""
    return bool(fields_of(model, Decision)) and model is not ClaimReferred


def must_name_a_person(model: type[Event]) -> bool:
    return any(model.model_fields[name].is_required() for name in fields_of(model, Person)) and not may_be_software(
        model
    )


def may_be_software(model: type[Event]) -> bool:
    return any("system" in get_args(part) for one in model.model_fields.values() for part in kinds_in(one.annotation))


def test_every_event_that_decides_is_a_persons_or_pays_what_the_terms_give_in_full() -> None:
    deciding = {name: model for name, model in ASSESSED.items() if decides(model)}

    assert deciding and all(must_name_a_person(one) != may_be_software(one) for one in deciding.values())
    assert {one for one in deciding.values() if may_be_software(one)} == {ClaimApproved, AdvanceApproved}


def test_an_event_with_words_of_refusal_names_the_person_who_said_them() -> None:
    """Reason, clause and fact together are how a no is explained: nothing of assessment's has them without a person."""
    explaining = [one for one in ASSESSED.values() if {"reason", "clause_id", "fact"} <= set(one.model_fields)]

    assert len(explaining) >= 2 and all(must_name_a_person(one) for one in explaining)


@pytest.mark.parametrize("name", sorted(name for name, model in CATALOGUE.items() if must_name_a_person(model)))
def test_no_such_event_can_be_made_without_its_person(name: str) -> None:
    model = CATALOGUE[name]
    [field] = [one for one in fields_of(model, Person) if model.model_fields[one].is_required()]

    with pytest.raises(ValidationError) as raised:
        model.model_validate({})

    assert (field,) in {error["loc"] for error in raised.value.errors()}


@pytest.mark.parametrize("make", [a_claim_approved, an_advance_approved])
@pytest.mark.parametrize("kind", [kind for kind in DecisionKind if kind is not DecisionKind.pay])
def test_software_approves_only_what_is_to_be_paid_in_full(make: Any, kind: DecisionKind) -> None:
    decision = a_decision(kind=kind)

    with pytest.raises(ValidationError, match="in full"):
        make(decision)


@pytest.mark.parametrize("make", [a_claim_approved, an_advance_approved])
def test_software_never_sets_an_amount(make: Any) -> None:
    override = Override(computed=usd("1200.00"), final=usd("1000.00"), reason="less", person=a_person())
    cut = a_decision().model_dump() | {"override": override, "payable": override.final}
    decision = Decision.model_validate(cut)

    with pytest.raises(ValidationError, match="in full"):
        make(decision, reserves=(ReserveLine(coverage_code="building", amount=usd("1000.00")),))


def test_an_override_names_its_person_and_a_closing_has_no_amount_of_its_own_to_cut() -> None:
    assert Override.model_fields["person"].is_required()
    assert set(ClaimClosed.model_fields) == {"outcome", "paid"}
    assert set(ClaimOutcome) == {"paid", "denied", "nil", "duplicate", "withdrawn"}
