"""Puts another form's text under what a policy itself said, found where its snapshot differs from the form it names.

A snapshot does not say which figure came from the policy and which from the form. What is equal in both counts as the
form's; everything else is the policy's own and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.model import Model
from schemas.policy import PolicySnapshot
from schemas.terms import Coverage
from services.assessment.adapters.policy_terms import NAMED_PARTS, FormVersion, PolicyTerms, figures_of, filled
from services.assessment.domain.rehearsal import Kept, KeptWhy, Refilled

_ALWAYS_SAID = ("code", "clause_version")
"""What the policy system says of every coverage; the text it ran by is in `form`."""


class Refiller:
    """Snapshots as they would be under a draft's forms. `known` are the terms their names are looked up in."""

    def __init__(self, draft: PolicyTerms, *known: PolicyTerms) -> None:
        self._draft = draft
        self._named: Mapping[str, FormVersion] = {
            version.named: version for terms in known for held in terms.forms.values() for version in held
        }

    def __call__(self, policy: PolicySnapshot) -> Refilled:
        """The policy under the draft; what could not be filled stays as it was, and is named."""
        kept: list[Kept] = []
        coverages = tuple(self._coverage(one, policy, kept) for one in policy.coverages)
        if coverages == policy.coverages:
            return Refilled(policy, tuple(kept))
        return Refilled(policy.model_copy(update={"coverages": coverages}), tuple(kept))

    def _coverage(self, held: Coverage, policy: PolicySnapshot, kept: list[Kept]) -> Coverage:
        if held.form is None:
            kept.append(Kept(held.code, KeptWhy.no_form))
            return held
        version = self._named.get(held.form)
        form = None if version is None else version.coverages.get(held.code)
        if version is None or form is None:
            kept.append(Kept(held.code, KeptWhy.form_unknown))
            return held
        other = self._draft.coverage(version.form, held.code, policy.effective_from)
        if other is None:
            # As assessment has it where no form fits: the policy's amounts without operations, so a person looks.
            kept.append(Kept(held.code, KeptWhy.not_in_draft))
            return said_by_policy(held, form, None)
        return filled(other, said_by_policy(held, form, other))


def said_by_policy(held: Coverage, form: Coverage, other: Coverage | None) -> Coverage:
    """What `held`, once filled from `form`, has of its own. Rules both forms have are told apart figure by figure.

    Only what is said is set, so that `filled` leaves the rest to the other form.
    """
    said: dict[str, Any] = {name: getattr(held, name) for name in _ALWAYS_SAID}
    for name in Coverage.model_fields.keys() - {*_ALWAYS_SAID, "form"}:
        ours, theirs, others = getattr(held, name), getattr(form, name), getattr(other, name, None)
        if ours == theirs:
            continue
        if name in NAMED_PARTS:
            said[name] = _parts(ours, theirs, others or ())
        elif isinstance(ours, Model) and isinstance(theirs, Model) and isinstance(others, Model):
            said[name] = _own(ours, theirs)
        else:
            said[name] = ours
    return Coverage.model_construct(set(said), **said)


def _parts(ours: Sequence[Any] | None, theirs: Sequence[Any] | None, others: Sequence[Any]) -> tuple[Any, ...] | None:
    """Each part whole, unless both forms have one of its name to fill it up from."""
    if ours is None:
        return None
    slots = {one.name: one for one in theirs or ()}
    filling = {one.name for one in others}
    return tuple(_own(one, slots[one.name]) if one.name in slots and one.name in filling else one for one in ours)


def _own(ours: Model, theirs: Model) -> Model:
    """The fields that differ; of figures that belong together all, if one does. A part keeps its name."""
    fields = type(ours).model_fields.keys()
    differing = {name for name in fields if getattr(ours, name) != getattr(theirs, name)}
    if differing & figures_of(ours):
        differing |= figures_of(ours)
    said = {name: getattr(ours, name) for name in differing | ({"name"} & fields)}
    return type(ours).model_construct(set(said), **said)
