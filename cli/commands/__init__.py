"""One module a command, in help's order. Each has `register(app)` and imports nothing heavy at its top."""

from __future__ import annotations

COMMANDS = (
    "up",
    "down",
    "topics",
    "doctor",
    "config",
    "demo",
    "replay",
    "verify",
    "chaos",
    "submit",
    "documents",
    "withdraw",
    "adjudicate",
    "rules",
    "review",
    "trace",
    "lag",
    "pause",
    "resume",
    "unpark",
    "dlq",
    "person",
    "schemas",
)
