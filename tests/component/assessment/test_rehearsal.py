"""Changes of rules rehearsed on the shipped claims, decided by the real stage: who would get what instead, and why."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.rehearsing.recorded import Raw
from local.rehearsing.rehearse import draft_of, rehearse
from local.rehearsing.result import result_of
from messaging.record import Record
from schemas.assessment import ReferralReason
from schemas.ids import EventId
from schemas.money import Money
from schemas.ops import Verdict
from schemas.topics import registry
from services.assessment.adapters.policy_book_memory import MemoryPolicyBook
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.rule_book_files import load_rule_book
from services.assessment.domain.differences import Change, Way, change_of
from services.assessment.domain.rehearsal import KeptWhy, Rehearsal, Rehearsed, Window
from services.assessment.settings import TERMS_FOLDER
from tests.builders.assessment import PARTITIONS, AssessmentHouse, a_coverage_row, a_policy_row, an_assessment_house
from tests.builders.events import (
    REPORTED_AT,
    a_claim_id,
    a_claim_reported,
    a_person,
    a_reported_line,
    a_review_recorded,
    usd,
)
from tests.builders.rehearsals import (
    LIMIT_FIRST,
    a_draft,
    an_unchanged_draft,
    limited,
    play_sample,
    recorded,
    total,
)

CLAIMS = 400


@pytest.fixture(scope="module")
def sample() -> list[Raw]:
    """Played once: nothing that is rehearsed changes it."""

    async def play() -> list[Raw]:
        async with an_assessment_house() as house:
            await play_sample(house, CLAIMS)
            return await recorded(house)

    return asyncio.run(play())


def rehearsed(folder: Path, raws: list[Raw], window: Window | None = None, **changes: Any) -> Rehearsal:
    return rehearse(draft_of(folder, {}, **changes), window or Window(), raws)


def one_of(rehearsal: Rehearsal, number: int = 1) -> Rehearsed:
    return next(one for one in rehearsal.results() if one.claim_id == a_claim_id(number))


def files_of(*folders: Path) -> dict[str, str]:
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_rules_in_force_as_a_draft_change_nothing(sample: list[Raw], tmp_path: Path) -> None:
    done = rehearsed(an_unchanged_draft(tmp_path), sample)

    result = result_of(done.results(), done.uncompared())
    assert (result["claims"], result["by_rules"]["same"], result["differing"]) == (CLAIMS, CLAIMS, 0)
    assert result["not_compared"] == {"report_missing": 0, "never_registered": 0, "not_decided": 0}


def test_the_rules_in_force_give_the_very_bytes_that_were_recorded(sample: list[Raw], tmp_path: Path) -> None:
    found = list(rehearsed(an_unchanged_draft(tmp_path), sample).results())

    assert len(found) == CLAIMS
    assert all(one.was.decision == one.then.decision for one in found)


def test_taking_the_deductible_off_after_the_limit_pays_capped_losses_less(sample: list[Raw], tmp_path: Path) -> None:
    done = rehearsed(a_draft(tmp_path, *LIMIT_FIRST), sample)

    found = list(done.results())
    changed = [one for one in found if change_of(one.was, one.then) is not Change.same]
    assert changed and {change_of(one.was, one.then) for one in changed} <= {Change.less, Change.nothing}
    for one in changed:
        assert one.difference is not None
        assert one.difference.where.startswith("line ") and one.difference.where.endswith(", step 1")
        assert one.difference.was.startswith("deductible SFIP.VI ")
        assert one.difference.then.startswith("limit SFIP.III.")
    sums = result_of(iter(found), done.uncompared())["by_rules"]["sums"]["USD"]
    assert sums["was"] == total([one.was.amount for one in found]).to_text()
    assert sums["then"] == total([one.then.amount for one in found]).to_text()


def test_a_lower_automatic_limit_sends_large_claims_to_a_person_and_names_the_row(
    sample: list[Raw], tmp_path: Path
) -> None:
    done = rehearsed(a_draft(tmp_path, limited("20000.00")), sample)

    moved = [one for one in done.results() if one.difference is not None]
    assert moved and all(one.then.way is Way.person for one in moved)
    paid = [one for one in done.results() if one.was.way is Way.software]
    large = [one for one in paid if one.was.amount is not None and one.was.amount > usd("20000.00")]
    assert [one.claim_id for one in moved] == [one.claim_id for one in large]
    assert all(one.then.reasons == (ReferralReason.above_automatic_limit,) for one in moved)
    assert {one.difference.where for one in moved if one.difference} == {"straight-through row"}
    rows = {(one.difference.was, one.difference.then) for one in moved if one.difference}
    assert len(rows) == 1 and len(set(rows.pop())) == 2


def test_a_draft_that_begins_later_decides_nothing_until_it_is_asked_as_of_then(
    sample: list[Raw], tmp_path: Path
) -> None:
    version = (
        "rules/assessment.yaml",
        "# Seconds between tries.",
        '  - version: "later"\n    effective_from: "2026-07-01T00:00:00+00:00"\n    payments_desk: payments\n'
        "    lines: []\n    other_lines: {line: any, desk: general, automatic_limits: [], appeal: Write to us.}\n"
        "# Seconds between tries.",
    )
    folder = a_draft(tmp_path, version)

    now, then = rehearsed(folder, sample), rehearsed(folder, sample, as_of=REPORTED_AT + timedelta(days=365))

    assert not [one for one in now.results() if one.difference is not None]
    assert not [one for one in then.results() if one.then.way is Way.software]


def test_a_window_and_a_limit_choose_the_claims_that_are_shown(sample: list[Raw], tmp_path: Path) -> None:
    folder = a_draft(tmp_path, limited("20000.00"))

    few = rehearsed(folder, sample, Window(limit=7))
    none = rehearsed(folder, sample, Window(starts=REPORTED_AT + timedelta(days=1)))

    assert [one.claim_id for one in few.results()] == [one.claim_id for one in rehearsed(folder, sample).results()][:7]
    assert not list(none.results())


async def test_a_rehearsal_touches_neither_log_nor_store_nor_files(tmp_path: Path) -> None:
    folder = a_draft(tmp_path / "draft", *LIMIT_FIRST, limited("20000.00"))
    async with an_assessment_house() as house:
        await play_sample(house, 40)
        before = (everything(house), files_of(folder, TERMS_FOLDER.parent, tmp_path))
        house.store.at_commit = lambda moment: pytest.fail(f"a rehearsal came to a commit: {moment}")

        done = rehearsed(folder, await recorded(house))

        assert [one for one in done.results() if one.difference is not None]
        assert (everything(house), files_of(folder, TERMS_FOLDER.parent, tmp_path)) == before


def everything(house: AssessmentHouse) -> list[Record]:
    """Every record of every topic."""
    return [record for spec in registry(PARTITIONS) for record in house.log.records(spec.name)]


# ---- claims that share a ledger, and what people decided


TERMS_FILE = """
form: yard-cover
line: yard
title: A cover with a limit that all claims of a year share
versions:
  - version: "1"
    effective_from: "1900-01-01T00:00:00+00:00"
    coverages:
      - code: yard
        aggregates: [{aggregate_id: yard-year, limit: {amount: "1000.00", currency: USD}}]
        operations: [{op: deductible}, {op: limit}, {op: aggregate}]
