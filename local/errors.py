"""The one kind of fault local/ reports on purpose: a line that says what is missing, and a hint how to get it."""

from __future__ import annotations

from hosting.exits import CannotStartError, Exit


class LocalError(CannotStartError):
    """Something this machine lacks or holds busy. Printed as one line plus the hint; never a traceback."""

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.unavailable) -> None:
        super().__init__(message, code)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message
