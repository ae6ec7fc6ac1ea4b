"""People, roles and limits from a validated YAML file, read again when it changes. A bad file changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import structlog
import yaml
from pydantic import ValidationError

from hosting.exits import CannotStartError, Exit
from services.ops.domain.people import Directory, Staff

log = structlog.get_logger("ops.people")
FILE_BYTES_MAX = 1024 * 1024
_Stamp = tuple[int, int, int]


class BadPeopleFile(Exception):
    """One line that names the place and the rule, never a value."""


class PeopleFile:
    """See `People`. The file must be good at the start; later a bad one is logged once and the last good one holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._stamp = _stamp(path)
            self._people = _read(path)
        except (OSError, BadPeopleFile) as wrong:
            said = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
            raise CannotStartError(f"the file of people {path.name} cannot be used: {said}", Exit.usage) from None

    def find(self, person_id: str) -> Staff | None:
        self._look_again()
        return self._people.get(person_id)

    def _look_again(self) -> None:
        try:
            stamp = _stamp(self._path)
        except OSError as gone:
            stamp = (0, 0, 0)
            if stamp != self._stamp:
                log.error("the file of people is gone; the last good one holds", file=self._path.name, code=gone.errno)
                self._stamp = stamp
            return
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._people = _read(self._path)
        except (OSError, BadPeopleFile) as wrong:
            log.error("the file of people is bad; the last good one holds", file=self._path.name, reason=str(wrong))
        else:
            log.info("the file of people was read again", file=self._path.name, count=len(self._people))


def _stamp(path: Path) -> _Stamp:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> dict[str, Staff]:
    with path.open("rb") as source:
        raw = source.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise BadPeopleFile(f"it is larger than {FILE_BYTES_MAX} bytes")
    try:
        # As JSON, so that money is text here as everywhere: YAML would make a float of it.
        directory = Directory.model_validate_json(json.dumps(yaml.safe_load(raw)))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        place = "/".join(str(part) for part in first["loc"]) or "the file"
        raise BadPeopleFile(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):
        raise BadPeopleFile("it is no well-formed YAML") from None
    return {one.id: one for one in directory.people}
