"""The report as a client sends it, people in the clear, and the one row of a bulk request.

Shape and bounds only; what a report must say beyond that is in `checks`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from schemas.intake import LINES_MAX, Place, ReportedLine
from schemas.model import Code, Instant, Language, Model, PolicyNumber, Zone
from schemas.money import Currency
from schemas.party import Party

KEY_PATTERN = r"^[!-~]{1,200}$"
"""An idempotency key: 1 to 200 visible ASCII characters."""

IdempotencyKey = Annotated[str, Field(pattern=KEY_PATTERN, min_length=1, max_length=200)]


class SubmitClaim(Model):
    """A report of one loss. `payee` left out: the reporter is paid. `language` left out: the reporter's."""

    model_config = ConfigDict(extra="forbid")

    policy_number: PolicyNumber
    line: Code
    loss_at: Instant
    loss_zone: Zone
    peril: Code
    cause_code: Code | None = None
    place: Place | None = None
    currency: Currency
    lines: Annotated[tuple[ReportedLine, ...], Field(max_length=LINES_MAX)]
    reporter: Party
    payee: Party | None = None
    language: Language | None = None
    channel: Code = "api"


class BulkRow(Model):
    """One row of a bulk request: the key its report would carry in the header, and the report."""

    model_config = ConfigDict(extra="forbid")

    idempotency_key: IdempotencyKey
    claim: SubmitClaim
