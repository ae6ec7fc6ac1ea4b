"""One row of the flood programme's published claims as a policy, a claim report, and what the programme really paid.

Columns of outcomes are read by `outcome_of` alone, which only the report calls. Column names and codes are those of
FIMA NFIP Redacted Claims v2; amounts in the file are US dollars, damage in whole dollars at actual cash value.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

ZONES = {"NY": "America/New_York", "NJ": "America/New_York", "FL": "America/New_York", "LA": "America/Chicago"}
ZONES |= {"TX": "America/Chicago", "CA": "America/Los_Angeles"}
DEFAULT_ZONE = "America/New_York"
DEDUCTIBLES = {
    "0": "500", "1": "1000", "2": "2000", "3": "3000", "4": "4000", "5": "5000", "9": "750", "A": "10000",
    "B": "15000", "C": "20000", "D": "25000", "E": "50000", "F": "1250", "G": "1500", "H": "200",
}  # fmt: skip
"""buildingDeductibleCode and contentsDeductibleCode; other codes leave the coverage's terms unknown."""

VALUATIONS = {"A": "ACV", "R": "RC"}
"""replacementCostBasis of the building; contents are always at actual cash value."""

NEEDED = (
    "id", "dateOfLoss", "state", "causeOfDamage", "totalBuildingInsuranceCoverage", "totalContentsInsuranceCoverage",
    "buildingDeductibleCode", "contentsDeductibleCode", "buildingDamageAmount", "contentsDamageAmount",
    "replacementCostBasis",
)  # fmt: skip
CLAUSES = "SFIP"
Row = Mapping[str, str]


class FileRefusedError(Exception):
    """The file cannot be replayed; one line that names the column or row."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the programme did, in dollars; None where it published nothing."""

    loss_year: int
    basis: str
    building_paid: Decimal
    contents_paid: Decimal
    building_limit: Decimal
    building_terms_known: bool
    contents_terms_known: bool


def read_rows(path: Path, limit: int | None = None) -> Iterator[Row]:
    """The rows in file order, of a CSV as the programme publishes it, gzipped or not; FileRefusedError otherwise."""
    try:
        with _opened(path) as source:
            reader = csv.DictReader(source)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise FileRefusedError(
                    f"{path.name} lacks the column {missing[0]}; it must be as OpenFEMA publishes it"
                )
            for number, row in enumerate(reader):
                if limit is not None and number >= limit:
                    return
                yield row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as problem:
        raise FileRefusedError(f"{path.name} cannot be read as CSV: {type(problem).__name__}") from None


def claim_of(row: Row, run_id: str = "") -> dict[str, Any]:
    """The claim as a client reports it to POST /v1/claims."""
    lines = []
    for code, asked in (("building", _dollars(row["buildingDamageAmount"])), ("contents", _contents(row))):
        if asked is not None and asked > 0:
            lines.append({"line_id": code, "coverage_code": code, "asked": _money(asked)})
    if not lines:
        # The loss is reported without an amount: a person has to ask.
        covered = _dollars(row["totalBuildingInsuranceCoverage"])
        code = "building" if covered else "contents"
        lines.append({"line_id": code, "coverage_code": code})
    claim: dict[str, Any] = {
        "policy_number": policy_number(row, run_id),
        "line": "flood",
        "loss_at": _loss_at(row).isoformat(),
        "loss_zone": _zone(row),
        "peril": "flood",
        "currency": "USD",
        "lines": lines,
        "reporter": _party(row),
        "language": _language(row),
        "channel": "replay",
        "place": _place(row),
    }
    if row["causeOfDamage"]:
        claim["cause_code"] = row["causeOfDamage"]
    return claim


