"""Exit codes of every process and command (sysexits), so that scripts and the supervisor can tell what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """0 done; 2 wrong usage or settings; 69 something needed is unavailable; 70 our fault; 75 try again later."""

    done = 0
    usage = 2
    unavailable = 69
    internal = 70
    try_again = 75


class CannotStartError(Exception):
    """A process cannot start; the message is one line that says what is missing and what to do about it."""

    def __init__(self, message: str, code: Exit = Exit.unavailable) -> None:
        super().__init__(message)
        self.code = code
