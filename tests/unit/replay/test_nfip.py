"""A published row becomes a policy and a claim by its terms alone; outcomes never enter either."""

from __future__ import annotations

import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from local.home import ROOT
from local.replay.nfip import DEDUCTIBLES, NEEDED, FileRefusedError, claim_of, outcome_of, policy_of, read_rows
from simulators.policy_system.terms import policy_row

FILE = ROOT / "data" / "nfip_claims_2000.csv.gz"
OUTCOMES = (
    "netBuildingPaymentAmount", "netContentsPaymentAmount", "netIccPaymentAmount", "amountPaidOnBuildingClaim",
    "amountPaidOnContentsClaim", "amountPaidOnIncreasedCostOfComplianceClaim", "nonPaymentReasonBuilding",
    "nonPaymentReasonContents",
)  # fmt: skip


def a_row(**changes: str) -> dict[str, str]:
    row = dict.fromkeys(NEEDED, "") | {
        "id": "00000000-0000-4000-8000-000000000001",
        "dateOfLoss": "2012-10-29T00:00:00.000Z",
        "state": "NY",
        "causeOfDamage": "1",
        "totalBuildingInsuranceCoverage": "250000",
        "totalContentsInsuranceCoverage": "100000",
        "buildingDeductibleCode": "1",
        "contentsDeductibleCode": "F",
        "buildingDamageAmount": "43793",
        "contentsDamageAmount": "1200",
        "replacementCostBasis": "A",
    }
    return row | changes


def test_damage_becomes_what_is_asked_and_terms_become_the_policy() -> None:
    claim, policy = claim_of(a_row()), policy_of(a_row())

    assert [(line["coverage_code"], line["asked"]["amount"]) for line in claim["lines"]] == [
        ("building", "43793.00"),
        ("contents", "1200.00"),
    ]
    assert [(one["code"], one["limit"], one["deductible"], one["valuation"]) for one in policy["coverages"]] == [
        ("building", "250000.00", "1000.00", "ACV"),
        ("contents", "100000.00", "1250.00", "ACV"),
    ]


def test_the_day_of_loss_stays_the_day_where_it_happened() -> None:
    claim = claim_of(a_row())

    assert datetime.fromisoformat(claim["loss_at"]).date().isoformat() == "2012-10-29"
    assert claim["loss_at"].endswith("-04:00")


def test_a_loss_without_an_amount_is_reported_without_one() -> None:
    claim = claim_of(a_row(buildingDamageAmount="", contentsDamageAmount="0"))

    assert claim["lines"] == [{"line_id": "building", "coverage_code": "building"}]


@pytest.mark.parametrize(
    "changes", [{"buildingDeductibleCode": ""}, {"replacementCostBasis": ""}, {"totalBuildingInsuranceCoverage": "0"}]
)
def test_a_coverage_whose_terms_are_unknown_is_left_out(changes: dict[str, str]) -> None:
    assert [one["code"] for one in policy_of(a_row(**changes))["coverages"]] == ["contents"]


def test_outcomes_never_enter_a_claim_or_a_policy() -> None:
    for row in read_rows(FILE, 300):
        without = dict(row) | dict.fromkeys(OUTCOMES, "12345.67")

        assert claim_of(without) == claim_of(row)
        assert policy_of(without) == policy_of(row)


def test_every_shipped_row_makes_a_policy_the_policy_system_takes() -> None:
    rows = list(read_rows(FILE))

    assert len(rows) == 2000
    for row in rows:
        policy_row(policy_of(row))
        assert outcome_of(row).building_paid >= -100_000


def test_the_outcome_is_net_and_exact() -> None:
    outcome = outcome_of(a_row(netBuildingPaymentAmount="42792.51", netContentsPaymentAmount=""))

    assert (outcome.building_paid, outcome.contents_paid, outcome.basis) == (Decimal("42792.51"), Decimal(0), "A")


def test_plain_and_gzipped_files_read_alike(tmp_path: Path) -> None:
    plain = tmp_path / "claims.csv"
    plain.write_bytes(gzip.decompress(FILE.read_bytes()))

    assert list(read_rows(plain, 50)) == list(read_rows(FILE, 50))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x1f\x8bnot gzip", b"\xff\xfe\x00"])
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.csv"
    file.write_bytes(content)

    with pytest.raises(FileRefusedError) as refused:
        list(read_rows(file))

    assert "\n" not in str(refused.value)


def test_every_deductible_code_of_the_programme_is_known() -> None:
    assert set(DEDUCTIBLES) == set("01234 59ABCDEFGH".replace(" ", ""))
