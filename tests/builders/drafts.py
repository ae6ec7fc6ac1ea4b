"""Drafts of a report as intake stores them, every part overridable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.intake.domain.checks import Fault
from services.intake.domain.drafts import DraftRow, draft_id, draft_number
from tests.builders.events import a_sealed_party

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_draft_row(key: str = "draft-1", **changes: Any) -> DraftRow:
    """A draft with a policy number, a day, and a reporter of whom the name is known."""
    lacks = (Fault("/line", "missing", "a claim needs it", "submit"),)
    identity = draft_id("default", key)
    fields: dict[str, Any] = {
        "draft_id": identity,
        "number": draft_number(identity),
        "client": "default",
        "request_sha256": b"\x01" * 32,
        "body": {"policy_number": "FL-000001", "loss_date": "2012-10-29", "loss_zone": "Etc/UTC"},
        "people": {"reporter": a_sealed_party()},
        "given": {"reporter": ("name",)},
        "missing": lacks,
        "created_missing": lacks,
        "version": 1,
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=90),
    }
    return DraftRow(**fields | changes)
