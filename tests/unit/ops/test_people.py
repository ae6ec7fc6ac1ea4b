"""Who may decide what, and the file that says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hosting.exits import CannotStartError
from schemas.ids import EventId
from schemas.ops import Verdict
from services.ops.adapters.people_file import PeopleFile
from services.ops.domain.claim_view import Referral
from services.ops.domain.people import Role, Staff
from services.ops.domain.review import Refused, check_authority
from services.ops.settings import EXAMPLE_PEOPLE
from tests.builders.events import REPORTED_AT, an_id, usd
from tests.builders.ops import a_staff

GOOD = "people: [{id: ada, roles: [adjuster], authority: {amount: '10.00', currency: USD}}]"
BETTER = "people: [{id: bo, roles: [operator]}, {id: cy, roles: [privacy]}]"


def a_referral(payable: str | None = "100.00") -> Referral:
    money = usd(payable) if payable is not None else None
    return Referral(
        event_id=EventId(an_id("r")), sequence=1, desk="flood", reasons=(), computed=money, payable=money,
        referred_at=REPORTED_AT,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("staff", "verdict", "amount", "payable", "code"),
    [
        (a_staff("ada", "100.00"), Verdict.approve, None, "100.00", None),
        (a_staff("ada", "99.99"), Verdict.approve, None, "100.00", "above-authority"),
        (a_staff("ada", "100.00"), Verdict.approve_amount, "100.01", "50.00", "above-authority"),
        (a_staff("ada", "99.99"), Verdict.approve_amount, "1.00", "100.00", "above-authority"),
        (a_staff("ada", "99.99"), Verdict.deny, None, "100.00", "above-authority"),
        (a_staff("ada", "0.00"), Verdict.deny, None, None, None),
        (a_staff("ada", "100.00"), Verdict.approve, None, None, "nothing-proposed"),
        (a_staff("ada", "100.00"), Verdict.approve_amount, "100.00", None, None),
        (a_staff("mia", "100.00", Role.manager), Verdict.approve, None, "100.00", None),
        (a_staff("omar", None, Role.operator), Verdict.approve, None, "1.00", "role-missing"),
    ],
)
def test_authority_covers_the_greatest_amount_at_stake(
    staff: Staff, verdict: Verdict, amount: str | None, payable: str | None, code: str | None
) -> None:
    refused = check_authority(staff, a_referral(payable), verdict, usd(amount) if amount else None)

    assert (refused.code if isinstance(refused, Refused) else None) == code


def test_the_shipped_example_is_good_and_covers_every_role() -> None:
    people = PeopleFile(EXAMPLE_PEOPLE)

    roles = {role for name in ("ada", "bo", "mia", "omar", "pia") for role in getattr(people.find(name), "roles", ())}

    assert roles == set(Role)
    assert people.find("eve") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("people: []", "people"),
        ("people: [{id: ada, roles: [CANARY]}]", "people/0/roles/0"),
        ("people: [{id: ada, roles: [adjuster]}]", "authority"),
        ("people: [{id: ada, roles: [operator]}, {id: ada, roles: [operator]}]", "once"),
        ("people: [{id: ada, roles: [operator], CANARY: 1}]", "people/0"),
        ("people: [{id: ada, roles: [adjuster], authority: {amount: 1.5, currency: USD}}]", "amount"),
        ("{", "well-formed"),
        ("\x00", "well-formed"),
        ("people: &a [*a]", "well-formed"),
        ("people: 2026-01-01", "well-formed"),
        ("x" * (1024 * 1024 + 1), "larger"),
    ],
)
def test_a_bad_file_is_refused_at_the_start_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(content)

    with pytest.raises(CannotStartError) as refused:
        PeopleFile(file)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.code == 2


def test_a_missing_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="cannot be used"):
        PeopleFile(tmp_path / "none.yaml")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(GOOD)
    people = PeopleFile(file)
    assert people.find("ada") is not None

    replace(file, BETTER)

    assert people.find("ada") is None
    assert people.find("bo") is not None


def test_a_file_that_became_bad_or_vanished_changes_nothing_and_is_logged_once(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(GOOD)
    people = PeopleFile(file)

    with capture_logs() as logs:
        replace(file, "people: [")
        assert [people.find("ada") is not None for _ in range(3)] == [True] * 3
        file.unlink()
        assert [people.find("ada") is not None for _ in range(3)] == [True] * 3
        replace(file, BETTER)
        assert people.find("cy") is not None

    assert [log["log_level"] for log in logs] == ["error", "error", "info"]


def replace(file: Path, content: str) -> None:
    """As careful editors do: a new file in place of the old one."""
    fresh = file.with_suffix(".new")
    fresh.write_text(content)
    os.replace(fresh, file)
