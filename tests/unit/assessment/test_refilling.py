"""A snapshot under another form's text: what the policy said stays, what the form said is the draft's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.policy import PolicySnapshot
from schemas.terms import CoinsuranceClause, Coverage, Deductible, DeductibleKind, Operation, Valuation
from services.assessment.adapters.policy_terms import PolicyTerms, filled, load_terms
from services.assessment.adapters.refilling import Refiller, said_by_policy
from services.assessment.domain.rehearsal import KeptWhy
from tests.builders.events import a_coverage, a_policy_snapshot, usd

DEDUCTIBLE, LIMIT = Operation(op="deductible"), Operation(op="limit")


def a_form(**changes: Any) -> Coverage:
    """What a form says of the building: an order of operations and no amounts."""
    fields: dict[str, Any] = {"code": "building", "clause_version": "1", "operations": (DEDUCTIBLE, LIMIT)}
    return Coverage(**fields | changes)


def of_a_policy(**changes: Any) -> Coverage:
    """What the policy system sends."""
    fields: dict[str, Any] = {
        "code": "building",
        "clause_version": "SFIP",
        "limit": usd("1000.00"),
        "deductibles": (Deductible(amount=usd("100.00")),),
        "valuation": Valuation.ACV,
    }
    return Coverage(**fields | changes)


def refilled(own: Coverage, before: Coverage, after: Coverage) -> Coverage:
    held = Coverage.model_validate_json(filled(before, own).model_dump_json(exclude_none=True))
    return filled(after, said_by_policy(held, before, after))


def test_the_drafts_order_is_run_with_the_policys_own_amounts() -> None:
    found = refilled(of_a_policy(), a_form(), a_form(operations=(LIMIT, DEDUCTIBLE)))

    assert found == filled(a_form(operations=(LIMIT, DEDUCTIBLE)), of_a_policy())


def test_the_same_form_gives_the_same_coverage() -> None:
    form = a_form(limit=usd("5.00"), coinsurance=CoinsuranceClause(required_rate="0.8"))

    assert refilled(of_a_policy(), form, form) == filled(form, of_a_policy())


def test_an_amount_the_form_gave_and_the_policy_left_open_is_the_drafts() -> None:
    own = Coverage(code="building", clause_version="SFIP")

    assert refilled(own, a_form(limit=usd("5.00")), a_form(limit=usd("7.00"))).limit == usd("7.00")


def test_an_amount_equal_in_policy_and_form_counts_as_the_forms() -> None:
    before, after = a_form(limit=usd("1000.00")), a_form(limit=usd("900.00"))

    assert refilled(of_a_policy(), before, after).limit == usd("900.00")


def test_a_figure_of_the_policys_own_stays_within_a_rule_of_the_forms() -> None:
    own = of_a_policy(coinsurance=CoinsuranceClause(required_rate="0.9"))
    before = a_form(coinsurance=CoinsuranceClause(required_rate="0.8", clause_id="c1"))
    after = a_form(coinsurance=CoinsuranceClause(required_rate="0.5", clause_id="c2"))

    assert refilled(own, before, after).coinsurance == CoinsuranceClause(required_rate="0.9", clause_id="c2")


def test_a_named_deductible_keeps_the_policys_amount_and_takes_the_drafts_clause() -> None:
    own = of_a_policy(deductibles=(Deductible(name="wind", amount=usd("300.00")),))
    before = a_form(deductibles=(Deductible(name="wind", amount=usd("1.00"), clause_id="c1"),))
    after = a_form(deductibles=(Deductible(name="wind", kind=DeductibleKind.pct_of_limit, rate="0.1", clause_id="c2"),))

    [found] = refilled(own, before, after).deductibles

    assert found == Deductible(name="wind", amount=usd("300.00"), clause_id="c2")


def test_a_named_deductible_the_draft_no_longer_has_stays_whole() -> None:
    own = of_a_policy(deductibles=(Deductible(name="wind", amount=usd("300.00")),))
    before = a_form(
        deductibles=(
            Deductible(name="wind", amount=usd("300.00"), clause_id="c1"),
            Deductible(name="hail", amount=usd("5.00")),
        )
    )

    assert refilled(own, before, a_form()).deductibles == (
        Deductible(name="wind", amount=usd("300.00"), clause_id="c1"),
    )


def test_a_rule_the_draft_drops_is_gone_and_the_policys_own_is_not() -> None:
    clause = CoinsuranceClause(required_rate="0.8")

    assert refilled(of_a_policy(), a_form(coinsurance=clause), a_form()).coinsurance is None
    own = of_a_policy(coinsurance=CoinsuranceClause(required_rate="0.9"))
    assert refilled(own, a_form(coinsurance=clause), a_form()).coinsurance == CoinsuranceClause(required_rate="0.9")


# ---- finding the form a snapshot names

FORM = """
form: {form}
line: flood
title: A form
versions:
  - version: "1"
    effective_from: "{since}"
    coverages:
      - code: {code}
        operations: [{{op: {first}}}, {{op: {second}}}]