def policy_of(row: Row, run_id: str = "") -> dict[str, Any]:
    """The policy that goes with the row, in the policy system's shape; a calendar year around the loss."""
    zone = ZoneInfo(_zone(row))
    year = _loss_at(row).year
    coverages = []
    if _building_known(row):
        basis = VALUATIONS[row["replacementCostBasis"]]
        coverages.append(
            _coverage("building", row["totalBuildingInsuranceCoverage"], row["buildingDeductibleCode"], basis)
        )
    if _contents_known(row):
        coverages.append(
            _coverage("contents", row["totalContentsInsuranceCoverage"], row["contentsDeductibleCode"], "ACV")
        )
    if not coverages:
        # No coverage of the row has known terms; what is asked under it goes to a person.
        coverages.append(
            {"code": "unstated", "limit": "0.00", "deductible": "0.00", "valuation": "ACV", "clause_version": CLAUSES}
        )
    return {
        "number": policy_number(row, run_id),
        "version": 1,
        "effective_from": datetime(year, 1, 1, tzinfo=zone).isoformat(),
        "effective_to": datetime(year + 1, 1, 1, tzinfo=zone).isoformat(),
        "status": "in_force",
        "currency": "USD",
        "line": "flood",
        "jurisdiction": f"US-{row['state']}",
        "coverages": coverages,
    }


def outcome_of(row: Row) -> Outcome:
    """What was really paid, net; for the report only."""
    return Outcome(
        loss_year=_loss_at(row).year,
        basis=row["replacementCostBasis"],
        building_paid=_dollars(row.get("netBuildingPaymentAmount", "")) or Decimal(0),
        contents_paid=_dollars(row.get("netContentsPaymentAmount", "")) or Decimal(0),
        building_limit=_dollars(row["totalBuildingInsuranceCoverage"]) or Decimal(0),
        building_terms_known=_building_known(row),
        contents_terms_known=_contents_known(row),
    )


def policy_number(row: Row, run_id: str = "") -> str:
    """A run has policies of its own: the same losses reported again on the same policies would be duplicates."""
    run = f"-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}" if run_id else ""
    return f"NFIP-{row['id']}{run}"


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _building_known(row: Row) -> bool:
    limit = _dollars(row["totalBuildingInsuranceCoverage"])
    return bool(limit) and row["buildingDeductibleCode"] in DEDUCTIBLES and row["replacementCostBasis"] in VALUATIONS


def _contents_known(row: Row) -> bool:
    return bool(_dollars(row["totalContentsInsuranceCoverage"])) and row["contentsDeductibleCode"] in DEDUCTIBLES


def _coverage(code: str, limit: str, deductible_code: str, valuation: str) -> dict[str, Any]:
    return {
        "code": code,
        "limit": _text(_dollars(limit) or Decimal(0)),
        "deductible": _text(Decimal(DEDUCTIBLES[deductible_code])),
        "valuation": valuation,
        "clause_version": CLAUSES,
    }


def _contents(row: Row) -> Decimal | None:
    return _dollars(row["contentsDamageAmount"])


def _dollars(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise FileRefusedError("an amount in the file is not a number") from None


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _money(amount: Decimal) -> dict[str, str]:
    return {"amount": _text(amount), "currency": "USD"}


def _zone(row: Row) -> str:
    return ZONES.get(row["state"], DEFAULT_ZONE)


def _loss_at(row: Row) -> datetime:
    try:
        day = datetime.fromisoformat(row["dateOfLoss"])
    except ValueError:
        raise FileRefusedError("dateOfLoss is not a date") from None
    # The file gives a date only; noon keeps it the same day in every zone.
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(_zone(row)))


def _place(row: Row) -> dict[str, str]:
    place = {"country": "US"}
    for name, column in (("admin", "countyCode"), ("postcode", "reportedZipCode")):
        if row.get(column):
            place[name] = row[column]
    if row.get("latitude") and row.get("longitude"):
        place |= {"latitude": row["latitude"], "longitude": row["longitude"]}
    return place


def _language(row: Row) -> str:
    return "zh-CN" if _digest(row)[0] % 10 == 0 else "en"


def _party(row: Row) -> dict[str, Any]:
    """The programme published no names: an invented person whose mail and account follow from the row's id."""
    digest = _digest(row)
    name = f"Policyholder {digest.hex()[:6]}"
    return {
        "name": name,
        "email": f"policyholder-{row['id']}@mail.example",
        "language": _language(row),
        "account": {
            "holder": name,
            "account_number": f"1{int.from_bytes(digest[1:6]) % 10**9:09d}7",
            "bank_code": "021000089",
            "country": "US",
        },
    }


def _digest(row: Row) -> bytes:
    return hashlib.sha256(row["id"].encode()).digest()
