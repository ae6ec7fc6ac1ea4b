"""Instants: what is taken for one, from JSON and by way of Python, and that equal instants are written alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from schemas.model import Instant

INSTANTS: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    "said", ["0", 0, 1_767_225_600, "1767225600", "2026-01-01", "2026-01-01T00:00:00", "now", None]
)
def test_a_number_a_day_and_a_time_without_offset_are_no_instant(said: object) -> None:
    with pytest.raises(ValidationError):
        INSTANTS.validate_python(said)
    with pytest.raises(ValidationError):
        INSTANTS.validate_json(to_json(said))


def test_equal_instants_are_written_alike() -> None:
    ours = datetime(2026, 1, 1, 12, tzinfo=UTC)

    theirs = [
        INSTANTS.validate_python("2026-01-01T20:00:00+08:00"),
        INSTANTS.validate_json('"2026-01-01T12:00:00Z"'),
        INSTANTS.validate_python(ours.astimezone(timezone(timedelta(hours=-5)))),
    ]

    assert {INSTANTS.dump_json(one) for one in theirs} == {INSTANTS.dump_json(ours)}


def test_instants_lie_from_1900_to_2199() -> None:
    for said in ("1899-12-31T23:59:59Z", "2200-01-01T00:00:00Z"):
        with pytest.raises(ValidationError, match="1900 to 2199"):
            INSTANTS.validate_python(said)
