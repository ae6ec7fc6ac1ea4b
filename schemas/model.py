"""What every schema is made of: the model base, privacy classes, and bounded field types.

Readers are tolerant (unknown fields are ignored), writers strict (a model made in code refuses them).
Every text and list has a bound; every field of an event names its privacy class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Privacy(StrEnum):
    """Who may see a field. Used as an annotation, it shows in the JSON Schema as `x-privacy`.

    public: anyone. internal: staff and services. personal, sensitive, secret: sealed before they leave a process.
    """

    public = "public"
    internal = "internal"
    personal = "personal"
    sensitive = "sensitive"
    secret = "secret"

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        described["x-privacy"] = self.value
        return described


class Model(BaseModel):
    """Frozen; ignores unknown fields when reading (also nested ones), refuses them when made in code."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def __init__(self, /, **data: Any) -> None:
        self.__pydantic_validator__.validate_python(data, self_instance=self, extra="forbid")

    # Without this mark pydantic would call __init__ when reading, and readers would be strict.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class _InstantSchema:
    """Aware datetimes as UTC, and RFC 3339 text: pydantic alone would also take a number as Unix time."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        aware = core_schema.datetime_schema(tz_constraint="aware")
        text = core_schema.chain_schema([core_schema.str_schema(pattern=_RFC_3339, max_length=40), aware])
        ours = core_schema.no_info_before_validator_function(_not_a_number, aware)
        return core_schema.no_info_after_validator_function(
            _as_utc, core_schema.json_or_python_schema(json_schema=text, python_schema=ours)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "maxLength": 40, "pattern": _RFC_3339}


_RFC_3339 = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$"
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _not_a_number(value: object) -> object:
    """Text read from files by way of Python; an instant made in code passes at once."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.fullmatch(_RFC_3339, value)):
        return value
    raise PydanticCustomError("instant_text", "Instants are RFC 3339 text with seconds and an offset")


def _as_utc(instant: datetime) -> datetime:
    if not _EARLIEST <= instant < _LATEST:
        raise PydanticCustomError("instant_out_of_range", "Instants lie from 1900 to 2199")
    return instant.astimezone(UTC)


Instant = Annotated[datetime, _InstantSchema()]
"""An instant, kept and written in UTC, so that equal instants give equal bytes; a loss keeps its zone beside it."""

CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, max_length=64)]
"""A name out of somebody's list (line, peril, clause, coverage): never a person's words."""

ClauseId = Annotated[
    str, Field(pattern=r"^[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff _.:,/()-]{0,63}$", max_length=64)
]
"""Where a text says it: `SFIP.VI`, `art. 8(2)2`."""

PolicyNumber = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._/-]{0,63}$", max_length=64)]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
LongText = Annotated[str, Field(min_length=1, max_length=2000)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", max_length=6)]
"""ISO 3166-1 or 3166-2."""

Zone = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)]
"""An IANA time zone's name; whether the zone exists is the writer's to check."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Language = Annotated[str, Field(pattern=r"^(en|zh-CN)$")]


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """The one byte form of a JSON object for hashing: sorted keys, no spaces, UTF-8. Floats are refused."""
    _refuse_floats(value)
    return _canonical(value)


def canonical_bytes(model: Model, exclude: set[str] | None = None) -> bytes:
    """The same for what a model says, without what it leaves open. Our models hold no floats: a test sees to it."""
    return _canonical(model.model_dump(mode="json", exclude=exclude, exclude_none=True))


def canonical_json_of(value: Mapping[str, Any], text_of: Callable[[object], str]) -> bytes:
    """The same for values of other kinds, of which `text_of` makes text; it raises TypeError for what it does not know.

    A float would be written as JSON has it: only for values that are typed not to hold any.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=text_of
    ).encode()


_canonical_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _canonical(value: Mapping[str, Any]) -> bytes:
    return _canonical_text(value).encode()


def _refuse_floats(value: Any) -> None:
    # The plain types first: this runs over every value of every snapshot, and looking up abstract types is slow.
    if value is None or isinstance(value, (str, int)):
        return
    if isinstance(value, float):
        raise TypeError("canonical JSON holds no floats: write the number as decimal text")
    if isinstance(value, (list, tuple)):
        parts: Any = value
    else:
        parts = value.values() if isinstance(value, (dict, Mapping)) else ()
    for part in parts:
        _refuse_floats(part)
