"""python -m simulators.policy_system [--port N] [--folder PATH] [--seed N]: prints one ready line with its address."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.policy_system.app import serve
from simulators.policy_system.settings import PolicySystemSettings
from simulators.serving import run


@asynccontextmanager
async def _start() -> AsyncIterator[str]:
    settings = PolicySystemSettings(_cli_parse_args=True)  # type: ignore[call-arg]
    async with serve(settings.folder, settings.port, settings.seed) as address:
        yield address


sys.exit(run("simulators.policy_system", _start))
