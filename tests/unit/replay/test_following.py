"""The report of a replay says where each claim stands, in whatever order the topics are read."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from local.replay.following import Follower, Story
from messaging.record import Record
from messaging.stores.memory_log import MemoryLog
from tests.builders.stages import SteppedClock

CLAIM = "662f68d0-56ba-5ecf-9821-acb8cc7f005d"


def a_record(topic: str, kind: str, /, **data: object) -> Record:
    """One event as the log holds it."""
    headers = (("ce_type", f"claimflow.{kind}.v1".encode()),)
    return Record(topic, 0, 0, 1_700_000_000_000, CLAIM.encode(), json.dumps(data).encode(), headers)


def a_story(*records: Record) -> Story:
    """What a follower makes of the records, in this order."""
    follower = Follower(MemoryLog(1, SteppedClock()).tail(()))
    follower.expect([CLAIM])
    for record in records:
        assert follower.take(record)
    return follower.stories[CLAIM]


@pytest.mark.parametrize(
    "order",
    list(
        permutations(
            (
                a_record("assessment.v1", "ClaimApproved"),
                a_record("payment.v1", "PaymentInstructed"),
                a_record("payment.v1", "PaymentConfirmed"),
                a_record("closing.v1", "ClaimClosed", outcome="paid"),
            )
        )
    ),
)
def test_a_paid_claim_stays_closed_whichever_topic_is_read_first(order: tuple[Record, ...]) -> None:
    story = a_story(*order)

    assert (story.state, story.outcome, story.paid) == ("closed", "paid", 1)


def test_a_claim_referred_and_then_approved_is_with_nobody() -> None:
    referred = a_record("assessment.v1", "ClaimReferred", reasons=["no_amount_stated"])

    story = a_story(referred, a_record("assessment.v1", "ClaimApproved"))

    assert (story.state, story.reasons) == ("approved", ("no_amount_stated",))


def test_a_claim_whose_undisputed_part_is_paid_stays_with_the_person_who_looks_at_the_rest() -> None:
    referred = a_record("assessment.v1", "ClaimReferred", reasons=["nothing_payable"])
    part = a_record("payment.v1", "PaymentInstructed", kind="partial"), a_record("payment.v1", "PaymentConfirmed")

    story = a_story(referred, *part)

    assert (story.state, story.paid) == ("referred", 1)
