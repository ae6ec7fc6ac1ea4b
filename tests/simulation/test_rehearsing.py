"""Histories full of faults, rehearsed under the very rules they were decided by: not a byte may come out otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from local.rehearsing.recorded import read_topics, topics
from local.rehearsing.rehearse import draft_of, rehearse
from services.assessment.domain.rehearsal import Draft, Rehearsed, Window
from tests.builders.rehearsals import an_unchanged_draft
from tests.simulation.simulate import Driver

SEEDS = 10


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Faults are the point here: their log lines would bury a failure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def rehearsed(seed: int, draft: Draft) -> list[Rehearsed]:
    """Kills, second copies, disorder, policies that are waited for, people: then the log, once more."""

    async def play() -> list[Rehearsed]:
        driver = Driver(seed, claims=12, apart=True)
        await driver.run()
        read = await read_topics(driver.house.log.tail(topics()), lambda _: None)
        return list(rehearse(draft, Window(), read.in_order()).results())

    return asyncio.run(play())


def test_the_same_rules_decide_a_history_full_of_faults_the_same(tmp_path: Path) -> None:
    draft = draft_of(an_unchanged_draft(tmp_path), {})

    found = {seed: rehearsed(seed, draft) for seed in range(SEEDS)}

    told = [(seed, one.reference, one.difference) for seed, ones in found.items() for one in ones]
    assert [one for one in told if one[2] is not None] == []
    assert all(one.was.decision == one.then.decision for ones in found.values() for one in ones)
    assert len(told) > 5 * SEEDS and any(one.person is not None for ones in found.values() for one in ones)
