"""Members of staff: their roles and the most they may decide alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.decision import Person
from schemas.model import Code
from schemas.money import NonNegativeMoney

PEOPLE_MAX = 10_000


class Role(StrEnum):
    """What a person may do: adjusters and managers review, operators give orders to stages.

    privacy may erase a person, unmask may open a party's data.
    """

    adjuster = "adjuster"
    manager = "manager"
    operator = "operator"
    privacy = "privacy"
    unmask = "unmask"


REVIEWERS = (Role.manager, Role.adjuster)


class Staff(BaseModel):
    """One person. `authority` None: may decide nothing alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Code
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=len(Role))]
    authority: NonNegativeMoney | None = None

    @model_validator(mode="after")
    def _reviewers_have_a_limit(self) -> Self:
        if self.review_role is not None and self.authority is None:
            raise ValueError("an adjuster or manager needs an authority")
        return self

    def has(self, role: Role) -> bool:
        return role in self.roles

    @property
    def review_role(self) -> Role | None:
        """The role in which this person reviews; None: may not."""
        return next((role for role in REVIEWERS if role in self.roles), None)

    def as_person(self) -> Person | None:
        """As an event names them; None for who may not review."""
        role = self.review_role
        return None if role is None else Person(person_id=self.id, role=role.value, authority=self.authority)


class Directory(BaseModel):
    """The whole file of people."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    people: Annotated[tuple[Staff, ...], Field(min_length=1, max_length=PEOPLE_MAX)]

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        if len({one.id for one in self.people}) != len(self.people):
            raise ValueError("each id stands once")
        return self
