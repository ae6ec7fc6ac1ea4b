"""Papers of a claim: what kinds of files are taken, how a file's first bytes must look, and what a paper is called.

The content is never looked at beyond its first bytes, is kept sealed only, and names of files are not kept.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from schemas.ids import CauseId, ClaimId, DocumentId
from schemas.intake import ClaimWithdrawn, DocumentRef, DocumentsReceived

HEAD_BYTES = 4096
"""How much of a file is looked at."""

_PHOTO_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif")
_OFFICE = ((0, b"PK\x03\x04"),)

Signature = tuple[tuple[int, bytes], ...]
"""Bytes and where they stand; all of them must be there."""

SIGNATURES: Mapping[str, tuple[Signature, ...]] = MappingProxyType(
    {
        "application/pdf": (((0, b"%PDF-"),),),
        "image/jpeg": (((0, b"\xff\xd8\xff"),),),
        "image/png": (((0, b"\x89PNG\r\n\x1a\n"),),),
        "image/tiff": (((0, b"II*\x00"),), ((0, b"MM\x00*"),)),
        "image/webp": (((0, b"RIFF"), (8, b"WEBP")),),
        "image/heic": tuple(((4, b"ftyp"), (8, brand)) for brand in _PHOTO_BRANDS),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (_OFFICE,),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (_OFFICE,),
        "text/plain": (),
    }
)
"""The media types that are taken, each with the beginnings its files may have; plain text has none: it is UTF-8."""

_ALLOWED_CONTROLS = frozenset(b"\t\n\r\f")


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as it came in, its content left out. `line_id` names the line of the claim it belongs to."""

    kind: str
    media_type: str
    sha256: str
    size_bytes: int
    line_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """A paper of a claim. The same content for the same claim is one paper: kind and line stay as first told."""

    document_id: DocumentId
    claim_id: ClaimId
    paper: Paper
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a claim is no longer wanted, and since when; recorded once."""

    claim_id: ClaimId
    reason: str | None
    withdrawn_at: datetime


def is_taken(media_type: str) -> bool:
    """Whether papers of this type are taken at all."""
    return media_type in SIGNATURES


def begins_as(media_type: str, head: bytes) -> bool:
    """Whether a file that begins so may be of this type."""
    signatures = SIGNATURES[media_type]
    if not signatures:
        return _is_text(head)
    return any(all(head[at : at + len(mark)] == mark for at, mark in signature) for signature in signatures)


def document_id(claim: ClaimId, sha256: str) -> DocumentId:
    """The paper's id: it follows from claim and content."""
    return DocumentId.of(claim, sha256)


def object_name(claim: ClaimId, document: DocumentId) -> str:
    """Where the sealed content is kept, and what its seal is bound to; one place for each paper of each claim."""
    return f"claims/{claim}/{document}"


def cause_of_paper(paper: DocumentId) -> CauseId:
    """The cause of the event that tells of the paper: its coming in."""
    return CauseId.of(paper, "received")


def cause_of_withdrawal(claim: ClaimId) -> CauseId:
    """The cause of the claim's withdrawal: there is only one."""
    return CauseId.of(claim, "withdrawn")


def documents_received(stored: StoredPaper) -> DocumentsReceived:
    """The event that tells of one paper."""
    paper = stored.paper
    told = DocumentRef(
        document_id=stored.document_id,
        kind=paper.kind,
        sha256=paper.sha256,
        size_bytes=paper.size_bytes,
        media_type=paper.media_type,
        line_id=paper.line_id,
    )
    return DocumentsReceived(documents=(told,), received_at=stored.received_at)


def claim_withdrawn(withdrawal: Withdrawal) -> ClaimWithdrawn:
    """The event that tells of it."""
    return ClaimWithdrawn(reason=withdrawal.reason, withdrawn_at=withdrawal.withdrawn_at)


def _is_text(head: bytes) -> bool:
    if any(byte < 32 and byte not in _ALLOWED_CONTROLS for byte in head):
        return False
    try:
        # Where the file goes on, the last character may be cut in its middle.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return True
