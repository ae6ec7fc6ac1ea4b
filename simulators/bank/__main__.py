"""python -m simulators.bank [--port N] [--folder PATH] [--seed N]: prints one ready line with its address."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.bank.app import serve
from simulators.bank.settings import BankSettings
from simulators.serving import run


@asynccontextmanager
async def _start() -> AsyncIterator[str]:
    settings = BankSettings(_cli_parse_args=True)  # type: ignore[call-arg]
    async with serve(settings.folder, settings.port, settings.seed) as address:
        yield address


sys.exit(run("simulators.bank", _start))
