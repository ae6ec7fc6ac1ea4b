"""People on a claim: in the clear inside a process, sealed everywhere else.

`Party` and its parts are what gets sealed; they are never fields of an event. `SealedParty` is what travels.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.ids import KeyId, SubjectId
from schemas.model import CountryCode, Language, Model, Privacy, ShortText

EmailAddress = Annotated[str, Field(pattern=r"^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,189}$", max_length=254)]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ().-]{2,30}$", max_length=32)]


class Account(Model):
    """Where a payee's money goes: an IBAN, or an account number with what the country needs beside it."""

    holder: Annotated[ShortText, Privacy.personal]
    iban: Annotated[
        Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$", max_length=34)] | None, Privacy.sensitive
    ] = None
    account_number: Annotated[
        Annotated[str, Field(pattern=r"^[0-9A-Z-]{1,34}$", max_length=34)] | None, Privacy.sensitive
    ] = None
    bank_code: Annotated[
        Annotated[str, Field(pattern=r"^[0-9A-Z-]{1,20}$", max_length=20)] | None, Privacy.sensitive
    ] = None
    country: Annotated[CountryCode, Privacy.personal]

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.iban is None) == (self.account_number is None):
            raise ValueError("an account has either an iban or an account_number")
        return self


class PostalAddress(Model):
    lines: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=5), Privacy.personal]
    city: Annotated[ShortText | None, Privacy.personal] = None
    admin: Annotated[ShortText | None, Privacy.personal] = None
    postcode: Annotated[Annotated[str, Field(min_length=1, max_length=20)] | None, Privacy.personal] = None
    country: Annotated[CountryCode, Privacy.personal]


class Party(Model):
    """A person or business in the clear. Exists inside a process only."""

    name: Annotated[ShortText, Privacy.personal]
    email: Annotated[EmailAddress | None, Privacy.personal] = None
    phone: Annotated[PhoneNumber | None, Privacy.personal] = None
    language: Annotated[Language, Privacy.personal] = "en"
    account: Annotated[Account | None, Privacy.sensitive] = None
    address: Annotated[PostalAddress | None, Privacy.personal] = None


CLEAR_MODELS: tuple[type[Model], ...] = (Party, Account, PostalAddress)


class SealedParty(Model):
    """A party as it travels: which person, which key, and the box only that key opens (base64 text)."""

    subject_id: Annotated[SubjectId, Privacy.internal]
    key_id: Annotated[KeyId, Privacy.internal]
    box: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/_-]{4,16382}={0,2}$", max_length=16_384), Privacy.sensitive]
