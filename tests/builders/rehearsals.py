"""Recorded history for rehearsals: claims decided by the real stage on a log in memory, and drafts of rules."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from local.home import ROOT
from local.rehearsing.recorded import Raw, read_topics, topics
from local.replay.nfip import Row, claim_of, policy_of, read_rows
from schemas.ids import ClaimId, claim_id
from schemas.intake import ClaimReported, Place, ReportedLine
from schemas.model import Instant
from schemas.money import Money
from services.assessment.settings import RULES_FILE, TERMS_FOLDER
from tests.builders.assessment import AssessmentHouse
from tests.builders.events import a_claim_reported

SAMPLE = ROOT / "data" / "nfip_claims_2000.csv.gz"
_INSTANT: TypeAdapter[Any] = TypeAdapter(Instant)
_LINES: TypeAdapter[tuple[ReportedLine, ...]] = TypeAdapter(tuple[ReportedLine, ...])


def a_report_of(row: Row, claim: ClaimId) -> ClaimReported:
    """The row's claim as intake tells it."""
    told = claim_of(row)
    return a_claim_reported(
        claim,
        policy_number=told["policy_number"],
        loss_at=_INSTANT.validate_python(told["loss_at"], strict=False),
        loss_zone=told["loss_zone"],
        place=Place(**told["place"]),
        lines=_LINES.validate_python(told["lines"]),
    )


async def play_sample(house: AssessmentHouse, claims: int) -> None:
    """The first so many of the shipped claims, decided a second apart."""
    for number, row in enumerate(read_rows(SAMPLE, claims)):
        claim = claim_id("sample", row["id"])
        house.policies.put(policy_of(row))
        house.tell(a_report_of(row, claim), claim, time=house.clock.now())
        if number % 20 == 19:
            await house.after(1)
    await house.after(1)


async def recorded(house: AssessmentHouse) -> list[Raw]:
    """The house's log as a rehearsal reads it."""
    found = await read_topics(house.log.tail(topics()), lambda _: None)
    assert found.unreadable == 0
    return found.in_order()


def a_draft(folder: Path, *files: tuple[str, str, str]) -> Path:
    """A draft of shipped files, each (path, text, other text): the text stands there and is replaced throughout."""
    service = TERMS_FOLDER.parent
    for path, text, other in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = (target if target.exists() else service / path).read_text("utf-8")
        assert text in content
        target.write_text(content.replace(text, other), "utf-8")
    return folder


def an_unchanged_draft(folder: Path) -> Path:
    """All that is shipped, as a draft."""
    service = RULES_FILE.parent.parent
    for name in ("rules", "terms"):
        shutil.copytree(service / name, folder / name)
    return folder


def limited(amount: str) -> tuple[str, str, str]:
    """The change that lets software pay less, or more, of flood."""
    return ("rules/assessment.yaml", '{amount: "500000.00", currency: USD}', f'{{amount: "{amount}", currency: USD}}')


LIMIT_FIRST = tuple(
    (
        "terms/flood.yaml",
        f"          - {{op: deductible, clause_id: SFIP.VI}}\n          - {{op: limit, clause_id: SFIP.III.{part}}}\n",
        f"          - {{op: limit, clause_id: SFIP.III.{part}}}\n          - {{op: deductible, clause_id: SFIP.VI}}\n",
    )
    for part in ("A", "B")
)
"""The deductible comes off after the limit, not before."""


def total(amounts: Sequence[Money | None]) -> Money:
    return Money.total((one for one in amounts if one is not None), "USD")
