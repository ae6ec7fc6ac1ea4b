"""Whatever happened to claims: deciding again over the same inputs gives the same events and states, byte for byte."""

from __future__ import annotations

import pytest

from schemas.assessment import RequestedDocument
from schemas.ids import ClaimId
from schemas.intake import ClaimReported
from schemas.ops import Verdict
from schemas.topics import topic_of
from tests.builders.assessment import AssessmentHouse, an_asked_line, an_assessment_house
from tests.builders.events import a_claim_id, documents_received, usd
from tests.builders.ledgers import MANY_ARE_USUAL, a_book, a_years_loss, an_aggregate_policy

pytestmark = pytest.mark.asyncio


async def a_long_story(house: AssessmentHouse) -> list[ClaimId]:
    """Claims of one policy with everything that may happen to them, one after the other."""
    stories: list[ClaimReported] = [
        a_years_loss(1, "40000.00"),
        a_years_loss(2, None, lines=(an_asked_line("20000.00"), an_asked_line(None, line_id="2"))),
        a_years_loss(3, "60000.00"),
        a_years_loss(4, None),
        a_years_loss(5, "1000.00", loss_at=a_years_loss(1, None).loss_at),
    ]
    claims = [a_claim_id(number) for number in range(1, len(stories) + 1)]
    for claim, story in zip(claims, stories, strict=True):
        house.tell(story, claim)
        await house.run()
    house.reject(claims[0])
    house.judge(claims[1], verdict=Verdict.ask_documents, documents=(RequestedDocument(kind="invoice"),))
    house.judge(claims[2])
    house.judge(claims[3], verdict=Verdict.approve_amount, amount=usd("500.00"), reason="Kindness.")
    house.judge(claims[4], verdict=Verdict.duplicate, reason="Told twice.")
    await house.run()
    house.judge(claims[0])
    house.tell(documents_received("invoice"), claims[1])
    await house.run()
    for claim in claims[:3]:
        house.judge(claim)
    await house.run()
    return claims


async def test_deciding_again_over_the_same_inputs_gives_the_same_bytes_however_they_are_batched() -> None:
    wire: list[list[tuple[bytes | None, bytes | None]]] = []
    for batch in (500, 1, 3):
        async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL, batch=batch) as house:
            claims = await a_long_story(house)
            assert all(len(house.names(claim)) > 3 for claim in claims)
            wire.append([(one.key, one.value) for one in house.log.records(topic_of("assessment"))])

    assert wire[0] == wire[1] == wire[2]


async def test_the_whole_story_delivered_again_changes_no_event_and_no_state() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        claims = await a_long_story(house)
        told = house.records()
        states = [await house.state(claim) for claim in claims]
        await house.restart()
        for place in house.engine.next:
            house.engine.next[place] = 0
        await house.run()

        assert house.records() == told
        assert [await house.state(claim) for claim in claims] == states


async def test_a_claims_state_is_the_fold_of_its_events_alone() -> None:
    async with an_assessment_house(book=a_book(an_aggregate_policy()), rules=MANY_ARE_USUAL) as house:
        claims = await a_long_story(house)

        for claim in claims:
            assert house.folded(claim) == await house.state(claim)
