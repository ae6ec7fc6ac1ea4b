"""Which text version is in use, by when a customer may expect what, and how long a notice is tried: data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.notify import NoticeKind
from schemas.payment import HoldReason


class KindRule(BaseModel):
    """The rule of one kind of notice. `by_days` is when the next thing is expected, counted from the notice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_version: int = Field(ge=1, le=100_000)
    by_days: int = Field(ge=0, le=365)
    expires_hours: int = Field(ge=1, le=720)


class Rules(BaseModel):
    """All rules of notify, in one versioned file.

    `approved_wait_seconds`: an approval waits so long for the bank's answer, which makes it superfluous.
    `customer_tasks` and `account_codes` say which hold and which bank rejection leave something to the customer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    kinds: Mapping[NoticeKind, KindRule]
    approved_wait_seconds: int = Field(ge=0, le=86_400)
    retry_seconds: tuple[int, ...] = Field(min_length=1, max_length=20)
    customer_tasks: frozenset[HoldReason]
    account_codes: frozenset[str] = Field(max_length=100)

    def model_post_init(self, context: Any, /) -> None:
        missing = [kind.value for kind in NoticeKind if kind not in self.kinds]
        if missing:
            raise ValueError(f"no rule for {', '.join(missing)}")

    def retry_after(self, attempt: int) -> timedelta:
        """How long to wait after the n-th attempt (from 1)."""
        return timedelta(seconds=self.retry_seconds[min(max(attempt, 1), len(self.retry_seconds)) - 1])
