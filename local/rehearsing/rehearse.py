"""Puts a rehearsal together: the draft over what is in force here, the recorded events, the pure core between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hosting.exits import CannotStartError, Exit
from hosting.settings import variable_of
from local.rehearsing.recorded import FromLog, Raw, Told, decoded, read_topics, topics
from local.running import Running
from messaging.kafka_client.reading import KafkaTail
from services.assessment.adapters.draft_files import Places, load_draft
from services.assessment.domain.rehearsal import Draft, Rehearsal, Window


def draft_of(folder: Path, environment: Mapping[str, str], as_of: datetime | None = None) -> Draft:
    """The draft over the files that assessment is given here, those shipped where it is given none."""
    named = {
        name: Path(value)
        for name in Places.__dataclass_fields__
        if (value := environment.get(variable_of(name, "assessment")))
    }
    return replace(load_draft(folder, Places(**named)), as_of=as_of)


def rehearse(
    draft: Draft,
    window: Window,
    raws: Iterable[Raw],
    told: Told = lambda _: None,
    pass_over: Callable[[Raw], None] | None = None,
) -> Rehearsal:
    """Everything that was recorded, once more, under the draft. `pass_over`: see `decoded`."""
    rehearsal = Rehearsal(draft, window)
    for recorded in decoded(raws, told, pass_over):
        rehearsal.take(recorded)
    return rehearsal


async def from_running(running: Running, told: Told) -> FromLog:
    """The running system's log, read as `verify` reads it: without a group, so that nothing there moves."""
    return await read_topics(KafkaTail(topics(), running.kafka_settings("rehearsal")), told)


def instant_of(text: str, option: str) -> datetime:
    """A day (its beginning in UTC) or an RFC 3339 instant with its offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise CannotStartError(f"{option} is a day (2026-03-01) or an RFC 3339 instant", Exit.usage) from None
    if read.tzinfo is not None:
        return read.astimezone(UTC)
    if len(text) > len("2026-03-01"):
        raise CannotStartError(f"{option} needs an offset, as in 2026-03-01T00:00:00Z", Exit.usage)
    return read.replace(tzinfo=UTC)
