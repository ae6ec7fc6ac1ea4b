"""Papers of a world of intake: what its place holds, what was told of it, what opens, and who is erased."""

from __future__ import annotations

import hashlib
from io import BytesIO

from privacy.erased import Erased
from privacy.key_ring import Destruction
from schemas.ids import ClaimId
from schemas.intake import DocumentsReceived
from services.intake.adapters.paper_store import ObjectPaperStore
from services.intake.domain.papers import document_id, object_name
from services.intake.domain.telling import reporter_of
from tests.builders.intake import Life, World
from tests.builders.reports import a_report


async def a_claim(life: Life, number: int = 1) -> str:
    """The id of a claim that was taken; `number` makes claims differ."""
    answer = await life.submit(a_report(number), key=f"key-{number}")
    assert answer.status_code == 202, answer.text
    return str(answer.json()["claim_id"])


def told(world: World) -> list[DocumentsReceived]:
    return [event for event in world.all_events().values() if isinstance(event, DocumentsReceived)]


async def kept(world: World) -> list[str]:
    """The names of what the place holds."""
    assert isinstance(world.place, ObjectPaperStore)
    try:
        return await world.place.names()
    except StopAsyncIteration:
        return []


def name_of(claim: str, content: bytes) -> str:
    """Where the paper with this content lies."""
    return object_name(ClaimId(claim), document_id(ClaimId(claim), hashlib.sha256(content).hexdigest()))


async def opened(world: World, claim: str, content: bytes) -> bytes | Erased:
    """What the place holds of the paper with this content, its seal opened."""
    name = name_of(claim, content)
    assert isinstance(world.place, ObjectPaperStore)
    box, target = BytesIO(await world.place.get(name)), BytesIO()
    erased = await world.sealer.open_file(reporter_of(ClaimId(claim)), name.encode(), box, target)
    return target.getvalue() if erased is None else erased


async def erase_reporter(world: World, claim: str) -> None:
    assert await world.ring.destroy(reporter_of(ClaimId(claim)), world.clock.now()) is Destruction.destroyed
