"""What a paper is called, and which beginnings a file of each type may have."""

from __future__ import annotations

import pytest

from schemas.ids import claim_id
from services.intake.domain.papers import HEAD_BYTES, SIGNATURES, begins_as, document_id, is_taken, object_name

BEGINNINGS = {
    "application/pdf": b"%PDF-1.4\n",
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "image/tiff": b"MM\x00*\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"PK\x03\x04\x14",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"PK\x03\x04\x14",
    "text/plain": "水深八十厘米\n".encode(),
}


def test_every_type_that_is_taken_has_a_beginning_here() -> None:
    assert set(BEGINNINGS) == set(SIGNATURES)


@pytest.mark.parametrize("media_type", BEGINNINGS)
def test_a_file_is_taken_for_what_it_is_and_for_nothing_else(media_type: str) -> None:
    fits = {kind for kind in SIGNATURES if begins_as(kind, BEGINNINGS[media_type])}

    offices = {kind for kind in SIGNATURES if "openxml" in kind}
    assert media_type in fits
    assert fits <= {media_type, "text/plain"} | (offices if media_type in offices else set())


@pytest.mark.parametrize("head", [b"%PD", b"", b"MZ\x90\x00", b"<html>", b"\x00\x00\x00\x18ftypmp42"])
def test_what_only_looks_like_a_type_from_afar_is_not_of_it(head: bytes) -> None:
    fits = [kind for kind in SIGNATURES if kind != "text/plain" and begins_as(kind, head)]

    assert fits == []


@pytest.mark.parametrize("head", [b"a\x00b", b"\x1b[2J", b"\xff\xfea\x00", b"caf\xe9"])
def test_bytes_with_controls_or_of_another_encoding_are_no_plain_text(head: bytes) -> None:
    assert not begins_as("text/plain", head)


def test_a_text_may_be_cut_in_the_middle_of_its_last_character() -> None:
    head = b"a" * (HEAD_BYTES - 2) + "水".encode()[:2]

    assert begins_as("text/plain", head)


@pytest.mark.parametrize("media_type", ["", "text/html", "image/svg+xml", "application/x-msdownload"])
def test_other_types_are_not_taken(media_type: str) -> None:
    assert not is_taken(media_type)


def test_a_papers_id_follows_from_claim_and_content() -> None:
    first, second = claim_id("default", "key-1"), claim_id("default", "key-2")

    assert document_id(first, "a" * 64) == document_id(first, "a" * 64)
    assert len({document_id(first, "a" * 64), document_id(second, "a" * 64), document_id(first, "b" * 64)}) == 3


def test_a_papers_place_is_its_claims_and_shows_no_hash_of_its_content() -> None:
    claim = claim_id("default", "key-1")
    paper = document_id(claim, "a" * 64)

    assert object_name(claim, paper) == f"claims/{claim}/{paper}"
