"""Watches the log while a replay runs: where each of its claims stands, for the progress bars and for the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from messaging.ports import Tail
from messaging.record import Record


@dataclass(slots=True)
class Story:
    """One claim as the log tells it. `payable` per line in decimal text, approved or proposed; None: not computed."""

    reported: bool = False
    registered: bool = False
    paid: int = 0
    notices: int = 0
    state: str = "acknowledged"
    settled_at: datetime | None = None
    payable: Mapping[str, str] | None = None
    reasons: tuple[str, ...] = ()
    outcome: str | None = None

    def stands(self, state: str) -> None:
        """Topics are read in no order among themselves: what led to a closing may come after it and opens nothing."""
        if self.state != "closed":
            self.state = state


@dataclass(slots=True)
class Follower:
    """Reads every claim topic from where it stood at the start; knows only the claims of its run."""

    tail: Tail
    stories: dict[str, Story] = field(default_factory=dict)
    settled: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("reported", "registered", "settled", "paid"), 0)
    )
    moved_at: float = 0.0

    def expect(self, claim_ids: Collection[str]) -> None:
        """The claims this run is about."""
        self.stories.update((claim, Story()) for claim in claim_ids)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        self.moved_at = loop.time()
        while True:
            for record in await self.tail.poll(0.25):
                if self.take(record):
                    self.moved_at = loop.time()

    def take(self, record: Record) -> bool:
        """Counts one record; False for claims of others."""
        story = self.stories.get((record.key or b"").decode("ascii", "replace"))
        if story is None:
            return False
        kind = next((value for name, value in record.headers if name == "ce_type"), b"")
        name = kind.decode("ascii", "replace").split(".")[1] if b"." in kind else ""
        match name:
            case "ClaimReported" if not story.reported:
                story.reported = True
                self.counts["reported"] += 1
            case "ClaimRegistered" if not story.registered:
                story.registered = True
                self.counts["registered"] += 1
            case "PolicyAwaited":
                story.stands("awaiting_policy")
            case "DocumentsRequested":
                story.stands("awaiting_documents")
            case "ClaimApproved" | "ClaimPartlyApproved":
                story.payable = _payable(json.loads(record.value or b"{}"))
                story.stands("approved")
            case "PaymentInstructed" if story.state != "referred":
                # What a person still looks at stays with them while the undisputed part is paid.
                story.stands("paying")
            case "PaymentConfirmed":
                story.paid += 1
                self.counts["paid"] += story.paid == 1
            case "NoticeSent":
                story.notices += 1
            case "ClaimReferred" | "ClaimClosed":
                self._settle(story, name, json.loads(record.value or b"{}"), record.timestamp_ms)
        return True

    def _settle(self, story: Story, name: str, data: Mapping[str, Any], appended_ms: int) -> None:
        if story.settled_at is None:
            self.settled += 1
            self.counts["settled"] += 1
            story.settled_at = datetime.fromtimestamp(appended_ms / 1000, UTC)
        if name == "ClaimReferred":
            story.stands("referred")
            story.reasons = tuple(data.get("reasons", ()))
            story.payable = _payable(data) if data.get("decision") else story.payable
        else:
            story.state, story.outcome = "closed", data.get("outcome")


def _payable(data: Mapping[str, Any]) -> dict[str, str]:
    lines = (data.get("decision") or {}).get("lines", ())
    return {line["line_id"]: line["payable"]["amount"] for line in lines}
