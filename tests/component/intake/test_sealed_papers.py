"""Papers lie sealed under the key of their claim's reporter: erasing that person closes them, and no others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from privacy.erased import Erased
from privacy.errors import SealError
from schemas.ids import ClaimId, SubjectId
from schemas.party import Party, SealedParty
from services.intake.adapters.paper_store import ObjectPaperStore, open_paper_store
from services.intake.domain.telling import reporter_of
from services.intake.routes.papers import PaperLimits
from tests.builders.intake import A_PDF, World
from tests.builders.papers import a_claim, erase_reporter, kept, name_of, opened, told

SECRET = "zq-secret-31337"


@pytest.fixture
def world() -> World:
    return World()


async def test_erasing_the_reporter_makes_the_papers_of_their_claims_unreadable_and_no_others(
    world: World, tmp_path: Path
) -> None:
    world.place = open_paper_store(str(tmp_path / "papers"))
    content = A_PDF + SECRET.encode() * 50_000
    async with world.new_life() as life:
        mine, theirs = await a_claim(life, 1), await a_claim(life, 2)
        for claim in (mine, theirs):
            assert (await life.add_paper(claim, content, key=f"k-{claim}")).status_code == 202
        files = [file.read_bytes() for file in (tmp_path / "papers").rglob("*") if file.is_file()]
        before = await opened(world, mine, content)
        listed = await life.client.get(f"/v1/claims/{mine}/documents")
        await erase_reporter(world, mine)
        after = await life.client.get(f"/v1/claims/{mine}/documents")

    assert len(files) == 2
    assert not any(SECRET.encode() in file or A_PDF in file for file in files)
    assert before == content
    assert await opened(world, mine, content) == Erased(reporter_of(ClaimId(mine)))
    assert await opened(world, theirs, content) == content
    # The history stays true: that the paper came in, of what kind, with which hash.
    assert after.json() == listed.json()


async def test_a_claim_whose_reporter_was_erased_takes_no_new_paper_and_repeats_its_old_answers(world: World) -> None:
    async with world.new_life() as life:
        claim, other = await a_claim(life, 1), await a_claim(life, 2)
        taken = await life.add_paper(claim)
        await erase_reporter(world, claim)
        refused = await life.add_paper(claim, b"%PDF-new", key="k-2")
        again = await life.add_paper(claim)
        neighbour = await life.add_paper(other, b"%PDF-new", key="k-3")

    assert (refused.status_code, refused.json()["code"]) == (410, "person-erased")
    assert refused.headers["content-type"] == "application/problem+json"
    assert again.content == taken.content
    assert neighbour.status_code == 202
    assert await kept(world) == sorted([name_of(claim, A_PDF), name_of(other, b"%PDF-new")])
    assert len(told(world)) == 2


async def test_a_paper_put_in_the_place_of_another_does_not_open(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        for number in (1, 2):
            await life.add_paper(claim, A_PDF + bytes([number]), key=f"k-{number}")
    assert isinstance(world.place, ObjectPaperStore)
    first = await world.place.get(name_of(claim, A_PDF + b"\x01"))

    await world.place.put(name_of(claim, A_PDF + b"\x02"), BytesIO(first))

    with pytest.raises(SealError):
        await opened(world, claim, A_PDF + b"\x02")


class KeysAway:
    """A sealer whose key ring cannot be reached while papers come in."""

    def __init__(self, world: World) -> None:
        self._sealer, self.away = world.sealer, True

    async def seal_many(self, parties: Sequence[tuple[SubjectId, Party]]) -> Sequence[SealedParty | object]:
        return await self._sealer.seal_many(parties)

    async def open_many(self, sealed: Sequence[SealedParty]) -> Sequence[Party | object]:
        return await self._sealer.open_many(sealed)

    async def seal_file(
        self, subject_id: SubjectId, place: bytes, source: IO[bytes], target: IO[bytes]
    ) -> object | None:
        if self.away:
            raise ConnectionRefusedError
        return await self._sealer.seal_file(subject_id, place, source, target)


async def test_while_the_key_ring_is_away_nothing_is_kept_or_told_and_the_retry_succeeds(world: World) -> None:
    keys = KeysAway(world)
    world.sealing = keys
    async with world.new_life() as life:
        claim = await a_claim(life)
        refused = await life.add_paper(claim)
        before = (await kept(world), told(world))
        keys.away = False
        taken = await life.add_paper(claim)

    assert (refused.status_code, refused.json()["code"]) == (503, "store-unavailable")
    assert "retry-after" in refused.headers
    assert before == ([], [])
    assert taken.status_code == 202
    assert await opened(world, claim, A_PDF) == A_PDF


async def test_the_limit_is_of_the_paper_as_it_came_not_of_its_seal(world: World) -> None:
    content = A_PDF + random.Random(1).randbytes(4_096 - len(A_PDF))
    async with world.new_life(papers=PaperLimits(paper_bytes_max=4_096)) as life:
        claim = await a_claim(life)
        answer = await life.add_paper(claim, content)

    assert (answer.status_code, answer.json()["size_bytes"]) == (202, 4_096)
    assert await opened(world, claim, content) == content
