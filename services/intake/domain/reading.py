"""From the bytes of a request to a submission, or to the faults that refuse it. No value of the body is repeated.

The hash that decides "same body" is of the canonical JSON as sent: spaces and the order of members do not count.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.ids import ClaimId, claim_id
from services.intake.domain.checks import Fault, faults_of
from services.intake.domain.report import BulkRow, Level, SubmitClaim

DEPTH_MAX = 32
FAULTS_MAX = 20

_CLAIM: TypeAdapter[SubmitClaim] = TypeAdapter(SubmitClaim)
_ROW: TypeAdapter[BulkRow] = TypeAdapter(BulkRow)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS = bytes(set(range(256)) - _STEP.keys())
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")

# Pydantic's words for what is wrong, in ours: these codes are promised to clients, pydantic's are not.
_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown-field",
    "string_type": "wrong-type",
    "dict_type": "wrong-type",
    "tuple_type": "wrong-type",
    "model_type": "wrong-type",
    "model_attributes_type": "wrong-type",
    "string_pattern_mismatch": "wrong-format",
    "datetime_parsing": "wrong-format",
    "datetime_from_date_parsing": "wrong-format",
    "datetime_object_invalid": "wrong-format",
    "string_too_short": "too-short",
    "string_too_long": "too-long",
    "too_long": "too-long",
    "too_short": "too-short",
    "money": "wrong-amount",
    "money_negative": "negative",
    "currency": "unknown-currency",
    "instant_out_of_range": "out-of-range",
    "timezone_aware": "offset-missing",
    "value_error": "rule-broken",
    "assertion_error": "rule-broken",
}
# What a draft may still lack: a report without one of these could be saved, and not be submitted.
_SUBMIT_ONLY = frozenset({"line", "loss_at", "loss_zone", "peril", "currency", "lines", "reporter"})
_FACT_RULE = "a fact is true, false, a text of 1 to 200 characters, or a list of up to 50 such texts"


class RefusedBody(Exception):
    """The body cannot be taken: a status, a stable code, a sentence, and where."""

    def __init__(self, status: int, code: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.faults = status, code, detail, tuple(faults)


@dataclass(frozen=True, slots=True)
class Submission:
    """A report that can be taken, under its client's key. `claim_id` follows from client and key."""

    client: str
    key: str
    claim_id: ClaimId
    body_sha256: bytes
    claim: SubmitClaim
    traceparent: str | None = None


def read_claim(
    raw: bytes, client: str, key: str, now: datetime, zones: Collection[str], traceparent: str | None = None
) -> Submission:
    """The submission in the body of POST /v1/claims; RefusedBody if it is none."""
    claim = validated(_CLAIM, raw)
    faults = faults_of(claim, now, zones)
    if faults:
        raise invalid(faults)
    return Submission(client, key, claim_id(client, key), hash_of(parsed(raw)), claim, traceparent)


def read_row(raw: bytes, client: str, now: datetime, zones: Collection[str]) -> Submission:
    """The submission in one row of POST /v1/claims:bulk; RefusedBody with pointers into the row if it is none."""
    row = validated(_ROW, raw)
    faults = faults_of(row.claim, now, zones)
    if faults:
        raise invalid([fault._replace(pointer="/claim" + fault.pointer) for fault in faults])
    key = row.idempotency_key
    return Submission(client, key, claim_id(client, key), hash_of(parsed(raw)["claim"]), row.claim)


def validated(adapter: TypeAdapter[Any], raw: bytes) -> Any:
    """What the bytes mean to the adapter; RefusedBody with pointers if they do not keep to it."""
    try:
        return adapter.validate_json(raw, extra="forbid")
    except ValidationError as wrong:
        raise _refusal(wrong, raw) from None


def _refusal(wrong: ValidationError, raw: bytes) -> RefusedBody:
    found = wrong.errors(include_url=False, include_input=False, include_context=False)
    if _too_deep(raw):
        return RefusedBody(400, "json-too-deep", f"the JSON is nested deeper than {DEPTH_MAX} levels")
    if found[0]["type"] == "json_invalid":
        return _malformed()
    faults = (_fault(error["type"], error["loc"], error["msg"]) for error in found[: 10 * FAULTS_MAX])
    # One wrong fact is told once for each of the shapes it might have had.
    return invalid(list(dict.fromkeys(faults)))


def invalid(faults: Sequence[Fault]) -> RefusedBody:
    """422 with the first faults."""
    return RefusedBody(422, "invalid-claim", "the report breaks rules; see errors", faults[:FAULTS_MAX])


def _malformed() -> RefusedBody:
    return RefusedBody(400, "malformed-json", "the body is not well-formed JSON in UTF-8")


def _fault(kind: str, place: Sequence[int | str], words: str) -> Fault:
    code = _CODES.get(kind, kind.replace("_", "-"))
    facts = place.index("facts") + 1 if "facts" in place else len(place)
    if facts < len(place):
        return _fact_fault(place[:facts], place[facts], place[-1] == "[key]")
    if code == "unknown-field":
        # A field's name is the client's text too: it is repeated only when it looks like a name.
        named = isinstance(place[-1], str) and _PLAIN_NAME.fullmatch(place[-1])
        return Fault(_pointer(place if named else place[:-1]), code, "there is no such field")
    top = place[1:] if place and place[0] == "claim" else place
    level: Level = "submit" if code == "missing" and len(top) == 1 and top[0] in _SUBMIT_ONLY else "save"
    return Fault(_pointer(place), code, words.removeprefix("Value error, "), level)


def _fact_fault(place: Sequence[int | str], name: int | str, of_name: bool) -> Fault:
    # A fact's name is the client's text: repeated only when it looks like a name, as an unknown field's is.
    named = not of_name and isinstance(name, str) and _PLAIN_NAME.fullmatch(name)
    if of_name:
        return Fault(_pointer(place), "wrong-format", "a fact's name is a lower-case word of up to 50 characters")
    return Fault(_pointer([*place, name] if named else place), "wrong-fact", _FACT_RULE)


def _pointer(place: Sequence[int | str]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _too_deep(raw: bytes) -> bool:
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > DEPTH_MAX


def parsed_freely(raw: bytes) -> Any:
    """JSON of any shape, bounded in depth, no member twice; RefusedBody if the bytes are none."""
    if _too_deep(raw):
        raise RefusedBody(400, "json-too-deep", f"the JSON is nested deeper than {DEPTH_MAX} levels")
    try:
        return _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise _malformed() from None


def parsed(raw: bytes) -> dict[str, Any]:
    """The body as sent. It was validated before, so its depth is bounded and it holds no numbers."""
    found: dict[str, Any] = _DECODER.decode(raw.decode())
    return found


def hash_of(claim: dict[str, Any]) -> bytes:
    """The hash that decides "same body"."""
    return hashlib.sha256(_CANONICAL(claim).encode()).digest()


def _without_repeats(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise RefusedBody(400, "repeated-member", "a member of a JSON object stands twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats)
# The bytes of schemas.model.canonical_json in a quarter of its time: a validated report holds no number to refuse.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
