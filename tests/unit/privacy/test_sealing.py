"""Sealed parties: they open for the right key only, whole or not at all, and an erased person stays erased."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest

from privacy.erased import Erased, display
from privacy.errors import SealError
from privacy.key_ring_memory import MemoryKeyRing
from privacy.sealing import Sealer
from privacy.wiring import memory_sealer_with_ring
from schemas.ids import KeyId, SubjectId
from schemas.outcomes import ErrorClass
from schemas.party import Party, SealedParty

CLAIM = UUID("11111111-2222-5333-8444-555555555555")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def a_sealer(seed: int = 1) -> tuple[Sealer, MemoryKeyRing]:
    return memory_sealer_with_ring(random.Random(seed).randbytes)


def a_subject(role: str = "claimant") -> SubjectId:
    return SubjectId(uuid5(CLAIM, role))


def a_party(name: str = "Canary Canarson") -> Party:
    return Party.model_validate({"name": name, "email": "canary@example.org", "phone": "+15550100", "language": "en"})


def seal(sealer: Sealer, *parties: tuple[SubjectId, Party]) -> list[SealedParty]:
    sealed = asyncio.run(sealer.seal_many(parties))
    assert all(isinstance(box, SealedParty) for box in sealed)
    return [box for box in sealed if isinstance(box, SealedParty)]


def test_what_is_sealed_opens_again_in_order() -> None:
    sealer, _ = a_sealer()
    parties = [(a_subject(str(number)), a_party(f"赔案 {number}")) for number in range(50)]

    sealed = seal(sealer, *parties)

    assert asyncio.run(sealer.open_many(sealed[::-1])) == [party for _, party in parties][::-1]
    assert asyncio.run(sealer.seal_many([])) == []
    assert asyncio.run(sealer.open_many([])) == []


def test_a_box_shows_nothing_of_the_person() -> None:
    sealer, _ = a_sealer()

    [box] = seal(sealer, (a_subject(), a_party()))

    assert b"anary" not in base64.b64decode(box.box)
    assert "anary" not in box.model_dump_json()


def test_one_person_has_one_key_but_each_box_its_own_nonce() -> None:
    sealer, _ = a_sealer()

    first, second, other = seal(sealer, *((a_subject(role), a_party()) for role in ("a", "a", "b")))
    [third] = seal(sealer, (a_subject("a"), a_party()))

    assert first.key_id == second.key_id == third.key_id != other.key_id
    assert len({box.box for box in (first, second, third)}) == 3


@pytest.mark.parametrize("place", [0, 11, 12, 40, -17, -1])
def test_a_changed_byte_anywhere_makes_a_security_error_without_echo(place: int) -> None:
    sealer, _ = a_sealer()
    [box] = seal(sealer, (a_subject(), a_party()))
    content = bytearray(base64.b64decode(box.box))
    content[place] ^= 1
    forged = box.model_copy(update={"box": base64.b64encode(content).decode()})

    with pytest.raises(SealError) as refused:
        asyncio.run(sealer.open_many([forged]))

    assert (refused.value.code, refused.value.error_class) == ("box-forged", ErrorClass.SECURITY)
    assert "anary" not in str(refused.value) and forged.box not in str(refused.value)


def _moved_to(box: SealedParty, other: SealedParty) -> SealedParty:
    return box.model_copy(update={"subject_id": other.subject_id, "key_id": other.key_id})


def _other_subject(box: SealedParty, other: SealedParty) -> SealedParty:
    return box.model_copy(update={"subject_id": other.subject_id})


def _unknown_key(box: SealedParty, other: SealedParty) -> SealedParty:
    return box.model_copy(update={"key_id": KeyId(UUID(int=7))})


def _not_base64(box: SealedParty, other: SealedParty) -> SealedParty:
    return box.model_copy(update={"box": "%%%"})


def _too_short(box: SealedParty, other: SealedParty) -> SealedParty:
    return box.model_copy(update={"box": base64.b64encode(b"x" * 12).decode()})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_moved_to, "box-forged"),
        (_other_subject, "key-of-another-subject"),
        (_unknown_key, "key-unknown"),
        (_not_base64, "box-malformed"),
        (_too_short, "box-malformed"),
    ],
)
def test_a_box_in_the_wrong_place_fails_alone(
    change: Callable[[SealedParty, SealedParty], SealedParty], code: str
) -> None:
    sealer, _ = a_sealer()
    box, other = seal(sealer, (a_subject("a"), a_party("Ada")), (a_subject("b"), a_party("Bob")))

    wrong, right = asyncio.run(sealer.open_each([change(box, other), other]))

    assert isinstance(wrong, SealError) and wrong.code == code
    assert right == a_party("Bob")


def test_a_box_of_another_schema_version_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer, _ = a_sealer()
    [box] = seal(sealer, (a_subject(), a_party()))
    monkeypatch.setattr("privacy.sealing.SCHEMA", b"claimflow.Party.v2")

    [opened] = asyncio.run(sealer.open_each([box]))

    assert isinstance(opened, SealError) and opened.code == "box-forged"


def test_an_erased_person_is_erased_everywhere_and_others_are_not() -> None:
    sealer, ring = a_sealer()
    gone, stays = seal(sealer, (a_subject("a"), a_party("Ada")), (a_subject("b"), a_party("Bob")))

    asyncio.run(ring.destroy(a_subject("a"), NOW))

    assert asyncio.run(sealer.open_many([gone, stays])) == [Erased(a_subject("a")), a_party("Bob")]
    assert display(asyncio.run(sealer.open_many([gone]))[0]) == "[erased]"


def test_sealing_an_erased_person_again_never_makes_a_new_key() -> None:
    sealer, ring = a_sealer()
    seal(sealer, (a_subject("a"), a_party("Ada")))
    asyncio.run(ring.destroy(a_subject("a"), NOW))

    again = asyncio.run(sealer.seal_many([(a_subject("a"), a_party("Ada")), (a_subject("b"), a_party("Bob"))]))

    assert again[0] == Erased(a_subject("a"))
    assert isinstance(again[1], SealedParty)


def test_the_same_seed_makes_the_same_boxes() -> None:
    first = seal(a_sealer(5)[0], (a_subject(), a_party()))
    second = seal(a_sealer(5)[0], (a_subject(), a_party()))

    assert first == second
