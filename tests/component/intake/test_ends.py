"""A process that has used the store for papers ends with the code it means, however busy the machine is."""

from __future__ import annotations

import asyncio
import sys

PARALLEL, ENDS = 6, 20
USES_THE_STORE_AND_ENDS = """
import asyncio, sys
from hosting.process import end
from services.intake.adapters.paper_store import open_paper_store

async def ask():
    try:
        await open_paper_store(sys.argv[1]).get("nothing/there")
    except FileNotFoundError:
        print("said")

asyncio.run(ask())
end(69)
"""


async def test_a_process_that_used_the_store_ends_with_its_own_code_and_has_said_everything(tmp_path: object) -> None:
    turns = asyncio.Semaphore(PARALLEL)

    async def ended() -> tuple[int | None, bytes]:
        words = ("-c", USES_THE_STORE_AND_ENDS, str(tmp_path))
        async with turns:
            process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
            out, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode, out

    ends = await asyncio.gather(*(ended() for _ in range(ENDS)))

    assert set(ends) == {(69, b"said\n")}
