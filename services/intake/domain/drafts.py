"""Drafts of a report: begun with a policy number and when it happened, enriched by merge patches, submitted once.

A draft says what it lacks at each level. Its people are kept sealed under the keys of the claim it will become, and
are never told again: only which of their fields are there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from schemas.ids import ClaimId, ClaimReferenceError, SubjectId, TypedId, claim_id, claim_reference, parse_reference
from schemas.model import canonical_json
from schemas.party import Party, SealedParty
from services.intake.domain.checks import Fault, faults_of
from services.intake.domain.reading import RefusedBody, Submission, hash_of, invalid, parsed_freely, validated
from services.intake.domain.report import DraftClaim, SubmitClaim

DRAFT_BYTES_MAX = 192 * 1024
"""Below an event's bound, so that a draft that was saved can always be told."""

_NUMBER = "DR"
PEOPLE = ("reporter", "payee")
_DRAFT: TypeAdapter[DraftClaim] = TypeAdapter(DraftClaim)
_CLAIM: TypeAdapter[SubmitClaim] = TypeAdapter(SubmitClaim)
_NEEDED = ("line", "loss_zone", "peril", "currency", "lines", "reporter")

Body = Mapping[str, Any]


class DraftId(TypedId):
    """A draft, before it is a claim."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """When the draft became a claim, by which body, and what cannot be paid yet."""

    at: datetime
    body_sha256: bytes
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as it is stored: `body` without its people, `people` sealed, `given` which of their fields are there.

    `created_missing` is what it lacked at first: the answer a repeated creation gets.
    """

    draft_id: DraftId
    number: str
    client: str
    request_sha256: bytes
    body: Body
    people: Mapping[str, SealedParty]
    given: Mapping[str, tuple[str, ...]]
    missing: tuple[Fault, ...]
    created_missing: tuple[Fault, ...]
    version: int
    created_at: datetime
    expires_at: datetime
    submitted: Submitted | None = None


class Content(NamedTuple):
    """What a draft says, people in the clear: exists inside a request only."""

    body: dict[str, Any]
    people: dict[str, Party]
    given: dict[str, tuple[str, ...]]
    missing: tuple[Fault, ...]


def draft_id(client: str, key: str) -> DraftId:
    """The draft a client's idempotency key stands for."""
    return DraftId.of(claim_id(client, key), "draft")


def draft_number(draft: DraftId) -> str:
    """What people read over the phone, e.g. DR-7Q4N-0V2K-M8XD-3: built as a claim's reference is."""
    return _NUMBER + claim_reference(ClaimId(draft)).removeprefix("CF")


def number_meant(text: str) -> str:
    """The canonical number a person meant: any case and spacing; ClaimReferenceError if it is none."""
    if text[:2].upper() != _NUMBER:
        raise ClaimReferenceError("a draft's number begins with DR")
    return _NUMBER + parse_reference(text[2:]).removeprefix("CF")


def key_of(draft: DraftId) -> str:
    """The idempotency key under which the draft becomes its one claim."""
    return f"draft:{draft}"


def claim_of(row: DraftRow) -> ClaimId:
    """The claim the draft is or will be."""
    return claim_id(row.client, key_of(row.draft_id))


def subject_of(client: str, draft: DraftId, role: str) -> SubjectId:
    """The person, as the key ring will know them on the claim too."""
    return SubjectId.of(claim_id(client, key_of(draft)), role)


def read_draft(raw: bytes, now: datetime, zones: Collection[str]) -> tuple[Content, bytes]:
    """What a new draft says and the hash of its body; RefusedBody with what keeps it from being saved."""
    found = _object(parsed_freely(raw))
    content = content_of(found, now, zones)
    return content, hash_of(found)


def patched(content: Body, raw: bytes, now: datetime, zones: Collection[str]) -> Content:
    """The draft after a JSON merge patch (RFC 7396); RefusedBody with what keeps the outcome from being saved."""
    return content_of(merged(content, _object(parsed_freely(raw))), now, zones)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: null takes a member away, objects are merged, anything else takes the place of what was there."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def content_of(whole: Body, now: datetime, zones: Collection[str]) -> Content:
    """The draft taken apart into body and people, with what it lacks; RefusedBody if it cannot be saved."""
    raw = _bytes_of(whole)
    if len(raw) > DRAFT_BYTES_MAX:
        raise RefusedBody(413, "draft-too-large", f"a draft is at most {DRAFT_BYTES_MAX} bytes")
    draft: DraftClaim = validated(_DRAFT, raw)
    faults = faults_of(draft, now, zones)
    if faults:
        raise invalid(faults)
    people = {name: party for name in PEOPLE if (party := getattr(draft, name)) is not None}
    given = {name: tuple(sorted(part for part, value in whole[name].items() if value is not None)) for name in people}
    body = {name: value for name, value in whole.items() if name not in PEOPLE and value is not None}
    return Content(body, people, given, tuple(lacks(draft)))


def lacks(draft: DraftClaim) -> list[Fault]:
    """What the draft still needs: to become a claim, and to be paid."""
    found = [
        Fault(f"/{name}", "missing", "a claim needs it", "submit") for name in _NEEDED if getattr(draft, name) is None
    ]
    payee, name = (draft.payee, "payee") if draft.payee is not None else (draft.reporter, "reporter")
    if payee is None or payee.account is None:
        found.append(Fault(f"/{name}/account", "missing", "nobody can be paid without an account", "pay"))
    if draft.lines is not None and not draft.lines:
        found.append(Fault("/lines", "missing", "nothing is asked yet", "pay"))
    for number, line in enumerate(draft.lines or ()):
        if line.asked is None:
            found.append(Fault(f"/lines/{number}/asked", "missing", "no amount is asked yet", "pay"))
    return found


def with_people(body: Body, people: Mapping[str, Party]) -> dict[str, Any]:
    """The whole draft again as JSON, people in the clear."""
    return {**body, **{name: party.model_dump(mode="json", exclude_none=True) for name, party in people.items()}}


def submission_of(row: DraftRow, people: Mapping[str, Party], at: datetime, traceparent: str | None) -> Submission:
    """The report the draft becomes when submitted at this instant; RefusedBody if it cannot become a claim."""
    blocking = [fault for fault in row.missing if fault.level == "submit"]
    if blocking:
        raise RefusedBody(422, "draft-incomplete", "the draft lacks what a claim needs; see errors", blocking)
    whole = with_people(row.body, people)
    day = whole.pop("loss_date", None)
    if day is not None:
        whole["loss_at"] = loss_instant(date.fromisoformat(day), whole["loss_zone"], at).isoformat()
    claim: SubmitClaim = validated(_CLAIM, canonical_json(whole))
    return Submission(row.client, key_of(row.draft_id), claim_of(row), hash_of(whole), claim, traceparent)


def loss_instant(day: date, zone: str, latest: datetime) -> datetime:
    """The instant a day stands for: its noon in its zone, or the latest possible where that is still to come."""
    return min(datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC), latest)


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise invalid([Fault("", "wrong-type", "the body must be a JSON object")])
    return found


def _bytes_of(whole: Body) -> bytes:
    try:
        return canonical_json(whole)
    except (TypeError, ValueError):
        # A float, or half a character: neither has a place in a report.
        raise RefusedBody(422, "invalid-claim", "the report holds a number with a point, or broken text") from None
