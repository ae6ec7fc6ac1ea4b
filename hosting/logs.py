"""Logs of a process: readable on a terminal, JSON in a pipe, and only fields that are allowed out.

No names, no accounts, no bodies: what is not on the list is replaced by its length, so that a slip shows up in tests.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from hosting.settings import SharedSettings

ALLOWED = frozenset(
    (
        "address",
        "attempt",
        "attempts",
        "author",
        "backlog",
        "bytes",
        "cause_id",
        "channel",
        "claim_id",
        "claims",
        "client",
        "code",
        "command_id",
        "count",
        "dead_letter_id",
        "due_at",
        "engine",
        "error_class",
        "event",
        "event_id",
        "exception",
        "exit_code",
        "file",
        "fingerprint",
        "instance",
        "kind",
        "language",
        "level",
        "logger",
        "method",
        "name",
        "offset",
        "partition",
        "path",
        "payment_id",
        "pending",
        "port",
        "reason",
        "reference",
        "release",
        "rows",
        "seconds",
        "service",
        "signal",
        "source",
        "stage",
        "state",
        "status",
        "template",
        "timestamp",
        "topic",
        "trace_id",
        "until",
        "url",
        "version",
        "work_id",
    )
)
_NOISY = ("aiokafka", "faust", "mode", "kafka", "asyncio", "sqlalchemy", "alembic", "uvicorn", "httpx2", "httpcore2")


def allow_listed(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every field that is not on the list."""
    for name in event:
        if name not in ALLOWED and not name.startswith("_"):
            event[name] = f"<withheld {type(event[name]).__name__}>"
    return event


def configure_logs(settings: SharedSettings, service: str) -> None:
    """Route structlog and the standard library's loggers through one chain to standard error."""
    as_json = settings.log == "json" or (settings.log == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.ExtraAdder(allow=ALLOWED),
        allow_listed,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=True)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=settings.instance)
