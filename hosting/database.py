"""The door to PostgreSQL: engines with the time-outs that keep a stopped process from holding its successor's rows."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_SESSION = {
    # A stopped worker (SIGSTOP) must not keep row locks from the process that takes its partitions over.
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "30s",
    "statement_timeout": "60s",
    "timezone": "UTC",
    "jit": "off",
}


def open_engine(url: str, name: str, pool_size: int = 6, session: dict[str, str] | None = None) -> AsyncEngine:
    """An engine over asyncpg, bounded to `pool_size` connections; `name` is shown in pg_stat_activity.

    The caller disposes of it. `session` overrides server settings of each connection.
    """
    options: dict[str, Any] = {"application_name": f"claimflow-{name}", **_SESSION, **(session or {})}
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=15,
        # What a statement carries is people's business: no fault shows it in a log.
        hide_parameters=True,
        connect_args={"timeout": 10, "server_settings": options},
    )


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"(//[^:/@]+):[^@]*@", r"\1:***@", url)
