"""What intake tells: somebody reported a loss. Complete or not, by any channel, in one canonical form."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.conditions import Facts
from schemas.event import Event
from schemas.ids import REFERENCE_PATTERN, DocumentId
from schemas.model import Code, CountryCode, Instant, Language, Model, PolicyNumber, Privacy, Sha256, Zone
from schemas.money import Currency, NonNegativeMoney
from schemas.party import SealedParty

LINES_MAX = 100
Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN, max_length=20)]
_LATITUDE = r"^-?([0-8]?[0-9](\.[0-9]{1,6})?|90(\.0{1,6})?)$"
_LONGITUDE = r"^-?((1[0-7][0-9]|[0-9]?[0-9])(\.[0-9]{1,6})?|180(\.0{1,6})?)$"


class Place(Model):
    """Where it happened, as coarse as the source gave it. `admin` is the area's official code (US: county FIPS)."""

    country: Annotated[CountryCode, Privacy.internal]
    admin: Annotated[Code | None, Privacy.internal] = None
    postcode: Annotated[
        Annotated[str, Field(pattern=r"^[0-9A-Z][0-9A-Z -]{0,11}$", max_length=12)] | None, Privacy.internal
    ] = None
    latitude: Annotated[Annotated[str, Field(pattern=_LATITUDE, max_length=10)] | None, Privacy.internal] = None
    longitude: Annotated[Annotated[str, Field(pattern=_LONGITUDE, max_length=11)] | None, Privacy.internal] = None


class ReportedLine(Model):
    """What is asked under one coverage; `asked` is the damage at actual cash value, None if no amount was stated.

    `category` is what kind of thing or expense it is (jewelry, debris_removal), `item_id` the insured thing of the
    policy, `facts` what else the terms ask about this line.
    """

    line_id: Annotated[Code, Privacy.internal]
    coverage_code: Annotated[Code, Privacy.internal]
    asked: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    insured_value: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    replacement_cost: Annotated[NonNegativeMoney | None, Privacy.internal] = None
    category: Annotated[Code | None, Privacy.internal] = None
    item_id: Annotated[Code | None, Privacy.internal] = None
    facts: Annotated[Facts | None, Privacy.internal] = None


class OtherPolicy(Model):
    """Another policy, of any insurer, that covers the same loss, and the most it pays."""

    policy: Annotated[Code, Privacy.internal]
    limit: Annotated[NonNegativeMoney, Privacy.internal]


class ClaimReported(Event):
    """A loss was reported and recorded. `payee` None means the reporter is paid.

    `cause_code` is the source's own code of the cause. `synthetic` marks claims of tests and probes.
    """

    TYPE: ClassVar[str] = "claimflow.ClaimReported.v1"
    WRITER: ClassVar[str] = "intake"

    reference: Annotated[Reference, Privacy.internal]
    client: Annotated[Code, Privacy.internal]
    policy_number: Annotated[PolicyNumber, Privacy.internal]
    line: Annotated[Code, Privacy.internal]
    loss_at: Annotated[Instant, Privacy.internal]
    loss_zone: Annotated[Zone, Privacy.internal]
    peril: Annotated[Code, Privacy.internal]
    cause_code: Annotated[Code | None, Privacy.internal] = None
    place: Annotated[Place | None, Privacy.internal] = None
    currency: Annotated[Currency, Privacy.internal]
    lines: Annotated[tuple[ReportedLine, ...], Field(max_length=LINES_MAX), Privacy.internal]
    reporter: Annotated[SealedParty, Privacy.internal]
    payee: Annotated[SealedParty | None, Privacy.internal] = None
    language: Annotated[Language, Privacy.internal]
    channel: Annotated[Code, Privacy.internal]
    reported_at: Annotated[Instant, Privacy.internal]
    synthetic: Annotated[bool, Privacy.internal] = False
    facts: Annotated[Facts | None, Privacy.internal] = None
    other_policies: Annotated[
        Annotated[tuple[OtherPolicy, ...], Field(min_length=1, max_length=20)] | None, Privacy.internal
    ] = None

    @model_validator(mode="after")
    def _lines_are_distinct(self) -> Self:
        if len({line.line_id for line in self.lines}) != len(self.lines):
            raise ValueError("each line_id stands once")
        return self


class DocumentRef(Model):
    """A paper as it was stored: never its content. `document_id` follows from the claim and the content's hash."""

    document_id: Annotated[DocumentId, Privacy.internal]
    kind: Annotated[Code, Privacy.internal]
    sha256: Annotated[Sha256, Privacy.internal]
    size_bytes: Annotated[int, Field(ge=1, le=1_000_000_000), Privacy.internal]
    media_type: Annotated[
        Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]{1,100}$", max_length=120)], Privacy.internal
    ]
    line_id: Annotated[Code | None, Privacy.internal] = None


class DocumentsReceived(Event):
    """Papers came in for a claim, and are stored."""

    TYPE: ClassVar[str] = "claimflow.DocumentsReceived.v1"
    WRITER: ClassVar[str] = "intake"

    documents: Annotated[tuple[DocumentRef, ...], Field(min_length=1, max_length=50), Privacy.internal]
    received_at: Annotated[Instant, Privacy.internal]


class ClaimWithdrawn(Event):
    """The customer no longer wants the claim. Whether that is still possible is assessment's to say."""

    TYPE: ClassVar[str] = "claimflow.ClaimWithdrawn.v1"
    WRITER: ClassVar[str] = "intake"

    reason: Annotated[Code | None, Privacy.internal] = None
    withdrawn_at: Annotated[Instant, Privacy.internal]


EVENTS: tuple[type[Event], ...] = (ClaimReported, DocumentsReceived, ClaimWithdrawn)