"""


def terms(folder: Path, **changes: str) -> PolicyTerms:
    fields = {"form": "dwelling", "since": "1900-01-01T00:00:00+00:00", "code": "building"}
    fields |= {"first": "deductible", "second": "limit"} | changes
    folder.mkdir()
    (folder / "form.yaml").write_text(FORM.format(**fields), "utf-8")
    return load_terms(folder)


def a_policy_of(known: PolicyTerms) -> PolicySnapshot:
    form = known.forms["dwelling"][0].coverages["building"]
    return a_policy_snapshot(coverages=(filled(form, of_a_policy()),))


def test_the_draft_names_its_own_version_on_what_it_filled(tmp_path: Path) -> None:
    known = terms(tmp_path / "known")
    draft = terms(tmp_path / "draft", first="limit", second="deductible")
    policy = a_policy_of(known)

    found = Refiller(draft, known)(policy)

    assert [one.op for one in found.policy.coverages[0].operations] == ["limit", "deductible"]
    assert found.policy.coverages[0].form == draft.forms["dwelling"][0].named != policy.coverages[0].form
    assert found.policy.coverages[0].limit == usd("1000.00")
    assert found.kept == ()


def test_the_same_terms_leave_the_very_snapshot(tmp_path: Path) -> None:
    known = terms(tmp_path / "known")
    policy = a_policy_of(known)

    assert Refiller(known, known)(policy).policy is policy


@pytest.mark.parametrize("changes", [{"form": "other"}, {"since": "2199-01-01T00:00:00+00:00"}, {"code": "contents"}])
def test_a_form_the_draft_lacks_leaves_the_policys_amounts_without_operations(
    changes: dict[str, str], tmp_path: Path
) -> None:
    known = terms(tmp_path / "known")
    draft = terms(tmp_path / "draft", **changes)

    found = Refiller(draft, known)(a_policy_of(known))

    assert [one.why for one in found.kept] == [KeptWhy.not_in_draft]
    assert found.policy.coverages[0].operations == ()
    assert found.policy.coverages[0].deductibles == (Deductible(amount=usd("100.00")),)


def test_a_version_that_is_not_at_hand_is_named_and_left_alone(tmp_path: Path) -> None:
    policy = a_policy_of(terms(tmp_path / "gone", second="unlimited"))
    known = terms(tmp_path / "known")

    found = Refiller(known, known)(policy)

    assert (found.policy, [one.why for one in found.kept]) == (policy, [KeptWhy.form_unknown])


def test_a_coverage_of_no_form_is_left_alone(tmp_path: Path) -> None:
    known = terms(tmp_path / "known")
    policy = a_policy_snapshot(coverages=(a_coverage(),))

    found = Refiller(known, known)(policy)

    assert (found.policy, [one.why for one in found.kept]) == (policy, [KeptWhy.no_form])
