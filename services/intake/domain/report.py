"""The report as a client sends it, people in the clear; the one row of a bulk request; and a draft of a report.

Shape and bounds only; what a report must say beyond that is in `checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.conditions import Facts
from schemas.intake import LINES_MAX, OtherPolicy, Place, ReportedLine
from schemas.model import Code, Instant, Language, Model, PolicyNumber, Zone
from schemas.money import Currency
from schemas.party import Party

KEY_PATTERN = r"^[!-~]{1,200}$"
"""An idempotency key: 1 to 200 visible ASCII characters."""

Level = Literal["save", "submit", "pay"]
"""How far a report can go: be stored, become a claim, be paid."""

OTHER_POLICIES_MAX = 20
IdempotencyKey = Annotated[str, Field(pattern=KEY_PATTERN, min_length=1, max_length=200)]


OtherPolicies = Annotated[tuple[OtherPolicy, ...], Field(min_length=1, max_length=OTHER_POLICIES_MAX)]


class SubmitClaim(Model):
    """A report of one loss. `payee` left out: the reporter is paid. `language` left out: the reporter's.

    `facts` is what the terms may ask about the claim, `other_policies` who else covers the same loss.
    """

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
    facts: Facts | None = None
    other_policies: OtherPolicies | None = None


class DraftClaim(Model):
    """A report in the making: a policy number, and when it happened as `loss_at` or as `loss_date` in `loss_zone`.

    What else is there keeps to the bounds of a report, people too: a party is whole or absent.
    """

    model_config = ConfigDict(extra="forbid")

    policy_number: PolicyNumber
    line: Code | None = None
    loss_at: Instant | None = None
    loss_date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10)] | None = None
    loss_zone: Zone | None = None
    peril: Code | None = None
    cause_code: Code | None = None
    place: Place | None = None
    currency: Currency | None = None
    lines: Annotated[tuple[ReportedLine, ...], Field(max_length=LINES_MAX)] | None = None
    reporter: Party | None = None
    payee: Party | None = None
    language: Language | None = None
    channel: Code | None = None
    facts: Facts | None = None
    other_policies: OtherPolicies | None = None


class BulkRow(Model):
    """One row of a bulk request: the key its report would carry in the header, and the report."""

    model_config = ConfigDict(extra="forbid")

    idempotency_key: IdempotencyKey
    claim: SubmitClaim