"""
FORM = "terms/yard.yaml"


class Yard:
    """A house whose policies are of this form; software pays up to `automatic` by itself."""

    def __init__(self, folder: Path, automatic: str) -> None:
        self.folder = an_unchanged_draft(folder / "in-force")
        (self.folder / FORM).write_text(TERMS_FILE, "utf-8")
        rules = self.folder / "rules" / "assessment.yaml"
        limits = f'automatic_limits: [{{amount: "{automatic}", currency: USD}}]'
        rules.write_text(rules.read_text("utf-8").replace("automatic_limits: []", limits), "utf-8")
        self.house = AssessmentHouse(rules=load_rule_book(rules_file=rules))
        self.house.policies = MemoryPolicyBook(load_terms(self.folder / "terms"), self.house.clock.now)
        self.house._book = self.house.policies
        row = a_coverage_row("yard", limit="5000.00", deductible="100.00")
        self.house.policies.put(a_policy_row(line="yard", coverages=[row]))

    async def report(self, number: int, asked: str, month: int) -> None:
        """A loss in another month is no duplicate."""
        line = a_reported_line(coverage_code="yard", asked=usd(asked))
        loss_at = datetime(2012, month, 10, 12, tzinfo=UTC)
        event = a_claim_reported(a_claim_id(number), line="yard", loss_at=loss_at, lines=(line,))
        self.house.tell(event, a_claim_id(number), time=self.house.clock.now())
        await self.house.after(1)

    async def review(self, number: int, **changes: Any) -> None:
        referral = EventId(self.house.referral_id(a_claim_id(number)))
        event = a_review_recorded(referral_event_id=referral, **changes)
        self.house.tell(event, a_claim_id(number), time=self.house.clock.now())
        await self.house.after(1)

    async def rehearse(self, draft: Path, *changes: tuple[str, str, str]) -> Rehearsal:
        """Under a draft that changes files of those in force here."""
        for path, text, other in changes:
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content = (target if target.exists() else self.folder / path).read_text("utf-8")
            assert text in content
            target.write_text(content.replace(text, other), "utf-8")
        given = {
            "CLAIMFLOW_ASSESSMENT_TERMS_FOLDER": str(self.folder / "terms"),
            "CLAIMFLOW_ASSESSMENT_RULES_FILE": str(self.folder / "rules" / "assessment.yaml"),
        }
        return rehearse(draft_of(draft, given), Window(), await recorded(self.house))


def amounts(rehearsal: Rehearsal, *numbers: int) -> list[tuple[Money | None, Money | None]]:
    found = [one_of(rehearsal, number) for number in numbers]
    return [(one.was.amount, one.then.amount) for one in found]


@asynccontextmanager
async def a_yard(folder: Path, automatic: str = "50000.00") -> AsyncIterator[Yard]:
    made = Yard(folder, automatic)
    await made.house.restart()
    yield made
    await made.house.engine.stop()


async def test_a_later_claim_finds_in_the_ledger_what_the_draft_gave_the_earlier_one(tmp_path: Path) -> None:
    async with a_yard(tmp_path) as yard:
        await yard.report(1, "900.00", month=3)
        await yard.report(2, "900.00", month=8)

        done = await yard.rehearse(tmp_path / "draft", (FORM, "1000.00", "1500.00"))

    assert amounts(done, 1, 2) == [(usd("800.00"), usd("800.00")), (usd("200.00"), usd("700.00"))]
    assert one_of(done, 1).difference is None
    assert one_of(done, 2).difference is not None


async def test_what_was_paid_and_would_be_asked_still_counts_for_later_claims(tmp_path: Path) -> None:
    async with a_yard(tmp_path) as yard:
        await yard.report(1, "900.00", month=3)
        await yard.report(2, "900.00", month=8)

        done = await yard.rehearse(tmp_path / "draft", ("rules/assessment.yaml", '"50000.00"', '"700.00"'))

    assert amounts(done, 1, 2) == [(usd("800.00"), usd("800.00")), (usd("200.00"), usd("200.00"))]
    assert (one_of(done, 1).was.way, one_of(done, 1).then.way) == (Way.software, Way.person)


@pytest.mark.parametrize(
    "limit, first, second",
    [("900.00", (Way.person, "600.00"), "400.00"), ("450.00", (Way.software, "450.00"), "0.00")],
    ids=["still denied", "paid before anybody was asked"],
)
async def test_a_denial_holds_under_the_draft_unless_software_would_have_paid(
    limit: str, first: tuple[Way, str], second: str, tmp_path: Path
) -> None:
    async with a_yard(tmp_path, automatic="500.00") as yard:
        await yard.report(1, "700.00", month=3)
        await yard.review(1, verdict=Verdict.deny, reason="late", clause_id="1", fact="late")
        await yard.report(2, "500.00", month=8)

        done = await yard.rehearse(tmp_path / "draft", (FORM, "1000.00", limit))

    assert one_of(done, 1).person == "denied"
    assert (one_of(done, 1).then.way, one_of(done, 1).then.amount) == (first[0], usd(first[1]))
    assert amounts(done, 2) == [(usd("400.00"), usd(second))]


async def test_a_persons_amount_is_never_compared_and_stays_taken_as_it_was(tmp_path: Path) -> None:
    async with a_yard(tmp_path, automatic="500.00") as yard:
        await yard.report(1, "900.00", month=3)
        await yard.review(1, verdict=Verdict.approve_amount, amount=usd("300.00"), reason="less", person=a_person())
        await yard.report(2, "900.00", month=8)

        done = await yard.rehearse(tmp_path / "draft", (FORM, "1000.00", "750.00"))

    assert amounts(done, 1, 2) == [(usd("800.00"), usd("750.00")), (usd("700.00"), usd("450.00"))]
    assert one_of(done, 1).person == "partly approved"
    result = result_of(done.results(), done.uncompared())
    by_person = result["decided_by_a_person"]
    assert (by_person["claims"], by_person["less"], by_person["sums"]["USD"]["was"]) == (1, 1, "800.00")
    assert (result["by_rules"]["claims"], result["by_rules"]["less"]) == (1, 1)


async def test_terms_that_are_not_at_hand_are_named_claim_by_claim_and_counted(tmp_path: Path) -> None:
    async with a_yard(tmp_path) as yard:
        await yard.report(1, "900.00", month=3)
        raws = await recorded(yard.house)

    done = rehearse(draft_of(a_draft(tmp_path / "draft", limited("1.00")), {}), Window(), raws)

    [one] = done.results()
    assert [(part.coverage_code, part.why) for part in one.kept] == [("yard", KeptWhy.form_unknown)]
    assert result_of(done.results(), done.uncompared())["terms_kept"] == {KeptWhy.form_unknown.value: 1}
